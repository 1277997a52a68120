/*
 * Explanations: see explain.h.  A question becomes an answer (a struct of
 * findings), and the answer becomes text or JSON.
 */
#include "explain.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "claims_hosts.h"
#include "explain_answer.h"

#define HOST_SIZE 256

static const struct accepted *
find_accepted(const struct routing *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->accepted.len; i++) {
		const struct service *s = r->accepted.at[i]->service;

		if (strcmp(s->name, name) == 0 || strcmp(s->id, name) == 0)
			return r->accepted.at[i];
	}
	return NULL;
}

static const struct rejected *
find_rejected(const struct routing *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->rejected.len; i++) {
		const struct rejected *x = &r->rejected.at[i];

		if (strcmp(x->service, name) == 0 ||
		    (x->service_id != NULL && strcmp(x->service_id, name) == 0))
			return x;
	}
	return NULL;
}

static const struct service *
find_service(const struct model *m, const char *name)
{
	const struct service *s = map_get(&m->services, name);
	struct map_entry *e;
	size_t i;

	for (i = 0; s == NULL && (e = map_next(&m->services, &i)) != NULL;) {
		if (strcmp(((struct service *)e->value)->name, name) == 0)
			s = e->value;
	}
	return s;
}

/* Why a service brings nothing to a route. */
static void
why_empty(struct str *out, const struct accepted *a)
{
	const struct service *s = a->service;
	size_t i, running = 0;

	if (a->labels.drain ||
	    (label_given(&a->labels, LABEL_WEIGHT) && a->labels.weight == 0)) {
		str_add(out, "its share is 0 (drain or weight)");
		return;
	}
	if (a->labels.backend_mode == BACKEND_VIP) {
		str_add(out,
		    s->mode == SERVICE_REPLICATED && s->replicas == 0
			? "its spec asks for 0 replicas"
			: "it has no usable virtual IP (yet)");
		return;
	}
	for (i = 0; i < s->tasks.len; i++)
		running += task_is_routable(s->tasks.at[i]);
	if (s->tasks.len == 0)
		str_add(out, "it has no task");
	else if (running > 0)
		str_add(out, "none of its running tasks has a usable address");
	else
		str_addf(out,
		    "it has %zu tasks and none of them is running (the last "
		    "one is %s)",
		    s->tasks.len,
		    task_state_name(s->tasks.at[s->tasks.len - 1]->state));
}

static void
answer_accepted(
    struct answer *x, const struct routing *r, const struct accepted *a)
{
	size_t i, k, upstreams = 0;

	x->service = a->service->name;
	x->service_id = a->service->id;
	x->accepted = a;
	for (i = 0; i < r->routes.len; i++) {
		const struct route *route = &r->routes.at[i];

		for (k = 0; k < route->members.len; k++) {
			const struct pool_member *m = &route->members.at[k];

			if (m->service != a)
				continue;
			upstreams += m->upstreams.len;
			answer_add_route(x, route, m);
		}
	}
	if (upstreams > 0) {
		x->result = EXPLAIN_ROUTED;
		str_addf(&x->reason, "cluster %s routes it", r->cluster);
		return;
	}
	x->result = EXPLAIN_NOT;
	str_add(&x->reason, "accepted, but it gets no requests: ");
	why_empty(&x->reason, a);
}

static void
answer_rejected(struct answer *x, const struct rejected *rejected)
{
	x->result = EXPLAIN_NOT;
	x->service = rejected->service;
	x->service_id = rejected->service_id;
	x->finding = &rejected->finding;
	str_add(&x->reason, rejected->finding.reason);
}

static void
answer_other(
    struct answer *x, const struct cluster_config *c, const struct service *s)
{
	struct finding f = { 0 };
	char *cluster _cleanup_free_ = NULL;

	x->result = EXPLAIN_NOT;
	x->service = s->name;
	x->service_id = s->id;
	if (!labels_present(s)) {
		str_add(&x->reason,
		    "it carries no label " LABEL_PREFIX "*, so it does not "
		    "ask to be routed");
		return;
	}
	if (labels_cluster(s, &cluster, &f) != 0)
		finding_fini(&f);
	if (cluster != NULL)
		str_addf(&x->reason,
		    "it asks for service cluster %s and this is %s", cluster,
		    c->cluster.name);
	else
		str_addf(&x->reason,
		    "it names no service cluster and %s is not the default "
		    "one",
		    c->cluster.name);
}

