/* base/map */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>

static int values[20000];

static const char *
key(size_t i)
{
	static char text[32];

	(void)snprintf(text, sizeof(text), "key-%zu", i);
	return text;
}

static void
an_empty_map_has_nothing(void **state)
{
	struct map m = { 0 };
	size_t i = 0;

	(void)state;
	assert_null(map_get(&m, "a"));
	assert_null(map_remove(&m, "a"));
	assert_null(map_next(&m, &i));
	map_fini(&m);
}

static void
what_is_set_is_found_until_it_is_removed(void **state)
{
	struct map m = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < countof(values); i++)
		assert_null(map_set(&m, key(i), &values[i]));
	assert_int_equal(m.len, countof(values));
	for (i = 0; i < countof(values); i += 2)
		assert_ptr_equal(map_remove(&m, key(i)), &values[i]);
	for (i = 0; i < countof(values); i++)
		assert_ptr_equal(
		    map_get(&m, key(i)), i % 2 == 0 ? NULL : &values[i]);
	assert_ptr_equal(map_set(&m, key(1), &values[7]), &values[1]);
	assert_ptr_equal(map_get(&m, key(1)), &values[7]);
	assert_int_equal(m.len, countof(values) / 2);
	map_fini(&m);
	assert_null(map_get(&m, key(1)));
}

static void
setting_and_removing_for_ever_does_not_grow(void **state)
{
	struct map m = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		assert_null(map_set(&m, key(i), &values[0]));
		assert_non_null(map_remove(&m, key(i)));
	}
	assert_int_equal(m.len, 0);
	assert_true(m.size <= 64);
	map_fini(&m);
}

static void
a_walk_meets_every_entry_once_even_while_removing(void **state)
{
	struct map m = { 0 };
	struct map_entry *e;
	size_t i, met = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		values[i] = 0;
		(void)map_set(&m, key(i), &values[i]);
	}
	for (i = 0; (e = map_next(&m, &i)) != NULL; met++) {
		*(int *)e->value += 1;
		if (met % 2 == 0) {
			char *copy = xstrdup(e->key);

			assert_non_null(map_remove(&m, copy));
			free(copy);
		}
	}
	assert_int_equal(met, 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(values[i], 1);
	assert_int_equal(m.len, 500);
	map_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(what_is_set_is_found_until_it_is_removed),
		cmocka_unit_test(setting_and_removing_for_ever_does_not_grow),
		cmocka_unit_test(
		    a_walk_meets_every_entry_once_even_while_removing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
