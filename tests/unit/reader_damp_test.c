/* supervisor/reader_damp: who is told when */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../supervisor/reader_damp.h"
#include "base/mem.h"

#define NOW 1000000

/* Whether a change of 'id' is told at once. */
static bool
told(struct damp *d, const char *id, uint64_t commit_us, uint64_t now_ms)
{
	struct swarm_changes c = { 0 };
	bool now;

	swarm_changes_add(&c, id, commit_us);
	damp_take(d, &c, now_ms);
	now = c.services.len == 1;
	swarm_changes_fini(&c);
	return now;
}

static void
a_service_is_told_at_once_until_it_is_restless(void **state)
{
	struct damp d = { 0 };
	struct swarm_changes c = { 0 };
	uint64_t now = NOW;

	(void)state;
	for (int i = 0; i < DAMP_BURST; i++)
		assert_true(told(&d, "a", 1, now));
	assert_false(told(&d, "a", 70, now));
	assert_false(told(&d, "a", 60, now));
	assert_false(told(&d, "a", 80, now));
	/* Another one does not feel it. */
	assert_true(told(&d, "b", 1, now));
	assert_int_equal(damp_due(&d, now, &c), 1000 / DAMP_PER_S);
	assert_int_equal(c.services.len, 0);
	now += 1000 / DAMP_PER_S;
	assert_true(damp_due(&d, now, &c) == UINT64_MAX);
	assert_int_equal(c.services.len, 1);
	assert_string_equal(c.services.at[0], "a");
	/* All that waited is in it: it is as old as the oldest. */
	assert_int_equal(swarm_changes_commit(&c, "a"), 60);
	assert_false(told(&d, "a", 90, now));
	swarm_changes_fini(&c);
	damp_fini(&d);
}

static void
a_restless_service_is_told_steadily_and_calms_down(void **state)
{
	struct damp d = { 0 };
	struct swarm_changes c = { 0 };
	uint64_t now = NOW;
	size_t n = 0;

	(void)state;
	/* 100 changes a second for a minute. */
	for (int i = 0; i < 6000; i++, now += 10) {
		struct swarm_changes due = { 0 };

		n += told(&d, "a", 1, now);
		(void)damp_due(&d, now, &due);
		n += due.services.len;
		swarm_changes_fini(&due);
	}
	assert_in_range(n, 60 * DAMP_PER_S, 60 * DAMP_PER_S + DAMP_BURST + 1);
	now += 60000;
	(void)damp_due(&d, now, &c);
	for (int i = 0; i < DAMP_BURST - 1; i++)
		assert_true(told(&d, "a", 1, now));
	swarm_changes_fini(&c);
	damp_fini(&d);
}

static void
what_is_gone_waits_no_more(void **state)
{
	struct damp d = { 0 };
	struct swarm_changes c = { 0 };

	(void)state;
	for (int i = 0; i < DAMP_BURST; i++)
		(void)told(&d, "a", 1, NOW);
	assert_false(told(&d, "a", 1, NOW));
	vec_push(&c.removed, xstrdup("a"));
	damp_take(&d, &c, NOW);
	assert_int_equal(c.removed.len, 1);
	assert_true(damp_due(&d, NOW + 60000, &c) == UINT64_MAX);
	assert_int_equal(c.services.len, 0);
	swarm_changes_fini(&c);
	damp_fini(&d);
}

static void
calm_ones_are_forgotten(void **state)
{
	struct damp d = { 0 };
	uint64_t now = NOW;

	(void)state;
	for (unsigned i = 0; i < 10000; i++, now += 10) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", i);
		assert_true(told(&d, id, 1, now));
	}
	assert_in_range(d.services.len, 1, 2000);
	damp_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_service_is_told_at_once_until_it_is_restless),
		cmocka_unit_test(
		    a_restless_service_is_told_steadily_and_calms_down),
		cmocka_unit_test(what_is_gone_waits_no_more),
		cmocka_unit_test(calm_ones_are_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reader_damp", tests, NULL, NULL);
}
