/*
 * Work that may kill, tried in a child: a fork that runs 'work' on a copy of
 * what is in memory and says whether it came to its end.
 */
#ifndef EXTENSION_TRIAL_H
#define EXTENSION_TRIAL_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct trial;

/*
 * 'work' runs in the child: no loop, no descriptors of ours, no locks of
 * libraries.  'done' is called once, from the loop; past the deadline the
 * child is killed and has not survived.  'how' says how it ended.
 */
struct trial *
trial_start(uv_loop_t *loop, void (*work)(void *arg), uint64_t deadline_ms,
    void (*done)(void *arg, bool survived, const char *how), void *arg,
    struct error *e) _warn_unused_;
/* Before 'done', which is then not called; NULL is allowed. */
void trial_cancel(struct trial *t);

#endif