/* The answer about a service, or false if there is none of that name. */
static bool
ask_service(struct answer *x, const struct cluster_config *c,
    const struct model *m, const struct routing *r, const char *name)
{
	const struct accepted *a = find_accepted(r, name);
	const struct rejected *rejected;
	const struct service *s;

	if (a != NULL) {
		answer_accepted(x, r, a);
		return true;
	}
	rejected = find_rejected(r, name);
	if (rejected != NULL) {
		answer_rejected(x, rejected);
		return true;
	}
	s = find_service(m, name);
	if (s != NULL)
		answer_other(x, c, s);
	return s != NULL;
}

/* Routes of 'host', and of them the one with the longest path that fits. */
static const struct route *
find_route(const struct routing *r, const char *host, const char *path,
    const struct route **ret_host)
{
	const struct route *best = NULL;
	size_t i;

	*ret_host = NULL;
	for (i = 0; i < r->routes.len; i++) {
		const struct route *route = &r->routes.at[i];
		size_t len = strlen(route->path);

		if (strcmp(route->host, host) != 0)
			continue;
		*ret_host = route;
		if (strcmp(route->path, "/") != 0 &&
		    (strncmp(path, route->path, len) != 0 ||
			(path[len] != '\0' && path[len] != '/')))
			continue;
		if (best == NULL || len > strlen(best->path))
			best = route;
	}
	return best;
}

static void
answer_route(struct answer *x, const struct route *route)
{
	size_t i, upstreams = 0;

	x->service = route->owner->service->name;
	x->service_id = route->owner->service->id;
	for (i = 0; i < route->members.len; i++) {
		upstreams += route->members.at[i].upstreams.len;
		answer_add_route(x, route, &route->members.at[i]);
	}
	if (upstreams > 0) {
		x->result = EXPLAIN_ROUTED;
		str_addf(&x->reason, "%s%s of service %s takes it",
		    strcmp(route->host, "*") == 0 ? "the default backend"
						  : route->host,
		    strcmp(route->path, "/") == 0 ? "" : route->path,
		    x->service);
		return;
	}
	x->result = EXPLAIN_NOT;
	x->status = 503;
	str_addf(&x->reason,
	    "it is service %s's, but nothing is behind it: ", x->service);
	why_empty(&x->reason, route->owner);
}

/* A host that was asked for without a path, and has none for "/". */
static void
answer_whole_host(
    struct answer *x, const struct routing *r, const struct route *known)
{
	size_t i, k, upstreams = 0;

	x->service = known->host_owner->service->name;
	x->service_id = known->host_owner->service->id;
	str_addf(&x->reason,
	    "%s is service %s's; only these paths of it are somebody's",
	    known->host, x->service);
	for (i = 0; i < r->routes.len; i++) {
		const struct route *route = &r->routes.at[i];

		if (strcmp(route->host, known->host) != 0)
			continue;
		for (k = 0; k < route->members.len; k++) {
			upstreams += route->members.at[k].upstreams.len;
			answer_add_route(x, route, &route->members.at[k]);
		}
	}
	x->result = upstreams > 0 ? EXPLAIN_ROUTED : EXPLAIN_NOT;
}

/* Whether the labels of 's' name 'host'. */
static bool
wants_host(const struct service *s, const char *host)
{
	struct labels l = { 0 };
	struct findings remarks = { { NULL, 0, 0 } };
	struct finding f = { 0 };
	bool wants = false;
	size_t i;

	if (labels_parse(s, &l, &remarks, &f) != 0)
		finding_fini(&f);
	for (i = 0; i < l.hosts.len; i++)
		wants = wants || strcmp(l.hosts.at[i].text, host) == 0;
	labels_fini(&l);
	findings_fini(&remarks);
	return wants;
}

/* The oldest rejected service that would have had the host. */
static const struct rejected *
find_wanting(const struct model *m, const struct routing *r, const char *host)
{
	size_t i;

	for (i = 0; i < r->rejected.len; i++) {
		const struct rejected *x = &r->rejected.at[i];
		const struct service *s = x->service_id == NULL
		    ? NULL
		    : map_get(&m->services, x->service_id);

		/* A bad object is not looked at. */
		if (s != NULL && x->finding.code != REJECT_BAD_OBJECT &&
		    wants_host(s, host))
			return x;
	}
	return NULL;
}

