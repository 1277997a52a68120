/*
 * One look at the Engine: several calls at once whose answers become one
 * batch, all or nothing.  For reader_looks.c.
 */
#ifndef SUPERVISOR_READER_CYCLE_H
#define SUPERVISOR_READER_CYCLE_H

#include "base/error.h"
#include "base/map.h"
#include "docker/client.h"
#include "reader_swarm.h"

#include <stdbool.h>

/* What is to be looked at. */
struct cycle_wants {
	bool services, tasks, networks, nodes, secrets, configs; /* all */
	bool manager;		/* whether the node says that it is one */
	struct map service_ids; /* single ones, with their tasks */
	struct map task_ids;	/* services whose tasks alone are wanted */
};
void cycle_wants_fini(struct cycle_wants *w);
bool cycle_wants_any(const struct cycle_wants *w);
void cycle_wants_everything(struct cycle_wants *w);

struct cycle;

/*
 * All answers came ('e' NULL), or one failed.  The batch is the callee's to
 * use during the call.  Called once, from the loop.
 */
typedef void
cycle_done_fn(void *arg, struct swarm_batch *batch, const struct error *e);

/* 'w' is not empty; it is copied. */
struct cycle *cycle_start(struct docker_client *docker,
    const struct cycle_wants *w, cycle_done_fn *done, void *arg);
/* 'done' follows with ECANCELED. */
void cycle_cancel(struct cycle *c);

#endif
