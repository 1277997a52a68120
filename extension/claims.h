/*
 * Who has what: hosts, paths and secrets are claimed by services, oldest
 * first.  Each is judged whole before it claims anything, so that a rejected
 * one leaves no trace in what the others get.  Used by routes.c only.
 */
#ifndef EXTENSION_CLAIMS_H
#define EXTENSION_CLAIMS_H

#include "claims_hosts.h"
#include "claims_network.h"
#include "routing.h"

struct secret_uses {
	VEC(struct secret_use) list; /* owned */
};

struct claims {
	const struct cluster_config *config; /* borrowed */
	const struct model *model;	     /* borrowed */
	struct routing_options options;
	struct host_set allow;
	struct host_set reserved;
	struct network_index networks;
	struct map hosts;  /* host -> struct accepted *, its owner */
	struct map routes; /* host, blank, path -> struct route * */
	VEC(struct route *) in_order;
	struct secret_uses wanted; /* what labels of services refer to */
};

void claims_init(struct claims *k, const struct cluster_config *c,
    const struct model *m, const struct routing_options *o);
/* Routes that were not taken out of 'in_order' are freed. */
void claims_fini(struct claims *k);

/*
 * Judges a service that is newer than all before.  Accepted: it has made its
 * claims and is in the routes' members (without upstreams); owned by the
 * caller.  NULL: rejected with the finding, nothing was changed.
 */
struct accepted *claims_take(
    struct claims *k, const struct service *s, struct finding *ret_rejected);

void accepted_free(struct accepted *a);
void route_fini(struct route *r);
/* The route of exactly this host and path, or NULL. */
struct route *
claims_route(const struct claims *k, const char *host, const char *path);

/* claims_differ.c: what a younger service wants and does not get. */

/* Whether the two say the same about label 'id', defaults counted. */
bool
labels_same(const struct labels *a, const struct labels *b, enum label_id id);
/*
 * Adds a remark differs-from-owner for each setting of 'a' that the owner of
 * one of its hosts or routes decides otherwise.
 */
void claims_remark_differences(const struct claims *k, struct accepted *a);

/* claims_secret.c */

/* 0, or -1 with the finding: label 'id' names the secret 'name'. */
int claims_check_secret(const struct claims *k, const struct service *s,
    enum label_id id, const char *name, struct finding *ret_error);
/* True if the name of an ssl_backend_ca is that of a Docker config. */
bool claims_is_config(const struct model *m, const char *name);

#endif
