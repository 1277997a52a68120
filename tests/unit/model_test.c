/* model/model */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/model.h"

#include <string.h>

static struct network *
network(const char *id, const char *name)
{
	struct network *n = xcalloc(1, sizeof(*n));

	n->id = xstrdup(id);
	n->name = xstrdup(name);
	n->driver = xstrdup("overlay");
	*vec_add(&n->subnets) = xstrdup("10.0.0.0/24");
	return n;
}

static struct service *
service(const char *id, int64_t created)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->id = xstrdup(id);
	s->name = xasprintf("name-%s", id);
	s->created_ns = created;
	return s;
}

static struct task *
task(const char *id, uint32_t slot)
{
	struct task *t = xcalloc(1, sizeof(*t));

	t->id = xstrdup(id);
	t->slot = slot;
	return t;
}

static void
networks_are_found_by_id_then_by_a_name_only_one_has(void **state)
{
	struct model *m = model_new();

	(void)state;
	model_put_network(m, network("n1", "blue"));
	model_put_network(m, network("n2", "green"));
	model_put_network(m, network("n3", "n1"));
	assert_string_equal(model_find_network(m, "n2")->id, "n2");
	assert_string_equal(model_find_network(m, "green")->id, "n2");
	assert_string_equal(model_find_network(m, "n1")->id, "n1");
	assert_null(model_find_network(m, "red"));
	model_put_network(m, network("n4", "blue"));
	assert_null(model_find_network(m, "blue"));
	model_put_network(m, network("n5", "blue"));
	assert_true(model_remove_network(m, "n1"));
	assert_null(model_find_network(m, "blue"));
	assert_true(model_remove_network(m, "n5"));
	assert_string_equal(model_find_network(m, "blue")->id, "n4");
	model_put_network(m, network("n4", "violet"));
	assert_null(model_find_network(m, "blue"));
	assert_string_equal(model_find_network(m, "violet")->id, "n4");
	model_put_network(m, network("n4", "violet"));
	assert_string_equal(model_find_network(m, "violet")->id, "n4");
	assert_false(model_remove_network(m, "n5"));
	model_free(m);
}

static void
services_come_oldest_first_then_by_id(void **state)
{
	struct model *m = model_new();
	const struct service **all;
	size_t n;

	(void)state;
	model_put_service(m, service("c", 5));
	model_put_service(m, service("b", 7));
	model_put_service(m, service("a", 7));
	model_put_service(m, service("d", -1));
	all = model_services_by_age(m, &n);
	assert_int_equal(n, 4);
	assert_string_equal(all[0]->id, "d");
	assert_string_equal(all[1]->id, "c");
	assert_string_equal(all[2]->id, "a");
	assert_string_equal(all[3]->id, "b");
	free(all);
	assert_true(model_remove_service(m, "d"));
	assert_false(model_remove_service(m, "d"));
	model_put_service(m, service("c", 9));
	all = model_services_by_age(m, &n);
	assert_int_equal(n, 3);
	assert_string_equal(all[2]->id, "c");
	free(all);
	model_free(m);
}

static void
tasks_stand_by_slot_and_id_and_replace_their_like(void **state)
{
	struct service *s = service("s", 0);
	static const char *const want[] = { "g", "a", "z", "b", "c" };
	size_t i;

	(void)state;
	service_put_task(s, task("c", 3));
	service_put_task(s, task("z", 1));
	service_put_task(s, task("b", 2));
	service_put_task(s, task("a", 1));
	service_put_task(s, task("g", 0));
	service_put_task(s, task("b", 2));
	assert_int_equal(s->tasks.len, countof(want));
	for (i = 0; i < countof(want); i++)
		assert_string_equal(s->tasks.at[i]->id, want[i]);
	service_put_task(s, task("g", 9));
	assert_int_equal(s->tasks.len, countof(want));
	assert_string_equal(s->tasks.at[4]->id, "g");
	vec_push(&s->tasks, task("first", 0));
	service_sort_tasks(s);
	assert_string_equal(s->tasks.at[0]->id, "first");
	service_free(s);
}

static void
labels_are_found_by_their_whole_key(void **state)
{
	static const char *const keys[] = { "com.docker.lb.hosts",
		"com.docker.lb.network", "com.docker.lb.port",
		"com.docker.lb.weight" };
	struct service *s = service("s", 0);
	size_t i;

	(void)state;
	assert_null(service_label(s, keys[0]));
	for (i = 0; i < countof(keys); i++) {
		struct label *l = vec_add(&s->labels);

		l->key = xstrdup(keys[i]);
		l->value = xstrdup(keys[i]);
		l->value_len = strlen(keys[i]);
	}
	for (i = 0; i < countof(keys); i++)
		assert_string_equal(service_label(s, keys[i])->value, keys[i]);
	assert_null(service_label(s, "com.docker.lb.host"));
	assert_null(service_label(s, "com.docker.lb.z"));
	assert_null(service_label(s, ""));
	service_free(s);
}

