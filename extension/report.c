/* report.json: see routing.h; the format is interfaces.md 3. */
#include "routing.h"

#include <inttypes.h>
#include <string.h>

static void
add_text(struct str *out, const char *text)
{
	if (text == NULL)
		str_add(out, "null");
	else
		str_add_json(out, text, strlen(text));
}

static void
add_member(struct str *out, const char *name, const char *text)
{
	str_addf(out, "\"%s\":", name);
	add_text(out, text);
}

/* label, code, offset, reason */
static void
add_finding(struct str *out, const struct finding *f)
{
	add_member(out, "label", f->label);
	str_addc(out, ',');
	add_member(out, "code", reject_code_name(f->code));
	if (f->offset < 0)
		str_add(out, ",\"offset\":null,");
	else
		str_addf(out, ",\"offset\":%" PRId64 ",", f->offset);
	add_member(out, "reason", f->reason);
}

void
routing_report_upstreams(struct str *out, const struct pool_member *m)
{
	size_t i;

	str_addc(out, '[');
	for (i = 0; i < m->upstreams.len; i++) {
		const struct upstream *u = &m->upstreams.at[i];

		str_add(out, i == 0 ? "{" : ",{");
		add_member(out, "address", u->address);
		str_addc(out, ',');
		add_member(out, "task", u->task_id);
		str_addf(out, ",\"weight\":%" PRIu32 "}", u->weight);
	}
	str_addc(out, ']');
}

const char *
route_tls_name(enum route_tls tls)
{
	static const char *const names[] = {
		[TLS_NONE] = "none",
		[TLS_TERMINATE] = "terminate",
		[TLS_PASSTHROUGH] = "passthrough",
	};

	return names[tls];
}

void
routing_report_route(
    struct str *out, const struct route *r, const struct pool_member *m)
{
	size_t i;
	bool first = true;

	str_addc(out, '{');
	add_member(out, "host", r->host);
	str_addc(out, ',');
	add_member(out, "path", r->path);
	str_addc(out, ',');
	add_member(out, "tls", route_tls_name(r->tls));
	str_add(out, ",\"upstreams\":");
	routing_report_upstreams(out, m);
	str_add(out, ",\"shared_with\":[");
	for (i = 0; i < r->members.len; i++) {
		if (&r->members.at[i] == m)
			continue;
		if (!first)
			str_addc(out, ',');
		first = false;
		add_text(out, r->members.at[i].service->service->name);
	}
	str_add(out, "]}");
}

/* A route as one of its members sees it. */
struct share {
	const struct accepted *service;
	size_t age; /* of the service among the accepted */
	const struct route *route;
	const struct pool_member *member;
};

struct shares {
	VEC(struct share) list;
};

static int
compare_shares(const void *a, const void *b)
{
	const struct share *x = a, *y = b;
	int c;

	if (x->age != y->age)
		return x->age < y->age ? -1 : 1;
	c = strcmp(x->route->host, y->route->host);
	return c != 0 ? c : strcmp(x->route->path, y->route->path);
}

/* All shares by age of the service, then host and path. */
static void
shares_find(struct shares *s, const struct routing *r)
{
	struct map ages = { 0 };
	size_t i, k;

	/* Values are one more than the index: a map holds no NULL. */
	for (i = 0; i < r->accepted.len; i++)
		map_set(&ages, r->accepted.at[i]->service->id,
		    (void *)(uintptr_t)(i + 1));
	for (i = 0; i < r->routes.len; i++) {
		const struct route *route = &r->routes.at[i];

		for (k = 0; k < route->members.len; k++) {
			const struct pool_member *m = &route->members.at[k];

			*vec_add(&s->list) = (struct share){
				.service = m->service,
				.age = (uintptr_t)map_get(
				    &ages, m->service->service->id),
				.route = route,
				.member = m,
			};
		}
	}
	vec_sort(&s->list, compare_shares);
	map_fini(&ages);
}

static void
add_accepted(struct str *out, const struct accepted *a,
    const struct shares *shares, size_t *next)
{
	size_t i;
	bool first = true;

	str_addc(out, '{');
	add_member(out, "service", a->service->name);
	str_addc(out, ',');
	add_member(out, "service_id", a->service->id);
	str_addc(out, ',');
	add_member(out, "mode",
	    a->labels.backend_mode == BACKEND_VIP ? "vip" : "task");
	str_addc(out, ',');
	add_member(
	    out, "network", a->network == NULL ? NULL : a->network->name);
	str_add(out, ",\n  \"routes\":[");
	for (; *next < shares->list.len; (*next)++) {
		const struct share *s = &shares->list.at[*next];

		if (s->service != a)
			break;
		if (!first)
			str_add(out, ",\n   ");
		first = false;
		routing_report_route(out, s->route, s->member);
	}
	str_add(out, "],\n  \"remarks\":[");
	for (i = 0; i < a->remarks.list.len; i++) {
		str_add(out, i == 0 ? "{" : ",\n   {");
		add_finding(out, &a->remarks.list.at[i]);
		str_addc(out, '}');
	}
	str_add(out, "]}");
}

static void
add_rejected(struct str *out, const struct rejected *r)
{
	str_addc(out, '{');
	add_member(out, "service", r->service);
	str_addc(out, ',');
	add_member(out, "service_id", r->service_id);
	str_addc(out, ',');
	add_finding(out, &r->finding);
	if (r->finding.owner != NULL) {
		str_addc(out, ',');
		add_member(out, "owner", r->finding.owner);
	}
	str_addc(out, '}');
}

static void
add_names(struct str *out, const char *const *names, size_t len)
{
	size_t i;

	str_addc(out, '[');
	for (i = 0; i < len; i++) {
		if (i > 0)
			str_addc(out, ',');
		add_text(out, names[i]);
	}
	str_addc(out, ']');
}

static void
add_needs(struct str *out, const struct routing *r)
{
	size_t i;

	str_add(out, "{\"networks\":[");
	for (i = 0; i < r->networks.len; i++) {
		str_add(out, i == 0 ? "{" : ",{");
		add_member(out, "id", r->networks.at[i]->id);
		str_addc(out, ',');
		add_member(out, "name", r->networks.at[i]->name);
		str_addc(out, '}');
	}
	str_add(out, "],\"secrets\":");
	add_names(out, (const char *const *)r->secrets.at, r->secrets.len);
	str_add(out, ",\"configs\":");
	add_names(out, (const char *const *)r->configs.at, r->configs.len);
	str_addc(out, '}');
}

void
routing_report(struct str *out, const struct routing *r)
{
	struct shares shares = { 0 };
	size_t i, next = 0;

	shares_find(&shares, r);
	str_add(out, "{\"version\":1,");
	add_member(out, "cluster", r->cluster);
	str_add(out, ",\n\"accepted\":[");
	for (i = 0; i < r->accepted.len; i++) {
		str_add(out, i == 0 ? "\n " : ",\n ");
		add_accepted(out, r->accepted.at[i], &shares, &next);
	}
	str_add(out, "],\n\"rejected\":[");
	for (i = 0; i < r->rejected.len; i++) {
		str_add(out, i == 0 ? "\n " : ",\n ");
		add_rejected(out, &r->rejected.at[i]);
	}
	str_add(out, "],\n\"needs\":");
	add_needs(out, r);
	str_add(out, "}\n");
	vec_fini(&shares.list);
}
