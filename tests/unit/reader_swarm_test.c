/* supervisor/reader_swarm: what answers of the Engine change */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../supervisor/reader_swarm.h"
#include "base/mem.h"
#include "base/str.h"

#define NOW 1000000

struct fixture {
	struct swarm swarm;
	struct swarm_batch batch;
	struct swarm_changes changes;
	struct map dirty;
	uint64_t now;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	swarm_init(&f->swarm);
	swarm_batch_init(&f->batch);
	f->now = NOW;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	swarm_changes_fini(&f->changes);
	swarm_batch_fini(&f->batch);
	swarm_fini(&f->swarm);
	map_fini(&f->dirty);
	free(f);
	return 0;
}

static void
service(struct fixture *f, const char *id, unsigned version, const char *labels,
    const char *more)
{
	STR_AUTO(json, 65536);

	str_addf(&json,
	    "{\"ID\":\"%s\",\"Version\":{\"Index\":%u},"
	    "\"CreatedAt\":\"2026-01-01T00:00:00Z\","
	    "\"UpdatedAt\":\"2026-01-01T00:00:%02uZ\",\"Spec\":{\"Name\":"
	    "\"n-%s\",\"Labels\":{%s},\"TaskTemplate\":{\"ContainerSpec\":{}},"
	    "\"Mode\":{\"Global\":{}}}%s}",
	    id, version, version % 60, id, labels, more);
	swarm_batch_service(&f->batch, json.p, json.len);
}

static void
labelled(struct fixture *f, const char *id, unsigned version)
{
	service(f, id, version, "\"com.docker.lb.port\":\"80\"", "");
}

static void
task(struct fixture *f, const char *id, const char *service_id,
    unsigned version, const char *state, const char *desired)
{
	STR_AUTO(json, 65536);

	str_addf(&json,
	    "{\"ID\":\"%s\",\"Version\":{\"Index\":%u},\"ServiceID\":\"%s\","
	    "\"Slot\":1,\"NodeID\":\"node\",\"UpdatedAt\":"
	    "\"2026-01-01T00:01:%02uZ\",\"Status\":{\"State\":\"%s\"},"
	    "\"DesiredState\":\"%s\",\"NetworksAttachments\":[{\"Network\":"
	    "{\"ID\":\"net\"},\"Addresses\":[\"10.0.0.%u/24\"]}]}",
	    id, version, service_id, version % 60, state, desired, 3U);
	swarm_batch_task(&f->batch, json.p, json.len);
}

/* Applies as the answer of lists of all services and tasks. */
static void
apply(struct fixture *f)
{
	swarm_changes_fini(&f->changes);
	swarm_apply(&f->swarm, &f->batch, &f->dirty, f->now, &f->changes);
	swarm_batch_fini(&f->batch);
	swarm_batch_init(&f->batch);
	map_fini(&f->dirty);
}

static void
apply_lists(struct fixture *f)
{
	f->batch.all_services = f->batch.all_tasks = true;
	f->batch.networks = f->batch.nodes = true;
	f->batch.secrets = f->batch.configs = true;
	f->batch.manager = true;
	apply(f);
}

static bool
changed(const struct fixture *f, const char *id)
{
	for (size_t i = 0; i < f->changes.services.len; i++) {
		if (strcmp(f->changes.services.at[i], id) == 0)
			return true;
	}
	return false;
}

static bool
has(const struct fixture *f, const char *id)
{
	return map_get(&f->swarm.model->services, id) != NULL;
}

static size_t
tasks_of(const struct fixture *f, const char *id)
{
	const struct service *s = map_get(&f->swarm.model->services, id);

	return s->tasks.len;
}

static void
the_first_whole_list_tells_what_came_before_it(void **state)
{
	struct fixture *f = *state;

	/* Not whole: nobody is told of it. */
	labelled(f, "a", 1);
	f->batch.all_services = f->batch.all_tasks = true;
	apply(f);
	assert_false(f->swarm.complete);
	labelled(f, "a", 1);
	apply_lists(f);
	assert_true(f->swarm.complete);
	assert_true(changed(f, "a"));
	labelled(f, "a", 1);
	apply_lists(f);
	assert_false(changed(f, "a"));
}

