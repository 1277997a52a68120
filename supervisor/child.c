/* The life of a child, without system or clock: see child.h. */
#include "child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/child_abi.h"

const char *
child_state_name(enum child_state s)
{
#define X(id, name) [CHILD_##id] = name,
	static const char *const names[] = { CHILD_STATES(X) };
#undef X
	return names[s];
}

static void
set_state(struct child *c, enum child_state state)
{
	log_debug("%s: %s -> %s", c->name, child_state_name(c->state),
	    child_state_name(state));
	c->state = state;
	c->ops->changed(c);
}

void
child_init(struct child *c, const char *name, const struct child_ops *ops)
{
	*c = (struct child){
		.ops = ops,
		.name = name,
		.backoff = BACKOFF_INIT(
		    CHILD_BACKOFF_MIN_MS, CHILD_BACKOFF_MAX_MS, CHILD_GOOD_MS),
	};
}

/*
 * The child's answer is waited for.  'sample': for how much of that time it
 * could have run is to be known.
 */
static void
wait_for_it(struct child *c, uint64_t ms, bool sample)
{
	c->timer_ms = c->ops->now_ms(c);
	c->delay_ms = ms;
	c->looking = false;
	c->cpu_known = sample && c->ops->cpu(c, &c->cpu) == 0;
	c->ops->after(c, ms);
}

/*
 * After a wait in which we were late ourselves the answer may lie unread: it
 * is read before the child is judged.
 */
static bool
late(struct child *c)
{
	uint64_t passed = c->ops->now_ms(c) - c->timer_ms;

	if (c->looking || passed <= c->delay_ms + CHILD_LATE_MS)
		return false;
	c->looking = true;
	c->ops->after(c, 1);
	return true;
}

/*
 * Counts what passed since wait_for_it() but for our own lateness and for the
 * time that the child was in the queue for a processor.
 */
static void
count_silence(struct child *c)
{
	uint64_t passed = c->ops->now_ms(c) - c->timer_ms;
	struct cpu_share cpu;

	if (c->cpu_known && c->ops->cpu(c, &cpu) == 0)
		passed = cpu_share_could_run_ms(&c->cpu, &cpu, passed);
	c->silent_ms += passed < c->delay_ms ? passed : c->delay_ms;
}

static void
back_off(struct child *c, uint64_t delay_ms)
{
	c->ops->after(c, delay_ms);
	set_state(c, CHILD_BACKOFF);
}

static void
spawn(struct child *c)
{
	struct error e;
	uint64_t delay;

	c->started_ms = c->ops->now_ms(c);
	c->ready_ms = 0;
	c->ping_id = c->pong_id = 0;
	c->killed_for = NULL;
	c->silent_ms = 0;
	if (c->ops->spawn(c, &c->pid, &e) != 0) {
		c->pid = 0;
		delay = backoff_next(&c->backoff, 0);
		log_error("%s: cannot start: %s; again in %llu ms", c->name,
		    e.msg, (unsigned long long)delay);
		back_off(c, delay);
		return;
	}
	wait_for_it(c, CHILD_READY_TIMEOUT_MS, true);
	set_state(c, CHILD_STARTING);
}

void
child_start(struct child *c)
{
	switch (c->state) {
	case CHILD_DOWN:
	case CHILD_BACKOFF:
	case CHILD_BROKEN:
		c->ops->after(c, 0);
		spawn(c);
		return;
	case CHILD_STOPPING:
		c->again = true;
		return;
	case CHILD_STARTING:
	case CHILD_READY:
		return;
	}
}

void
child_stop(struct child *c)
{
	c->again = false;
	switch (c->state) {
	case CHILD_STARTING:
	case CHILD_READY:
		c->ops->after(c, CHILD_STOP_TIMEOUT_MS);
		c->ops->kill(c, SIGTERM);
		set_state(c, CHILD_STOPPING);
		return;
	case CHILD_BACKOFF:
	case CHILD_BROKEN:
		c->ops->after(c, 0);
		set_state(c, CHILD_DOWN);
		return;
	case CHILD_STOPPING:
	case CHILD_DOWN:
		return;
	}
}

void
child_restart(struct child *c)
{
	child_stop(c);
	if (c->state == CHILD_DOWN) {
		c->backoff.next_ms = 0;
		spawn(c);
		return;
	}
	c->again = true;
}

