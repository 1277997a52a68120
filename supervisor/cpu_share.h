/*
 * How much of a stretch of time a process could have run in: it ran, slept or
 * was stopped.  What it spent in the queue for a processor is no fault of its
 * own.
 */
#ifndef SUPERVISOR_CPU_SHARE_H
#define SUPERVISOR_CPU_SHARE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Of the main thread, since the process began (proc(5), sched-stats.rst). */
struct cpu_share {
	uint64_t ran_ns;
	uint64_t waited_ns; /* counted when it gets a processor again */
	bool runnable;	    /* runs or waits now */
};

/* Fails where the kernel does not tell (CONFIG_SCHED_INFO) or it is gone. */
int
cpu_share_read(int pid, struct cpu_share *ret, struct error *e) _warn_unused_;
/* Of the 'ms' from 'before' to 'after'. */
uint64_t cpu_share_could_run_ms(
    const struct cpu_share *before, const struct cpu_share *after, uint64_t ms);

#endif
