/*
 * What is looked at next, and looking at it: one look ("cycle") at whole lists
 * of services and tasks at a time, and beside it one at single services; what
 * turns up meanwhile is for the next one.  What the second finds while the
 * first is under way is newer and stays.  For reader_sources.c.
 */
#ifndef SUPERVISOR_READER_LOOKS_H
#define SUPERVISOR_READER_LOOKS_H

#include "base/backoff.h"
#include "base/error.h"
#include "docker/client.h"
#include "reader_cycle.h"
#include "reader_pace.h"
#include "reader_swarm.h"

#include <stdbool.h>
#include <uv.h>

/* What comes together is looked at together. */
#define LOOKS_COALESCE_MS 3

struct looks;

/* What one look brought. */
struct looks_found {
	struct swarm_changes *changes; /* the callee may take from it */
	bool all_services, all_tasks;  /* it was at whole lists of them */
	uint64_t began_ms;
};

struct looks_handlers {
	/* The swarm was changed. */
	void (*on_found)(void *arg, const struct looks_found *found);
	/*
	 * Before the first whole list is complete: a part of it was taken.
	 * All of it is in the changes once it is complete, too.
	 */
	void (*on_part)(void *arg, const struct swarm_changes *changes);
	/* One ended well; 'whole_failed' is how the last of that sort did. */
	void (*on_done)(void *arg, bool whole_failed);
	/* One failed; it is tried again in 'retry_ms'. */
	void (*on_failed)(void *arg, const struct error *e, uint64_t retry_ms);
};

/* Borrows 'docker' and 'swarm'; 'backoff' is copied. */
struct looks *
looks_new(uv_loop_t *loop, struct docker_client *docker, struct swarm *swarm,
    const struct backoff *backoff, const struct looks_handlers *h, void *arg);
/* What the next look is at: set what is wanted, then say looks_soon(). */
struct cycle_wants *looks_wants(struct looks *l);
/* Looks within so many ms, unless nothing is wanted. */
void looks_soon(struct looks *l, uint64_t ms);
/* Everything, soon. */
void looks_everything(struct looks *l);
/* The same, where lists are slow only some time after the last one. */
void looks_everything_in_time(struct looks *l);
/* A service may have changed, or its tasks alone: looked at soon. */
void looks_dirty(struct looks *l, const char *service_id);
void looks_tasks_dirty(struct looks *l, const char *service_id);
/* Services whose tasks are in motion (a set), where none of them wait yet. */
void looks_moving(struct looks *l, const struct map *service_ids);
/* Whether an answer may be on its way that makes this service known. */
bool looks_awaits(const struct looks *l, const char *service_id);
/* ... or one that tells its tasks. */
bool looks_awaits_tasks(const struct looks *l, const char *service_id);

const struct pace *looks_whole_pace(const struct looks *l);
const struct pace *looks_single_pace(const struct looks *l);
/* Whether a look at whole lists is under way. */
bool looks_whole_runs(const struct looks *l);
/* When all tasks were listed last. */
uint64_t looks_tasks_ms(const struct looks *l);
/* 'closed' comes when the last call ended; the owner closes the client. */
void looks_close(struct looks *l, void (*closed)(void *arg), void *arg);

#endif