/* A child that does not answer is not talked to any more: it is ended. */
static void
put_down(struct child *c, const char *why)
{
	if (c->killed_for == NULL)
		c->killed_for = why;
	c->ops->kill(c, SIGKILL);
}

void
child_on_ready(struct child *c)
{
	if (c->state != CHILD_STARTING)
		return;
	c->ready_ms = c->ops->now_ms(c);
	c->silent_ms = 0;
	wait_for_it(c, CHILD_PING_MS, false);
	log_info("%s: ready, pid %d, after %llu ms", c->name, c->pid,
	    (unsigned long long)(c->ready_ms - c->started_ms));
	set_state(c, CHILD_READY);
}

void
child_on_pong(struct child *c, uint64_t id)
{
	if (id > c->ping_id || id <= c->pong_id)
		return;
	c->pong_id = id;
	c->silent_ms = 0;
}

/* Killed, or given the rest of its time. */
static void
still_starting(struct child *c)
{
	count_silence(c);
	if (c->silent_ms + CHILD_PING_MS / 2 >= CHILD_READY_TIMEOUT_MS)
		put_down(c, "not ready in time");
	else
		wait_for_it(c,
		    c->silent_ms == 0 ? CHILD_PING_MS
				      : CHILD_READY_TIMEOUT_MS - c->silent_ms,
		    true);
}

/* Each CHILD_PING_MS; the first wait for a ping is not sampled: most answer. */
static void
ping(struct child *c)
{
	bool silent = c->ping_id != c->pong_id;

	if (silent)
		count_silence(c);
	if (c->silent_ms + CHILD_PING_MS / 2 >=
	    (uint64_t)CHILD_PINGS_MISSED * CHILD_PING_MS) {
		put_down(c, "answers no ping");
		return;
	}
	c->ops->ping(c, ++c->ping_id);
	wait_for_it(c, CHILD_PING_MS, silent);
}

void
child_on_timer(struct child *c)
{
	switch (c->state) {
	case CHILD_STARTING:
		if (!late(c))
			still_starting(c);
		return;
	case CHILD_READY:
		if (!late(c))
			ping(c);
		return;
	case CHILD_STOPPING:
		put_down(c, "did not stop in time");
		return;
	case CHILD_BACKOFF:
		c->restarts++;
		spawn(c);
		return;
	case CHILD_DOWN:
	case CHILD_BROKEN:
		return;
	}
}

void
child_on_lost(struct child *c)
{
	if (c->state == CHILD_STARTING || c->state == CHILD_READY)
		put_down(c, "closed its line to us");
}

/* "exit 1", "signal 9 (Killed): answers no ping" */
static void
describe_end(
    const struct child *c, int64_t status, int signo, char *buf, size_t size)
{
	const char *why = c->killed_for;

	if (signo != 0)
		(void)snprintf(buf, size, "signal %d (%s)%s%s", signo,
		    strsignal(signo), why == NULL ? "" : ": ",
		    why == NULL ? "" : why);
	else
		(void)snprintf(buf, size, "exit %lld", (long long)status);
}

void
child_on_exit(struct child *c, int64_t status, int signo)
{
	uint64_t now = c->ops->now_ms(c), delay;
	uint64_t up = c->ready_ms == 0 ? 0 : now - c->ready_ms;
	char end[128];
	int pid = c->pid;
	bool asked = c->state == CHILD_STOPPING;

	describe_end(c, status, signo, end, sizeof(end));
	c->ops->after(c, 0);
	c->pid = 0;
	if (asked && !c->again) {
		log_info("%s: pid %d ended, %s", c->name, pid, end);
		set_state(c, CHILD_DOWN);
	} else if (asked) {
		log_info(
		    "%s: pid %d ended, %s; starting anew", c->name, pid, end);
		c->again = false;
		c->backoff.next_ms = 0;
		spawn(c);
	} else if (signo == 0 && status == EXIT_BAD_CONFIG) {
		log_error("%s: pid %d ended with 78: it cannot use its "
			  "configuration; not started again until that "
			  "changes",
		    c->name, pid);
		set_state(c, CHILD_BROKEN);
	} else {
		delay = backoff_next(&c->backoff, up);
		log_warn("%s: pid %d ended, %s, ready for %llu ms; again in "
			 "%llu ms",
		    c->name, pid, end, (unsigned long long)up,
		    (unsigned long long)delay);
		back_off(c, delay);
	}
}
