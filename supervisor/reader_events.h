/*
 * The Engine's event stream: opened, read, opened again with back-off.  For
 * reader_sources.c, which lists everything whenever it opens.
 */
#ifndef SUPERVISOR_READER_EVENTS_H
#define SUPERVISOR_READER_EVENTS_H

#include "base/backoff.h"
#include "base/error.h"
#include "docker/client.h"

#include <stdbool.h>
#include <uv.h>

enum event_kind {
	EVENT_SERVICE,
	EVENT_NETWORK,
	EVENT_NODE,
	EVENT_SECRET,
	EVENT_CONFIG,
};

struct events;

struct events_handlers {
	/* It stands: what happened before is to be listed. */
	void (*on_open)(void *arg);
	/*
	 * 'id' is the object's, NULL where the Engine told none; 'removed': it
	 * is gone.
	 */
	void (*on_event)(
	    void *arg, enum event_kind kind, const char *id, bool removed);
	/* It ended, or did not open; it is tried again in 'retry_ms'. */
	void (*on_lost)(void *arg, const struct error *e, uint64_t retry_ms);
};

/* Opens it.  Borrows 'docker'; 'backoff' is copied. */
struct events *events_new(uv_loop_t *loop, struct docker_client *docker,
    const struct backoff *backoff, const struct events_handlers *h, void *arg);
/* Whether it stands. */
bool events_listening(const struct events *e);
/* Ends one that says nothing: on_lost follows, and it is opened again. */
void events_reopen(struct events *e);
/*
 * No handler is called any more but 'closed', when the last call has ended:
 * the owner closes the client now, which ends it.
 */
void events_close(struct events *e, void (*closed)(void *arg), void *arg);

#endif
