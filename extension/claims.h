/*
 * Who has what: hosts, paths and secrets are claimed by services, oldest
 * first.  Each is judged whole before it claims anything, so that a rejected
 * one leaves no trace in what the others get.  Used by router.c and routes.c.
 */
#ifndef EXTENSION_CLAIMS_H
#define EXTENSION_CLAIMS_H

#include "claims_hosts.h"
#include "claims_network.h"
#include "claims_table.h"
#include "routing.h"

struct claims {
	const struct cluster_config *config; /* borrowed */
	const struct model *model;	     /* borrowed */
	struct routing_options options;
	struct host_set allow;
	struct host_set reserved;
	struct network_index networks;
	struct claim_table *table; /* owned */
	/*
	 * All services are judged, oldest first: only then are max_hosts and
	 * the number of routes looked at (router.c knows when it need not).
	 */
	bool counted;
};

void claims_init(struct claims *k, const struct cluster_config *c,
    const struct model *m, const struct routing_options *o);
void claims_fini(struct claims *k);

/*
 * Judges v->service, which claims nothing so far, against those that are
 * older.  Accepted: it has made its claims, without upstreams.  Otherwise the
 * finding is set and nothing was claimed.
 */
void claims_take(struct claims *k, struct verdict *v);
/* Takes back what it claims and what it looked at; its result stays. */
void claims_retract(struct claims *k, struct verdict *v);

/*
 * Who has the host, and exactly this host and path, for 'v': a service that
 * is not younger; or NULL.  That it looked is kept.
 */
const struct accepted *
claims_owner(const struct claims *k, struct verdict *v, const char *host);
const struct accepted *claims_path_owner(const struct claims *k,
    struct verdict *v, const char *host, const char *path);

/* claims_differ.c: what a younger service wants and does not get. */

/* Whether the two say the same about label 'id', defaults counted. */
bool
labels_same(const struct labels *a, const struct labels *b, enum label_id id);
/*
 * Adds a remark differs-from-owner for each setting of v->accepted that the
 * owner of one of its hosts or routes decides otherwise.
 */
void claims_remark_differences(const struct claims *k, struct verdict *v);

/* claims_check.c: how many routes a cluster has at most. */
size_t claims_routes_max(const struct cluster_config *c);

/* claims_secret.c */

/* 0, or -1 with the finding: label 'id' names the secret 'name'. */
int claims_check_secret(const struct claims *k, const struct service *s,
    enum label_id id, const char *name, struct finding *ret_error);
/* True if the name of an ssl_backend_ca is that of a Docker config. */
bool claims_is_config(const struct model *m, const char *name);

#endif
