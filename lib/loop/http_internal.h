/*
 * What the files of the HTTP server share: http_server.c (the daemon on the
 * loop), http_receive.c (requests and who may make them), http_exchange.c
 * (answers, streams, waiting).  For nobody else.
 */
#ifndef LOOP_HTTP_INTERNAL_H
#define LOOP_HTTP_INTERNAL_H

#include <microhttpd.h>

#include "base/str.h"
#include "loop/http_server.h"

/* What may wait in a stream for a slow reader. */
#define STREAM_MAX ((size_t)1024 * 1024)

struct http_server {
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_idle_t idle; /* runs the daemon in each turn of the loop */
	http_handler_fn *handler;
	void *arg;
	char *unix_path; /* to remove at the end */
	char *token;
	size_t max_body;
	bool local;
	bool tls;
	bool running;	     /* inside MHD_run() */
	bool again;	     /* and it has to run once more */
	unsigned handshakes; /* TLS connections without a request yet */
	unsigned spins;	     /* runs without an event */
	unsigned idle_s;
	bool closing;
	unsigned open_handles;
	struct http_exchange *first; /* all exchanges */
	struct str ca, cert, key;
	void (*closed)(void *arg);
	void *closed_arg;
};

enum exchange_state {
	RECEIVING,
	HANDLED,  /* the handler has it */
	ANSWERED, /* 'response' waits to be queued */
	STREAMING,
	QUEUED, /* microhttpd has the answer */
	DEAD,	/* the peer left; the connection is dropped */
};

struct http_exchange {
	struct http_server *server;
	struct http_exchange *next, *prev;
	struct MHD_Connection *connection;
	enum exchange_state state;
	char *method;
	char *path;
	struct str body;
	bool authorized;
	bool in_callback; /* microhttpd waits for our return */
	bool suspended;
	struct peer_watch *watch;
	void (*gone)(void *arg, struct http_exchange *x);
	void *gone_arg;
	struct MHD_Response *response;
	unsigned status;
	struct str stream;
	bool stream_queued;
	bool stream_ended;
};

/* A connection, from its start to its end. */
struct http_connection {
	struct http_server *server;
	bool greeted; /* a whole request head arrived on it */
};

/* Watches a suspended exchange's connection for its end. */
struct peer_watch {
	uv_poll_t poll;
	struct http_server *server;
	struct http_exchange *exchange;
};

/* http_server.c */

/* Resumed connections go on in the loop's next turn. */
void http_run_soon(struct http_server *s);
/* One of the server's handles is closed. */
void http_handle_closed(struct http_server *s);

/* http_receive.c: callbacks of the daemon */

enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version,
    const char *upload, size_t *len, void **state);
void http_on_completed(void *arg, struct MHD_Connection *connection,
    void **state, enum MHD_RequestTerminationCode how);
void http_on_connection(void *arg, struct MHD_Connection *connection,
    void **state, enum MHD_ConnectionNotificationCode what);

/* http_exchange.c */

/* Waits for an answer, and for the peer to leave. */
void http_suspend(struct http_exchange *x);
void http_unwatch(struct http_exchange *x);
/* Ends a suspended exchange: nobody answers it any more. */
void http_drop(struct http_exchange *x);
void http_tell_gone(struct http_exchange *x);
/* Hands the answer to the daemon. */
enum MHD_Result http_queue(struct http_exchange *x);

#endif