/* Exact, then the narrowest wildcard, then the default backend. */
static const struct route *
find_host(const struct routing *r, const char *host, const char *path,
    const struct route **ret_host)
{
	const struct route *route = find_route(r, host, path, ret_host);
	const char *p;

	for (p = host_parent(host); *ret_host == NULL && p != NULL;
	     p = host_parent(p)) {
		char *wildcard _cleanup_free_ = xasprintf("*.%s", p);

		route = find_route(r, wildcard, path, ret_host);
	}
	if (*ret_host == NULL)
		route = find_route(r, "*", path, ret_host);
	return route;
}

static void
ask_host(struct answer *x, const struct model *m, const struct routing *r)
{
	const struct route *known, *route;
	const struct rejected *wanting;
	const struct hold *held = holds_held(r->holds, x->host);

	route = find_host(r, x->host, x->path, &known);
	wanting = known != NULL && strcmp(known->host, x->host) == 0
	    ? NULL
	    : find_wanting(m, r, x->host);
	if (wanting != NULL) {
		answer_rejected(x, wanting);
		x->status = known == NULL ? 503 : 0;
	} else if (held != NULL) {
		x->result = EXPLAIN_NOT;
		x->status = known == NULL ? 503 : 0;
		x->holder = held->name;
		str_addf(&x->reason,
		    "no service has it; it is held until %s for service %s, "
		    "which had it (claim_hold)",
		    held->until, held->name);
	} else if (route != NULL) {
		answer_route(x, route);
	} else if (known != NULL && !x->path_given) {
		answer_whole_host(x, r, known);
	} else if (known != NULL) {
		x->result = EXPLAIN_NOT;
		x->status = strcmp(known->host, "*") == 0 ? 503 : 404;
		str_addf(&x->reason,
		    "%s is known (service %s), but no service has this path",
		    known->host, known->host_owner->service->name);
	} else {
		x->result = EXPLAIN_UNKNOWN;
		x->status = 503;
		str_add(
		    &x->reason, "no service and no host of this name is known");
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Normalised as the engine does it: decoded, slashes merged, dots removed. */
static void
normalise(struct str *out, const char *path)
{
	char *text _cleanup_free_ = xstrdup(path), *p = text, *segment;
	const char *s;

	for (s = path; *s != '\0' && *s != '?' && *s != '#'; s++) {
		if (s[0] == '%' && hex_digit(s[1]) >= 0 &&
		    hex_digit(s[2]) >= 0) {
			*p++ = (char)(hex_digit(s[1]) * 16 + hex_digit(s[2]));
			s += 2;
		} else {
			*p++ = *s;
		}
	}
	*p = '\0';
	for (segment = text; *segment != '\0';) {
		size_t len;

		segment += strspn(segment, "/");
		len = strcspn(segment, "/");
		if (len == 2 && memcmp(segment, "..", 2) == 0) {
			char *last = strrchr(out->p, '/');

			str_trim(
			    out, last == NULL ? 0 : (size_t)(last - out->p));
		} else if (len > 0 && (len != 1 || *segment != '.')) {
			str_addc(out, '/');
			str_addn(out, segment, len);
		}
		segment += len;
	}
	if (out->len == 0)
		str_addc(out, '/');
}

/* Takes "http://Host:80/path?query" apart. */
static void
read_query(struct answer *x, const char *query)
{
	const char *p = strstr(query, "://");
	size_t i, len;

	p = p == NULL ? query : p + 3;
	len = strcspn(p, "/?#");
	for (i = 0; i < len && i < HOST_SIZE && p[i] != ':'; i++)
		str_addc(&x->host_text, (char)tolower((unsigned char)p[i]));
	if (x->host_text.len > 0 && x->host_text.p[x->host_text.len - 1] == '.')
		str_trim(&x->host_text, x->host_text.len - 1);
	x->path_given = p[len] != '\0';
	normalise(&x->path_text, p + len);
	x->host = x->host_text.p;
	x->path = x->path_text.p;
}

enum explain_result
explain(struct str *out, const struct cluster_config *c, const struct model *m,
    const struct routing *r, const char *query, bool json)
{
	struct answer x;
	enum explain_result result;

	answer_init(&x, query, r->cluster);
	if (strchr(query, '/') != NULL || !ask_service(&x, c, m, r, query)) {
		read_query(&x, query);
		ask_host(&x, m, r);
	}
	if (json)
		answer_json(out, &x);
	else
		answer_text(out, &x);
	result = x.result;
	answer_fini(&x);
	return result;
}
