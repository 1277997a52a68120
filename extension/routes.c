/* The routes of a cluster: see routing.h. */
#include "claims.h"
#include "routes_backend.h"
#include "routes_share.h"

#include <stdio.h>
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
routing_free(struct routing *r)
{
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->routes.len; i++)
		route_fini(&r->routes.at[i]);
	vec_fini(&r->routes);
	for (i = 0; i < r->accepted.len; i++)
		accepted_free(r->accepted.at[i]);
	vec_fini(&r->accepted);
	for (i = 0; i < r->rejected.len; i++) {
		free(r->rejected.at[i].service_id);
		free(r->rejected.at[i].service);
		finding_fini(&r->rejected.at[i].finding);
	}
	vec_fini(&r->rejected);
	vec_fini(&r->networks);
	vec_fini(&r->secrets);
	vec_fini(&r->configs);
	for (i = 0; i < r->uses.len; i++)
		secret_use_fini(&r->uses.at[i].use);
	vec_fini(&r->uses);
	free(r->cluster);
	free(r);
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

static void
take_services(struct routing *r, struct claims *k)
{
	size_t i, len;
	const struct service **services = model_services_by_age(k->model, &len);

	for (i = 0; i < len; i++) {
		const struct service *s = services[i];
		struct finding f = { 0 };
		struct accepted *a;
		struct rejected *rejected;

		if (!labels_present(s) ||
		    (!k->options.foreign_is_error &&
			!routing_is_ours(k->config, s)))
			continue;
		a = claims_take(k, s, &f);
		if (a != NULL) {
			vec_push(&r->accepted, a);
			routes_backend(a, k->model);
			continue;
		}
		rejected = vec_add(&r->rejected);
		rejected->service_id = xstrdup(s->id);
		rejected->service = xstrdup(s->name);
		rejected->created_ns = s->created_ns;
		rejected->finding = f;
	}
	free(services);
}

/* They are of no cluster: the default one, or who was sent them, tells. */
static void
take_bad_objects(struct routing *r, const struct claims *k)
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

static int
compare_routes(const void *a, const void *b)
{
	const struct route *x = a, *y = b;
	bool x_default = strcmp(x->host, "*") == 0;
	bool y_default = strcmp(y->host, "*") == 0;
	int c;

	if (x_default != y_default)
		return x_default ? 1 : -1;
	c = strcmp(x->host, y->host);
	return c != 0 ? c : strcmp(x->path, y->path);
}

static void
take_routes(struct routing *r, struct claims *k)
{
	size_t i;

	for (i = 0; i < k->in_order.len; i++) {
		routes_share(k->in_order.at[i]);
		vec_push(&r->routes, *k->in_order.at[i]);
		free(k->in_order.at[i]);
	}
	k->in_order.len = 0;
	vec_sort(&r->routes, compare_routes);
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

static const enum label_id secret_labels[] = { LABEL_SSL_CERT,
	LABEL_SSL_BACKEND_CA, LABEL_BASIC_AUTH };

static void
need_secret(struct routing *r, const struct claims *k,
    const struct secret_use *use, struct map *seen)
{
	bool config = use->kind == SECRET_AUTHORITIES &&
	    claims_is_config(k->model, use->name);

	if (map_set(seen, use->name, r) == NULL) {
		if (config)
			vec_push(&r->configs, use->name);
		else
			vec_push(&r->secrets, use->name);
	}
	if (use->key != NULL && map_set(seen, use->key, r) == NULL)
		vec_push(&r->secrets, use->key);
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
take_uses(struct routing *r, const struct claims *k)
{
	struct secret_use use;
	size_t i, n;

	for (i = 0; i < r->accepted.len; i++)
		for (n = 0; n < countof(secret_labels); n++)
			if (accepted_secret(
				r->accepted.at[i], secret_labels[n], &use))
				add_use(r, &use, true);
	for (i = 0; i < k->wanted.list.len; i++)
		add_use(r, &k->wanted.list.at[i], false);
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

struct routing *
routing_build(const struct cluster_config *c, const struct model *m,
    const struct routing_options *o)
{
	struct routing *r = xcalloc(1, sizeof(*r));
	struct claims k;

	r->cluster = xstrdup(c->cluster.name);
	r->holds = o == NULL ? NULL : o->holds;
	claims_init(&k, c, m, o);
	take_services(r, &k);
	take_bad_objects(r, &k);
	take_routes(r, &k);
	need_networks(r, &k);
	need_secrets(r, &k);
	take_uses(r, &k);
	claims_fini(&k);
	return r;
}
