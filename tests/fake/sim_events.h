/* GET /events: a stream per client, filters, and a ring for 'since'. */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include "sim.h"

void sim_events_init(struct sim *s);
void sim_events_fini(struct sim *s);
/* Ends every stream. */
void sim_events_cut(struct sim *s);
/* While paused events are lost, as when the engine's own watch ended. */
void sim_events_pause(struct sim *s, bool paused);
/* Sends bytes to every client as they are. */
void sim_events_emit(struct sim *s, const char *bytes, size_t len);
size_t sim_events_clients(const struct sim *s);

/*
 * Tells an event of scope swarm on object 'o'.  'more' is further JSON
 * members of the attributes ("" or ",\"k\":\"v\"").  'action' is create,
 * update or remove.
 */
void sim_events_tell(struct sim *s, const struct sim_object *o,
    const char *action, const char *more);
/* Answers a request for the stream; -1 and 'e' when its filters are wrong. */
int sim_events_serve(struct sim *s, struct sim_http_request *req,
    const char *filters, const char *since, struct error *e) _warn_unused_;

#endif
