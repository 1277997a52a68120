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
#include "crypto/secret.h"
#include "holds.h"
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
 * owner->labels.  What concerns the whole host (ssl_cert, ssl_key, ssl_only,
 * ssl_passthrough, proxy_protocol, hsts, redirects) is the host owner's word:
 * host_owner->labels; it is the same one for all routes of a host, and it
 * need not have a route of each path.
 *
 * Weights are small whole numbers in exact proportion; where the exact ones
 * would add up to more than ROUTE_WEIGHT_MAX (ROUTE_HASH_WEIGHT_MAX where the
 * owner wants stickiness, which costs memory by weight), they are rounded.
 */
#define ROUTE_WEIGHT_MAX 1000000
#define ROUTE_HASH_WEIGHT_MAX 1000
struct route {
	const char *host; /* borrowed; "*" for the default backend; "*.x.y" */
	const char *path; /* borrowed; "/" or "/app" */
	enum route_tls tls;
	const struct accepted *owner;
	const struct accepted *host_owner;
	VEC(struct pool_member) members; /* oldest first */
};

struct accepted {
	const struct service *service; /* borrowed from the model */
	/*
	 * As parsed, less what is not in force: no stickiness in VIP mode, no
	 * default_backend and no other root than "/" for a passthrough.
	 */
	struct labels labels;
	const struct network *network; /* borrowed; NULL: node addresses */
	/*
	 * Which of ssl_cert (with its key), ssl_backend_ca and basic_auth
	 * decide anything: 1 << label.  Where the service joins an older one
	 * in all places, that one's do; such a secret is not looked at.
	 */
	uint64_t in_force;
	/* In the place of ssl_cert and ssl_key: the last good one serves on. */
	bool last_good_certificate;
	/* Every address it has, weight 1 each, before pools and shares. */
	VEC(struct upstream) upstreams;
	struct findings remarks;
};

/* A service, or an object of the Engine that could not be decoded. */
struct rejected {
	char *service_id; /* NULL where a bad object has none */
	char *service;	  /* a name; of a bad object its name, ID or position */
	int64_t created_ns;
	struct finding finding;
};

/* The label that names a secret of each kind. */
extern const enum label_id secret_labels[SECRET_KIND_COUNT];
/*
 * The secret that label 'id' (ssl_cert with its key, ssl_backend_ca,
 * basic_auth) refers to, or false; strings are borrowed from 'l'.
 */
bool
labels_secret(const struct labels *l, enum label_id id, struct secret_use *ret);
/* The same of a service, where it is in force. */
bool accepted_secret(
    const struct accepted *a, enum label_id id, struct secret_use *ret);

struct routing_secret {
	struct secret_use use; /* owned */
	bool used;	       /* by an accepted service, and in its files */
	char id[SECRET_ID_SIZE];
	VEC(char *) services; /* owned; IDs of those, oldest first */
};

struct router;

struct routing {
	struct router *router; /* owns this all (router.h) */
	char *cluster;
	const struct holds *holds;	 /* borrowed; what it was built under */
	VEC(struct accepted *) accepted; /* oldest first */
	VEC(struct rejected) rejected;	 /* oldest first, bad objects last */
	VEC(struct route) routes;	 /* by (host, path); "*" last */
	VEC(const struct network *) networks; /* needed, by name */
	VEC(char *) secrets;		      /* owned; needed, by name */
	VEC(char *) configs;
	/*
	 * What labels refer to, by ID; those of services that were rejected
	 * for the content of a secret as well: it may become good.
	 */
	VEC(struct routing_secret) uses;
};

/* What is known of the contents of secrets, whoever can read them. */
struct secret_book {
	/* NULL: nothing is known, which stands in nobody's way. */
	const struct secret_fact *(*fact)(
	    void *arg, const struct secret_use *use);
	/*
	 * What the service was last served with and that was good, or NULL.
	 */
	const struct secret_use *(*last_good)(
	    void *arg, const char *service_id, enum secret_kind kind);
	void *arg;
};

/*
 * A service that must not be in force as it is.  With 'instead' (the same
 * service, with its labels of before) that is routed, and the finding is a
 * remark; without, the service is rejected with it.
 */
struct set_aside {
	struct finding finding;
	const struct service *instead; /* borrowed; or NULL */
};

struct routing_options {
	/* Service ID to struct set_aside * (NULL: none). */
	const struct map *set_aside;
	/*
	 * Live, the reader sends a cluster its own services only, and to the
	 * default cluster those that name a cluster that does not exist: a
	 * service that names another cluster is then no-such-cluster.  Offline
	 * it is simply not ours.
	 */
	bool foreign_is_error;
	const struct secret_book *secrets; /* NULL: nothing is known */
	/* Hosts that are reserved for a name; NULL: none (holds.h). */
	const struct holds *holds;
	/* IDs of networks that all proxies are on; NULL: not known, or all. */
	const struct map *joined;
	const char *joined_words; /* what hinders them, or NULL */
	/*
	 * The labels are of the past: that the reader tells of no secret of a
	 * name says nothing, since no label may name it any more.
	 */
	bool labels_of_past;
};

/* The result borrows from 'm', not from 'c'.  'o' may be NULL. */
struct routing *routing_build(const struct cluster_config *c,
    const struct model *m, const struct routing_options *o);
void routing_free(struct routing *r);

/* The first route of the host (exactly this one), or NULL. */
const struct route *routing_host(const struct routing *r, const char *host);
/* Whether the service takes part in 'c': it names it, or c is the default. */
bool routing_is_ours(const struct cluster_config *c, const struct service *s);

/* report.json (interfaces.md 3), the same bytes for the same routing. */
void routing_report(struct str *out, const struct routing *r);
/* Its parts: a route as its member 'm' sees it, and m's upstreams. */
void routing_report_route(
    struct str *out, const struct route *r, const struct pool_member *m);
void routing_report_upstreams(struct str *out, const struct pool_member *m);
const char *route_tls_name(enum route_tls tls);

#endif
