/*
 * A proxy service and its tasks as the Engine shows them, reduced to what the
 * gate decides by.  Pure; for gate.c.
 */
#ifndef SUPERVISOR_GATE_LOOK_H
#define SUPERVISOR_GATE_LOOK_H

#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct gate_seen {
	char *id;
	char *name;
	char *cluster;
	char *owner;
	char *spec;    /* JSON */
	char *granted; /* gate_granted.h */
	uint64_t version;
	uint64_t replicas;
	VEC(char *) spec_networks; /* IDs */
	VEC(char *) spec_secrets;  /* names */
	VEC(char *) spec_configs;  /* names */
	/* "updating", "paused", ...; "" where there is no update */
	char *update;
	char *update_words;
	/* Its tasks. */
	unsigned running;
	unsigned unplaced;    /* that wait for a node, or for an address */
	unsigned leaving;     /* that are to stop and have not yet */
	VEC(char *) networks; /* that each running task is on */
	char *trouble;	      /* the Engine's words about a task, or NULL */
	uint64_t trouble_version;
	bool trouble_waits; /* it is of a task that is still wanted */
};

/* NULL for an object that is none of ours. */
struct gate_seen *gate_look_service(const char *json, size_t len);
/* One of its tasks; in any order. */
void gate_look_task(struct gate_seen *s, const char *json, size_t len);
/* The service that a task belongs to; the caller frees it.  NULL: odd. */
char *gate_look_task_service(const char *json, size_t len);
bool gate_look_is_rolling(const struct gate_seen *s);
void gate_seen_free(struct gate_seen *s);

#endif
