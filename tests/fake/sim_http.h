/*
 * The simulator's HTTP/1.1 server on libuv: unix sockets and TCP addresses,
 * keep-alive, chunked bodies both ways, and answers that no proper server
 * would give (cut, never sent).  One request at a time per connection; cheap
 * enough for thousands of listeners in one process.
 */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define SIM_HTTP_HEAD_MAX (64 * 1024)
#define SIM_HTTP_BODY_MAX (64 * 1024 * 1024)

struct sim_http_conn;
struct sim_http_server;
struct sim_http_request;

typedef void sim_http_fn(struct sim_http_request *req, void *arg);

struct sim_http_header {
	const char *name; /* lower case */
	const char *value;
};

/*
 * Valid from the handler's call until it is answered (or ended, or its
 * client left: 'on_gone').
 */
struct sim_http_request {
	const char *method;
	const char *target; /* as it was sent */
	VEC(struct sim_http_header) headers;
	const char *body;
	size_t body_len;
	struct sim_http_conn *conn;
	const char *extra_headers; /* lines for the answer, with CR LF */
	const char *peer;	   /* address of the client, "" on a socket */
	/* For the handler: called once when the client leaves unanswered. */
	void (*on_gone)(struct sim_http_request *req);
	void *data;
};

/*
 * Listens; NULL and 'e' when it cannot.  Exactly one of 'path' (unix socket,
 * replaced when stale) and 'address' (host byte order, with 'port').
 */
struct sim_http_server *sim_http_listen(uv_loop_t *loop, const char *path,
    uint32_t address, uint16_t port, sim_http_fn *on_request, void *arg,
    struct error *e) _warn_unused_;
/*
 * Stops listening and drops every connection at once, as a process that ends
 * does; frees itself.  NULL is accepted.
 */
void sim_http_close(struct sim_http_server *server);
/*
 * Stops listening and closes idle connections; requests that are being
 * answered finish.  'on_drained' is called later, after the last of them;
 * sim_http_close() is still due.
 */
void sim_http_drain(
    struct sim_http_server *server, void (*on_drained)(void *arg), void *arg);
/* Memory to be freed with the server. */
void sim_http_own(struct sim_http_server *server, void *owned);

/* The header's value, or NULL. */
const char *
sim_http_header(const struct sim_http_request *req, const char *name);

/* Answers; 'type' may be NULL. */
void sim_http_answer(struct sim_http_request *req, int status, const char *type,
    const char *body, size_t len);
/* Announces 'len' bytes, sends 'sent' of them and closes. */
void sim_http_answer_cut(struct sim_http_request *req, int status,
    const char *type, const char *body, size_t len, size_t sent);
/* Begins a chunked answer that stays open. */
void sim_http_stream(struct sim_http_request *req, const char *type);
/* One chunk; a client that does not read 16 MiB is dropped. */
void
sim_http_chunk(struct sim_http_request *req, const char *bytes, size_t len);
/* Ends a chunked answer and the connection. */
void sim_http_stream_end(struct sim_http_request *req);
/* Closes the connection without an answer. */
void sim_http_drop(struct sim_http_request *req);
/*
 * Sends bytes as they are, for an answer that a handler writes itself; what
 * the client sends then goes to 'on_bytes' until the connection ends.
 */
void
sim_http_take_over(struct sim_http_request *req, const char *bytes, size_t len,
    void (*on_bytes)(
	struct sim_http_request *req, const char *bytes, size_t len));
void sim_http_send(struct sim_http_request *req, const char *bytes, size_t len);

#endif
