/*
 * With driver = swarm proxies join networks by a rolling update.  A route over
 * a network that some of them are not on yet would time out there: its claims
 * stand, and its upstreams wait (a remark says so), or are those of another
 * network that the proxies are on, so that what is served goes on.
 */
#ifndef EXTENSION_ROUTES_JOINED_H
#define EXTENSION_ROUTES_JOINED_H

#include "routing.h"

/* Fills a->upstreams as routes_backend() does. */
void routes_joined_backend(
    struct accepted *a, const struct model *m, const struct routing_options *o);

#endif
