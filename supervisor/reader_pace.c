/* How often the reader looks: see reader_pace.h. */
#include "reader_pace.h"

#include "reader_dirty.h"

/*
 * The first list is not taken for slower than this: one that only stalled
 * would put off the next ones.  Where lists are slow the next ones tell.
 */
#define FIRST_MAX_MS 1000
/* Whole lists that are polled take at most one part in so many. */
#define POLL_SHARE 20

void
pace_note(struct pace *p, uint64_t took_ms)
{
	uint64_t most =
	    p->pace_ms == 0 ? FIRST_MAX_MS : p->pace_ms * 2 + PACE_FAST_MS;

	p->took_ms = took_ms;
	p->pace_ms = took_ms < most ? took_ms : most;
}

uint64_t
pace_poll(const struct pace *whole, uint64_t poll_ms)
{
	uint64_t least = whole->pace_ms * POLL_SHARE;

	return least > poll_ms ? least : poll_ms;
}

bool
pace_whole_is_cheaper(
    const struct pace *whole, const struct pace *single, size_t services)
{
	return services > DIRTY_TASKS / 2 &&
	    whole->took_ms <=
	    services / DIRTY_TASKS * single->took_ms + PACE_FAST_MS;
}

uint64_t
pace_moving(
    const struct pace *whole, const struct pace *single, size_t services)
{
	uint64_t takes = pace_whole_is_cheaper(whole, single, services)
	    ? whole->pace_ms
	    : single->pace_ms * (1 + services / DIRTY_TASKS);

	return takes * PACE_MOVING_SHARE;
}
