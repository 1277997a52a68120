/*
 * Proxy services of this supervisor that no cluster's INI speaks of any more:
 * [proxy] service has another name now, or the driver is not swarm.  For
 * gate.c.
 *
 * The old service of a cluster that got a new one is removed once that one is
 * well; until then both serve.  That of a cluster with another driver is told
 * in the status and left: nobody here knows whether its new proxies serve.
 * Services of clusters that are not configured are left in silence.
 */
#ifndef SUPERVISOR_GATE_LEFT_H
#define SUPERVISOR_GATE_LEFT_H

#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

/* The new service is well for so long before the old one goes. */
#define GATE_LEFT_MS 5000
/* A removal that failed is tried again after so long. */
#define GATE_LEFT_AGAIN_MS 10000

struct gate;
struct gate_seen;

struct gate_left {
	struct gate_seen *seen; /* owned */
	bool removing;
	uint64_t well_ms;  /* since when the new one is well; 0: it is not */
	uint64_t retry_ms; /* not before */
};

struct gate_leftovers {
	VEC(struct gate_left *) list;
	bool due; /* a look is wanted for them, whatever else there is */
};

/* What is left of a look, the groups' own taken away, is sorted. */
void gate_left_take(struct gate *g);
/* What is due is done; true: look again soon. */
bool gate_left_step(struct gate *g);
bool gate_left_has(const struct gate *g, const char *service_id);
/* Members for gate_json(), after what is there. */
void gate_left_json(const struct gate *g, struct str *out);
void gate_left_fini(struct gate *g);

#endif
