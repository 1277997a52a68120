/*
 * Services that something said may have changed, each to be looked at soon,
 * and none again within DIRTY_REST_MS.  Pure; for reader_looks.c.
 */
#ifndef SUPERVISOR_READER_DIRTY_H
#define SUPERVISOR_READER_DIRTY_H

#include "base/map.h"
#include "base/vec.h"
#include "reader_cycle.h"

/* A service that changes on and on is looked at so often. */
#define DIRTY_REST_MS 100
/* At most so many in one look: a larger one holds up what comes after it. */
#define DIRTY_SERVICES 16
#define DIRTY_TASKS 64
/* Of those services, so many are new ones where there are some. */
#define DIRTY_NEW 4

struct dirty {
	struct map services; /* ID -> when it may be looked at */
	struct map tasks;    /* the same, for its tasks alone */
	struct map looked;   /* ID -> when it was looked at last */
	/* The same IDs, owned, as they came: services known, new, and tasks. */
	struct dirty_order {
		VEC(char *) ids;
	} known, new, tasks_order;
};

void dirty_fini(struct dirty *d);
bool dirty_any(const struct dirty *d);

/*
 * Notes a service ('known': it is in the model), or its tasks alone; looked at
 * whole, its tasks come along.  Gives in how many ms it may be looked at.
 */
uint64_t
dirty_service(struct dirty *d, const char *id, bool known, uint64_t now_ms);
uint64_t dirty_tasks(struct dirty *d, const char *id, uint64_t now_ms);

/*
 * Moves what may be looked at now into 'ret', until that holds as much as one
 * look may.  Gives when there is more: at once (0), at a time, or UINT64_MAX.
 */
uint64_t dirty_take(struct dirty *d, uint64_t now_ms, struct cycle_wants *ret);

#endif
