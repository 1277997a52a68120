/* supervisor/reader_apply: large answers are taken in steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../supervisor/reader_swarm.h"
#include "base/mem.h"

#define NOW 1000000
#define SERVICES 3000
#define TASKS_EACH 5

static void
put_service(struct swarm_batch *b, unsigned i, unsigned version)
{
	char *json = xasprintf(
	    "{\"ID\":\"s%u\",\"Version\":{\"Index\":%u},"
	    "\"CreatedAt\":\"2026-01-01T00:00:00Z\","
	    "\"UpdatedAt\":\"2026-01-01T00:00:01Z\",\"Spec\":{\"Name\":"
	    "\"n%u\",\"Labels\":{\"com.docker.lb.port\":\"%u\"},"
	    "\"TaskTemplate\":{\"ContainerSpec\":{}},\"Mode\":{\"Replicated\":{"
	    "\"Replicas\":%u}}}}",
	    i, version, i, 80 + version, TASKS_EACH);

	swarm_batch_service(b, json, strlen(json));
	free(json);
}

static void
put_task(struct swarm_batch *b, unsigned service, unsigned i, unsigned version)
{
	char *json =
	    xasprintf("{\"ID\":\"t%ux%u\",\"Version\":{\"Index\":%u},"
		      "\"ServiceID\":\"s%u\",\"Slot\":%u,\"NodeID\":\"node\","
		      "\"Status\":{\"State\":\"running\"},"
		      "\"DesiredState\":\"running\"}",
		service, i, version, service, i);

	swarm_batch_task(b, json, strlen(json));
	free(json);
}

/* Whole lists of everything, with each object in this version. */
static void
list_all(struct swarm_batch *b, unsigned version)
{
	swarm_batch_init(b);
	b->all_services = b->all_tasks = b->manager = true;
	b->networks = b->nodes = b->secrets = b->configs = true;
	for (unsigned i = 0; i < SERVICES; i++) {
		put_service(b, i, version);
		for (unsigned k = 0; k < TASKS_EACH; k++)
			put_task(b, i, k, version);
	}
}

static size_t
count_tasks(const struct swarm *s)
{
	struct map_entry *e;
	size_t n = 0;

	for (size_t i = 0; (e = map_next(&s->model->services, &i)) != NULL;)
		n += ((const struct service *)e->value)->tasks.len;
	return n;
}

static const char *
port_of(const struct swarm *s, const char *id)
{
	const struct service *found = map_get(&s->model->services, id);

	assert_non_null(found);
	return service_label(found, "com.docker.lb.port")->value;
}

static void
each_step_takes_few_and_all_of_them_what_there_is(void **state)
{
	struct swarm_changes changes = { 0 };
	size_t services = 0, tasks = 0, steps = 0;
	struct swarm_batch b;
	struct applying *a;
	struct swarm s;
	bool more;

	(void)state;
	swarm_init(&s);
	list_all(&b, 1);
	a = swarm_take(&s, &b, NOW);
	do {
		more = swarm_take_some(a, NULL, &changes);
		steps++;
		assert_true(s.model->services.len - services <= SWARM_STEP);
		assert_true(count_tasks(&s) - tasks <= SWARM_STEP + TASKS_EACH);
		services = s.model->services.len;
		tasks = count_tasks(&s);
		assert_true(s.complete == !more);
	} while (more);
	assert_true(steps > (SERVICES + TASKS_EACH * SERVICES) / SWARM_STEP);
	assert_int_equal(services, SERVICES);
	assert_int_equal(tasks, SERVICES * TASKS_EACH);
	assert_int_equal(changes.services.len, SERVICES);
	swarm_take_free(a);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	swarm_fini(&s);
}

static void
parts_that_were_handed_out_are_told_once_more_when_all_is_there(void **state)
{
	struct swarm_changes changes = { 0 };
	struct map told = { 0 };
	struct swarm_batch b;
	struct applying *a;
	struct swarm s;
	size_t parts = 0;

	(void)state;
	swarm_init(&s);
	list_all(&b, 1);
	a = swarm_take(&s, &b, NOW);
	while (swarm_take_some(a, NULL, &changes)) {
		for (size_t i = 0; i < changes.services.len; i++)
			(void)map_set(&told, changes.services.at[i], &told);
		parts += changes.services.len > 0;
		swarm_changes_fini(&changes);
	}
	assert_true(parts > 3);
	assert_int_equal(told.len, SERVICES);
	assert_int_equal(changes.services.len, SERVICES);
	map_fini(&told);
	swarm_take_free(a);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	swarm_fini(&s);
}

