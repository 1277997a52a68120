/* supervisor/reader_doubt, by way of swarm_apply() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../supervisor/reader_swarm.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define NETWORK                                                                \
	"{\"Id\":\"net\",\"Name\":\"front\",\"Driver\":\"overlay\","           \
	"\"Scope\":\"swarm\"}"
/* Services of cluster a, and of all others. */
#define OURS 8
#define OTHERS 40

/* What a list shows; each says how many of a's are in it. */
struct list {
	bool services, tasks, networks; /* is asked for */
	size_t ours;			/* services */
	size_t running;			/* of a's, with a running task */
	bool network;
	bool manager;
};
static const struct list everything = { true, true, true, OURS, OURS, true,
	true };

static void
add_service(struct swarm_batch *b, char cluster, size_t i, bool running)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "{\"ID\":\"%c%zu\",\"Version\":{\"Index\":1},\"CreatedAt\":"
	    "\"2026-01-01T00:00:00Z\",\"Spec\":{\"Name\":\"%c%zu\",\"Labels\":"
	    "{\"com.docker.lb.hosts\":\"h.example\",\"com.docker.lb.port\":"
	    "\"80\",\"com.docker.lb.service_cluster\":\"%c\"},"
	    "\"TaskTemplate\":{\"Networks\":[{\"Target\":\"net\"}]},"
	    "\"Mode\":{\"Replicated\":{\"Replicas\":1}}}}",
	    cluster, i, cluster, i, cluster);
	swarm_batch_service(b, text, strlen(text));
	snprintf(text, sizeof(text),
	    "{\"ID\":\"t%c%zu\",\"Version\":{\"Index\":1},\"ServiceID\":"
	    "\"%c%zu\",\"DesiredState\":\"running\",\"Status\":{\"State\":"
	    "\"running\"}}",
	    cluster, i, cluster, i);
	if (running)
		swarm_batch_task(b, text, strlen(text));
}

/* Applies a list at 'now'; true if it was doubted. */
static bool
take(struct swarm *s, const struct list *l, const struct map *told,
    uint64_t now_ms)
{
	struct swarm_changes changes;
	struct swarm_batch b;
	bool doubted;

	swarm_batch_init(&b);
	b.all_services = l->services;
	b.all_tasks = l->tasks;
	b.networks = l->networks;
	b.manager = l->manager;
	for (size_t i = 0; i < l->ours; i++)
		add_service(&b, 'a', i, i < l->running);
	for (size_t i = 0; i < OTHERS; i++)
		add_service(&b, 'b', i, true);
	if (l->network)
		swarm_batch_network(&b, NETWORK, strlen(NETWORK));
	swarm_apply(s, &b, told, now_ms, &changes);
	doubted = changes.confirm;
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	assert_int_equal(s->model->bad.len, 0);
	return doubted;
}

static size_t
services(const struct swarm *s)
{
	return s->model->services.len;
}

static size_t
tasks_of(const struct swarm *s, const char *id)
{
	const struct service *x = map_get(&s->model->services, id);

	assert_non_null(x);
	return x->tasks.len;
}

static void
begin(struct swarm *s)
{
	swarm_init(s);
	assert_false(take(s, &everything, NULL, 100000));
	assert_int_equal(services(s), OURS + OTHERS);
	assert_int_equal(tasks_of(s, "a0"), 1);
}

static void
half_of_one_cluster_is_doubted_however_many_others_there_are(void **state)
{
	struct list few = everything;
	struct swarm s;

	(void)state;
	begin(&s);
	few.ours = 2;
	assert_true(take(&s, &few, NULL, 110000));
	assert_int_equal(services(&s), OURS + OTHERS);
	assert_int_equal(tasks_of(&s, "a7"), 1);
	swarm_fini(&s);
}

