/* loop/turns: what a loop's longest turn was */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/turns.h"

#define BUSY_US 80000

/* Runs, whatever else the machine does: its own CPU time is counted. */
static void
be_busy(uv_timer_t *timer)
{
	struct timespec now;
	uint64_t begun = 0, us = 0;

	(void)timer;
	do {
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		us = (uint64_t)now.tv_sec * 1000000 +
		    (uint64_t)now.tv_nsec / 1000;
		if (begun == 0)
			begun = us;
	} while (us - begun < BUSY_US);
}

static void
do_nothing(uv_timer_t *timer)
{
	(void)timer;
}

/* The longest turn of a loop that does 'first' once, then sleeps a while. */
static uint64_t
longest_of(uv_timer_cb first)
{
	uv_timer_t timer, sleep;
	struct turns *t;
	uv_loop_t loop;
	uint64_t us;

	must(uv_loop_init(&loop) == 0);
	t = turns_new(&loop);
	must(uv_timer_init(&loop, &timer) == 0);
	must(uv_timer_init(&loop, &sleep) == 0);
	must(uv_timer_start(&timer, first, 1, 0) == 0);
	must(uv_timer_start(&sleep, do_nothing, 500, 0) == 0);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	us = turns_longest_us(t);
	turns_close(t);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_close((uv_handle_t *)&sleep, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0);
	return us;
}

static void
a_busy_callback_makes_a_long_turn(void **state)
{
	(void)state;
	/* The kernel counts a running process in ticks of 10 ms at most. */
	assert_true(longest_of(be_busy) >= BUSY_US - 10000);
}

static void
sleeping_in_the_poll_makes_none(void **state)
{
	(void)state;
	assert_true(longest_of(do_nothing) < 400000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_callback_makes_a_long_turn),
		cmocka_unit_test(sleeping_in_the_poll_makes_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
