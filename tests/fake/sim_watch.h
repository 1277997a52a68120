/*
 * SwarmKit's Watch, served on a control socket of its own: every change of
 * the store, a bounded log to resume from, and faults.
 *
 *	sim_watch        clients, the log, faults	sim_watch_encode objects
 *	sim_h2           HTTP/2 over TLS
 */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "sim_api.h"

struct sim_watch;

/* Where options.control_socket is set; before any object is made. */
int sim_watch_start(struct sim *s, struct error *e) _warn_unused_;
/* Stops serving; its handles close with the loop. */
void sim_watch_stop(struct sim *s);
void sim_watch_fini(struct sim *s);

/* The store's calls, right after the change; a NULL watch is none. */
void sim_watch_added(struct sim *s, struct sim_object *o);
void sim_watch_changed(struct sim *s, struct sim_object *o);
void sim_watch_removed(struct sim *s, struct sim_object *o);

/* /_sim/watch (action NULL) and /_sim/watch/ACTION. */
void sim_watch_control(struct sim_call *c, const char *action);

/*
 * sim_watch_encode.c: adds an Event of WatchMessage for 'o' (watch_action as
 * in docker/watch_message.h).
 */
void sim_watch_encode_event(
    struct str *out, const struct sim_object *o, unsigned action);

#endif
