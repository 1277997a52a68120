/*
 * What a proxy gives to others of its group: the manifest in force and its
 * blobs, on the control network's address only, to who has the cluster's
 * credentials.
 */
#ifndef AGENT_PEER_SERVER_H
#define AGENT_PEER_SERVER_H

#include "base/inet.h"
#include "manifest.h"
#include "options.h"

#include <uv.h>

struct peer_server;

typedef const struct manifest *peer_in_force_fn(void *arg);

/* Listens as soon as the address is there. */
struct peer_server *peer_server_new(uv_loop_t *loop,
    const struct agent_options *o, peer_in_force_fn *in_force, void *arg);
/* False while it does not listen; NULL 's': always. */
bool peer_server_address(const struct peer_server *s, struct inet *ret_address,
    struct inet *ret_network, uint16_t *ret_port);
/* NULL is allowed. */
void
peer_server_close(struct peer_server *s, void (*closed)(void *arg), void *arg);

#endif
