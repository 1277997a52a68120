/* Servers of the http block: one file per site, and the default server. */
#ifndef EXTENSION_NGINX_SERVER_H
#define EXTENSION_NGINX_SERVER_H

#include "nginx_context.h"

/* sites/ID.conf */
void nginx_server_site(
    struct emit *m, const struct nginx_context *x, const struct nginx_site *s);
/* sites/default.conf */
void nginx_server_default(struct emit *m, const struct nginx_context *x);
/* sites/https.inc, or sites/https_front.inc */
void
nginx_server_https(struct emit *m, const struct nginx_context *x, bool front);
/* The server of /nginx_status. */
void nginx_server_status(struct emit *m, const struct nginx_context *x);
/* The listener of plain HTTP, which is not the default here. */
void nginx_server_listen(struct emit *m, const struct nginx_context *x);
/* "unix:DIR/NAME" */
void nginx_server_socket(
    struct emit *m, const struct nginx_context *x, const char *name);

#endif
