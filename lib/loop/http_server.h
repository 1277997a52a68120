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
	const char *listen;   /* HOST a numeric address, or "localhost" */
	mode_t socket_mode;   /* of the unix socket; 0: 0660 */
	const char *tls_ca;   /* with all three: HTTPS, client certificate */
	const char *tls_cert; /* demanded and verified by us */
	const char *tls_key;
	const char *bearer_token; /* NULL: not asked for */
	size_t max_body;	  /* 0: 1 MiB */
	uint32_t max_connections; /* 0: 256; more wait to be accepted */
	uint32_t idle_timeout_s;  /* 0: 60 */
};

struct http_received {
	const char *method;
	const char *path; /* decoded, without the query */
	const char *body;
	size_t body_len;
	/*
	 * What was configured (token, client certificate) was right; false
	 * where nothing was configured.  A wrong certificate never gets here;
	 * a wrong or missing token does: the handler answers 401.
	 */
	bool authorized;
	bool local; /* came over the unix socket */
};

/*
 * Called from the loop when a request is complete.  It must lead to exactly
 * one http_answer() or http_stream_begin(), now or later.
 */
typedef void http_handler_fn(
    void *arg, struct http_exchange *x, const struct http_received *received);

/* Fails with the system's code (EADDRINUSE ...) and a sentence. */
struct http_server *
http_server_new(uv_loop_t *loop, const struct http_server_options *o,
    http_handler_fn *handler, void *arg, struct error *e) _warn_unused_;
/*
 * Ends every exchange (telling their 'gone'), closes the listener, then calls
 * 'closed', which may be NULL.  NULL is allowed.
 */
void
http_server_close(struct http_server *s, void (*closed)(void *arg), void *arg);

/* A query parameter, or NULL; valid as long as the exchange. */
const char *http_query(struct http_exchange *x, const char *name);
/*
 * Tells when the exchange goes away before http_answer() or, for a stream,
 * before http_stream_end() (the peer left, the server closes): the owner
 * forgets it, and calls nothing for it any more.  NULL takes it back.  Called
 * from the loop, also while a peer waits for a late answer: its connection is
 * watched.
 */
void http_on_gone(struct http_exchange *x,
    void (*gone)(void *arg, struct http_exchange *x), void *arg);
/* Body is copied. 'type' NULL: application/json. */
void http_answer(struct http_exchange *x, unsigned status, const char *type,
    const void *body, size_t len);
/* {"error":"..."} with 'status'. */
void http_answer_error(struct http_exchange *x, unsigned status,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/*
 * A stream without end (server-sent events); write until gone or end.  An
 * exchange that may go away needs http_on_gone().
 */
void http_stream_begin(struct http_exchange *x, const char *type);
/* False when more than 1 MiB waits: the reader is too slow, end it. */
bool http_stream_write(struct http_exchange *x, const void *bytes, size_t len);
void http_stream_end(struct http_exchange *x);

#endif
