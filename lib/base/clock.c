/* Clocks: see clock.h. */
#include "base/clock.h"

#include "base/mem.h"

#include <time.h>

static uint64_t
read_us(clockid_t id)
{
	struct timespec t;

	must(clock_gettime(id, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

uint64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}
