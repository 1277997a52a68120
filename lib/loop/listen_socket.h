/* Listening sockets for the servers of this layer, by address text. */
#ifndef LOOP_LISTEN_SOCKET_H
#define LOOP_LISTEN_SOCKET_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * "unix:PATH" (a stale file is replaced; 'mode' is set exactly) or
 * "HOST:PORT" with a numeric address ("[::1]:80") or "localhost".  The
 * descriptor is non-blocking and close-on-exec; -1 with 'e'.  'ret_local'
 * tells a unix socket.
 */
int listen_socket(const char *address, mode_t mode, int backlog,
    bool *ret_local, struct error *e) _warn_unused_;

#endif
