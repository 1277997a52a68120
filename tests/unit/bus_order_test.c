/* What follows on, what is old, what is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bus/order.h"

static enum bus_verdict
next(struct bus_order *o, enum bus_type type, const char *epoch, uint64_t seq)
{
	struct bus_message m = { .type = type, .seq = seq };

	memcpy(m.epoch, epoch, strlen(epoch) + 1);
	return bus_order_next(o, &m);
}

static void
messages_apply_in_order_after_a_snapshot(void **state)
{
	struct bus_order o = { 0 };

	(void)state;
	assert_int_equal(next(&o, BUS_UPDATE, "a", 1), BUS_AHEAD);
	assert_int_equal(next(&o, BUS_SNAPSHOT, "a", 5), BUS_APPLY);
	assert_int_equal(next(&o, BUS_UPDATE, "a", 5), BUS_OLD);
	assert_int_equal(next(&o, BUS_UPDATE, "a", 6), BUS_APPLY);
	assert_int_equal(next(&o, BUS_REMOVE, "a", 7), BUS_APPLY);
	assert_int_equal(next(&o, BUS_BEACON, "a", 7), BUS_OLD);
	assert_true(o.synced);
}

static void
a_gap_is_seen_by_the_next_message_and_by_the_beacon(void **state)
{
	struct bus_order o = { 0 };

	(void)state;
	(void)next(&o, BUS_SNAPSHOT, "a", 5);
	assert_int_equal(next(&o, BUS_UPDATE, "a", 7), BUS_AHEAD);
	assert_false(o.synced);
	(void)next(&o, BUS_SNAPSHOT, "a", 7);
	assert_int_equal(next(&o, BUS_BEACON, "a", 8), BUS_AHEAD);
	assert_false(o.synced);
}

static void
another_epoch_is_a_gap_whatever_its_seq(void **state)
{
	struct bus_order o = { 0 };

	(void)state;
	(void)next(&o, BUS_SNAPSHOT, "a", 5);
	assert_int_equal(next(&o, BUS_BEACON, "b", 0), BUS_AHEAD);
	(void)next(&o, BUS_SNAPSHOT, "b", 0);
	assert_int_equal(next(&o, BUS_UPDATE, "b", 1), BUS_APPLY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_apply_in_order_after_a_snapshot),
		cmocka_unit_test(
		    a_gap_is_seen_by_the_next_message_and_by_the_beacon),
		cmocka_unit_test(another_epoch_is_a_gap_whatever_its_seq),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
