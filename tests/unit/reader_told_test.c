/* supervisor/reader_told: what Watch tells, into the reader's swarm */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../supervisor/reader_swarm.h"

struct fixture {
	struct swarm swarm;
	struct swarm_changes changes;
	uint64_t now;
};

static const char *
task_json(
    char *buf, size_t size, const char *id, unsigned version, const char *state)
{
	(void)snprintf(buf, size,
	    "{\"ID\":\"%s\",\"Version\":{\"Index\":%u},"
	    "\"UpdatedAt\":\"2026-01-31T10:00:00Z\","
	    "\"ServiceID\":\"s1\",\"Slot\":1,\"NodeID\":\"n1\","
	    "\"Status\":{\"State\":\"%s\"},\"DesiredState\":\"running\","
	    "\"NetworksAttachments\":[{\"Network\":{\"ID\":\"net1\"},"
	    "\"Addresses\":[\"10.0.0.5/24\"]}]}",
	    id, version, state);
	return buf;
}

/* What the Engine answers for service s1 and its tasks. */
static void
answer(struct fixture *f, const char *const *tasks, size_t n, unsigned version,
    const char *state)
{
	static const char service[] =
	    "{\"ID\":\"s1\",\"Version\":{\"Index\":10},"
	    "\"CreatedAt\":\"2026-01-31T10:00:00Z\","
	    "\"Spec\":{\"Name\":\"web\",\"Labels\":{"
	    "\"com.docker.lb.hosts\":\"web.example\","
	    "\"com.docker.lb.port\":\"80\"},"
	    "\"TaskTemplate\":{\"ContainerSpec\":{}},"
	    "\"Mode\":{\"Replicated\":{\"Replicas\":2}}}}";
	struct swarm_batch b;
	struct swarm_changes changes;
	char buf[1024];

	swarm_batch_init(&b);
	b.all_services = b.all_tasks = b.networks = true;
	swarm_batch_service(&b, service, sizeof(service) - 1);
	for (size_t i = 0; i < n; i++) {
		(void)task_json(buf, sizeof(buf), tasks[i], version, state);
		swarm_batch_task(&b, buf, strlen(buf));
	}
	assert_int_equal(b.in->bad.len, 0);
	swarm_apply(&f->swarm, &b, NULL, f->now, &changes);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
}

static const struct service *
service(const struct fixture *f)
{
	return map_get(&f->swarm.model->services, "s1");
}

static size_t
routable(const struct fixture *f)
{
	size_t n = 0;

	for (size_t i = 0; i < service(f)->tasks.len; i++)
		n += task_is_routable(service(f)->tasks.at[i]);
	return n;
}

static enum swarm_told
tell(struct fixture *f, const char *id, enum watch_action action,
    enum task_state state, enum task_state desired, uint64_t version)
{
	struct watch_event ev = {
		.kind = WATCH_TASK,
		.action = action,
		.service_id = "s1",
		.state = state,
		.desired = desired,
		.version = version,
		.commit_us = 1000 + version,
	};

	(void)snprintf(ev.id, sizeof(ev.id), "%s", id);
	return swarm_tell_task(&f->swarm, &ev, f->now, &f->changes);
}

static int
set_up(void **state)
{
	static const char *const tasks[] = { "t1", "t2" };
	struct fixture *f = xcalloc(1, sizeof(*f));

	swarm_init(&f->swarm);
	f->now = 100000;
	answer(f, tasks, 2, 20, "running");
	assert_int_equal(routable(f), 2);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	swarm_changes_fini(&f->changes);
	swarm_fini(&f->swarm);
	free(f);
	return 0;
}

static void
a_task_that_shall_stop_is_gone_at_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 21),
	    SWARM_CHANGED);
	assert_int_equal(routable(f), 1);
	assert_int_equal(f->changes.services.len, 1);
	assert_string_equal(f->changes.services.at[0], "s1");
	assert_int_equal(swarm_changes_commit(&f->changes, "s1"), 1021);
	/* And the next of the same message is no second change. */
	assert_int_equal(
	    tell(f, "t2", WATCH_UPDATE, TASK_RUNNING, TASK_REMOVE, 22),
	    SWARM_CHANGED);
	assert_int_equal(f->changes.services.len, 1);
	assert_int_equal(swarm_changes_commit(&f->changes, "s1"), 1021);
	assert_int_equal(routable(f), 0);
}

static bool
is_last(struct fixture *f, const char *id, enum watch_action action,
    enum task_state state, enum task_state desired)
{
	struct watch_event ev = { .kind = WATCH_TASK,
		.action = action,
		.service_id = "s1",
		.state = state,
		.desired = desired };

	(void)snprintf(ev.id, sizeof(ev.id), "%s", id);
	return swarm_is_last_task(&f->swarm, &ev);
}

