/*
 * One cluster's proxy service: what is known of it, and what to do next.  No
 * I/O; for gate.c.
 */
#ifndef SUPERVISOR_GATE_GROUP_H
#define SUPERVISOR_GATE_GROUP_H

#include "base/backoff.h"
#include "base/map.h"
#include "base/sha256.h"
#include "config/config.h"
#include "gate_look.h"
#include "gate_need.h"
#include "gate_spec.h"
#include "model/model.h"

#include <stdbool.h>
#include <stdint.h>

struct child_query;

/* Of several changes in a row one update is made: after so long a silence, */
#define GATE_QUIET_MS 1000
/* ... at the latest so long after the first. */
#define GATE_GATHER_MS 5000
/* A service that is gone is made again after so long. */
#define GATE_AGAIN_MS 5000
/* A new extension has so long to tell what its proxies need. */
#define GATE_NEED_MS 3000
/* A task that waits for a node or an address for so long is told; while a
 * predecessor stops, stop_grace_period later. */
#define GATE_UNPLACED_MS 3000
/* ... and for so long: a changed plan does not wait for that roll. */
#define GATE_STUCK_MS 5000
/* So long after the start an extension that is unsure changes nothing. */
#define GATE_UNSURE_MS 15000
/* Looks that failed for so long are told. */
#define GATE_BLIND_MS 2000
/* What is asked for and not allowed is told after so long. */
#define GATE_REFUSED_MS 5000
/* An update that Swarm gave up after a failure is tried again after this. */
#define GATE_RESUME_MS 30000

struct gate_group {
	char *name;
	const struct cluster_config *config; /* borrowed */
	struct gate_need need;
	bool need_known;
	struct gate_seen *seen; /* owned; NULL: there is no such service */
	bool looked;
	bool was_seen;
	char *blind; /* why the last look failed, owned; NULL: it did not */
	uint64_t blind_ms;     /* since when */
	uint64_t missing_ms;   /* since when it is not there; 0: it is */
	uint64_t unplaced_ms;  /* since when a task waits; 0: none */
	uint64_t placeless_ms; /* ... and none stops that it may wait for */
	struct map
	    unneeded; /* "n ID", "s NAME", "c NAME" -> uint64_t *, owned */
	/* Two supervisors: the first owner that was met, and whether we won. */
	char *old_owner;
	bool claimed;
	bool passive;
	/* Gathering. */
	char planned[SHA256_HEX_SIZE];
	uint64_t planned_ms; /* since when the plan is the same */
	uint64_t first_ms;   /* of the changes that are not written; 0: none */
	char sent[SHA256_HEX_SIZE]; /* the last one that was written */
	char *ours; /* the spec as the Engine showed it last; owned */
	bool adopt; /* what is shown next is what we wrote */
	bool writing;
	struct backoff backoff;
	uint64_t retry_ms;  /* nothing is written before */
	uint64_t resume_ms; /* when an update that paused goes on; 0: none */
	unsigned outrun;    /* updates in a row that came second */
	char *error;	    /* of a write or a plan; owned */
	uint64_t refused_ms;
	char *refused; /* what was asked for and is not allowed; owned */
	/* An operator's number that is being written. */
	bool scale;
	uint64_t replicas;
	struct child_query *scale_query; /* for gate_query.c */
	char *told;	  /* the extension's last word of us; for gate.c */
	char *told_error; /* ... and what was logged */
};

/* What all decide by. */
struct gate_view {
	const struct model *model;
	const struct map *services; /* IDs, the cluster's */
	const char *owner;	    /* this supervisor */
	const char *stack;
	const char *control_host; /* borrowed, or NULL */
	bool may_create;	  /* its own service is to go on */
	uint64_t now_ms;
	uint64_t started_ms;
};

enum gate_action { GATE_NOTHING, GATE_CREATE, GATE_UPDATE };

struct gate_step {
	enum gate_action action;
	char *spec;    /* owned */
	char *what;    /* owned; for people */
	char *event;   /* owned; one sentence to tell, or NULL */
	bool repaired; /* another hand's edit goes */
	bool soon;     /* look again soon: something is due or moves */
};
void gate_step_fini(struct gate_step *s);

struct gate_group *gate_group_new(const char *name);
void gate_group_free(struct gate_group *g);
/* After a reload: a service that was given up is taken back. */
void gate_group_reset(struct gate_group *g);
/* What a look showed (owned by the group now; NULL: nothing there). */
void gate_group_see(struct gate_group *g, struct gate_seen *seen);
/* A look failed; what was seen before stays. */
void
gate_group_blind(struct gate_group *g, const struct error *e, uint64_t now_ms);
void gate_group_step(
    struct gate_group *g, const struct gate_view *v, struct gate_step *ret);
/* How the write ended. */
void
gate_group_wrote(struct gate_group *g, const struct error *e, uint64_t now_ms);
/* The state in one word, and the words of what is wrong or NULL (owned). */
const char *gate_group_state(const struct gate_group *g, uint64_t now_ms);
char *gate_group_error(const struct gate_group *g, uint64_t now_ms);

#endif
