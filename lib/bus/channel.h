/*
 * One nng socket on the loop, for publisher and subscriber.  The only file
 * that sees nng.h.
 *
 * Nothing here waits: sends and receives are non-blocking, a dial goes on in
 * the background and is never tried again by nng itself.
 */
#ifndef BUS_CHANNEL_H
#define BUS_CHANNEL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum channel_kind { CHANNEL_PUB, CHANNEL_SUB, CHANNEL_REQ, CHANNEL_REP };

struct channel;

struct channel_handlers {
	/* One received message; NULL for sockets that only send. */
	void (*on_message)(void *arg, const char *bytes, size_t len);
	/* A first peer came, or the last one went. */
	void (*on_peers)(void *arg, bool connected);
};

/* 'path' of the unix socket; larger messages than 'max' end the connection. */
struct channel *channel_open(uv_loop_t *loop, enum channel_kind kind,
    const char *path, size_t max, const struct channel_handlers *h, void *arg,
    struct error *e) _warn_unused_;
/* The socket file gets 0660. */
int channel_listen(struct channel *c, struct error *e) _warn_unused_;
/* Tries once; an earlier try, or what it led to, ends. */
int channel_dial(struct channel *c, struct error *e) _warn_unused_;
bool channel_connected(const struct channel *c);
/*
 * Sends both parts as one message; false when there is nobody to take it.
 * (A PUB socket drops silently.)
 */
bool channel_send(struct channel *c, const char *head, size_t head_len,
    const char *body, size_t body_len);
/* Stops and starts receiving. */
void channel_pause(struct channel *c, bool paused);
/* No handler is called afterwards; NULL is allowed, 'closed' may be NULL. */
void channel_close(struct channel *c, void (*closed)(void *arg), void *arg);

#endif
