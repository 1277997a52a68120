/* The two forms of an explanation: see explain_answer.h. */
#include "explain_answer.h"

#include <inttypes.h>
#include <string.h>

#define REASON_MAX 4096

void
answer_init(struct answer *x, const char *query, const char *cluster)
{
	*x = (struct answer){ .query = query, .cluster = cluster };
	str_init(&x->host_text, REASON_MAX);
	str_init(&x->path_text, REASON_MAX);
	str_init(&x->reason, REASON_MAX);
}

void
answer_fini(struct answer *x)
{
	str_fini(&x->host_text);
	str_fini(&x->path_text);
	str_fini(&x->reason);
	vec_fini(&x->shares.routes);
	vec_fini(&x->shares.members);
}

void
answer_add_route(
    struct answer *x, const struct route *route, const struct pool_member *m)
{
	vec_push(&x->shares.routes, route);
	vec_push(&x->shares.members, m);
}

static void
text_upstreams(struct str *out, const struct pool_member *m)
{
	size_t i;

	if (m->upstreams.len == 0)
		str_add(out, "      no upstream\n");
	for (i = 0; i < m->upstreams.len; i++) {
		const struct upstream *u = &m->upstreams.at[i];

		str_addf(out, "      %s  weight %" PRIu32 "  %s%s\n",
		    u->address, u->weight, u->vip ? "virtual IP" : "task ",
		    u->vip ? "" : u->task_id);
	}
}

static void
text_routes(struct str *out, const struct answer *x)
{
	size_t i;

	for (i = 0; i < x->shares.routes.len; i++) {
		const struct route *r = x->shares.routes.at[i];
		const struct pool_member *m = x->shares.members.at[i];

		str_addf(out, "  %s%s  service %s  %s  tls %s\n",
		    strcmp(r->host, "*") == 0 ? "(default backend)" : r->host,
		    r->path, m->service->service->name,
		    m->service->labels.backend_mode == BACKEND_VIP
			? "VIP mode"
			: "task mode",
		    route_tls_name(r->tls));
		text_upstreams(out, m);
	}
}

static void
text_finding(struct str *out, const struct finding *f)
{
	str_addf(out, "  code %s", reject_code_name(f->code));
	if (f->label != NULL) {
		str_add(out, ", label ");
		str_add_shown(out, f->label);
	}
	if (f->offset >= 0)
		str_addf(out, ", byte %" PRId64 " of its value", f->offset);
	if (f->owner != NULL)
		str_addf(out, ", owner %s", f->owner);
	str_addc(out, '\n');
}

void
answer_text(struct str *out, const struct answer *x)
{
	static const char *const words[] = {
		[EXPLAIN_ROUTED] = "is routed",
		[EXPLAIN_NOT] = "is not routed",
		[EXPLAIN_UNKNOWN] = "is unknown",
	};
	size_t i;

	str_add_quoted(out, x->query, strlen(x->query), REASON_MAX);
	str_addf(out, " %s: ", words[x->result]);
	if (x->finding != NULL && x->host != NULL)
		str_addf(out,
		    "service %s asks for it and is rejected: ", x->service);
	str_addf(out, "%s\n", x->reason.p);
	if (x->finding != NULL)
		text_finding(out, x->finding);
	if (x->status != 0)
		str_addf(out, "  the proxies answer %d\n", x->status);
	text_routes(out, x);
	for (i = 0; x->accepted != NULL && i < x->accepted->remarks.list.len;
	     i++) {
		const struct finding *f = &x->accepted->remarks.list.at[i];

		str_addf(out, "  remark: %s\n", f->reason);
		text_finding(out, f);
	}
}

static void
member(struct str *out, const char *name, const char *text)
{
	str_addf(out, ",\"%s\":", name);
	if (text == NULL)
		str_add(out, "null");
	else
		str_add_json(out, text, strlen(text));
}

static void
json_routes(struct str *out, const struct answer *x)
{
	size_t i;

	str_add(out, ",\"routes\":[");
	for (i = 0; i < x->shares.routes.len; i++) {
		if (i > 0)
			str_addc(out, ',');
		routing_report_route(
		    out, x->shares.routes.at[i], x->shares.members.at[i]);
		/* The object stays open for one more member. */
		str_trim(out, out->len - 1);
		member(out, "service",
		    x->shares.members.at[i]->service->service->name);
		str_addc(out, '}');
	}
	str_addc(out, ']');
}

void
answer_json(struct str *out, const struct answer *x)
{
	static const char *const states[] = {
		[EXPLAIN_ROUTED] = "routed",
		[EXPLAIN_NOT] = "not-routed",
		[EXPLAIN_UNKNOWN] = "unknown",
	};
	const struct finding *f = x->finding;

	str_add(out, "{\"query\":");
	str_add_json(out, x->query, strlen(x->query));
	member(out, "kind", x->host == NULL ? "service" : "host");
	member(out, "state", states[x->result]);
	member(out, "cluster", x->cluster);
	member(out, "service", x->service);
	member(out, "service_id", x->service_id);
	member(out, "reason", x->reason.p);
	if (x->host != NULL) {
		member(out, "host", x->host);
		member(out, "path", x->path);
	}
	if (x->status != 0)
		str_addf(out, ",\"status\":%d", x->status);
	if (f != NULL) {
		member(out, "code", reject_code_name(f->code));
		member(out, "label", f->label);
		if (f->offset >= 0)
			str_addf(out, ",\"offset\":%" PRId64, f->offset);
		else
			str_add(out, ",\"offset\":null");
		if (f->owner != NULL)
			member(out, "owner", f->owner);
	}
	if (x->holder != NULL)
		member(out, "owner", x->holder);
	json_routes(out, x);
	str_add(out, "}\n");
}
