/*
 * A routing that is kept: what one change touches is judged and put together
 * anew, the rest stays.  The result is the very one that routing_build() makes
 * of the same model, which is this with nothing kept.
 *
 * A verdict depends on the service, on the cluster's settings, on networks,
 * nodes and secrets, and on older services by way of the hosts that it looked
 * at.  When one service changes, those younger ones are judged again that
 * looked at a host which it had or has; a change of anything else begins anew
 * (router_reset()).
 */
#ifndef EXTENSION_ROUTER_H
#define EXTENSION_ROUTER_H

#include "routing.h"

struct router;

struct router *router_new(void);
void router_free(struct router *r);

/*
 * A service is about to be replaced, removed or added: before the model does
 * it.  The routing is not to be looked at until router_update().
 */
void router_touch(struct router *r, const char *service_id);
/* The model, or anything that verdicts depend on, is about to change. */
void router_reset(struct router *r);
/*
 * The routing of 'm'; borrowed, and good until one of the functions above.
 * 'c' and 'm' are the same ones as before, or router_reset() was called.
 */
struct routing *router_update(struct router *r, const struct cluster_config *c,
    const struct model *m, const struct routing_options *o);

/* What changed since router_changes_clear(). */
struct routing_changes {
	bool all;
	/* IDs of services that own, or owned, a host with other routes. */
	struct map owners;
	/* The same since router_served(): IDs of those judged again. */
	bool all_services;
	struct map services;
};
const struct routing_changes *router_changes(const struct router *r);
void router_changes_clear(struct router *r);
void router_served(struct router *r);
/* The service if it is accepted, or NULL. */
const struct accepted *
router_accepted(const struct router *r, const char *service_id);

#endif
