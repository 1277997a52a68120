/*
 * The extension's side of the bus: listens on its own SUB and REQ sockets,
 * keeps count of seq, asks for a snapshot on a gap, a new epoch or silence,
 * and makes its listeners anew when nothing is heard.
 */
#ifndef BUS_SUBSCRIBER_H
#define BUS_SUBSCRIBER_H

#include "bus/message.h"

#include <stdbool.h>
#include <uv.h>

struct subscriber;

struct subscriber_handlers {
	/*
	 * In order, without gaps: SNAPSHOT first, then UPDATE and REMOVE.
	 * A body that the handler cannot use: subscriber_resync().
	 */
	void (*on_message)(void *arg, const struct bus_message *m);
	/* The reader is heard (true) or was silent for 3 s (false). */
	void (*on_contact)(void *arg, bool heard);
	/* Another version of the bus: the program ends with 78. */
	void (*on_wrong_version)(void *arg, const struct error *e);
	/* The gate's word, new or as an answer to subscriber_need(). */
	void (*on_gate)(void *arg, const char *body, size_t len);
};

struct subscriber *subscriber_new(uv_loop_t *loop, const char *cluster,
    const char *folder, const struct subscriber_handlers *h, void *arg,
    struct error *e) _warn_unused_;
/* Forgets what it has and asks for a snapshot. */
void subscriber_resync(struct subscriber *s);
/*
 * Tells the gate what the proxies need, now and to each new reader; replaces
 * what was told before.  'body' is copied.
 */
void subscriber_need(struct subscriber *s, const char *body, size_t len);
/* Messages of any kind but beacons received so far. */
uint64_t subscriber_received(const struct subscriber *s);
void
subscriber_close(struct subscriber *s, void (*closed)(void *arg), void *arg);

#endif
