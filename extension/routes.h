/*
 * What a cluster's claims come to: routes with their pools, and what proxies
 * need for them.  Used by router.c.
 */
#ifndef EXTENSION_ROUTES_H
#define EXTENSION_ROUTES_H

#include "claims.h"

/* Makes h->routes of its claims. */
void routes_of_host(struct host_claim *h);
/* Objects of the Engine that are none, for 'r': freed by the caller. */
void routes_bad_objects(struct routing *r, const struct claims *k);
/*
 * Networks, secrets and configs, from r->accepted and what each of 'all'
 * wanted; replaces what 'r' had.
 */
void routes_needs(struct routing *r, const struct claims *k,
    struct verdict *const *all, size_t n);
void routes_needs_fini(struct routing *r);

void rejected_fini(struct rejected *r);

#endif
