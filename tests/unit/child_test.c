/* The supervisor's child state machine, with a system and a clock of ours. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../supervisor/child.h"
#include "base/mem.h"

struct fake {
	struct child child;
	uint64_t now;
	uint64_t timer; /* due at; 0: none */
	int spawned;
	int last_signal;
	bool spawn_fails;
	int pings;
	bool cpu_unknown;
	struct cpu_share cpu;
};

static struct fake *
fake_of(struct child *c)
{
	return container_of(c, struct fake, child);
}

static int
fake_spawn(struct child *c, int *ret_pid, struct error *e)
{
	struct fake *f = fake_of(c);

	if (f->spawn_fails)
		return error_set(e, 12, "no memory");
	*ret_pid = 1000 + ++f->spawned;
	return 0;
}

static void
fake_kill(struct child *c, int signo)
{
	fake_of(c)->last_signal = signo;
}

static void
fake_ping(struct child *c, uint64_t id)
{
	(void)id;
	fake_of(c)->pings++;
}

static uint64_t
fake_now(struct child *c)
{
	return fake_of(c)->now;
}

static void
fake_after(struct child *c, uint64_t ms)
{
	struct fake *f = fake_of(c);

	f->timer = ms == 0 ? 0 : f->now + ms;
}

static void
fake_changed(struct child *c)
{
	(void)c;
}

static int
fake_cpu(struct child *c, struct cpu_share *ret)
{
	if (fake_of(c)->cpu_unknown)
		return -1;
	*ret = fake_of(c)->cpu;
	return 0;
}

static const struct child_ops ops = {
	.spawn = fake_spawn,
	.kill = fake_kill,
	.ping = fake_ping,
	.now_ms = fake_now,
	.after = fake_after,
	.changed = fake_changed,
	.cpu = fake_cpu,
};

static void
begin(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->now = 1000;
	child_init(&f->child, "child", &ops);
	child_start(&f->child);
}

/* Lets the timer fire when it is due. */
static void
pass(struct fake *f)
{
	assert_int_not_equal(f->timer, 0);
	f->now = f->timer;
	f->timer = 0;
	child_on_timer(&f->child);
}

static void
end_after(struct fake *f, uint64_t ms, int64_t status, int signo)
{
	f->now += ms;
	child_on_exit(&f->child, status, signo);
}

static void
child_that_was_ready_for_5_s_restarts_after_100_ms(void **state)
{
	struct fake f;
	int i;

	(void)state;
	begin(&f);
	for (i = 0; i < 4; i++) {
		child_on_ready(&f.child);
		end_after(&f, CHILD_GOOD_MS, 0, SIGSEGV);
		assert_int_equal(f.child.state, CHILD_BACKOFF);
		assert_int_equal(f.timer - f.now, 100);
		pass(&f);
		assert_int_equal(f.child.state, CHILD_STARTING);
	}
	assert_int_equal(f.child.restarts, 4);
}

static void
child_that_ends_early_waits_twice_as_long_each_time_up_to_30_s(void **state)
{
	static const uint64_t delays[] = { 100, 200, 400, 800, 1600, 3200, 6400,
		12800, 25600, 30000, 30000 };
	struct fake f;
	size_t i;

	(void)state;
	begin(&f);
	for (i = 0; i < countof(delays); i++) {
		end_after(&f, 10, 1, 0);
		assert_int_equal(f.timer - f.now, delays[i]);
		pass(&f);
	}
}

static void
ready_too_late_is_killed(void **state)
{
	struct fake f;

	(void)state;
	begin(&f);
	assert_int_equal(f.timer - f.now, CHILD_READY_TIMEOUT_MS);
	pass(&f);
	assert_int_equal(f.last_signal, SIGKILL);
	end_after(&f, 1, 0, SIGKILL);
	assert_int_equal(f.child.state, CHILD_BACKOFF);
}

static void
child_that_answers_no_ping_is_killed_within_6_s(void **state)
{
	struct fake f;
	uint64_t ready;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	ready = f.now;
	while (f.last_signal == 0)
		pass(&f);
	assert_int_equal(f.last_signal, SIGKILL);
	assert_true(f.now - ready <= 6000);
	assert_int_equal(f.pings, CHILD_PINGS_MISSED);
}

/* Time passes to when the timer is due; so much of it the child waits. */
static void
pass_waiting(struct fake *f, unsigned percent)
{
	uint64_t ms = f->timer - f->now;

	f->cpu.waited_ns += ms * 1000000 * percent / 100;
	f->cpu.ran_ns += ms * 1000000 * (100 - percent) / 100;
	f->cpu.runnable = true;
	pass(f);
}

static void
child_that_gets_no_processor_is_not_killed(void **state)
{
	struct fake f;
	int i;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	for (i = 0; i < 20; i++)
		pass_waiting(&f, 99);
	assert_int_equal(f.last_signal, 0);
	/* It was in the queue for all of the time; not counted so far. */
	for (i = 0; i < 20; i++)
		pass(&f);
	assert_int_equal(f.last_signal, 0);
	child_on_pong(&f.child, f.child.ping_id);
	for (i = 0; i < 3; i++)
		pass_waiting(&f, 0);
	assert_int_equal(f.last_signal, 0);
}

static void
child_that_spins_on_a_busy_machine_is_killed_by_its_own_time(void **state)
{
	struct fake f;
	uint64_t ready;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	ready = f.now;
	while (f.last_signal == 0)
		pass_waiting(&f, 50);
	assert_true(f.now - ready > 6000);
	assert_true(f.now - ready <= 12000);
}

