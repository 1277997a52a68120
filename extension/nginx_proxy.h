/*
 * A location whose requests are passed on: limits, timeouts, TLS to the
 * application, headers, and where to.
 */
#ifndef EXTENSION_NGINX_PROXY_H
#define EXTENSION_NGINX_PROXY_H

#include "nginx_location.h"

/* 'exact': for the location of the path itself, not of what is below it. */
void nginx_proxy_write(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct nginx_location *l,
    enum nginx_side side, bool exact);

#endif