static void
three_equal_answers_over_five_seconds_of_a_manager_convince(void **state)
{
	struct list few = everything;
	struct swarm s;

	(void)state;
	begin(&s);
	few.ours = 2;
	assert_true(take(&s, &few, NULL, 110000));
	assert_true(take(&s, &few, NULL, 111000));
	assert_true(take(&s, &few, NULL, 112000));
	assert_true(take(&s, &few, NULL, 114999));
	assert_false(take(&s, &few, NULL, 115000));
	assert_int_equal(services(&s), 2 + OTHERS);
	swarm_fini(&s);
}

static void
who_is_no_manager_does_not_convince(void **state)
{
	struct list few = everything;
	struct swarm s;

	(void)state;
	begin(&s);
	few.ours = 2;
	few.manager = false;
	for (uint64_t now = 110000; now < 200000; now += 2000)
		assert_true(take(&s, &few, NULL, now));
	assert_int_equal(services(&s), OURS + OTHERS);
	swarm_fini(&s);
}

static void
another_loss_or_a_good_answer_begins_again(void **state)
{
	struct list few = everything, fewer = everything;
	struct swarm s;

	(void)state;
	begin(&s);
	few.ours = 2;
	fewer.ours = 1;
	assert_true(take(&s, &few, NULL, 110000));
	assert_true(take(&s, &few, NULL, 113000));
	assert_true(take(&s, &fewer, NULL, 116000));
	assert_true(take(&s, &fewer, NULL, 118000));
	assert_false(take(&s, &everything, NULL, 119000));
	assert_true(take(&s, &fewer, NULL, 130000));
	assert_int_equal(services(&s), OURS + OTHERS);
	swarm_fini(&s);
}

static void
what_events_told_is_not_doubted(void **state)
{
	struct list few = everything;
	struct map told = { 0 };
	struct swarm s;
	char id[8];

	(void)state;
	begin(&s);
	few.ours = 2;
	for (size_t i = 2; i < OURS; i++) {
		snprintf(id, sizeof(id), "a%zu", i);
		(void)map_set(&told, id, &told);
	}
	assert_false(take(&s, &few, &told, 110000));
	assert_int_equal(services(&s), 2 + OTHERS);
	map_fini(&told);
	swarm_fini(&s);
}

static void
a_few_and_half_are_believed_at_once(void **state)
{
	struct list less = everything;
	struct swarm s;

	(void)state;
	begin(&s);
	less.ours = OURS - 5;
	assert_false(take(&s, &less, NULL, 110000));
	assert_int_equal(services(&s), OURS - 5 + OTHERS);
	swarm_fini(&s);
}

static void
tasks_that_all_vanish_are_doubted_too(void **state)
{
	struct list none = {
		.tasks = true, .ours = OURS, .running = 0, .manager = true
	};
	struct swarm s;

	(void)state;
	begin(&s);
	assert_true(take(&s, &none, NULL, 110000));
	assert_int_equal(tasks_of(&s, "a0"), 1);
	assert_true(take(&s, &none, NULL, 112000));
	assert_false(take(&s, &none, NULL, 115000));
	assert_int_equal(tasks_of(&s, "a0"), 0);
	assert_int_equal(tasks_of(&s, "b0"), 1);
	swarm_fini(&s);
}

static void
networks_that_services_are_on_do_not_vanish_at_once(void **state)
{
	struct list none = everything;
	struct swarm s;

	(void)state;
	begin(&s);
	none.network = false;
	assert_true(take(&s, &none, NULL, 110000));
	assert_int_equal(s.model->networks.len, 1);
	assert_true(take(&s, &none, NULL, 112000));
	assert_false(take(&s, &none, NULL, 115000));
	assert_int_equal(s.model->networks.len, 0);
	swarm_fini(&s);
}

