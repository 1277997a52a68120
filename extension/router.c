/* The routing that is kept: see router.h. */
#include "router.h"

#include "claims.h"
#include "routes.h"
#include "routes_joined.h"

#include <string.h>

#include "base/str.h"

struct router {
	struct routing routing; /* its lists borrow from the verdicts */
	struct claims k;
	bool built;		      /* the claims are those of a model */
	VEC(struct verdict *) by_age; /* owned */
	struct map verdicts;	      /* by service ID */
	struct map touched;	      /* service IDs */
	size_t n_pending;
	size_t n_bad; /* the last of routing.rejected: its own */
	bool needs;   /* what proxies need may have changed */
	bool moved;   /* hosts or paths came or went */
	struct routing_changes changes;
};

/* ---- verdicts ---- */

static void
clear_result(struct verdict *v)
{
	size_t i;

	accepted_free(v->accepted);
	v->accepted = NULL;
	rejected_fini(&v->rejected);
	for (i = 0; i < v->wanted.list.len; i++)
		secret_use_fini(&v->wanted.list.at[i]);
	vec_fini(&v->wanted.list);
}

static void
verdict_free(struct verdict *v)
{
	clear_result(v);
	vec_fini(&v->reads);
	free(v->id);
	free(v);
}

static int
compare_verdicts(const void *a, const void *b)
{
	const struct verdict *x = *(struct verdict *const *)a;
	const struct verdict *y = *(struct verdict *const *)b;

	return age_compare(x->created_ns, x->id, y->created_ns, y->id);
}

