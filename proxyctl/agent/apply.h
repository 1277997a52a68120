/*
 * One configuration on its way into force: blobs, scratch folder, check,
 * switch, reload, proof.  What fails before the switch has changed nothing;
 * what fails after it puts the previous one back.
 */
#ifndef AGENT_APPLY_H
#define AGENT_APPLY_H

#include "base/error.h"
#include "fetch.h"
#include "folder.h"
#include "manifest.h"
#include "options.h"
#include "proof.h"
#include "secrets.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct apply;

/* ACCEPTED: by the engine's check, which was all that was asked for. */
enum apply_outcome {
	APPLY_APPLIED,
	APPLY_REFUSED,
	APPLY_FAILED,
	/* Something that it uses as a secret is no good: not tried. */
	APPLY_LACKING,
	APPLY_ACCEPTED
};

/* Microseconds since apply_start(); 0: not reached. */
struct apply_timing {
	uint64_t fetched_us;
	uint64_t checked_us;
	uint64_t live_us;
	uint64_t settled_us;
};

struct apply_result {
	enum apply_outcome outcome;
	struct manifest *manifest; /* the callee's */
	const char *words;	   /* "" when applied */
	struct apply_timing timing;
};

struct apply_setup {
	uv_loop_t *loop;
	const struct agent_options *options;
	struct folder *folder;
	struct fetch *fetch;
	struct proof *proof;
	struct secrets *secrets;
	const int *fds; /* listening sockets, for the check */
	int fd_count;
	/* Asks the keeper; apply_on_reloaded() follows. */
	void (*request_reload)(void *arg);
	void (*done)(void *arg, const struct apply_result *result);
	void *arg;
};

struct apply *apply_new(const struct apply_setup *setup);
bool apply_busy(const struct apply *a);
/* Takes 'm'.  One that says "check" ends after the check. */
void apply_start(struct apply *a, struct manifest *m);
/* Only the reload and its proof, for what "current" names already. */
void apply_reload(struct apply *a, struct manifest *m);
/* The keeper's words. */
void apply_on_nginx(struct apply *a, int pid, bool up);
void apply_on_reloaded(struct apply *a, bool ok);
/* NULL is allowed. */
void apply_close(struct apply *a, void (*closed)(void *arg), void *arg);

#endif
