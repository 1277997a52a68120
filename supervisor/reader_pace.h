/*
 * How often the reader looks: as its intervals say, but never so that looking
 * takes more than its share of the time.  Pure; for reader_sources.c.
 */
#ifndef SUPERVISOR_READER_PACE_H
#define SUPERVISOR_READER_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whole lists that are this fast take single services along. */
#define PACE_FAST_MS 50
/* Whole lists on the resync timer take at most one part in so many. */
#define PACE_RESYNC_SHARE 10
/* And those that are asked for, and looks at what moves. */
#define PACE_MOVING_SHARE 4

/* Looks of one sort: at whole lists, or at single services. */
struct pace {
	uint64_t took_ms; /* the last one that succeeded */
	uint64_t pace_ms; /* what one takes, where not for once */
};

/* One that stalled does not put off the next ones for long. */
void pace_note(struct pace *p, uint64_t took_ms);
/* How far apart whole lists are polled; 'poll_ms' is what was set. */
uint64_t pace_poll(const struct pace *whole, uint64_t poll_ms);
/* Whether single looks at so many services cost more than a whole list. */
bool pace_whole_is_cheaper(
    const struct pace *whole, const struct pace *single, size_t services);
/* How far apart so many services in motion are looked at, at least. */
uint64_t pace_moving(
    const struct pace *whole, const struct pace *single, size_t services);

#endif
