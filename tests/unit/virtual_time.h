/*
 * Time and chance of a test's own: clock, libuv's timers and random numbers
 * are replaced, so that hours of the reader pass in seconds and a seed always
 * gives the same run.  One test program includes it once.
 */
#ifndef TESTS_VIRTUAL_TIME_H
#define TESTS_VIRTUAL_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"

#define WALL_US UINT64_C(1700000000000000)

typedef void agenda_fn(void *arg);

struct appointment {
	uint64_t due_ms;
	uint64_t order;
	agenda_fn *fn;
	void *arg;
};

static uint64_t virtual_ms = 1000000;
static uint64_t virtual_order;
static uint64_t virtual_chance;
/* Of so many percent of looks at the clock it has gone on: a busy machine. */
static unsigned virtual_toil;
static VEC(struct appointment) agenda;
static VEC(uv_timer_t *) timers;

/* xorshift64* (Vigna, 2014). */
static uint64_t
chance(uint64_t below)
{
	uint64_t x = virtual_chance | 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	virtual_chance = x;
	return (x * UINT64_C(0x2545F4914F6CDD1D) >> 33) % below;
}

static bool
percent(unsigned p)
{
	return chance(100) < p;
}

uint64_t
clock_mono_ms(void)
{
	if (virtual_toil > 0 && percent(virtual_toil))
		virtual_ms += chance(20);
	return virtual_ms;
}

uint64_t
clock_mono_us(void)
{
	return virtual_ms * 1000;
}

uint64_t
clock_wall_us(void)
{
	return WALL_US + virtual_ms * 1000;
}

/* The order of a map's entries depends on it. */
ssize_t
getrandom(void *buf, size_t len, unsigned flags)
{
	(void)flags;
	memset(buf, 0x5a, len);
	return (ssize_t)len;
}

int
uv_random(uv_loop_t *loop, uv_random_t *req, void *buf, size_t len,
    unsigned flags, uv_random_cb cb)
{
	(void)loop;
	(void)req;
	(void)flags;
	(void)cb;
	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = (unsigned char)chance(256);
	return 0;
}

int
uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
	void *data = timer->data;

	(void)loop;
	memset(timer, 0, sizeof(*timer));
	timer->data = data;
	return 0;
}

int
uv_timer_stop(uv_timer_t *timer)
{
	for (size_t i = 0; i < timers.len; i++) {
		if (timers.at[i] == timer) {
			vec_remove(&timers, i);
			break;
		}
	}
	return 0;
}

int
uv_timer_start(
    uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	(void)repeat;
	(void)uv_timer_stop(timer);
	timer->timer_cb = cb;
	timer->timeout = virtual_ms + timeout;
	timer->start_id = virtual_order++;
	vec_push(&timers, timer);
	return 0;
}

int
uv_is_active(const uv_handle_t *handle)
{
	for (size_t i = 0; i < timers.len; i++) {
		if ((const uv_handle_t *)timers.at[i] == handle)
			return 1;
	}
	return 0;
}

uint64_t
uv_timer_get_due_in(const uv_timer_t *timer)
{
	return timer->timeout > virtual_ms ? timer->timeout - virtual_ms : 0;
}

static void
after(uint64_t ms, agenda_fn *fn, void *arg)
{
	struct appointment *a = vec_add(&agenda);

	a->due_ms = virtual_ms + ms;
	a->order = virtual_order++;
	a->fn = fn;
	a->arg = arg;
}

static void
on_handle_gone(void *arg)
{
	uv_handle_t *handle = arg;

	if (handle->close_cb != NULL)
		handle->close_cb(handle);
}

void
uv_close(uv_handle_t *handle, uv_close_cb cb)
{
	(void)uv_timer_stop((uv_timer_t *)handle);
	handle->close_cb = cb;
	after(0, on_handle_gone, handle);
}

/* One more thing that is due by 'end_ms'; false: there is none. */
static bool
pass_to_next(uint64_t end_ms)
{
	uint64_t due = UINT64_MAX, order = UINT64_MAX;
	uv_timer_t *timer = NULL;
	struct appointment a = { 0 };
	size_t which = 0;

	for (size_t i = 0; i < agenda.len; i++) {
		if (agenda.at[i].due_ms < due ||
		    (agenda.at[i].due_ms == due &&
			agenda.at[i].order < order)) {
			a = agenda.at[which = i];
			due = a.due_ms;
			order = a.order;
		}
	}
	for (size_t i = 0; i < timers.len; i++) {
		if (timers.at[i]->timeout < due ||
		    (timers.at[i]->timeout == due &&
			timers.at[i]->start_id < order)) {
			timer = timers.at[i];
			due = timer->timeout;
			order = timer->start_id;
		}
	}
	if (due > end_ms || due == UINT64_MAX)
		return false;
	virtual_ms = due > virtual_ms ? due : virtual_ms;
	if (timer != NULL) {
		(void)uv_timer_stop(timer);
		timer->timer_cb(timer);
	} else {
		vec_remove(&agenda, which);
		a.fn(a.arg);
	}
	return true;
}

static void
pass(uint64_t ms)
{
	uint64_t end = virtual_ms + ms;

	while (pass_to_next(end))
		;
	virtual_ms = end > virtual_ms ? end : virtual_ms;
}

#endif
