/*
 * Who gets how much of a route (interfaces.md 2, "Pools").  Pure.  Used by
 * routes.c.
 */
#ifndef EXTENSION_ROUTES_SHARE_H
#define EXTENSION_ROUTES_SHARE_H

#include "routing.h"

/* Fills the members' upstreams from those of their services. */
void routes_share(struct route *r);

#endif
