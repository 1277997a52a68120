/*
 * Hosts that nobody has and that are held for a name (holds.h).  A wildcard
 * or a default backend of another owner must not answer for them meanwhile:
 * they get 503, over TLS no handshake.  Where nothing would answer for them
 * nothing is written.
 */
#ifndef EXTENSION_NGINX_HELD_H
#define EXTENSION_NGINX_HELD_H

#include "nginx_context.h"

/* Finds them, ascending, borrowed from the holds of 'r', into ret->held. */
void nginx_held_find(const struct routing *r, struct nginx_sites *ret);
/* sites/held.conf */
void nginx_held_servers(struct emit *m, const struct nginx_context *x);

#endif