/* Between the steps: what a look at 'id' shows, in a newer version. */
static void
look(struct swarm *s, struct swarm_newer *newer, unsigned i, unsigned version)
{
	struct swarm_changes changes;
	struct swarm_batch b;
	char id[16];

	(void)snprintf(id, sizeof(id), "s%u", i);
	swarm_batch_init(&b);
	(void)map_set(&b.asked, id, s);
	(void)map_set(&b.asked_tasks, id, s);
	put_service(&b, i, version);
	put_task(&b, i, 0, version);
	swarm_apply(s, &b, NULL, NOW, &changes);
	(void)map_set(&newer->ids, id, s);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
}

static void
what_is_seen_between_the_steps_stays(void **state)
{
	struct swarm_changes changes = { 0 };
	struct swarm_newer newer = { 0 };
	struct swarm_batch b;
	struct applying *a;
	struct swarm s;
	unsigned next = 0;

	(void)state;
	swarm_init(&s);
	list_all(&b, 1);
	swarm_apply(&s, &b, NULL, NOW, &changes);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	list_all(&b, 2);
	a = swarm_take(&s, &b, NOW);
	do {
		swarm_batch_newer(&b, &newer);
		/* One that the list has, and one that it knows nothing of. */
		look(&s, &newer, next, 9);
		look(&s, &newer, SERVICES + next, 9);
		next++;
		swarm_batch_newer(&b, &newer);
	} while (swarm_take_some(a, NULL, &changes));
	assert_true(next > 10);
	assert_int_equal(s.model->services.len, SERVICES + next);
	assert_int_equal(
	    count_tasks(&s), (SERVICES - next) * TASKS_EACH + (size_t)2 * next);
	assert_string_equal(port_of(&s, "s0"), "89");
	assert_string_equal(port_of(&s, "s9"), "89");
	assert_string_equal(port_of(&s, "s2999"), "82");
	swarm_take_free(a);
	swarm_newer_clear(&newer);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	swarm_fini(&s);
}

static void
one_that_is_given_up_leaks_nothing(void **state)
{
	struct swarm_changes changes = { 0 };
	struct swarm_batch b;
	struct applying *a;
	struct swarm s;

	(void)state;
	swarm_init(&s);
	list_all(&b, 1);
	a = swarm_take(&s, &b, NOW);
	for (int i = 0; i < 20; i++)
		assert_true(swarm_take_some(a, NULL, &changes));
	swarm_take_free(a);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	swarm_fini(&s);
}

/* Each cluster's list of them is made anew when it is said to have changed. */
static void
odd_objects_that_stay_as_they_are_are_no_change(void **state)
{
	static const char odd[] = "{\"ID\":\"odd\",\"Spec\":7}";
	struct swarm_changes changes = { 0 };
	struct swarm_batch b;
	struct swarm s;

	(void)state;
	swarm_init(&s);
	list_all(&b, 1);
	swarm_batch_service(&b, odd, sizeof(odd) - 1);
	swarm_apply(&s, &b, NULL, NOW, &changes);
	assert_true(changes.bad);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	assert_int_equal(s.model->bad.len, 1);
	/* A look at another one. */
	swarm_batch_init(&b);
	(void)map_set(&b.asked, "s7", &s);
	(void)map_set(&b.asked_tasks, "s7", &s);
	put_service(&b, 7, 2);
	swarm_apply(&s, &b, NULL, NOW, &changes);
	assert_false(changes.bad);
	assert_int_equal(s.model->bad.len, 1);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	swarm_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_step_takes_few_and_all_of_them_what_there_is),
		cmocka_unit_test(
		    parts_that_were_handed_out_are_told_once_more_when_all_is_there),
		cmocka_unit_test(what_is_seen_between_the_steps_stays),
		cmocka_unit_test(one_that_is_given_up_leaks_nothing),
		cmocka_unit_test(
		    odd_objects_that_stay_as_they_are_are_no_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
