/* How often the reader looks, after lists that took long. */
#include "../../supervisor/reader_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void
a_first_list_that_stalled_does_not_put_off_the_next(void **state)
{
	struct pace p = { 0 };

	(void)state;
	pace_note(&p, 60000);
	assert_in_range(p.pace_ms * PACE_RESYNC_SHARE, 1, 10000);
	assert_int_equal(p.took_ms, 60000);
	pace_note(&p, 20);
	assert_int_equal(p.pace_ms, 20);
	assert_int_equal(pace_poll(&p, 3000), 3000);
}

static void
where_lists_are_slow_it_is_known_after_a_few(void **state)
{
	struct pace p = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++)
		pace_note(&p, 6000);
	assert_int_equal(p.pace_ms, 6000);
	/* Polled, they take a twentieth of the time. */
	assert_int_equal(pace_poll(&p, 3000), 120000);
}

static void
a_later_one_that_stalled_counts_little(void **state)
{
	struct pace p = { 0 };

	(void)state;
	pace_note(&p, 20);
	pace_note(&p, 30000);
	assert_in_range(p.pace_ms, 20, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_first_list_that_stalled_does_not_put_off_the_next),
		cmocka_unit_test(where_lists_are_slow_it_is_known_after_a_few),
		cmocka_unit_test(a_later_one_that_stalled_counts_little),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
