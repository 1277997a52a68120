/* Who is set aside, what was served, and what a restart finds of it. */
#include "../../extension/aside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"

struct fixture {
	char folder[40];
	char *path;
	struct model *m;
	struct aside aside;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	memcpy(f->folder, "/tmp/bulkhead-test-XXXXXX", 26);
	must(mkdtemp(f->folder) != NULL);
	f->path = xasprintf("%s/aside.json", f->folder);
	f->m = model_new();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	aside_fini(&f->aside);
	model_free(f->m);
	must(fs_remove_tree(f->folder, NULL) == 0);
	free(f->path);
	free(f);
	return 0;
}

/* Puts a service with one label into the model. */
static const struct service *
put(struct fixture *f, const char *id, const char *value, uint64_t version)
{
	struct service *s = xcalloc(1, sizeof(*s));
	struct label *l = vec_add(&s->labels);

	s->id = xstrdup(id);
	s->name = xstrdup(id);
	s->version = version;
	l->key = xstrdup("com.docker.lb.hosts");
	l->value = xstrdup(value);
	l->value_len = strlen(value);
	model_put_service(f->m, s);
	return s;
}

static void
store_and_load(struct fixture *f, struct aside *again)
{
	struct error e;

	must(aside_store(&f->aside, f->path, &e) == 0);
	aside_load(again, f->path);
}

static const struct set_aside *
verdict(const struct aside *a, const char *id)
{
	return map_get(&a->verdicts, id);
}

static void
a_refused_service_is_aside_until_its_labels_change(void **state)
{
	struct fixture *f = *state;

	aside_refused(&f->aside, put(f, "a", "one.example", 1), "blue.0",
	    "no such host", NULL);
	assert_int_equal(aside_refresh(&f->aside, f->m), 0);
	assert_int_equal(
	    verdict(&f->aside, "a")->finding.code, REJECT_ENGINE_REFUSED);
	assert_non_null(
	    strstr(verdict(&f->aside, "a")->finding.reason, "no such host"));
	assert_null(verdict(&f->aside, "a")->instead);
	/* A new version of the same words is no other try. */
	(void)put(f, "a", "one.example", 2);
	assert_int_equal(aside_refresh(&f->aside, f->m), 0);
	(void)put(f, "a", "two.example", 3);
	assert_int_equal(aside_refresh(&f->aside, f->m), 1);
	assert_null(verdict(&f->aside, "a"));
}

static void
one_that_is_gone_is_forgotten(void **state)
{
	struct fixture *f = *state;

	aside_deadly(&f->aside, put(f, "a", "one.example", 1));
	assert_int_equal(
	    verdict(&f->aside, "a")->finding.code, REJECT_BAD_OBJECT);
	must(model_remove_service(f->m, "a"));
	assert_int_equal(aside_refresh(&f->aside, f->m), 1);
	assert_int_equal(f->aside.entries.len, 0);
	assert_false(aside_remove(&f->aside, "a"));
}

static void
labels_that_were_in_force_stay_in_its_place(void **state)
{
	struct fixture *f = *state;
	struct label_copy kept = { { NULL, 0, 0 } };
	const struct set_aside *v;

	label_copy_set(&kept, put(f, "a", "good.example", 1));
	aside_refused(
	    &f->aside, put(f, "a", "bad.example", 2), "blue.0", "no", &kept);
	label_copy_fini(&kept);
	assert_int_equal(aside_refresh(&f->aside, f->m), 0);
	v = verdict(&f->aside, "a");
	assert_non_null(v->instead);
	assert_string_equal(v->instead->labels.at[0].value, "good.example");
	assert_ptr_equal(v->instead->id,
	    ((struct service *)map_get(&f->m->services, "a"))->id);
}

static void
what_is_refused_itself_is_not_kept(void **state)
{
	struct fixture *f = *state;
	struct label_copy kept = { { NULL, 0, 0 } };
	const struct service *s = put(f, "a", "bad.example", 1);

	label_copy_set(&kept, s);
	aside_refused(&f->aside, s, "blue.0", "no", &kept);
	assert_int_equal(aside_refresh(&f->aside, f->m), 0);
	assert_null(verdict(&f->aside, "a")->instead);
	label_copy_fini(&kept);
	/* Refused with what was kept: nothing is left to keep. */
	label_copy_set(&kept, put(f, "b", "old.example", 1));
	s = put(f, "b", "new.example", 2);
	aside_refused(&f->aside, s, "blue.0", "no", &kept);
	aside_refused(&f->aside, s, "blue.0", "no again", &kept);
	assert_int_equal(aside_refresh(&f->aside, f->m), 0);
	assert_null(verdict(&f->aside, "b")->instead);
	label_copy_fini(&kept);
}

static void
a_restart_finds_everybody_again(void **state)
{
	struct fixture *f = *state;
	struct label_copy kept = { { NULL, 0, 0 } };
	struct aside again = { 0 };

	label_copy_set(&kept, put(f, "a", "good.example", 1));
	aside_refused(&f->aside, put(f, "a", "bad.example", 2), "blue.0",
	    "a \"quoted\" \\ word\n", &kept);
	aside_deadly(&f->aside, put(f, "b", "x.example", 1));
	store_and_load(f, &again);
	assert_int_equal(again.entries.len, 2);
	assert_int_equal(aside_refresh(&again, f->m), 0);
	assert_int_equal(
	    verdict(&again, "a")->finding.code, REJECT_ENGINE_REFUSED);
	assert_string_equal(
	    verdict(&again, "a")->instead->labels.at[0].value, "good.example");
	assert_int_equal(verdict(&again, "b")->finding.code, REJECT_BAD_OBJECT);
	aside_fini(&again);
	label_copy_fini(&kept);
}

