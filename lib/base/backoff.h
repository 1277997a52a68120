/*
 * Delays between tries, for children, Docker and the bus alike.  Pure: the
 * caller brings the clock.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t min_ms;
	uint64_t max_ms;
	uint64_t good_ms; /* a run at least this long counts as success */
	uint64_t next_ms; /* 0 = start at min_ms */
};
#define BACKOFF_INIT(min, max, good)                                           \
	{                                                                      \
		.min_ms = (min), .max_ms = (max), .good_ms = (good)            \
	}

/*
 * The delay before the next try after a run of 'ran_ms' (0: it never stood).
 * min, 2 min, 4 min ... max; a good run starts again at min.
 */
uint64_t backoff_next(struct backoff *b, uint64_t ran_ms);
/* 'delay' plus or minus up to an eighth, from 'random'. */
uint64_t backoff_jitter(uint64_t delay, uint32_t random);

#endif
