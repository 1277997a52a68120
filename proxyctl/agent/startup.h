/*
 * A worker's first question: does nginx serve what is on disk?  Where it
 * does, a reload of a predecessor's may still be settling; that is waited
 * for.
 */
#ifndef AGENT_STARTUP_H
#define AGENT_STARTUP_H

#include <stdbool.h>

#include "engine_nginx.h"
#include "folder.h"
#include "manifest.h"
#include "options.h"
#include "proof.h"

/* 'same' is false also where nginx does not answer. */
typedef void startup_fn(void *arg, bool same);

/* Embedded by the worker; all of it is startup_ask()'s. */
struct startup {
	struct proof *proof;	     /* borrowed */
	struct fragments *fragments; /* owned while asking */
	int master;
	startup_fn *done; /* NULL: nothing is asked */
	void *arg;
};

/* One at a time; 'done' is called once, unless startup_fini() came before. */
void startup_ask(struct startup *s, struct proof *proof,
    const struct agent_options *o, struct folder *folder,
    const struct manifest *m, int master, startup_fn *done, void *arg);
bool startup_asking(const struct startup *s);
/* After the proof was closed. */
void startup_fini(struct startup *s);

#endif