static void
a_look_at_tasks_alone_is_no_look_at_the_service(void **state)
{
	struct fixture *f = *state;
	struct swarm_newer newer = { 0 };

	labelled(f, "a", 1);
	task(f, "t1", "a", 2, "running", "running");
	apply_lists(f);
	/* A whole list, during which the tasks of a were looked at. */
	service(f, "a", 5, "\"com.docker.lb.port\":\"81\"", "");
	labelled(f, "b", 4);
	(void)map_set(&newer.task_ids, "a", f);
	swarm_batch_except(&f->batch, &newer);
	apply_lists(f);
	assert_true(changed(f, "a"));
	assert_true(has(f, "b"));
	assert_int_equal(tasks_of(f, "a"), 1);
	swarm_newer_clear(&newer);
}

static void
only_labelled_services_are_kept(void **state)
{
	struct fixture *f = *state;

	labelled(f, "a", 1);
	service(f, "b", 1, "\"other\":\"x\"", "");
	task(f, "t", "a", 1, "running", "running");
	task(f, "u", "b", 1, "running", "running");
	apply_lists(f);
	assert_true(f->swarm.complete);
	assert_true(has(f, "a"));
	assert_false(has(f, "b"));
	assert_int_equal(tasks_of(f, "a"), 1);
	assert_int_equal(f->changes.services.len, 1);
	/* The label goes, and the service with it. */
	service(f, "a", 2, "", "");
	apply_lists(f);
	assert_false(has(f, "a"));
	assert_int_equal(f->changes.removed.len, 1);
}

static void
a_change_that_routing_does_not_read_is_none(void **state)
{
	struct fixture *f = *state;

	labelled(f, "a", 1);
	task(f, "t", "a", 1, "running", "running");
	apply_lists(f);
	/* Another version, another foreign label; the task just newer. */
	service(f, "a", 2, "\"com.docker.lb.port\":\"80\",\"team\":\"x\"", "");
	task(f, "t", "a", 2, "running", "running");
	apply_lists(f);
	assert_int_equal(f->changes.services.len, 0);
	assert_int_equal(f->changes.removed.len, 0);
	service(f, "a", 3, "\"com.docker.lb.port\":\"81\"", "");
	task(f, "t", "a", 2, "running", "running");
	apply_lists(f);
	assert_true(changed(f, "a"));
	/* 2026-01-01T00:00:03Z */
	assert_int_equal(
	    swarm_changes_commit(&f->changes, "a"), 1767225603000000);
	assert_int_equal(tasks_of(f, "a"), 1);
}

static void
tasks_matter_when_they_become_or_cease_to_be_routable(void **state)
{
	struct fixture *f = *state;

	labelled(f, "a", 1);
	task(f, "t", "a", 1, "running", "running");
	task(f, "u", "a", 1, "starting", "running");
	apply_lists(f);
	assert_int_equal(tasks_of(f, "a"), 2);
	f->batch.all_tasks = true;
	task(f, "t", "a", 1, "running", "running");
	task(f, "u", "a", 2, "ready", "running");
	apply(f);
	assert_int_equal(f->changes.services.len, 0);
	f->batch.all_tasks = true;
	task(f, "t", "a", 1, "running", "running");
	task(f, "u", "a", 3, "running", "running");
	apply(f);
	assert_true(changed(f, "a"));
	/* Desired state shutdown: it is as if gone, at once. */
	f->batch.all_tasks = true;
	task(f, "t", "a", 2, "running", "shutdown");
	task(f, "u", "a", 3, "running", "running");
	apply(f);
	assert_true(changed(f, "a"));
	assert_int_equal(tasks_of(f, "a"), 1);
}

static void
tasks_of_one_service_say_nothing_of_another(void **state)
{
	struct fixture *f = *state;

	labelled(f, "a", 1);
	labelled(f, "b", 1);
	task(f, "t", "a", 1, "running", "running");
	task(f, "u", "b", 1, "running", "running");
	apply_lists(f);
	(void)map_set(&f->batch.asked_tasks, "a", f);
	apply(f);
	assert_true(changed(f, "a"));
	assert_false(changed(f, "b"));
	assert_int_equal(tasks_of(f, "a"), 0);
	assert_int_equal(tasks_of(f, "b"), 1);
}

