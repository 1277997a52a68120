/*
 * A small HTTP server on the loop, by libmicrohttpd: the admin API and the
 * control API.  Answers may come later (long polls) and may stream.
 */
#ifndef LOOP_HTTP_SERVER_H
#define LOOP_HTTP_SERVER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct http_server;
struct http_exchange; /* one request and its answer */

struct http_server_options {
	/* "unix:PATH" (a stale file is replaced) or "HOST:PORT". */
	const char *listen;
	mode_t socket_mode;   /* of the unix socket; 0: 0660 */
	const char *tls_ca;   /* with all three: HTTPS, client certificate */
	const char *tls_cert; /* demanded and verified by us */
	const char *tls_key;
	const char *bearer_token; /* NULL: not asked for */
	size_t max_body;	  /* 0: 1 MiB */
	uint32_t max_connections; /* 0: 256 */
	uint32_t idle_timeout_s;  /* 0: 60 */
};

struct http_received {
	const char *method;
	const char *path; /* decoded, without the query */
	const char *body;
	size_t body_len;
	bool authorized; /* token or client certificate was right */
	bool local;	 /* came over the unix socket */
};

/*
 * Called from the loop when a request is complete.  It must lead to exactly
 * one http_answer() or http_stream_begin(), now or later.
 */
typedef void http_handler_fn(
    void *arg, struct http_exchange *x, const struct http_received *received);

struct http_server *
http_server_new(uv_loop_t *loop, const struct http_server_options *o,
    http_handler_fn *handler, void *arg, struct error *e) _warn_unused_;
/* Ends every exchange, closes the listener, then calls 'closed'. */
void
http_server_close(struct http_server *s, void (*closed)(void *arg), void *arg);

/* A query parameter, or NULL; valid as long as the exchange. */
const char *http_query(struct http_exchange *x, const char *name);
/*
 * Tells when the exchange goes away before it was answered (the peer left,
 * the server closes): the owner forgets it.  NULL takes it back.
 */
void http_on_gone(struct http_exchange *x,
    void (*gone)(void *arg, struct http_exchange *x), void *arg);
/* Body is copied. 'type' NULL: application/json. */
void http_answer(struct http_exchange *x, unsigned status, const char *type,
    const void *body, size_t len);
/* {"error":"..."} with 'status'. */
void http_answer_error(struct http_exchange *x, unsigned status,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A stream without end (server-sent events); write until gone or end. */
void http_stream_begin(struct http_exchange *x, const char *type);
/* False when more than 1 MiB waits: the reader is too slow, end it. */
bool http_stream_write(struct http_exchange *x, const void *bytes, size_t len);
void http_stream_end(struct http_exchange *x);

#endif
