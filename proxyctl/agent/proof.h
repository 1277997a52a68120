/*
 * Proves that a reload took: the internal server answers with the new
 * configuration on a fresh connection ("live"), and every worker that
 * accepted before is gone or leaving ("settled"), so that no new connection
 * can meet the old configuration any more.  The working directory is the
 * agent's folder.
 *
 * nginx lets old workers accept for another 100 ms after the new ones do.  We
 * do not wait for that: as soon as all new workers accept, the old ones get
 * the signal to finish (SIGQUIT) from us, the same that nginx sends later.
 */
#ifndef AGENT_PROOF_H
#define AGENT_PROOF_H

#include "base/error.h"
#include "procs.h"

#include <stdint.h>
#include <uv.h>

struct proof;

/* 'e' NULL: settled; both times count from proof_start(). */
typedef void proof_fn(
    void *arg, uint64_t live_us, uint64_t settled_us, const struct error *e);
/* What the internal server says now; 'e' when it does not answer. */
typedef void proof_ask_fn(void *arg, const char *answer, const struct error *e);

struct proof *proof_new(uv_loop_t *loop, struct error *e) _warn_unused_;
struct proof_case {
	const char *expected;	    /* answer of the internal server */
	const struct procs *before; /* nginx from before the reload */
	int master;
	uint32_t workers; /* so many of them make the new set */
	size_t files;	  /* one of about as many takes about as long */
	uint64_t deadline_ms;
};
/* All of 'c' is copied.  One at a time; 'done' is called once. */
void proof_start(
    struct proof *p, const struct proof_case *c, proof_fn *done, void *arg);
void proof_ask(struct proof *p, proof_ask_fn *done, void *arg);
/* NULL is allowed. */
void proof_close(struct proof *p, void (*closed)(void *arg), void *arg);

#endif
