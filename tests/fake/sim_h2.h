/*
 * A server of HTTP/2 over TLS on a unix socket, with a certificate of its own
 * made at the start: what gRPC needs.  Says whatever it is told to say, also
 * what no honest server would; the unit tests of the Watch client use it too.
 */
#ifndef SIM_H2_H
#define SIM_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/error.h"
#include "base/str.h"

struct sim_h2_server;
struct sim_h2_connection;

struct sim_h2_stream {
	struct sim_h2_connection *connection;
	int32_t id;
	struct str path;
	struct str body;
	void *data;				       /* the handler's */
	void (*on_gone)(struct sim_h2_stream *stream); /* or NULL */

	/* Of the answer; not the handler's. */
	struct str out;
	bool handled;
	bool answered;
	bool ended;
	int grpc_status; /* < 0: no trailers */
	char grpc_message[128];
	struct sim_h2_stream *next;
};

/* The request is whole. */
typedef void sim_h2_handler(void *arg, struct sim_h2_stream *stream);

struct sim_h2_server *sim_h2_listen(uv_loop_t *loop, const char *path,
    sim_h2_handler *handler, void *arg, struct error *e) _warn_unused_;
/*
 * Drops all connections, removes the socket; its handles close with the loop
 * and free it then.  NULL is allowed.
 */
void sim_h2_close(struct sim_h2_server *server);

/* The head; 'grpc_status' >= 0 makes it the whole answer, as errors are. */
void sim_h2_answer(struct sim_h2_stream *stream, const char *status,
    const char *content_type, int grpc_status, const char *grpc_message);
void sim_h2_write(struct sim_h2_stream *stream, const void *bytes, size_t len);
/* With trailers where 'grpc_status' >= 0. */
void sim_h2_end(
    struct sim_h2_stream *stream, int grpc_status, const char *grpc_message);
/* Drops the connection under it. */
void sim_h2_cut(struct sim_h2_stream *stream);

#endif
