/* base/backoff */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "base/mem.h"

static void
delays_double_up_to_the_greatest(void **state)
{
	static const uint64_t want[] = { 100, 200, 400, 800, 1000, 1000, 1000 };
	struct backoff b = BACKOFF_INIT(100, 1000, 5000);
	size_t i;

	(void)state;
	for (i = 0; i < countof(want); i++)
		assert_int_equal(backoff_next(&b, 0), want[i]);
}

static void
a_good_run_starts_again_and_a_short_one_does_not(void **state)
{
	struct backoff b = BACKOFF_INIT(100, 30000, 5000);

	(void)state;
	assert_int_equal(backoff_next(&b, 0), 100);
	assert_int_equal(backoff_next(&b, 4999), 200);
	assert_int_equal(backoff_next(&b, 4999), 400);
	assert_int_equal(backoff_next(&b, 5000), 100);
	assert_int_equal(backoff_next(&b, 0), 200);
}

static void
for_ever_never_overflows(void **state)
{
	struct backoff b = BACKOFF_INIT(1, UINT64_MAX, 5000);
	uint64_t last = 0, next;
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		next = backoff_next(&b, 0);
		assert_true(next >= last);
		last = next;
	}
	assert_int_equal(last, UINT64_MAX);
}

static void
jitter_stays_within_an_eighth(void **state)
{
	uint64_t least = UINT64_MAX, greatest = 0, v;
	uint32_t i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		v = backoff_jitter(1000, i * 2654435761U);
		assert_true(v >= 875 && v <= 1125);
		least = v < least ? v : least;
		greatest = v > greatest ? v : greatest;
	}
	assert_int_equal(least, 875);
	assert_int_equal(greatest, 1125);
	assert_int_equal(backoff_jitter(3, 12345), 3);
	assert_int_equal(backoff_jitter(0, 12345), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double_up_to_the_greatest),
		cmocka_unit_test(
		    a_good_run_starts_again_and_a_short_one_does_not),
		cmocka_unit_test(for_ever_never_overflows),
		cmocka_unit_test(jitter_stays_within_an_eighth),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
