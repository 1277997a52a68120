/* The routes of a cluster: see routing.h. */
#include "routes.h"

#include "router.h"
#include "routes_share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
upstream_fini(struct upstream *u)
{
	free(u->address);
}

void
route_fini(struct route *r)
{
	size_t i, k;

	for (i = 0; i < r->members.len; i++) {
		struct pool_member *m = &r->members.at[i];

		for (k = 0; k < m->upstreams.len; k++)
			upstream_fini(&m->upstreams.at[k]);
		vec_fini(&m->upstreams);
	}
	vec_fini(&r->members);
}

void
accepted_free(struct accepted *a)
{
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->upstreams.len; i++)
		upstream_fini(&a->upstreams.at[i]);
	vec_fini(&a->upstreams);
	labels_fini(&a->labels);
	findings_fini(&a->remarks);
	free(a);
}

void
rejected_fini(struct rejected *r)
{
	free(r->service_id);
	free(r->service);
	finding_fini(&r->finding);
	*r = (struct rejected){ 0 };
}

void
routes_needs_fini(struct routing *r)
{
	size_t i;

	for (i = 0; i < r->secrets.len; i++)
		free(r->secrets.at[i]);
	for (i = 0; i < r->configs.len; i++)
		free(r->configs.at[i]);
	for (i = 0; i < r->uses.len; i++) {
		struct routing_secret *u = &r->uses.at[i];

		secret_use_fini(&u->use);
		for (size_t k = 0; k < u->services.len; k++)
			free(u->services.at[k]);
		vec_fini(&u->services);
	}
	vec_fini(&r->networks);
	vec_fini(&r->secrets);
	vec_fini(&r->configs);
	vec_fini(&r->uses);
}

void
routing_free(struct routing *r)
{
	if (r != NULL)
		router_free(r->router);
}

static bool
is_before(const char *a, const char *b)
{
	bool a_default = strcmp(a, DEFAULT_HOST) == 0;
	bool b_default = strcmp(b, DEFAULT_HOST) == 0;

	return a_default == b_default ? strcmp(a, b) < 0 : b_default;
}

const struct route *
routing_host(const struct routing *r, const char *host)
{
	size_t low = 0, high = r->routes.len;

	while (low < high) {
		size_t i = low + (high - low) / 2;

		if (is_before(r->routes.at[i].host, host))
			low = i + 1;
		else
			high = i;
	}
	return low < r->routes.len && strcmp(r->routes.at[low].host, host) == 0
	    ? &r->routes.at[low]
	    : NULL;
}

bool
routing_is_ours(const struct cluster_config *c, const struct service *s)
{
	struct finding f = { 0 };
	char *name _cleanup_free_ = NULL;

	/* A name that is none is told where a service without one would be. */
	if (labels_cluster(s, &name, &f) != 0)
		finding_fini(&f);
	if (name == NULL)
		return c->cluster.is_default != DEFAULT_NO;
	return strcmp(name, c->cluster.name) == 0;
}

/* They are of no cluster: the default one, or who was sent them, tells. */
void
routes_bad_objects(struct routing *r, const struct claims *k)
{
	size_t i;

	if (k->config->cluster.is_default == DEFAULT_NO &&
	    !k->options.foreign_is_error)
		return;
	for (i = 0; i < k->model->bad.len; i++) {
		const struct bad_object *b = &k->model->bad.at[i];
		struct rejected *rejected = vec_add(&r->rejected);

		if (b->id != NULL && strcmp(b->kind, "service") == 0)
			rejected->service_id = xstrdup(b->id);
		rejected->service = b->name != NULL ? xstrdup(b->name)
		    : b->id != NULL		    ? xstrdup(b->id)
				    : xasprintf("%zu", b->position);
		finding_set(&rejected->finding, REJECT_BAD_OBJECT, NULL, -1,
		    NULL, "this %s is set aside: %s", b->kind, b->reason);
	}
}

void
routes_of_host(struct host_claim *h)
{
	const struct accepted *owner;
	size_t i, k;

	for (i = 0; i < h->routes.len; i++)
		route_fini(&h->routes.at[i]);
	vec_fini(&h->routes);
	for (i = 0; i < h->paths.len; i++) {
		const struct path_claim *p = h->paths.at[i];
		struct route *r = vec_add(&h->routes);

		owner = h->claimants.at[0];
		r->host = h->host;
		r->path = p->path;
		r->tls = owner->labels.ssl_passthrough ? TLS_PASSTHROUGH
		    : owner->labels.ssl_cert != NULL   ? TLS_TERMINATE
						       : TLS_NONE;
		r->owner = p->members.at[0];
		r->host_owner = owner;
		for (k = 0; k < p->members.len; k++)
			vec_add(&r->members)->service = p->members.at[k];
		routes_share(r);
	}
}

static int
compare_networks(const void *a, const void *b)
{
	const struct network *x = *(const struct network *const *)a;
	const struct network *y = *(const struct network *const *)b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(x->id, y->id);
}

