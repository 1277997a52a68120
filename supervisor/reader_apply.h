/*
 * One application of a batch, as its parts share it: swarm_apply() takes the
 * services and the objects beside them (reader_apply.c) and their tasks
 * (reader_apply_tasks.c).
 */
#ifndef SUPERVISOR_READER_APPLY_H
#define SUPERVISOR_READER_APPLY_H

#include "reader_swarm.h"

struct applying {
	struct swarm *s;
	struct swarm_batch *b;
	const struct map *dirty;
	uint64_t now_ms;
	struct swarm_changes *ret;
	struct map changed; /* IDs that are in ret->services */
	struct map stale;   /* IDs of tasks whose answer was older */
	struct map held;    /* IDs of services that stay as they are */
};

/*
 * What is beside this service in the model, about to change; made where it is
 * missing.
 */
struct swarm_service *apply_beside(struct applying *a, const char *id);
/*
 * Notes when the Engine made a change of 'service_id'; 'id' is the service's
 * own, or that of one of its tasks.
 */
void
apply_note_commit(struct applying *a, const char *service_id, const char *id);
/* Routing sees a change of this service. */
void apply_note_changed(struct applying *a, const char *id);
/*
 * True for an answer that is older than what is known (a manager that lags
 * behind, an answer that was overtaken), unless it is the third in a row.
 */
bool apply_is_regress(struct applying *a, const char *kind, const char *id,
    uint64_t version, uint64_t known);
/* Whether this object is one of the odd ones of 'm'. */
bool apply_is_bad(const struct model *m, const char *kind, const char *id);
/* Takes the tasks, after the services. */
void apply_tasks(struct applying *a);

#endif
