/* supervisor/reader_dirty: what is looked at before what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "../../supervisor/reader_dirty.h"

static void
note(struct dirty *d, const char *kind, unsigned i, bool known, uint64_t now_ms)
{
	char id[32];

	(void)snprintf(id, sizeof(id), "%s%u", kind, i);
	(void)dirty_service(d, id, known, now_ms);
}

static bool
wants(const struct cycle_wants *w, const char *kind, unsigned i)
{
	char id[32];

	(void)snprintf(id, sizeof(id), "%s%u", kind, i);
	return map_get(&w->service_ids, id) != NULL;
}

static void
a_known_service_is_not_held_up_by_a_flood_of_new_ones(void **state)
{
	struct cycle_wants w = { 0 };
	struct dirty d = { 0 };

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		note(&d, "new", i, false, 1000);
	note(&d, "known", 0, true, 1000);
	assert_int_equal(dirty_take(&d, 1000, &w), 0);
	assert_true(wants(&w, "known", 0));
	assert_int_equal(w.service_ids.len, DIRTY_SERVICES);
	cycle_wants_fini(&w);
	dirty_fini(&d);
}

static void
new_ones_have_their_share_and_come_in_order(void **state)
{
	struct dirty d = { 0 };
	unsigned next = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		note(&d, "new", i, false, 1000);
	for (unsigned round = 0; next < 100; round++) {
		struct cycle_wants w = { 0 };
		uint64_t now = 1000 + (uint64_t)round * DIRTY_REST_MS;

		for (unsigned i = 0; i < 50; i++)
			note(&d, "known", i, true, now);
		(void)dirty_take(&d, now, &w);
		for (unsigned i = 0; i < DIRTY_NEW; i++)
			assert_true(wants(&w, "new", next++));
		assert_int_equal(w.service_ids.len, DIRTY_SERVICES);
		cycle_wants_fini(&w);
	}
	dirty_fini(&d);
}

static void
each_gets_its_turn_however_many_come_after_it(void **state)
{
	struct dirty d = { 0 };
	unsigned round = 0;
	bool seen = false;

	(void)state;
	for (unsigned i = 0; i < 160; i++)
		note(&d, "before", i, true, 1000);
	note(&d, "it", 0, true, 1000);
	while (!seen) {
		struct cycle_wants w = { 0 };

		for (unsigned i = 0; i < 100; i++)
			note(&d, "after", round * 100 + i, true, 1000);
		(void)dirty_take(&d, 1000, &w);
		seen = wants(&w, "it", 0);
		cycle_wants_fini(&w);
		assert_true(round++ <= 160 / DIRTY_SERVICES);
	}
	dirty_fini(&d);
}

static void
none_is_looked_at_again_before_it_rested(void **state)
{
	struct cycle_wants w = { 0 };
	struct dirty d = { 0 };

	(void)state;
	assert_int_equal(dirty_service(&d, "a", true, 1000), 0);
	assert_int_equal(dirty_take(&d, 1000, &w), UINT64_MAX);
	cycle_wants_fini(&w);
	assert_true(dirty_service(&d, "a", true, 1010) > 0);
	note(&d, "b", 0, true, 1010);
	assert_true(dirty_take(&d, 1010, &w) >= 1000 + DIRTY_REST_MS);
	assert_true(wants(&w, "b", 0));
	assert_int_equal(w.service_ids.len, 1);
	cycle_wants_fini(&w);
	assert_int_equal(dirty_take(&d, 1002 + DIRTY_REST_MS, &w), UINT64_MAX);
	assert_int_equal(w.service_ids.len, 1);
	assert_false(dirty_any(&d));
	cycle_wants_fini(&w);
	dirty_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_known_service_is_not_held_up_by_a_flood_of_new_ones),
		cmocka_unit_test(new_ones_have_their_share_and_come_in_order),
		cmocka_unit_test(each_gets_its_turn_however_many_come_after_it),
		cmocka_unit_test(none_is_looked_at_again_before_it_rested),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
