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
	live_pin_status(l, out);
	str_add(out, ",\"proxies\":");
	proxies_json(&l->proxies, l->config->cluster.name,
	    state_generation(l->state), state_config(l->state), out);
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

/* Routes are told as proxies are served them: pinned ones while pinned. */
struct told {
	struct pinned_routing pinned;
	bool is_pinned;
	const struct routing *r;
};

static void
told_open(struct told *t, struct live *l)
{
	t->r = live_routing(l);
	t->is_pinned = live_pin_routing(l, &t->pinned);
	if (t->is_pinned)
		t->r = t->pinned.routing;
}

static void
told_close(struct told *t)
{
	if (t->is_pinned)
		pinned_routing_fini(&t->pinned);
}

static void
answer_report(struct live *l, const char *args, struct str *out)
{
	struct told t;
	size_t end;

	(void)args;
	told_open(&t, l);
	routing_report(out, t.r);
	told_close(&t);
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
	const struct routing *r;
	struct told t;
	bool any = false;
	size_t i, k, start;

	(void)args;
	told_open(&t, l);
	r = t.r;
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
	told_close(&t);
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

/* One routing's word on 'q', as an object with its text for people. */
static json_t *
explain_one(const struct cluster_config *c, const struct model *m,
    const struct routing *r, const char *q)
{
	STR_AUTO(object, ANSWER_MAX);
	STR_AUTO(text, ANSWER_MAX);
	json_t *j;

	(void)explain(&object, c, m, r, q, true);
	(void)explain(&text, c, m, r, q, false);
	while (text.len > 0 && text.p[text.len - 1] == '\n')
		str_trim(&text, text.len - 1);
	j = json_loadb(object.p, object.len, JSON_ALLOW_NUL, NULL);
	json_object_set_new(j, "text", json_string(text.p));
	return j;
}

static const char *
state_of(const json_t *j)
{
	const char *state = json_string_value(json_object_get(j, "state"));

	return state == NULL ? "unknown" : state;
}

static bool
same_words(const json_t *a, const json_t *b)
{
	const char *x = json_string_value(json_object_get(a, "text"));
	const char *y = json_string_value(json_object_get(b, "text"));

	return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/* 'now' is what is pinned, 'then' what is after the release; takes both. */
static json_t *
explain_pinned(const struct live *l, json_t *now, json_t *then)
{
	const char *name = l->config->cluster.name;
	unsigned long long g = l->pin.reg.generation;
	STR_AUTO(text, ANSWER_MAX);

	str_add(&text, json_string_value(json_object_get(now, "text")));
	if (!same_words(now, then)) {
		str_addf(&text,
		    "\n\nThe cluster is pinned to generation %llu; after "
		    "\"proxyctl rollback %s --release\":\n%s",
		    g, name, json_string_value(json_object_get(then, "text")));
		if (strcmp(state_of(now), "unknown") == 0) {
			/* It came after what is pinned. */
			json_object_update(now, then);
			json_object_set_new(
			    now, "state", json_string("not-routed"));
			json_object_set_new(now, "reason",
			    json_sprintf("the cluster is pinned to generation "
					 "%llu: %s after release",
				g,
				strcmp(state_of(then), "routed") == 0
				    ? "routed"
				    : "not routed either"));
			json_object_del(now, "routes");
			str_clear(&text);
			str_addf(&text,
			    "not routed: %s\n\nAfter \"proxyctl rollback %s "
			    "--release\":\n%s",
			    json_string_value(json_object_get(now, "reason")),
			    name,
			    json_string_value(json_object_get(then, "text")));
		}
		json_object_set(now, "after_release", then);
	}
	json_object_set_new(now, "pinned", json_integer((json_int_t)g));
	json_object_set_new(now, "text", json_string(text.p));
	json_decref(then);
	return now;
}

static void
answer_explain(struct live *l, const char *args, struct str *out)
{
	json_auto_t *j = json_loads(args, 0, NULL);
	const char *q = json_string_value(json_object_get(j, "q"));
	json_auto_t *a = NULL;
	struct told t;
	char *text;

	q = q == NULL ? "" : q;
	told_open(&t, l);
	a = explain_one(l->config, l->model, l->routing, q);
	if (t.is_pinned)
		a = explain_pinned(l,
		    explain_one(t.pinned.config, &t.pinned.view.model, t.r, q),
		    a);
	told_close(&t);
	text = json_dumps(a, JSON_COMPACT);
	str_add(out, text == NULL ? "{}" : text);
	str_addc(out, '\n');
	free(text);
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
	if (!live_pin_diff(l, out))
		state_diff(l->state, out);
}

static void
answer_proxies(struct live *l, const char *args, struct str *out)
{
	(void)args;
	str_add(out, "{\"proxies\":");
	proxies_json(&l->proxies, l->config->cluster.name,
	    state_generation(l->state), state_config(l->state), out);
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

static const char waiting[] =
    "{\"error\":\"this cluster has not heard the reader yet, or tries its "
    "services one by one: what there is is not known\"}\n";

/* Queries that can be refused for more than one reason. */
static bool
answer_pin(
    struct live *l, struct child_query *q, const char *what, const char *args)
{
	bool rollback = strcmp(what, "rollback") == 0;
	STR_AUTO(out, ANSWER_MAX);
	unsigned status;

	if (!rollback && strcmp(what, "history") != 0)
		return false;
	if (rollback && (!l->whole || l->careful.on)) {
		child_answer(q, 503, waiting, sizeof(waiting) - 1);
		return true;
	}
	status = rollback ? live_pin_rollback(l, args, &out)
			  : live_pin_history(l, &out);
	child_answer(q, status, out.p, out.len);
	return true;
}

void
live_answer(struct live *l, struct child_query *q, const char *what,
    const char *args, size_t args_len)
{
	static const char unknown[] = "{\"error\":\"no such query\"}\n";
	STR_AUTO(out, ANSWER_MAX);
	size_t i;

	(void)args_len;
	if (answer_pin(l, q, what, args))
		return;
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
