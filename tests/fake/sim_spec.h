/* Service specs: what the engine makes of a request, and what it means. */
#ifndef SIM_SPEC_H
#define SIM_SPEC_H

#include "sim.h"

/*
 * The spec as the engine stores it: defaults filled in, networks by ID,
 * members in its order.  A new value, or NULL; e->code is then the HTTP
 * status of the answer.
 */
json_t *sim_spec_normalize(
    struct sim *s, const json_t *given, struct error *e) _warn_unused_;
/* Reads mode, replicas, ports and endpoint mode out of v->spec. */
void sim_spec_apply(struct sim_service *v);
/*
 * Gives the service the virtual addresses that its spec asks for and takes
 * back the others; true when anything changed (a second version then).
 */
bool sim_spec_allocate(struct sim *s, struct sim_service *v);
void sim_spec_release(struct sim_service *v);
/* TaskTemplate as a task shows it; a new reference. */
json_t *sim_spec_task(const struct sim_service *v);
/* Network 'i' of the spec, or NULL past the last one. */
struct sim_network *
sim_spec_network(struct sim *s, const struct sim_service *v, size_t i);
/* Would a task of this spec differ from 't'? */
bool
sim_spec_task_is_current(const struct sim_service *v, const struct sim_task *t);
/* A duration in nanoseconds at a path of members, in ms, or 'otherwise'. */
uint64_t sim_spec_ms(
    const json_t *spec, const char *outer, const char *member, uint64_t other);
/* A service label's value, or NULL. */
const char *sim_spec_label(const struct sim_service *v, const char *key);

#endif
