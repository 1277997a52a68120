/* Back-off: see backoff.h. */
#include "base/backoff.h"

uint64_t
backoff_next(struct backoff *b, uint64_t ran_ms)
{
	uint64_t delay;

	if (b->next_ms == 0 || ran_ms >= b->good_ms)
		b->next_ms = b->min_ms;
	delay = b->next_ms;
	b->next_ms = delay > b->max_ms / 2 ? b->max_ms : delay * 2;
	return delay;
}

uint64_t
backoff_jitter(uint64_t delay, uint32_t random)
{
	uint64_t span = delay / 4;

	return span == 0 ? delay : delay - delay / 8 + random % (span + 1);
}
