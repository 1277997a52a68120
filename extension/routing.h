/*
 * From the model to routes: claims, arbitration, pools, shares.
 *
 * Pure: (cluster settings, model) -> routing; the same input gives the same
 * result.  Services are taken oldest first (CreatedAt, ID); each is accepted
 * or rejected whole.  interfaces.md 2 and design.md 3.3 are the contract.
 */
#ifndef EXTENSION_ROUTING_H
#define EXTENSION_ROUTING_H

#include "config/config.h"
#include "model/label.h"
#include "model/model.h"

/* One address behind a route. */
struct upstream {
	char *address;	     /* "10.0.1.3:8080", "[fd00::3]:8080" */
	const char *task_id; /* borrowed; NULL for a VIP */
	uint32_t weight;     /* relative to the others of the route, >= 1 */
	uint32_t max_fails;
	uint64_t fail_timeout_ms;
	bool vip;
};

enum route_tls { TLS_NONE, TLS_TERMINATE, TLS_PASSTHROUGH };

struct accepted;

/* The part of a pool that one service brings. */
struct pool_member {
	const struct accepted *service;
	VEC(struct upstream) upstreams; /* empty where its share is 0 */
};

/*
 * One host and path.  The oldest member decides all per-route settings:
 * owner->labels.
 */
struct route {
	const char *host; /* borrowed; "*" for the default backend; "*.x.y" */
	const char *path; /* borrowed; "/" or "/app" */
	enum route_tls tls;
	const struct accepted *owner;
	VEC(struct pool_member) members; /* oldest first */
};

struct accepted {
	const struct service *service; /* borrowed from the model */
	struct labels labels;
	const struct network *network; /* borrowed; NULL: node addresses */
	struct findings remarks;
};

struct rejected {
	char *service_id;
	char *service; /* name; NULL where a bad object has none */
	size_t position;
	int64_t created_ns;
	struct finding finding;
};

struct routing {
	char *cluster;
	VEC(struct accepted *) accepted; /* oldest first */
	VEC(struct rejected) rejected;	 /* oldest first, bad objects last */
	VEC(struct route) routes;	 /* by (host, path); "*" last */
	VEC(const struct network *) networks; /* needed, by name */
	VEC(const char *) secrets;	      /* needed, by name */
	VEC(const char *) configs;
};

/*
 * 'set_aside' maps service ID to struct finding *: services that are left out
 * with that finding, as if a label were wrong (NULL: none).
 */
struct routing *routing_build(const struct cluster_config *c,
    const struct model *m, const struct map *set_aside);
void routing_free(struct routing *r);

/* Whether the service takes part in 'c': it names it, or c is the default. */
bool routing_is_ours(const struct cluster_config *c, const struct service *s);

/* report.json (interfaces.md 3), the same bytes for the same routing. */
void routing_report(struct str *out, const struct routing *r);

#endif
