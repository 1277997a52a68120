/* What the live extension tells: status, events, answers to queries. */
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "explain.h"
#include "live_object.h"

#define ANSWER_MAX (256U * 1024 * 1024)

/* ---- status ---- */

static void
add_codes(struct str *out, const struct routing *r)
{
	size_t counts[REJECT_IGNORED + 1] = { 0 }, i;
	bool any = false;

	for (i = 0; r != NULL && i < r->rejected.len; i++)
		counts[r->rejected.at[i].finding.code]++;
	str_addc(out, '{');
	for (i = 0; i < countof(counts); i++) {
		if (counts[i] == 0)
			continue;
		str_addf(out, "%s\"%s\":%zu", any ? "," : "",
		    reject_code_name((enum reject_code)i), counts[i]);
		any = true;
	}
	str_addc(out, '}');
}

static void
add_histograms(
    struct str *out, const struct live *l, const char *key, bool convergence)
{
	static const char *const paths[] = { "endpoints", "structure" };
	size_t i;

	str_addf(out, ",\"%s\":{", key);
	for (i = 0; i < countof(paths); i++) {
		str_addf(out, "%s\"%s\":", i == 0 ? "" : ",", paths[i]);
		histogram_json(convergence ? &l->figures[i].convergence
					   : &l->figures[i].apply,
		    out);
	}
	str_addc(out, '}');
}

void
live_status(struct live *l, struct str *out)
{
	const struct routing *r = l->routing;
	size_t rejected = r == NULL ? 0 : r->rejected.len;

	str_addf(out,
	    "{\"type\":\"status\",\"cluster\":\"%s\",\"state\":\"%s\","
	    "\"reader_heard\":%s,\"generation\":%llu,\"services\":%zu,"
	    "\"rejected\":%zu,\"routes\":%zu,\"bus_messages\":%llu,"
	    "\"reloads\":%llu,\"converged\":%llu,\"rejected_codes\":",
	    l->config->cluster.name, l->whole ? "ready" : "waiting",
	    l->heard ? "true" : "false",
	    (unsigned long long)state_generation(l->state),
	    r == NULL ? 0 : r->accepted.len + rejected, rejected,
	    r == NULL ? 0 : r->routes.len,
	    (unsigned long long)subscriber_received(l->subscriber),
	    (unsigned long long)proxies_reloads(&l->proxies),
	    (unsigned long long)l->converged);
	add_codes(out, r);
	str_add(out, ",\"proxies\":");
	proxies_json(&l->proxies, l->config->cluster.name,
	    state_generation(l->state), out);
	add_histograms(out, l, "apply_seconds", false);
	add_histograms(out, l, "convergence_seconds", true);
	str_addc(out, '}');
}

void
live_event(struct live *l, const char *kind, const char *fmt, ...)
{
	STR_AUTO(text, 65536);
	STR_AUTO(line, 262144);
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;
	char stamp[32] = "";
	va_list ap;

	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	str_addf(&line,
	    "{\"type\":\"event\",\"event\":{\"time\":\"%s\",\"cluster\":\"%s\","
	    "\"kind\":\"%s\",\"text\":",
	    stamp, l->config->cluster.name, kind);
	str_add_json(&line, text.p, text.len);
	str_add(&line, "}}");
	if (!line.overflow)
		child_push(l->link, line.p, line.len);
}

/* ---- queries ---- */

static void
answer_report(struct live *l, const char *args, struct str *out)
{
	const struct routing *r = live_routing(l);
	size_t end;

	(void)args;
	routing_report(out, r);
	/* report.json is one object: the generation goes in at its end. */
	for (end = out->len; end > 0 && out->p[end - 1] != '}'; end--)
		;
	str_trim(out, end - 1);
	str_addf(out, ",\"generation\":%llu}\n",
	    (unsigned long long)state_generation(l->state));
}

static void
answer_routes(struct live *l, const char *args, struct str *out)
{
	const struct routing *r = live_routing(l);
	bool any = false;
	size_t i, k, start;

	(void)args;
	str_add(out, "{\"routes\":[");
	for (i = 0; i < r->routes.len; i++) {
		const struct route *route = &r->routes.at[i];

		for (k = 0; k < route->members.len; k++) {
			const struct pool_member *m = &route->members.at[k];

			str_add(out, any ? ",\n" : "\n");
			any = true;
			start = out->len;
			routing_report_route(out, route, m);
			/* {"host":... becomes {"cluster":...,"host":... */
			must(out->overflow || out->p[start] == '{');
			str_trim(out, out->len - 1);
			str_addf(out,
			    ",\"cluster\":\"%s\",\"service\":", r->cluster);
			str_add_json(out, m->service->service->name,
			    strlen(m->service->service->name));
			str_addc(out, '}');
		}
	}
	str_add(out, "]}\n");
}