static void
the_last_upstream_that_still_runs_is_known_as_such(void **state)
{
	struct fixture *f = *state;

	assert_false(
	    is_last(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN));
	assert_int_equal(
	    tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 21),
	    SWARM_CHANGED);
	assert_true(
	    is_last(f, "t2", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN));
	/* It stays, ended already, is gone, or is another. */
	assert_false(
	    is_last(f, "t2", WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING));
	assert_false(
	    is_last(f, "t2", WATCH_UPDATE, TASK_FAILED, TASK_SHUTDOWN));
	assert_false(
	    is_last(f, "t2", WATCH_REMOVE, TASK_RUNNING, TASK_SHUTDOWN));
	assert_false(
	    is_last(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN));
}

static void
an_answer_on_its_way_does_not_bring_it_back(void **state)
{
	static const char *const tasks[] = { "t1", "t2" };
	struct fixture *f = *state;

	(void)tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 21);
	answer(f, tasks, 2, 20, "running");
	assert_int_equal(routable(f), 1);
	/* But Watch is not believed for ever. */
	f->now += 61000;
	answer(f, tasks, 2, 20, "running");
	assert_int_equal(routable(f), 2);
}

static void
a_task_that_failed_is_out_and_stays_known(void **state)
{
	static const char *const tasks[] = { "t1", "t2" };
	struct fixture *f = *state;

	assert_int_equal(
	    tell(f, "t1", WATCH_UPDATE, TASK_FAILED, TASK_RUNNING, 21),
	    SWARM_CHANGED);
	assert_int_equal(routable(f), 1);
	assert_int_equal(service(f)->tasks.len, 2);
	/* An older answer does not change that. */
	answer(f, tasks, 2, 20, "running");
	assert_int_equal(routable(f), 1);
}

static void
a_task_that_runs_now_has_to_be_listed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    tell(f, "t3", WATCH_CREATE, TASK_NEW, TASK_RUNNING, 21),
	    SWARM_NOTHING);
	assert_int_equal(
	    tell(f, "t3", WATCH_UPDATE, TASK_STARTING, TASK_RUNNING, 22),
	    SWARM_NOTHING);
	assert_int_equal(
	    tell(f, "t3", WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 23),
	    SWARM_LOOK);
	assert_int_equal(f->changes.services.len, 0);
}

static void
where_none_runs_every_step_is_worth_a_look(void **state)
{
	struct fixture *f = *state;

	(void)tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 21);
	(void)tell(f, "t2", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 21);
	assert_int_equal(
	    tell(f, "t3", WATCH_CREATE, TASK_PENDING, TASK_RUNNING, 22),
	    SWARM_LOOK);
}

static void
late_and_repeated_words_change_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    tell(f, "t1", WATCH_UPDATE, TASK_STARTING, TASK_RUNNING, 19),
	    SWARM_NOTHING);
	assert_int_equal(
	    tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 20),
	    SWARM_NOTHING);
	(void)tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 21);
	assert_int_equal(
	    tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 21),
	    SWARM_NOTHING);
	/* It ran before it was to stop, told late. */
	assert_int_equal(
	    tell(f, "t1", WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 20),
	    SWARM_NOTHING);
	assert_int_equal(
	    tell(f, "t1", WATCH_REMOVE, TASK_SHUTDOWN, TASK_SHUTDOWN, 22),
	    SWARM_NOTHING);
	assert_int_equal(routable(f), 1);
}

static void
a_task_that_waits_for_its_turn_is_nothing_yet(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    tell(f, "t3", WATCH_CREATE, TASK_READY, TASK_READY, 21),
	    SWARM_NOTHING);
}

static void
tasks_of_unknown_services_are_left_to_the_caller(void **state)
{
	struct fixture *f = *state;
	struct watch_event ev = { .kind = WATCH_TASK,
		.action = WATCH_UPDATE,
		.id = "t9",
		.service_id = "s9",
		.state = TASK_RUNNING,
		.desired = TASK_RUNNING };

	assert_int_equal(swarm_tell_task(&f->swarm, &ev, f->now, &f->changes),
	    SWARM_UNKNOWN);
}

static void
what_left_long_ago_is_forgotten(void **state)
{
	struct fixture *f = *state;
	char id[32];

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			(void)snprintf(id, sizeof(id), "r%ut%u", round, i);
			(void)tell(f, id, WATCH_REMOVE, TASK_SHUTDOWN,
			    TASK_REMOVE, 30);
		}
		f->now += 100000;
	}
	assert_true(f->swarm.left.len <= 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_that_shall_stop_is_gone_at_once),
		TEST(the_last_upstream_that_still_runs_is_known_as_such),
		TEST(an_answer_on_its_way_does_not_bring_it_back),
		TEST(a_task_that_failed_is_out_and_stays_known),
		TEST(a_task_that_runs_now_has_to_be_listed),
		TEST(where_none_runs_every_step_is_worth_a_look),
		TEST(late_and_repeated_words_change_nothing),
		TEST(a_task_that_waits_for_its_turn_is_nothing_yet),
		TEST(tasks_of_unknown_services_are_left_to_the_caller),
		TEST(what_left_long_ago_is_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
