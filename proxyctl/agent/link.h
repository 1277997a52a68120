/*
 * What keeper and worker say to each other on fd 3 of the worker: one JSON
 * object per line.  Small enough to need no document.
 */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * NGINX keeper→worker: how the engine is; sent at the start and on change.
 * RELOADED keeper→worker: whether the signal went out.
 * DRAIN keeper→worker: we are stopping.
 * START worker→keeper: the files on disk are sound, nginx may start.
 * RELOAD worker→keeper: nginx shall read its files again.
 * SETTINGS worker→keeper: what the manifest says about stopping.
 * BEAT worker→keeper: the worker's loop turns.
 */
#define LINK_TYPES(X)                                                          \
	X(NGINX, "nginx")                                                      \
	X(RELOADED, "reloaded")                                                \
	X(DRAIN, "drain")                                                      \
	X(START, "start")                                                      \
	X(RELOAD, "reload")                                                    \
	X(SETTINGS, "settings")                                                \
	X(BEAT, "beat")

enum link_type {
#define X(name, text) LINK_##name,
	LINK_TYPES(X)
#undef X
	    LINK_TYPE_COUNT
};

struct link_message {
	enum link_type type;
	int pid;		 /* NGINX: of the master, 0 = none */
	bool up;		 /* NGINX: its workers accept */
	uint64_t fails;		 /* NGINX: starts in a row that failed */
	uint64_t reloads;	 /* NGINX: signals sent so far */
	bool ok;		 /* RELOADED */
	uint64_t drain_delay_ms; /* SETTINGS */
};

void link_encode(const struct link_message *m, struct str *ret);
/* -1 for anything that is not one of ours. */
int link_decode(const char *line, size_t len, struct link_message *ret,
    struct error *e) _warn_unused_;

#endif