static void
add_finding(struct str *out, const struct finding *f)
{
	str_add_member(out, "code", reject_code_name(f->code));
	str_add_member(out, "label", f->label);
	if (f->offset >= 0)
		str_addf(out, ",\"offset\":%lld", (long long)f->offset);
	else
		str_add(out, ",\"offset\":null");
	str_add_member(out, "reason", f->reason);
	if (f->owner != NULL)
		str_add_member(out, "owner", f->owner);
}

static void
answer_services(struct live *l, const char *args, struct str *out)
{
	const struct routing *r = live_routing(l);
	bool any = false;
	size_t i;

	(void)args;
	str_add(out, "{\"services\":[");
	for (i = 0; i < r->accepted.len; i++) {
		const struct accepted *a = r->accepted.at[i];

		str_addf(
		    out, "%s\n{\"cluster\":\"%s\"", any ? "," : "", r->cluster);
		any = true;
		str_add_member(out, "service", a->service->name);
		str_add_member(out, "service_id", a->service->id);
		str_addf(out,
		    ",\"state\":\"accepted\",\"code\":null,\"label\":null,"
		    "\"reason\":null,\"upstreams\":%zu,\"remarks\":%zu}",
		    a->upstreams.len, a->remarks.list.len);
	}
	for (i = 0; i < r->rejected.len; i++) {
		const struct rejected *x = &r->rejected.at[i];

		str_addf(
		    out, "%s\n{\"cluster\":\"%s\"", any ? "," : "", r->cluster);
		any = true;
		str_add_member(out, "service", x->service);
		str_add_member(out, "service_id", x->service_id);
		str_add(out, ",\"state\":\"rejected\"");
		add_finding(out, &x->finding);
		str_addc(out, '}');
	}
	str_add(out, "]}\n");
}

static void
answer_explain(struct live *l, const char *args, struct str *out)
{
	json_auto_t *j = json_loads(args, 0, NULL);
	const char *q = json_string_value(json_object_get(j, "q"));
	STR_AUTO(text, ANSWER_MAX);
	size_t end;

	q = q == NULL ? "" : q;
	(void)explain(out, l->config, l->model, live_routing(l), q, true);
	(void)explain(&text, l->config, l->model, l->routing, q, false);
	for (end = out->len; end > 0 && out->p[end - 1] != '}'; end--)
		;
	str_trim(out, end == 0 ? 0 : end - 1);
	while (text.len > 0 && text.p[text.len - 1] == '\n')
		str_trim(&text, text.len - 1);
	str_add_member(out, "text", text.p);
	str_add(out, "}\n");
}

static void
answer_config(struct live *l, const char *args, struct str *out)
{
	(void)args;
	state_files(l->state, out);
}

static void
answer_diff(struct live *l, const char *args, struct str *out)
{
	(void)args;
	state_diff(l->state, out);
}

static void
answer_proxies(struct live *l, const char *args, struct str *out)
{
	(void)args;
	str_add(out, "{\"proxies\":");
	proxies_json(&l->proxies, l->config->cluster.name,
	    state_generation(l->state), out);
	str_add(out, "}\n");
}

static const struct {
	const char *what;
	bool needs_model;
	void (*answer)(struct live *l, const char *args, struct str *out);
} queries[] = {
	{ "report", true, answer_report },
	{ "routes", true, answer_routes },
	{ "services", true, answer_services },
	{ "explain", true, answer_explain },
	{ "config", false, answer_config },
	{ "diff", false, answer_diff },
	{ "proxies", false, answer_proxies },
};

void
live_answer(struct live *l, struct child_query *q, const char *what,
    const char *args, size_t args_len)
{
	static const char waiting[] =
	    "{\"error\":\"this cluster has not heard the reader yet, or tries "
	    "its services one by one: what there is is not known\"}\n";
	static const char unknown[] = "{\"error\":\"no such query\"}\n";
	STR_AUTO(out, ANSWER_MAX);
	size_t i;

	(void)args_len;
	for (i = 0; i < countof(queries); i++) {
		if (strcmp(queries[i].what, what) == 0)
			break;
	}
	if (i == countof(queries)) {
		child_answer(q, 404, unknown, sizeof(unknown) - 1);
		return;
	}
	if (queries[i].needs_model && (!l->whole || l->careful.on)) {
		child_answer(q, 503, waiting, sizeof(waiting) - 1);
		return;
	}
	worknote_begin(l->note);
	queries[i].answer(l, args, &out);
	worknote_end(l->note);
	child_answer(q, 200, out.p, out.len);
}