static void
an_older_answer_counts_only_the_third_time(void **state)
{
	struct fixture *f = *state;

	service(f, "a", 9, "\"com.docker.lb.port\":\"81\"", "");
	task(f, "t", "a", 9, "running", "running");
	apply_lists(f);
	for (int i = 1; i <= 3; i++) {
		service(f, "a", 5, "\"com.docker.lb.port\":\"80\"", "");
		task(f, "t", "a", 5, "starting", "running");
		apply_lists(f);
		assert_int_equal(tasks_of(f, "a"), 1);
		assert_int_equal(f->changes.services.len, i == 3 ? 1 : 0);
	}
	/* And is forgotten when a newer one comes between. */
	service(f, "a", 4, "\"com.docker.lb.port\":\"82\"", "");
	apply_lists(f);
	assert_false(changed(f, "a") && tasks_of(f, "a") == 1);
	service(f, "a", 6, "\"com.docker.lb.port\":\"80\"", "");
	apply_lists(f);
	service(f, "a", 4, "\"com.docker.lb.port\":\"82\"", "");
	apply_lists(f);
	assert_int_equal(f->changes.services.len, 0);
}

/* Its tasks, which are not older, do not end the count. */
static void
an_older_service_is_believed_though_its_tasks_are_not_older(void **state)
{
	struct fixture *f = *state;

	service(f, "a", 9, "\"com.docker.lb.port\":\"81\"", "");
	task(f, "t", "a", 9, "running", "running");
	apply_lists(f);
	for (int i = 1; i <= 3; i++) {
		service(f, "a", 5, "\"com.docker.lb.port\":\"80\"", "");
		task(f, "t", "a", 9, "running", "running");
		apply_lists(f);
		assert_int_equal(f->changes.services.len, i == 3 ? 1 : 0);
	}
}

static void
many(struct fixture *f, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "s%u", i);
		labelled(f, id, 1);
	}
}

static void
a_list_that_takes_most_away_is_confirmed(void **state)
{
	struct fixture *f = *state;

	many(f, 0, 20);
	apply_lists(f);
	many(f, 0, 5);
	apply_lists(f);
	assert_int_equal(f->changes.removed.len, 0);
	assert_true(f->changes.confirm);
	f->now += 2600;
	many(f, 0, 5);
	apply_lists(f);
	assert_int_equal(f->changes.removed.len, 0);
	/* Another list between starts it over. */
	many(f, 0, 6);
	apply_lists(f);
	f->now += 2600;
	many(f, 0, 6);
	apply_lists(f);
	assert_int_equal(f->changes.removed.len, 0);
	f->now += 2600;
	many(f, 0, 6);
	apply_lists(f);
	assert_int_equal(f->changes.removed.len, 14);
	assert_int_equal(f->swarm.model->services.len, 6);
}

static void
an_empty_list_is_confirmed_however_few_there_are(void **state)
{
	struct fixture *f = *state;

	labelled(f, "a", 1);
	apply_lists(f);
	for (int i = 0; i < 3; i++) {
		assert_true(has(f, "a"));
		apply_lists(f);
		f->now += 2600;
	}
	assert_false(has(f, "a"));
}

static void
a_few_of_many_go_at_once(void **state)
{
	struct fixture *f = *state;

	many(f, 0, 20);
	apply_lists(f);
	many(f, 0, 15);
	apply_lists(f);
	assert_int_equal(f->changes.removed.len, 5);
	assert_false(f->changes.confirm);
}

static void
what_events_or_a_404_told_goes_at_once(void **state)
{
	struct fixture *f = *state;

	many(f, 0, 10);
	apply_lists(f);
	for (unsigned i = 0; i < 10; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "s%u", i);
		if (i < 8)
			(void)map_set(&f->dirty, id, f);
	}
	many(f, 8, 10);
	apply_lists(f);
	assert_int_equal(f->changes.removed.len, 8);
	(void)map_set(&f->batch.gone, "s8", f);
	(void)map_set(&f->batch.asked, "s8", f);
	apply(f);
	assert_int_equal(f->changes.removed.len, 1);
	assert_true(has(f, "s9"));
}

static void
an_odd_service_keeps_its_last_good_version(void **state)
{
	struct fixture *f = *state;
	static const char odd[] =
	    "{\"ID\":\"a\",\"Version\":{\"Index\":3},\"CreatedAt\":\"2026-01-"
	    "01T00:00:00Z\",\"Spec\":{\"Name\":\"n-a\","
	    "\"Labels\":[1]}}";

	labelled(f, "a", 1);
	labelled(f, "b", 1);
	task(f, "t", "a", 1, "running", "running");
	apply_lists(f);
	swarm_batch_service(&f->batch, odd, sizeof(odd) - 1);
	labelled(f, "b", 1);
	task(f, "t", "a", 1, "running", "running");
	apply_lists(f);
	assert_true(has(f, "a"));
	assert_true(has(f, "b"));
	assert_int_equal(tasks_of(f, "a"), 1);
	assert_int_equal(f->changes.removed.len, 0);
	assert_true(f->changes.bad);
	assert_int_equal(f->swarm.model->bad.len, 1);
	assert_string_equal(f->swarm.model->bad.at[0].id, "a");
	assert_non_null(strstr(f->swarm.model->bad.at[0].reason, "Labels"));
	/* Mended: no longer odd.  Removed while odd: gone. */
	labelled(f, "a", 2);
	labelled(f, "b", 1);
	apply_lists(f);
	assert_int_equal(f->swarm.model->bad.len, 0);
	assert_true(f->changes.bad);
}

