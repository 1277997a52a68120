/*
 * TLS passthrough: a stream block in two stages, on one port beside hosts
 * whose TLS ends here.
 *
 * The first stage reads the name a client asks for and sends a PROXY header
 * in front: to an application that wants it, to the http block's TLS servers
 * on a socket (the client's address survives), or to the second stage, which
 * takes the header off again.  Names of nobody go to the http block, whose
 * default server refuses the handshake.
 */
#ifndef EXTENSION_NGINX_STREAM_H
#define EXTENSION_NGINX_STREAM_H

#include "nginx_context.h"

/* The stream block of nginx.conf. */
void nginx_stream_block(struct emit *m, const struct nginx_context *x);
/* sites/ID.stream */
void nginx_stream_site(
    struct emit *m, const struct nginx_context *x, const struct nginx_site *s);
/* sites/ID.sni */
void nginx_stream_names(struct emit *m, const struct nginx_site *s);

#endif
