/*
 * Proves that a reload took: the internal server answers with the new
 * configuration on a fresh connection ("live"), and every worker that
 * accepted before is gone or leaving ("settled"), so that no new connection
 * can meet the old configuration any more.
 */
#ifndef AGENT_PROOF_H
#define AGENT_PROOF_H

#include "base/error.h"
#include "procs.h"

#include <stdint.h>
#include <uv.h>

struct proof;

/* 'e' NULL: settled; both times count from proof_start(). */
typedef void proof_fn(void *arg, uint64_t live_us, uint64_t settled_us,
    const struct error *e);
/* What the internal server says now; 'e' when it does not answer. */
typedef void proof_ask_fn(void *arg, const char *answer, const struct error *e);

struct proof *proof_new(uv_loop_t *loop, struct error *e) _warn_unused_;
/*
 * 'before' are the workers from before the reload (copied).  One at a time;
 * 'done' is called once.
 */
void proof_start(struct proof *p, const char *expected,
    const struct procs *before, uint64_t deadline_ms, proof_fn *done,
    void *arg);
void proof_ask(struct proof *p, proof_ask_fn *done, void *arg);
void proof_close(struct proof *p, void (*closed)(void *arg), void *arg);

#endif
