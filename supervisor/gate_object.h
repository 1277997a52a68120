/* The gate's object, shared by gate.c and gate_query.c. */
#ifndef SUPERVISOR_GATE_OBJECT_H
#define SUPERVISOR_GATE_OBJECT_H

#include "gate.h"
#include "gate_group.h"
#include "gate_left.h"
#include "gate_self.h"

struct gate {
	uv_loop_t *loop;
	struct docker_client *docker;
	const struct swarm *swarm;
	struct reader_clusters *clusters;
	struct gate_handlers handlers;
	void *arg;
	char *owner; /* this supervisor's name on its services */
	struct gate_self *self;
	bool self_known;
	uint64_t started_ms;
	VEC(struct gate_group *) groups;
	VEC(struct gate_seen *) fresh; /* of the look under way */
	struct gate_leftovers left;
	uv_timer_t timer;
	bool looking;
	bool again; /* a look was wanted meanwhile */
	bool closing;
	unsigned open; /* the timer, and calls under way */
	void (*closed)(void *arg);
	void *closed_arg;
};

void gate_unref(struct gate *g);
struct gate_group *gate_find(const struct gate *g, const char *cluster);
void gate_look_soon(struct gate *g);

/* gate_query.c: the end of a scaling; 'e' NULL: done. */
void gate_scaled(struct gate_group *x, const struct error *e);
/* There is nothing to scale (any more). */
void gate_scale_impossible(struct gate_group *x);

#endif
