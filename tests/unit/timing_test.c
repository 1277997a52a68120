/* extension/timing: what people read of a change's stages */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../extension/timing.h"

static void
stages_add_up_to_the_whole(void **state)
{
	struct state_change c = {
		.stamps = { .commit_us = 1000000,
		    .read_us = 1006000,
		    .sent_us = 1006500 },
		.received_us = 1007500,
		.rendered_us = 1107500,
	};
	struct proxy_news news = {
		.fetched_us = 2000,
		.checked_us = 12000,
		.live_us = 20000,
		.settled_us = 32000,
	};
	STR_AUTO(out, 1024);

	(void)state;
	assert_int_equal(timing_from(&c), 1000000);
	timing_stages(&c, &news, 1140500, &out);
	assert_string_equal(out.p,
	    " (ms: read 6.0, sent 0.5, bus 1.0, rendered 100.0, told 1.0, "
	    "fetched 2.0, checked 10.0, served 20.0)");
}

static void
what_is_not_known_is_not_told(void **state)
{
	struct state_change c = {
		.stamps = { .read_us = 1006000, .sent_us = 1006500 },
	};
	struct proxy_news news = { 0 };
	struct state_change none = { 0 };
	STR_AUTO(out, 1024);

	(void)state;
	assert_int_equal(timing_from(&c), 1006000);
	timing_stages(&c, &news, 2000000, &out);
	assert_string_equal(out.p, " (ms: sent 0.5)");
	str_clear(&out);
	assert_int_equal(timing_from(&none), 0);
	timing_stages(&none, &news, 2000000, &out);
	assert_string_equal(out.p, "");
}

static void
a_clock_that_was_set_back_shows(void **state)
{
	struct state_change c = {
		.stamps = { .commit_us = 5000000,
		    .read_us = 4000000,
		    .sent_us = 4000000 },
	};
	struct proxy_news news = { 0 };
	STR_AUTO(out, 1024);

	(void)state;
	timing_stages(&c, &news, 4000000, &out);
	assert_string_equal(out.p, " (ms: read -1000.0, sent 0.0)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_add_up_to_the_whole),
		cmocka_unit_test(what_is_not_known_is_not_told),
		cmocka_unit_test(a_clock_that_was_set_back_shows),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