static void
the_first_lists_are_doubted_where_they_contradict_each_other(void **state)
{
	struct swarm_changes changes;
	struct swarm_batch b;
	struct swarm s;

	(void)state;
	/* Tasks, and no service that they could be of; then all is there. */
	swarm_init(&s);
	swarm_batch_init(&b);
	b.all_services = b.all_tasks = b.networks = b.manager = true;
	add_service(&b, 'a', 0, true);
	service_free(map_remove(&b.in->services, "a0"));
	swarm_apply(&s, &b, NULL, 100000, &changes);
	assert_true(changes.confirm);
	assert_false(s.complete);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	assert_false(take(&s, &everything, NULL, 102600));
	assert_true(s.complete);
	swarm_fini(&s);

	/* Services that want tasks, and none at all: believed in the end. */
	swarm_init(&s);
	for (uint64_t now = 100000; now <= 105200; now += 2600) {
		swarm_batch_init(&b);
		b.all_services = b.all_tasks = b.networks = b.manager = true;
		add_service(&b, 'a', 0, false);
		swarm_apply(&s, &b, NULL, now, &changes);
		assert_int_equal(changes.confirm, now < 105200);
		assert_int_equal(s.complete, now == 105200);
		swarm_changes_fini(&changes);
		swarm_batch_fini(&b);
	}
	swarm_fini(&s);

	/* Nothing at all is no contradiction. */
	swarm_init(&s);
	swarm_batch_init(&b);
	b.all_services = b.all_tasks = b.networks = b.manager = true;
	swarm_apply(&s, &b, NULL, 100000, &changes);
	assert_true(s.complete);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	swarm_fini(&s);
}

static void
a_first_list_without_the_networks_of_its_services_is_doubted(void **state)
{
	struct swarm_changes changes;
	struct swarm_batch b;
	struct swarm s;

	(void)state;
	swarm_init(&s);
	swarm_batch_init(&b);
	b.all_services = b.all_tasks = b.networks = b.manager = true;
	add_service(&b, 'a', 0, true);
	swarm_apply(&s, &b, NULL, 100000, &changes);
	assert_true(changes.confirm);
	assert_false(s.complete);
	swarm_changes_fini(&changes);
	swarm_batch_fini(&b);
	assert_false(take(&s, &everything, NULL, 102600));
	assert_true(s.complete);
	swarm_fini(&s);
}

static void
all_services_losing_their_tasks_at_once_is_doubted(void **state)
{
	struct swarm_changes changes;
	struct swarm_batch b;
	struct swarm s;
	size_t i, round;

	(void)state;
	swarm_init(&s);
	for (round = 0; round < 2; round++) {
		swarm_batch_init(&b);
		b.all_services = b.all_tasks = b.networks = b.manager = true;
		for (i = 0; i < 3; i++)
			add_service(&b, (char)('a' + i), 0, round == 0);
		swarm_batch_network(&b, NETWORK, strlen(NETWORK));
		swarm_apply(&s, &b, NULL, 100000 + 10000 * round, &changes);
		assert_int_equal(changes.confirm, round == 1);
		swarm_changes_fini(&changes);
		swarm_batch_fini(&b);
	}
	assert_int_equal(tasks_of(&s, "a0"), 1);
	swarm_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    half_of_one_cluster_is_doubted_however_many_others_there_are),
		cmocka_unit_test(
		    three_equal_answers_over_five_seconds_of_a_manager_convince),
		cmocka_unit_test(who_is_no_manager_does_not_convince),
		cmocka_unit_test(another_loss_or_a_good_answer_begins_again),
		cmocka_unit_test(what_events_told_is_not_doubted),
		cmocka_unit_test(a_few_and_half_are_believed_at_once),
		cmocka_unit_test(tasks_that_all_vanish_are_doubted_too),
		cmocka_unit_test(
		    networks_that_services_are_on_do_not_vanish_at_once),
		cmocka_unit_test(
		    the_first_lists_are_doubted_where_they_contradict_each_other),
		cmocka_unit_test(
		    a_first_list_without_the_networks_of_its_services_is_doubted),
		cmocka_unit_test(
		    all_services_losing_their_tasks_at_once_is_doubted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
