/* Odd services keep their last good version until they are good or gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../extension/odd.h"
#include "base/mem.h"

static struct service *
service(const char *id)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->id = xstrdup(id);
	s->name = xstrdup(id);
	return s;
}

static void
set_bad(struct model *m, const char *id)
{
	struct bad_object *b = vec_add(&m->bad);

	b->kind = "service";
	b->id = xstrdup(id);
	b->reason = xstrdup("odd");
	m->bad_listed = true;
}

static void
a_snapshot_that_lists_it_as_bad_keeps_it(void **state)
{
	struct model *before = model_new(), *now = model_new();
	struct odd g = { 0 };

	(void)state;
	model_put_service(before, service("a"));
	model_put_service(before, service("b"));
	set_bad(now, "a");
	set_bad(now, "never-seen");
	odd_keep(&g, before, now);
	assert_non_null(map_get(&now->services, "a"));
	assert_null(map_get(&now->services, "b"));
	assert_int_equal(now->services.len, 1);
	model_free(before);
	model_free(now);
	odd_fini(&g);
}

static void
it_goes_when_it_is_no_bad_object_any_more(void **state)
{
	struct model *before = model_new(), *now = model_new();
	struct model *update = model_new();
	struct odd g = { 0 };

	(void)state;
	model_put_service(before, service("a"));
	set_bad(now, "a");
	odd_keep(&g, before, now);
	odd_drop(&g, now);
	assert_non_null(map_get(&now->services, "a"));
	update->bad_listed = true;
	odd_forget(&g, update);
	model_merge(now, update);
	odd_drop(&g, now);
	assert_null(map_get(&now->services, "a"));
	model_free(before);
	model_free(now);
	odd_fini(&g);
}

static void
it_stays_when_it_comes_back_whole(void **state)
{
	struct model *before = model_new(), *now = model_new();
	struct model *update = model_new();
	struct odd g = { 0 };

	(void)state;
	model_put_service(before, service("a"));
	set_bad(now, "a");
	odd_keep(&g, before, now);
	model_put_service(update, service("a"));
	update->bad_listed = true;
	odd_forget(&g, update);
	model_merge(now, update);
	odd_drop(&g, now);
	assert_non_null(map_get(&now->services, "a"));
	model_free(before);
	model_free(now);
	odd_fini(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_that_lists_it_as_bad_keeps_it),
		cmocka_unit_test(it_goes_when_it_is_no_bad_object_any_more),
		cmocka_unit_test(it_stays_when_it_comes_back_whole),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
