/*
 * The addresses behind one accepted service: its tasks', or its virtual IP.
 * Pure.  Used by routes.c.
 */
#ifndef EXTENSION_ROUTES_BACKEND_H
#define EXTENSION_ROUTES_BACKEND_H

#include "routing.h"

/* Fills a->upstreams, and remarks on what had to be left out. */
void routes_backend(struct accepted *a, const struct model *m);

#endif
