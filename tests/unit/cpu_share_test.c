/* What /proc tells of a process that waits for a processor, sleeps or is
 * stopped. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../supervisor/cpu_share.h"
#include "base/clock.h"
#include "base/mem.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#define DEADLINE_MS 30000

/* A process that spins on the first processor that we may use. */
static int
spinner(void)
{
	cpu_set_t all, one;
	int i = 0, pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(sched_getaffinity(0, sizeof(all), &all) == 0);
	while (!CPU_ISSET(i, &all))
		i++;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	must(sched_setaffinity(0, sizeof(one), &one) == 0);
	for (;;)
		;
}

static void
end(int pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(
	    waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED), 0);
}

static struct cpu_share
look(int pid)
{
	struct cpu_share share;
	struct error e;

	if (cpu_share_read(pid, &share, &e) != 0)
		skip();
	return share;
}

static void
nap(unsigned ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

static void
time_in_the_queue_is_told(void **state)
{
	uint64_t deadline = clock_mono_ms() + DEADLINE_MS, began, passed;
	struct cpu_share before, after;
	int a = spinner(), b = spinner();
	bool seen = false;

	(void)state;
	/* Two on one processor: each waits for about half of the time. */
	while (!seen && clock_mono_ms() < deadline) {
		before = look(a);
		began = clock_mono_ms();
		nap(200);
		after = look(a);
		passed = clock_mono_ms() - began;
		assert_true(after.runnable);
		seen = after.ran_ns > before.ran_ns &&
		    cpu_share_could_run_ms(&before, &after, passed) <
			passed * 8 / 10;
	}
	assert_true(seen);
	end(a);
	end(b);
}

static void
a_stopped_process_could_have_run_all_the_time(void **state)
{
	uint64_t deadline = clock_mono_ms() + DEADLINE_MS;
	struct cpu_share before, after;
	int a = spinner();

	(void)state;
	assert_int_equal(kill(a, SIGSTOP), 0);
	while (look(a).runnable && clock_mono_ms() < deadline)
		nap(1);
	before = look(a);
	nap(50);
	after = look(a);
	assert_false(after.runnable);
	assert_int_equal(cpu_share_could_run_ms(&before, &after, 50), 50);
	end(a);
}

static void
one_that_was_in_the_queue_all_the_time_could_not(void **state)
{
	struct cpu_share before = { .ran_ns = 7, .runnable = true };
	struct cpu_share after = before;

	(void)state;
	assert_int_equal(cpu_share_could_run_ms(&before, &after, 1000), 0);
	after.ran_ns = 8;
	after.waited_ns = 600 * 1000000ULL;
	assert_int_equal(cpu_share_could_run_ms(&before, &after, 1000), 400);
	after.waited_ns = 6000 * 1000000ULL;
	assert_int_equal(cpu_share_could_run_ms(&before, &after, 1000), 0);
}

static void
of_a_process_that_is_gone_nothing_is_known(void **state)
{
	struct cpu_share share;
	struct error e;
	int a = spinner();

	(void)state;
	end(a);
	assert_int_equal(cpu_share_read(a, &share, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_in_the_queue_is_told),
		cmocka_unit_test(a_stopped_process_could_have_run_all_the_time),
		cmocka_unit_test(
		    one_that_was_in_the_queue_all_the_time_could_not),
		cmocka_unit_test(of_a_process_that_is_gone_nothing_is_known),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
