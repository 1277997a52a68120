/*
 * The simulator's own API, below /_sim on the same socket, and the faults it
 * puts in front of the Engine API.
 *
 *	GET    /_sim/state                what runs, in numbers
 *	GET    /_sim/stats                requests by "METHOD /path"
 *	DELETE /_sim/stats                counts from 0 again
 *	POST   /_sim/churn/N             so many changes per second (--churn)
 *	POST   /_sim/churn/N/SERVICE     ... tasks of this one fail
 *	POST   /_sim/tasks/ID/fail        its process ends with code 1
 *	POST   /_sim/tasks/ID/exit        ... with code 0
 *	POST   /_sim/nodes/ID/down, /up   a node is lost, comes back
 *	POST   /_sim/objects/KIND         adds the body verbatim to the list
 *	DELETE /_sim/objects/KIND         takes all of these back
 *	POST   /_sim/faults               {"path":"/tasks","mode":"error",
 *	                                   "status":500,"count":3}
 *	DELETE /_sim/faults               ends all faults
 *	POST   /_sim/events/pause, /resume, /cut
 *	POST   /_sim/events/emit          sends the body verbatim as an event
 *
 * KIND is services, tasks, networks, nodes, secrets or configs.  A fault's
 * mode is error (status), cut (half the answer, then the end), empty (a list
 * without elements), hang (no answer), drop (closed at once), noise (bytes
 * behind the JSON), html (200 and a page), or slow ("delay_ms").  "path" is
 * compared without the version; a "*" at its end covers what follows; "count"
 * is how many requests it lasts (0, the default: until it is deleted).
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "sim_api.h"

void sim_control_init(struct sim *s);
void sim_control_fini(struct sim *s);
/* Counts the request; true when it was for /_sim or met a fault. */
bool sim_control_request(struct sim_call *c, const char *path);
/* Appends what was put into a list by hand; 'comma' as for the next one. */
void sim_control_add_objects(
    struct sim *s, enum sim_kind kind, struct str *out, const char *comma);
/* Answers with a list, or with what a fault makes of it. */
void
sim_control_answer(struct sim_call *c, bool list, const char *text, size_t len);

#endif