static void
an_odd_task_stays_as_it_was_and_makes_no_noise(void **state)
{
	struct fixture *f = *state;
	static const char odd[] = "{\"ID\":\"t\",\"ServiceID\":\"a\","
				  "\"Status\":3}";

	labelled(f, "a", 1);
	task(f, "t", "a", 1, "running", "running");
	task(f, "u", "a", 1, "running", "running");
	apply_lists(f);
	for (int i = 0; i < 3; i++) {
		f->batch.all_tasks = true;
		swarm_batch_task(&f->batch, odd, sizeof(odd) - 1);
		task(f, "u", "a", 1, "running", "running");
		apply(f);
		assert_int_equal(tasks_of(f, "a"), 2);
		assert_int_equal(f->changes.services.len, 0);
		assert_int_equal(f->swarm.model->bad.len, 1);
	}
	f->batch.all_tasks = true;
	swarm_batch_task(&f->batch, odd, sizeof(odd) - 1);
	apply(f);
	assert_int_equal(tasks_of(f, "a"), 1);
	f->batch.all_tasks = true;
	apply(f);
	assert_int_equal(tasks_of(f, "a"), 0);
	assert_int_equal(f->swarm.model->bad.len, 0);
}

static void
lists_replace_networks_and_keep_odd_ones(void **state)
{
	struct fixture *f = *state;
	static const char one[] = "{\"Id\":\"n1\",\"Name\":\"one\","
				  "\"Driver\":\"overlay\",\"Scope\":\"swarm\"}";
	static const char two[] = "{\"Id\":\"n2\",\"Name\":\"two\","
				  "\"Driver\":\"overlay\",\"Scope\":\"swarm\"}";
	static const char odd[] = "{\"Id\":\"n1\",\"Name\":7}";

	swarm_batch_network(&f->batch, one, sizeof(one) - 1);
	swarm_batch_network(&f->batch, two, sizeof(two) - 1);
	apply_lists(f);
	assert_int_equal(f->swarm.model->networks.len, 2);
	f->batch.networks = true;
	swarm_batch_network(&f->batch, odd, sizeof(odd) - 1);
	apply(f);
	assert_int_equal(f->swarm.model->networks.len, 1);
	assert_non_null(model_find_network(f->swarm.model, "one"));
	assert_null(model_find_network(f->swarm.model, "two"));
}

static uint64_t
moving(struct fixture *f, size_t *ret)
{
	struct map set = { 0 };
	uint64_t in = swarm_moving(&f->swarm, f->now, 3000, &set);

	*ret = set.len;
	map_fini(&set);
	return in;
}

static void
polling_is_quick_while_something_moves_and_slows_down(void **state)
{
	struct fixture *f = *state;
	size_t n;

	labelled(f, "a", 1);
	labelled(f, "b", 1);
	task(f, "t", "a", 1, "running", "running");
	task(f, "u", "b", 1, "running", "running");
	apply_lists(f);
	/* All is settled from the start. */
	assert_int_equal(moving(f, &n), 3000);
	assert_int_equal(n, 0);
	assert_int_equal(f->swarm.restless.len, 0);
	/* One task is being replaced. */
	f->batch.all_tasks = true;
	task(f, "t", "a", 1, "running", "running");
	task(f, "v", "b", 1, "preparing", "running");
	apply(f);
	f->now += 10;
	assert_int_equal(moving(f, &n), 150);
	assert_int_equal(n, 1);
	/* It does not come up: more slowly, and at last as everything else. */
	f->now += 8000;
	assert_in_range(moving(f, &n), 900, 1100);
	f->now += 60000;
	assert_int_equal(moving(f, &n), 3000);
	/* An update under way is never left alone. */
	service(f, "a", 2, "\"com.docker.lb.port\":\"80\"",
	    ",\"UpdateStatus\":{\"State\":\"updating\"}");
	(void)map_set(&f->batch.asked, "a", f);
	apply(f);
	f->now += 60000;
	assert_int_equal(moving(f, &n), 500);
	assert_int_equal(n, 1);
	/* That which does not come up is still known not to be at rest. */
	assert_int_equal(f->swarm.restless.len, 2);
	f->batch.all_tasks = true;
	task(f, "t", "a", 1, "running", "running");
	task(f, "v", "b", 2, "running", "running");
	apply(f);
	service(f, "a", 3, "\"com.docker.lb.port\":\"80\"", "");
	(void)map_set(&f->batch.asked, "a", f);
	apply(f);
	assert_int_equal(moving(f, &n), 150);
	assert_int_equal(n, 2);
	f->now += 60000;
	assert_int_equal(moving(f, &n), 3000);
	assert_int_equal(f->swarm.restless.len, 0);
}