/* Where 'v' is or belongs. */
static size_t
place_of(const struct router *r, const struct verdict *v)
{
	size_t low = 0, high = r->by_age.len;

	while (low < high) {
		size_t i = low + (high - low) / 2;

		if (compare_verdicts(&r->by_age.at[i], &v) < 0)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

static struct verdict *
add_verdict(struct router *r, const struct service *s)
{
	struct verdict *v = xcalloc(1, sizeof(*v));

	v->id = xstrdup(s->id);
	v->created_ns = s->created_ns;
	v->service = s;
	(void)map_set(&r->verdicts, v->id, v);
	vec_push(&r->by_age, v);
	return v;
}

static void
mark_pending(struct router *r, struct verdict *v)
{
	if (v->pending)
		return;
	v->pending = true;
	r->n_pending++;
}

static void
mark_service(struct router *r, const char *id)
{
	if (!r->changes.all_services)
		(void)map_set(&r->changes.services, id, r);
}

/* ---- from nothing ---- */

static void
drop_bad_objects(struct router *r)
{
	struct routing *t = &r->routing;

	for (; r->n_bad > 0; r->n_bad--)
		rejected_fini(&t->rejected.at[--t->rejected.len]);
}

void
router_reset(struct router *r)
{
	size_t i;

	drop_bad_objects(r);
	routes_needs_fini(&r->routing);
	vec_fini(&r->routing.routes);
	vec_fini(&r->routing.accepted);
	vec_fini(&r->routing.rejected);
	if (r->built) {
		claims_fini(&r->k);
		for (i = 0; i < r->by_age.len; i++)
			verdict_free(r->by_age.at[i]);
	}
	r->built = false;
	r->n_pending = 0;
	vec_fini(&r->by_age);
	map_fini(&r->verdicts);
	map_fini(&r->touched);
	router_changes_clear(r);
	router_served(r);
	r->changes.all = r->changes.all_services = true;
}

/* Whether the service is one to be judged here. */
static bool
takes_part(const struct router *r, const struct service *s)
{
	return labels_present(s) &&
	    (r->k.options.foreign_is_error || routing_is_ours(r->k.config, s));
}

static void
begin(struct router *r, const struct cluster_config *c, const struct model *m,
    const struct routing_options *o)
{
	struct map_entry *e;
	size_t i;

	router_reset(r);
	claims_init(&r->k, c, m, o);
	r->built = true;
	r->k.counted = r->k.table->bulk = r->needs = r->moved = true;
	for (i = 0; (e = map_next(&m->services, &i)) != NULL;) {
		if (takes_part(r, e->value))
			mark_pending(r, add_verdict(r, e->value));
	}
	vec_sort(&r->by_age, compare_verdicts);
	free(r->routing.cluster);
	r->routing.cluster = xstrdup(c->cluster.name);
}

/* ---- what one change leads to ---- */

/* Younger services that looked at a host of 'a' are to be judged again. */
static void
mark_readers(struct router *r, const struct verdict *of, const char *host)
{
	const struct host_claim *h = map_get(&r->k.table->hosts, host);
	size_t i;

	for (i = 0; h != NULL && i < h->readers.len; i++) {
		struct verdict *v = h->readers.at[i];

		if (compare_verdicts(&of, &v) < 0)
			mark_pending(r, v);
	}
}

static void
mark_all_readers(
    struct router *r, const struct verdict *of, const struct accepted *a)
{
	size_t i;

	for (i = 0; a != NULL && i < a->labels.hosts.len; i++)
		mark_readers(r, of, a->labels.hosts.at[i].text);
	if (a != NULL && a->labels.default_backend)
		mark_readers(r, of, DEFAULT_HOST);
}

void
router_touch(struct router *r, const char *service_id)
{
	struct verdict *v;

	if (!r->built || map_set(&r->touched, service_id, r) != NULL)
		return;
	/* What it is made from will be gone. */
	v = map_get(&r->verdicts, service_id);
	if (v != NULL)
		claims_retract(&r->k, v);
}

static void
drop_verdict(struct router *r, struct verdict *v)
{
	size_t i = place_of(r, v);

	must(i < r->by_age.len && r->by_age.at[i] == v);
	mark_all_readers(r, v, v->accepted);
	vec_remove(&r->by_age, i);
	(void)map_remove(&r->verdicts, v->id);
	if (v->pending)
		r->n_pending--;
	verdict_free(v);
	r->needs = true;
}

static void
take_touched(struct router *r)
{
	struct map_entry *e;
	size_t i, place;

	for (i = 0; (e = map_next(&r->touched, &i)) != NULL;) {
		struct verdict *v = map_get(&r->verdicts, e->key);
		const struct service *s =
		    map_get(&r->k.model->services, e->key);

		mark_service(r, e->key);
		if (s != NULL && !takes_part(r, s))
			s = NULL;
		if (v != NULL &&
		    (s == NULL || s->created_ns != v->created_ns)) {
			drop_verdict(r, v);
			v = NULL;
		}
		if (s == NULL)
			continue;
		if (v == NULL) {
			v = add_verdict(r, s);
			r->by_age.len--;
			place = place_of(r, v);
			memmove(&r->by_age.at[place + 1], &r->by_age.at[place],
			    (r->by_age.len - place) * sizeof(v));
			r->by_age.at[place] = v;
			r->by_age.len++;
			r->needs = true;
		}
		v->service = s;
		mark_pending(r, v);
	}
	map_fini(&r->touched);
}

/* ---- judging ---- */

/* Whether both ask the same of the proxies. */
static bool
same_needs(const struct verdict *x, const struct verdict *y)
{
	const struct accepted *a = x->accepted, *b = y->accepted;
	size_t i;

	if ((a == NULL) != (b == NULL) ||
	    x->wanted.list.len != y->wanted.list.len)
		return false;
	for (i = 0; i < x->wanted.list.len; i++) {
		const struct secret_use *u = &x->wanted.list.at[i];
		const struct secret_use *w = &y->wanted.list.at[i];

		if (u->kind != w->kind || !str_equal(u->name, w->name) ||
		    !str_equal(u->key, w->key))
			return false;
	}
	return a == NULL ||
	    (a->network == b->network && a->in_force == b->in_force &&
		str_equal(a->labels.ssl_cert, b->labels.ssl_cert) &&
		str_equal(a->labels.ssl_key, b->labels.ssl_key) &&
		str_equal(a->labels.ssl_backend_ca, b->labels.ssl_backend_ca) &&
		str_equal(a->labels.basic_auth, b->labels.basic_auth));
}

static void
judge_one(struct router *r, struct verdict *v)
{
	/* What it was; its reads and its age stay with 'v'. */
	struct verdict before = { .accepted = v->accepted,
		.rejected = v->rejected };

	memcpy(&before.wanted, &v->wanted, sizeof(before.wanted));
	memcpy(before.sum, v->sum, sizeof(before.sum));
	claims_retract(&r->k, v);
	v->accepted = NULL;
	v->rejected = (struct rejected){ 0 };
	memset(&v->wanted, 0, sizeof(v->wanted));
	claims_take(&r->k, v);
	if (v->accepted != NULL)
		routes_joined_backend(v->accepted, r->k.model, &r->k.options);
	if (!r->k.counted &&
	    (v->accepted == NULL || before.accepted == NULL ||
		strcmp(v->sum, before.sum) != 0)) {
		mark_all_readers(r, v, before.accepted);
		mark_all_readers(r, v, v->accepted);
	}
	if (!r->needs && !same_needs(&before, v))
		r->needs = true;
	clear_result(&before);
}

/* Who is marked meanwhile is younger: oldest first, each is judged once. */
static void
judge_pending(struct router *r)
{
	size_t i;

	for (i = 0; r->n_pending > 0; i++) {
		struct verdict *v = r->by_age.at[i];

		if (!v->pending)
			continue;
		v->pending = false;
		r->n_pending--;
		mark_service(r, v->id);
		judge_one(r, v);
	}
}

/* ---- the routing ---- */

static void
mark_owner(struct router *r, const char *id)
{
	if (!r->changes.all && id != NULL)
		(void)map_set(&r->changes.owners, id, r);
}

/* As many as before, in their place. */
static void
replace_routes(struct routing *t, const struct host_claim *h)
{
	size_t at = (size_t)(routing_host(t, h->host) - t->routes.at);

	memcpy(&t->routes.at[at], h->routes.at,
	    h->routes.len * sizeof(h->routes.at[0]));
}

static void
make_routes(struct router *r)
{
	struct claim_table *t = r->k.table;
	size_t i, n;

	if (t->bulk)
		claim_table_sort(t);
	for (i = 0; i < t->dirty.len; i++) {
		struct host_claim *h = t->dirty.at[i];
		const char *owner = h->claimants.len == 0
		    ? NULL
		    : h->claimants.at[0]->service->id;

		mark_owner(r, h->owner_id);
		mark_owner(r, owner);
		if (!str_equal(h->owner_id, owner)) {
			free(h->owner_id);
			h->owner_id = owner == NULL ? NULL : xstrdup(owner);
		}
		n = h->routes.len;
		routes_of_host(h);
		if (h->routes.len != n || r->routing.routes.len == 0)
			r->moved = true;
		else if (!r->moved && n > 0)
			replace_routes(&r->routing, h);
		h->dirty = false;
		claim_table_drop(t, h);
	}
	t->dirty.len = 0;
}

/* Lists of what the verdicts own: copied, which costs little. */
static void
fill_lists(struct router *r)
{
	struct routing *t = &r->routing;
	const struct claim_table *table = r->k.table;
	size_t i, k;

	drop_bad_objects(r);
	t->accepted.len = t->rejected.len = 0;
	for (i = 0; i < r->by_age.len; i++) {
		const struct verdict *v = r->by_age.at[i];

		if (v->accepted != NULL)
			vec_push(&t->accepted, v->accepted);
		else
			vec_push(&t->rejected, v->rejected);
	}
	i = t->rejected.len;
	routes_bad_objects(t, &r->k);
	r->n_bad = t->rejected.len - i;
	if (r->moved)
		t->routes.len = 0;
	for (i = 0; r->moved && i < table->claimed.len; i++) {
		const struct host_claim *h = table->claimed.at[i];

		for (k = 0; k < h->routes.len; k++)
			vec_push(&t->routes, h->routes.at[k]);
	}
	if (r->needs)
		routes_needs(t, &r->k, r->by_age.at, r->by_age.len);
	r->needs = r->moved = false;
}

/* One more service could meet the limits, or one met them. */
static bool
is_crowded(const struct router *r)
{
	const struct claims *k = &r->k;

	return k->table->claimed.len + LABEL_HOSTS_MAX >
	    k->config->cluster.max_hosts ||
	    k->table->n_paths + LABEL_ROUTES_MAX > claims_routes_max(k->config);
}

struct routing *
router_update(struct router *r, const struct cluster_config *c,
    const struct model *m, const struct routing_options *o)
{
	static const struct routing_options none;
	bool anew = !r->built || is_crowded(r);

	if (!anew) {
		r->k.options = o == NULL ? none : *o;
		r->k.counted = false;
		take_touched(r);
		judge_pending(r);
		make_routes(r);
		anew = is_crowded(r);
	}
	if (anew) {
		begin(r, c, m, o);
		judge_pending(r);
		make_routes(r);
	}
	r->routing.holds = o == NULL ? NULL : o->holds;
	fill_lists(r);
	return &r->routing;
}

/* ---- life ---- */

const struct routing_changes *
router_changes(const struct router *r)
{
	return &r->changes;
}

void
router_changes_clear(struct router *r)
{
	map_fini(&r->changes.owners);
	r->changes.all = false;
}

void
router_served(struct router *r)
{
	map_fini(&r->changes.services);
	r->changes.all_services = false;
}

const struct accepted *
router_accepted(const struct router *r, const char *service_id)
{
	const struct verdict *v = map_get(&r->verdicts, service_id);

	return v == NULL ? NULL : v->accepted;
}

struct router *
router_new(void)
{
	struct router *r = xcalloc(1, sizeof(*r));

	r->changes.all = r->changes.all_services = true;
	r->routing.router = r;
	return r;
}

void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	router_reset(r);
	free(r->routing.cluster);
	free(r);
}
