/*
 * The control API that a cluster's agents poll (docs/internals.md): manifest
 * by long poll, files by hash, reports.
 */
#ifndef EXTENSION_CONTROL_H
#define EXTENSION_CONTROL_H

#include "base/error.h"
#include "config/config.h"
#include "proxies.h"
#include "state.h"

#include <uv.h>

struct control;

/* What to do with an agent that says what it knows of a pin (pin.h). */
enum control_claim {
	CONTROL_SAME, /* as if it had said nothing */
	CONTROL_TELL, /* it gets the manifest, though it has these bytes */
	CONTROL_WANT, /* it is asked for the document */
	CONTROL_HOLD, /* it gets nothing: we do not know what is pinned */
};

struct control_handlers {
	/* A report that was taken in. */
	void (*on_report)(void *arg, const struct proxy_news *news);
	/* The verdict on what state_offered() names, or named. */
	void (*on_check)(void *arg, const struct proxy_check *check);
	/* 'pin' NULL: it says nothing; 'generation' is what it serves, or 0. */
	enum control_claim (*on_claim)(
	    void *arg, const char *pin, uint64_t generation);
	/* The document that an agent was asked for; -1: not that one. */
	int (*on_document)(
	    void *arg, const char *text, size_t len, struct error *e);
};

/*
 * Listens where the INI says ([control] listen), with driver = local on
 * run_dir/control/NAME.sock where it says nothing.  Borrows all it is given.
 */
struct control *control_new(uv_loop_t *loop, const struct cluster_config *c,
    const char *run_dir, struct state *state, struct proxies *proxies,
    const struct control_handlers *h, void *arg, struct error *e) _warn_unused_;
/* A new configuration: every poll that waits is answered. */
void control_publish(struct control *c);
/*
 * Hands state_offered_manifest() to 'proxy' at its next poll, or to any that
 * has the newest configuration (NULL); once.
 */
void control_offer(struct control *c, const char *proxy);
/* Gives 'proxy' the manifest at its next poll, though it has seen it. */
void control_repeat(struct control *c, const char *proxy);
/* NULL is allowed. */
void control_close(struct control *c, void (*closed)(void *arg), void *arg);

#endif