static void
need_networks(struct routing *r, const struct claims *k)
{
	bool listed = k->config->cluster.networks.items.len > 0;
	struct map seen = { 0 };
	struct map_entry *e;
	size_t i;

	/* A fixed list is joined whole, so that no service changes it. */
	for (i = 0;
	     listed && (e = map_next(&k->model->networks, &i)) != NULL;) {
		const struct network *n = e->value;

		if (network_is_listed(k->config, n) && !n->ingress &&
		    strcmp(n->driver, "overlay") == 0)
			vec_push(&r->networks, n);
	}
	for (i = 0; !listed && i < r->accepted.len; i++) {
		const struct network *n = r->accepted.at[i]->network;

		if (n != NULL && map_set(&seen, n->id, r) == NULL)
			vec_push(&r->networks, n);
	}
	vec_sort(&r->networks, compare_networks);
	map_fini(&seen);
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const enum label_id secret_labels[SECRET_KIND_COUNT] = {
	[SECRET_CERTIFICATE] = LABEL_SSL_CERT,
	[SECRET_AUTHORITIES] = LABEL_SSL_BACKEND_CA,
	[SECRET_PASSWORDS] = LABEL_BASIC_AUTH,
};

static void
need_secret(struct routing *r, const struct claims *k,
    const struct secret_use *use, struct map *seen)
{
	bool config = use->kind == SECRET_AUTHORITIES &&
	    claims_is_config(k->model, use->name);

	if (map_set(seen, use->name, r) == NULL) {
		if (config)
			vec_push(&r->configs, xstrdup(use->name));
		else
			vec_push(&r->secrets, xstrdup(use->name));
	}
	if (use->key != NULL && map_set(seen, use->key, r) == NULL)
		vec_push(&r->secrets, xstrdup(use->key));
}

static void
need_secrets(struct routing *r, const struct claims *k)
{
	struct map seen = { 0 };
	struct secret_use use;
	size_t i, n;

	for (i = 0; i < r->accepted.len; i++)
		for (n = 0; n < countof(secret_labels); n++)
			if (accepted_secret(
				r->accepted.at[i], secret_labels[n], &use))
				need_secret(r, k, &use, &seen);
	vec_sort(&r->secrets, compare_texts);
	vec_sort(&r->configs, compare_texts);
	map_fini(&seen);
}

static void
add_use(struct routing *r, const struct secret_use *u, bool used)
{
	struct routing_secret *s = vec_add(&r->uses);

	secret_use_copy(u, &s->use);
	secret_use_id(&s->use, s->id);
	s->used = used;
}

/* By ID; of equal ones the used one first. */
static int
compare_uses(const void *a, const void *b)
{
	const struct routing_secret *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	return c != 0 ? c : (int)y->used - (int)x->used;
}

static void
take_uses(struct routing *r, struct verdict *const *all, size_t n_all)
{
	struct secret_use use;
	size_t i, n;

	for (i = 0; i < r->accepted.len; i++)
		for (n = 0; n < countof(secret_labels); n++)
			if (accepted_secret(
				r->accepted.at[i], secret_labels[n], &use))
				add_use(r, &use, true);
	for (i = 0; i < n_all; i++)
		for (n = 0; n < all[i]->wanted.list.len; n++)
			add_use(r, &all[i]->wanted.list.at[n], false);
	vec_sort(&r->uses, compare_uses);
	for (i = n = 0; i < r->uses.len; i++) {
		if (n > 0 &&
		    strcmp(r->uses.at[n - 1].id, r->uses.at[i].id) == 0)
			secret_use_fini(&r->uses.at[i].use);
		else
			r->uses.at[n++] = r->uses.at[i];
	}
	r->uses.len = n;
}

static int
compare_id(const void *id, const void *use)
{
	return strcmp(id, ((const struct routing_secret *)use)->id);
}

static void
note_users(struct routing *r)
{
	size_t n = countof(secret_labels);
	char id[SECRET_ID_SIZE];
	struct secret_use use;

	for (size_t i = 0; i < r->accepted.len * n; i++) {
		const struct accepted *a = r->accepted.at[i / n];
		struct routing_secret *u;

		if (!accepted_secret(a, secret_labels[i % n], &use))
			continue;
		secret_use_id(&use, id);
		u = bsearch(
		    id, r->uses.at, r->uses.len, sizeof(*u), compare_id);
		must(u != NULL);
		vec_push(&u->services, xstrdup(a->service->id));
	}
}

void
routes_needs(struct routing *r, const struct claims *k,
    struct verdict *const *all, size_t n)
{
	routes_needs_fini(r);
	need_networks(r, k);
	need_secrets(r, k);
	take_uses(r, all, n);
	note_users(r);
}

struct routing *
routing_build(const struct cluster_config *c, const struct model *m,
    const struct routing_options *o)
{
	return router_update(router_new(), c, m, o);
}