static void
only_running_tasks_that_shall_run_are_routable(void **state)
{
	struct task t = { .state = TASK_RUNNING, .desired = TASK_RUNNING };

	(void)state;
	assert_true(task_is_routable(&t));
	t.desired = TASK_SHUTDOWN;
	assert_false(task_is_routable(&t));
	t = (struct task){ .state = TASK_STARTING, .desired = TASK_RUNNING };
	assert_false(task_is_routable(&t));
}

static void
task_states_have_the_names_of_the_engine(void **state)
{
	static const char *const names[] = { "new", "pending", "assigned",
		"accepted", "preparing", "ready", "starting", "running",
		"complete", "shutdown", "failed", "rejected", "remove",
		"orphaned" };
	int last = -1;
	size_t i;

	(void)state;
	for (i = 0; i < countof(names); i++) {
		int s = task_state_parse(names[i]);

		assert_true(s > last);
		assert_string_equal(
		    task_state_name((enum task_state)s), names[i]);
		last = s;
	}
	assert_int_equal(task_state_parse("RUNNING"), -1);
	assert_int_equal(task_state_parse(""), -1);
}

static void
other_objects_replace_those_of_their_key(void **state)
{
	struct model *m = model_new();
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct node *n = xcalloc(1, sizeof(*n));
		struct secret *s = xcalloc(1, sizeof(*s));
		struct secret *c = xcalloc(1, sizeof(*c));

		n->id = xstrdup("n");
		s->name = xstrdup("s");
		c->name = xstrdup("c");
		model_put_node(m, n);
		model_put_secret(m, s);
		model_put_config(m, c);
		assert_ptr_equal(map_get(&m->nodes, "n"), n);
		assert_ptr_equal(map_get(&m->secrets, "s"), s);
		assert_ptr_equal(map_get(&m->configs, "c"), c);
	}
	assert_true(model_remove_node(m, "n"));
	assert_true(model_remove_secret(m, "s"));
	assert_true(model_remove_config(m, "c"));
	assert_false(model_remove_node(m, "n"));
	assert_false(model_remove_secret(m, "s"));
	assert_false(model_remove_config(m, "c"));
	model_free(m);
	model_free(NULL);
}

static void
a_secret_allows_names_stacks_and_everybody(void **state)
{
	static const struct {
		const char *allow;
		bool allowed;
	} rows[] = {
		{ NULL, false },
		{ "", false },
		{ " , ,", false },
		{ "web", true },
		{ "other,\tweb ", true },
		{ "we,webs,stack:web,xweb", false },
		{ "stack:shop", true },
		{ "stack:", false },
		{ "stack:sho,stack:shops,shop", false },
		{ "*", true },
		{ "**,w*", false },
	};
	struct service s = { .name = (char *)"web", .stack = (char *)"shop" };
	struct service alone = { .name = (char *)"web" };

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct secret secret = { .allow = (char *)rows[i].allow };

		if (secret_allows(&secret, &s) != rows[i].allowed)
			fail_msg("allow \"%s\"", rows[i].allow);
	}
	assert_false(secret_allows(
	    &(struct secret){ .allow = (char *)"stack:shop,stack:" }, &alone));
}

static void
a_service_mounts_what_its_spec_names(void **state)
{
	struct service s = { 0 };

	(void)state;
	vec_push(&s.secrets, xstrdup("key"));
	assert_true(service_mounts(&s, "key"));
	assert_false(service_mounts(&s, "ke"));
	assert_false(service_mounts(&s, "keys"));
	free(s.secrets.at[0]);
	vec_fini(&s.secrets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    networks_are_found_by_id_then_by_a_name_only_one_has),
		cmocka_unit_test(services_come_oldest_first_then_by_id),
		cmocka_unit_test(
		    tasks_stand_by_slot_and_id_and_replace_their_like),
		cmocka_unit_test(labels_are_found_by_their_whole_key),
		cmocka_unit_test(
		    only_running_tasks_that_shall_run_are_routable),
		cmocka_unit_test(task_states_have_the_names_of_the_engine),
		cmocka_unit_test(other_objects_replace_those_of_their_key),
		cmocka_unit_test(a_secret_allows_names_stacks_and_everybody),
		cmocka_unit_test(a_service_mounts_what_its_spec_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
