/*
 * Time.  Decisions use the monotonic clock only; the wall clock stamps logs
 * and measures how long a change took between two hosts.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
/* Microseconds since 1970; 0 when the clock cannot be read. */
uint64_t clock_wall_us(void);

#endif
