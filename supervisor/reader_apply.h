/*
 * One application of a batch, as its parts share it: swarm_apply() takes the
 * services and the objects beside them (reader_apply.c) and their tasks
 * (reader_apply_tasks.c).
 */
#ifndef SUPERVISOR_READER_APPLY_H
#define SUPERVISOR_READER_APPLY_H

#include "reader_swarm.h"

/* What is done in this order; the first three walk over much. */
enum apply_phase {
	APPLY_ROUTABLE, /* what the doubt wants to know */
	APPLY_SERVICES,
	APPLY_GROUP, /* tasks by their services */
	APPLY_TASKS,
	APPLY_REST,
	APPLY_DONE,
};

struct applying {
	struct swarm *s;
	struct swarm_batch *b;
	const struct map *dirty;
	uint64_t now_ms;
	struct swarm_changes *ret;
	struct map changed; /* IDs that are in ret->services */
	struct map stale;   /* IDs of tasks whose answer was older */
	struct map held;    /* IDs of services that stay as they are */
	enum apply_phase phase;
	size_t at; /* how far the phase has come */
	bool first_doubted;
	struct map routable;	/* IDs of services with a task to route to */
	struct map seen;	/* IDs of the services of a whole list */
	struct map holders;	/* ID -> struct service *, owned: its tasks */
	VEC(char *) task_order; /* IDs of services, owned: APPLY_TASKS */
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
/* One step of APPLY_GROUP and of APPLY_TASKS: whether more is left. */
bool apply_group(struct applying *a);
bool apply_tasks(struct applying *a);

#endif