static void
child_whose_time_is_not_known_is_judged_by_the_clock(void **state)
{
	struct fake f;
	uint64_t ready;

	(void)state;
	begin(&f);
	f.cpu_unknown = true;
	child_on_ready(&f.child);
	ready = f.now;
	while (f.last_signal == 0)
		pass(&f);
	assert_true(f.now - ready <= 6000);
}

static void
answer_that_lies_unread_while_the_supervisor_is_late_counts(void **state)
{
	struct fake f;
	int i;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	for (i = 0; i < 20; i++) {
		f.timer += 9000;
		pass(&f);
		/* The timer fires before the loop reads. */
		assert_int_equal(f.timer - f.now, 1);
		child_on_pong(&f.child, f.child.ping_id);
		pass(&f);
		assert_int_equal(f.timer - f.now, CHILD_PING_MS);
	}
	assert_int_equal(f.last_signal, 0);
}

static void
supervisor_that_is_late_each_time_still_ends_a_stopped_child(void **state)
{
	struct fake f;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	while (f.last_signal == 0) {
		f.timer += 2000;
		pass(&f);
		assert_int_equal(f.last_signal, 0);
		pass(&f);
	}
	assert_int_equal(f.pings, CHILD_PINGS_MISSED);
}

static void
start_that_gets_no_processor_has_more_time(void **state)
{
	struct fake f;
	uint64_t began;

	(void)state;
	begin(&f);
	began = f.now;
	while (f.last_signal == 0)
		pass_waiting(&f, 75);
	assert_true(f.now - began >= 3 * CHILD_READY_TIMEOUT_MS);
	assert_true(f.now - began <= 5 * CHILD_READY_TIMEOUT_MS);
}

static void
child_that_answers_lives(void **state)
{
	struct fake f;
	int i;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	for (i = 0; i < 100; i++) {
		pass(&f);
		child_on_pong(&f.child, f.child.ping_id);
	}
	assert_int_equal(f.last_signal, 0);
	assert_int_equal(f.child.state, CHILD_READY);
}

static void
pong_that_was_never_asked_for_counts_nothing(void **state)
{
	struct fake f;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	child_on_pong(&f.child, 1000);
	while (f.last_signal == 0)
		pass(&f);
	assert_int_equal(f.last_signal, SIGKILL);
}

static void
exit_78_is_not_retried_until_started_again(void **state)
{
	struct fake f;

	(void)state;
	begin(&f);
	end_after(&f, 10, 78, 0);
	assert_int_equal(f.child.state, CHILD_BROKEN);
	assert_int_equal(f.timer, 0);
	child_restart(&f.child);
	assert_int_equal(f.child.state, CHILD_STARTING);
	assert_int_equal(f.spawned, 2);
}

static void
stop_asks_first_and_kills_after_a_while(void **state)
{
	struct fake f;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	child_stop(&f.child);
	assert_int_equal(f.last_signal, SIGTERM);
	assert_int_equal(f.timer - f.now, CHILD_STOP_TIMEOUT_MS);
	pass(&f);
	assert_int_equal(f.last_signal, SIGKILL);
	end_after(&f, 1, 0, SIGKILL);
	assert_int_equal(f.child.state, CHILD_DOWN);
	assert_int_equal(f.timer, 0);
}

static void
restart_starts_once_more_without_counting_as_a_failure(void **state)
{
	struct fake f;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	child_restart(&f.child);
	assert_int_equal(f.child.state, CHILD_STOPPING);
	end_after(&f, 20, 0, 0);
	assert_int_equal(f.child.state, CHILD_STARTING);
	assert_int_equal(f.spawned, 2);
	assert_int_equal(f.child.restarts, 0);
}

static void
spawn_that_fails_is_tried_again(void **state)
{
	struct fake f;

	(void)state;
	memset(&f, 0, sizeof(f));
	f.now = 1000;
	f.spawn_fails = true;
	child_init(&f.child, "child", &ops);
	child_start(&f.child);
	assert_int_equal(f.child.state, CHILD_BACKOFF);
	f.spawn_fails = false;
	pass(&f);
	assert_int_equal(f.child.state, CHILD_STARTING);
}

static void
closed_line_is_the_end_of_a_child(void **state)
{
	struct fake f;

	(void)state;
	begin(&f);
	child_on_ready(&f.child);
	child_on_lost(&f.child);
	assert_int_equal(f.last_signal, SIGKILL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    child_that_was_ready_for_5_s_restarts_after_100_ms),
		cmocka_unit_test(
		    child_that_ends_early_waits_twice_as_long_each_time_up_to_30_s),
		cmocka_unit_test(ready_too_late_is_killed),
		cmocka_unit_test(
		    child_that_answers_no_ping_is_killed_within_6_s),
		cmocka_unit_test(child_that_gets_no_processor_is_not_killed),
		cmocka_unit_test(
		    child_that_spins_on_a_busy_machine_is_killed_by_its_own_time),
		cmocka_unit_test(
		    child_whose_time_is_not_known_is_judged_by_the_clock),
		cmocka_unit_test(
		    answer_that_lies_unread_while_the_supervisor_is_late_counts),
		cmocka_unit_test(
		    supervisor_that_is_late_each_time_still_ends_a_stopped_child),
		cmocka_unit_test(start_that_gets_no_processor_has_more_time),
		cmocka_unit_test(child_that_answers_lives),
		cmocka_unit_test(pong_that_was_never_asked_for_counts_nothing),
		cmocka_unit_test(exit_78_is_not_retried_until_started_again),
		cmocka_unit_test(stop_asks_first_and_kills_after_a_while),
		cmocka_unit_test(
		    restart_starts_once_more_without_counting_as_a_failure),
		cmocka_unit_test(spawn_that_fails_is_tried_again),
		cmocka_unit_test(closed_line_is_the_end_of_a_child),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
