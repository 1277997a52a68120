/*
 * DIR/agent.sock: the supervisor connects and is told who we are; the open
 * connection is its proof that we live, and brings its word to stop.
 */
#ifndef AGENT_AGENT_SOCKET_H
#define AGENT_AGENT_SOCKET_H

#include "base/error.h"
#include "options.h"

#include <uv.h>

struct agent_socket;

/* Listens on "agent.sock" in the working directory; a stale one goes. */
struct agent_socket *
agent_socket_new(uv_loop_t *loop, const struct agent_options *o,
    void (*on_drain)(void *arg), void *arg, struct error *e) _warn_unused_;
void agent_socket_close(
    struct agent_socket *s, void (*closed)(void *arg), void *arg);

#endif
