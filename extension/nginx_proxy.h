/*
 * A location whose requests are passed on: limits, timeouts, TLS to the
 * application, headers, and where to.
 */
#ifndef EXTENSION_NGINX_PROXY_H
#define EXTENSION_NGINX_PROXY_H

#include "nginx_location.h"

/*
 * The file of the secret that a label refers to: the operator's, or, live,
 * the agent's copy (docs/internals.md).  'key': that of a certificate.
 */
void nginx_proxy_secret(struct emit *m, const struct nginx_context *x,
    const struct labels *l, enum label_id which, bool key);

/* 'exact': for the location of the path itself, not of what is below it. */
void nginx_proxy_write(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct nginx_location *l,
    enum nginx_side side, bool exact);

#endif