static void
changes_that_no_event_told_are_noticed(void **state)
{
	struct fixture *f = *state;

	labelled(f, "a", 1);
	apply_lists(f);
	assert_false(f->changes.missed);
	service(f, "a", 2, "\"com.docker.lb.port\":\"81\"", "");
	(void)map_set(&f->dirty, "a", f);
	apply_lists(f);
	assert_false(f->changes.missed);
	service(f, "a", 3, "\"com.docker.lb.port\":\"82\"", "");
	apply_lists(f);
	assert_true(f->changes.missed);
}

static void
what_was_looked_at_since_a_list_began_is_newer(void **state)
{
	struct fixture *f = *state;
	struct swarm_newer newer = { 0 };

	labelled(f, "changed", 1);
	labelled(f, "removed", 1);
	labelled(f, "other", 1);
	task(f, "t1", "changed", 1, "running", "running");
	apply_lists(f);
	/* Single looks: a new one, a changed one, one that is gone. */
	labelled(f, "new", 5);
	service(f, "changed", 6, "\"com.docker.lb.port\":\"81\"", "");
	task(f, "t2", "changed", 7, "running", "running");
	(void)map_set(&f->batch.asked_tasks, "changed", f);
	(void)map_set(&f->batch.gone, "removed", f);
	apply(f);
	/* And the list, of before all that. */
	(void)map_set(&newer.ids, "new", f);
	(void)map_set(&newer.ids, "changed", f);
	(void)map_set(&newer.ids, "removed", f);
	labelled(f, "changed", 1);
	labelled(f, "removed", 1);
	labelled(f, "other", 2);
	task(f, "t1", "changed", 1, "running", "running");
	swarm_batch_except(&f->batch, &newer);
	apply_lists(f);
	swarm_newer_clear(&newer);
	assert_int_equal(f->changes.services.len, 0);
	assert_int_equal(f->changes.removed.len, 0);
	assert_non_null(map_get(&f->swarm.model->services, "new"));
	assert_null(map_get(&f->swarm.model->services, "removed"));
	assert_int_equal(tasks_of(f, "changed"), 1);
	/* The next list is believed again. */
	labelled(f, "changed", 6);
	labelled(f, "other", 2);
	task(f, "t2", "changed", 7, "running", "running");
	(void)map_set(&f->dirty, "new", f);
	apply_lists(f);
	assert_null(map_get(&f->swarm.model->services, "new"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_first_whole_list_tells_what_came_before_it),
		T(a_look_at_tasks_alone_is_no_look_at_the_service),
		T(only_labelled_services_are_kept),
		T(a_change_that_routing_does_not_read_is_none),
		T(tasks_matter_when_they_become_or_cease_to_be_routable),
		T(tasks_of_one_service_say_nothing_of_another),
		T(an_older_answer_counts_only_the_third_time),
		T(an_older_service_is_believed_though_its_tasks_are_not_older),
		T(a_list_that_takes_most_away_is_confirmed),
		T(an_empty_list_is_confirmed_however_few_there_are),
		T(a_few_of_many_go_at_once),
		T(what_events_or_a_404_told_goes_at_once),
		T(an_odd_service_keeps_its_last_good_version),
		T(an_odd_task_stays_as_it_was_and_makes_no_noise),
		T(lists_replace_networks_and_keep_odd_ones),
		T(polling_is_quick_while_something_moves_and_slows_down),
		T(changes_that_no_event_told_are_noticed),
		T(what_was_looked_at_since_a_list_began_is_newer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reader_swarm", tests, NULL, NULL);
}