static void
a_damaged_file_is_nobody_and_a_damaged_entry_only_itself(void **state)
{
	static const struct {
		const char *text;
		size_t entries;
	} cases[] = {
		{ "", 0 },
		{ "{}", 0 },
		{ "[", 0 },
		{ "[1,null,[],{}]", 0 },
		{ "[{\"service_id\":\"a\",\"signature\":\"x\"}]", 0 },
		{ "[{\"service_id\":\"a\",\"signature\":\"x\",\"words\":\"\"},"
		  "{\"service_id\":\"a\",\"signature\":\"y\",\"words\":\"\"},"
		  "{\"service_id\":7,\"signature\":\"y\",\"words\":\"\"}]",
		    1 },
		{ "[{\"service_id\":\"a\",\"signature\":\"x\",\"words\":\"\","
		  "\"labels\":[[1,2]]}]",
		    1 },
	};
	struct fixture *f = *state;
	struct error e;

	for (size_t i = 0; i < countof(cases); i++) {
		struct aside a = { 0 };

		must(fs_write(f->path, cases[i].text, strlen(cases[i].text),
			 0600, &e) == 0);
		aside_load(&a, f->path);
		assert_int_equal(a.entries.len, cases[i].entries);
		assert_int_equal(a.verdicts.len, cases[i].entries);
		assert_int_equal(aside_refresh(&a, f->m), cases[i].entries);
		aside_fini(&a);
	}
}

static void
a_store_that_fails_is_said(void **state)
{
	struct fixture *f = *state;
	struct error e = { 0 };

	aside_deadly(&f->aside, put(f, "a", "x.example", 1));
	must(mkdir(f->path, 0700) == 0);
	assert_int_equal(aside_store(&f->aside, f->path, &e), -1);
	assert_true(e.msg[0] != '\0');
}

static void
a_signature_is_of_all_but_tasks_and_addresses(void **state)
{
	struct fixture *f = *state;
	char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];
	struct service *s =
	    (struct service *)(uintptr_t)put(f, "a", "x.example", 1);

	aside_signature(s, one);
	s->version = 9;
	s->replicas = 4;
	aside_signature(s, two);
	assert_string_equal(one, two);
	s->endpoint_mode = ENDPOINT_DNSRR;
	aside_signature(s, two);
	assert_string_not_equal(one, two);
	s->endpoint_mode = ENDPOINT_VIP;
	vec_push(&s->networks, xstrdup("front"));
	aside_signature(s, two);
	assert_string_not_equal(one, two);
}

/* ---- what was served ---- */

static void
offer(struct served *g, const struct service *s)
{
	struct accepted a = { .service = s };
	struct routing r = { 0 };

	vec_push(&r.accepted, &a);
	served_offer(g, &r);
	vec_fini(&r.accepted);
}

static void
labels_count_as_served_once_they_are_confirmed(void **state)
{
	struct fixture *f = *state;
	struct served g = { 0 };
	const struct service *s = put(f, "a", "one.example", 1);

	offer(&g, s);
	assert_null(served_get(&g, "a"));
	served_confirm(&g);
	assert_true(label_copy_equal(served_get(&g, "a"), s));
	/* Delivered, but not taken yet. */
	s = put(f, "a", "two.example", 2);
	offer(&g, s);
	assert_false(label_copy_equal(served_get(&g, "a"), s));
	served_confirm(&g);
	assert_true(label_copy_equal(served_get(&g, "a"), s));
	must(model_remove_service(f->m, "a"));
	served_prune(&g, f->m);
	assert_null(served_get(&g, "a"));
	served_fini(&g);
}

static void
copies_of_labels_differ_by_key_value_and_number(void **state)
{
	struct fixture *f = *state;
	struct label_copy c = { { NULL, 0, 0 } };
	struct service *s =
	    (struct service *)(uintptr_t)put(f, "a", "x.example", 1);
	struct label *l;

	label_copy_set(&c, s);
	assert_true(label_copy_equal(&c, s));
	s->labels.at[0].value[0] = 'y';
	assert_false(label_copy_equal(&c, s));
	label_copy_set(&c, s);
	assert_true(label_copy_equal(&c, s));
	l = vec_add(&s->labels);
	l->key = xstrdup("k");
	l->value = xmemdup0("a\0b", 3);
	l->value_len = 3;
	assert_false(label_copy_equal(&c, s));
	label_copy_set(&c, s);
	assert_memory_equal(c.list.at[1].value, "a\0b", 3);
	l->value[2] = 'c';
	assert_false(label_copy_equal(&c, s));
	label_copy_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_refused_service_is_aside_until_its_labels_change),
		T(one_that_is_gone_is_forgotten),
		T(labels_that_were_in_force_stay_in_its_place),
		T(what_is_refused_itself_is_not_kept),
		T(a_restart_finds_everybody_again),
		T(a_damaged_file_is_nobody_and_a_damaged_entry_only_itself),
		T(a_store_that_fails_is_said),
		T(a_signature_is_of_all_but_tasks_and_addresses),
		T(labels_count_as_served_once_they_are_confirmed),
		T(copies_of_labels_differ_by_key_value_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
