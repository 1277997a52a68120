/* Objects of the simulated Swarm: identity, versions, lookup. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "sim.h"

extern const char *const sim_kind_names[SIM_KINDS];

void sim_store_init(struct sim *s);
/* Frees every object; tasks must be gone. */
void sim_store_fini(struct sim *s);

uint64_t sim_random(struct sim *s);
/* 25 characters of [0-9a-z], as SwarmKit's; the caller frees. */
char *sim_new_id(struct sim *s);
/* 64 hexadecimal digits, as a container's. */
void sim_new_container(struct sim *s, char ret[65]);
/* Wall clock, never the same twice. */
int64_t sim_now(struct sim *s);

/*
 * Gives 'o' an ID (unless it has one), the next version and its place in the
 * lists.  Takes 'name'.
 */
void
sim_store_add(struct sim *s, struct sim_object *o, enum sim_kind, char *name);
/* A change: next version, new UpdatedAt, JSON to be rendered again. */
void sim_store_touch(struct sim *s, struct sim_object *o);
/* Takes it out of the lists; the caller frees it. */
void sim_store_remove(struct sim *s, struct sim_object *o);
/* What the object itself owns: ID, name, JSON. */
void sim_object_fini(struct sim_object *o);

/* By ID, by name, or by the beginning of exactly one ID; else NULL. */
struct sim_object *
sim_find(struct sim *s, enum sim_kind kind, const char *what);

void sim_network_free(struct sim_network *n);
void sim_blob_free(struct sim_blob *b);
void sim_node_free(struct sim_node *n);
void sim_service_free(struct sim_service *v);

#endif
