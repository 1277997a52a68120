/*
 * How long a loop is away from its polling: a turn in which callbacks run for
 * long is what everything else that the process has to do waits for.  What a
 * turn waited for a processor is not counted, as far as the kernel tells it
 * (CONFIG_SCHED_INFO); what it ran always is.  No timer: nothing is woken.
 */
#ifndef LOOP_TURNS_H
#define LOOP_TURNS_H

#include <stdint.h>
#include <uv.h>

struct turns;

/* Before the loop runs; it does not keep the loop alive. */
struct turns *turns_new(uv_loop_t *loop);
/*
 * The longest turn that is over, of the last 15 s at least and the last 30 s
 * at most: who asks each 15 s misses none, and what is past passes.
 */
uint64_t turns_longest_us(struct turns *t);
/* Frees from the loop; NULL is allowed. */
void turns_close(struct turns *t);

#endif
