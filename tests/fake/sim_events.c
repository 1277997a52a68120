/* The event stream of the simulated engine; see sim_events.h. */
#include "sim_events.h"

#include <errno.h>

#include "base/log.h"
#include "sim_filter.h"
#include "sim_store.h"

#define RING 256 /* as the engine keeps */

struct event {
	char *type;
	char *action;
	char *id;
	char *name;
	char *line;
	int64_t ns;
};

struct client {
	struct sim *sim;
	struct sim_http_request *req;
	json_t *filters; /* or NULL */
};

struct sim_events {
	struct event ring[RING];
	size_t count; /* ever told */
	VEC(struct client *) clients;
	bool paused;
};

void
sim_events_init(struct sim *s)
{
	s->events = xcalloc(1, sizeof(*s->events));
}

static void
event_fini(struct event *e)
{
	free(e->type);
	free(e->action);
	free(e->id);
	free(e->name);
	free(e->line);
}

static void
client_free(struct client *c)
{
	struct sim_events *ev = c->sim->events;

	for (size_t i = 0; i < ev->clients.len; i++) {
		if (ev->clients.at[i] == c) {
			vec_remove(&ev->clients, i);
			break;
		}
	}
	json_decref(c->filters);
	free(c);
}

void
sim_events_cut(struct sim *s)
{
	while (s->events->clients.len > 0) {
		struct client *c = s->events->clients.at[0];

		sim_http_drop(c->req);
		client_free(c);
	}
}

void
sim_events_fini(struct sim *s)
{
	sim_events_cut(s);
	for (size_t i = 0; i < RING; i++)
		event_fini(&s->events->ring[i]);
	vec_fini(&s->events->clients);
	free(s->events);
	s->events = NULL;
}

void
sim_events_pause(struct sim *s, bool paused)
{
	s->events->paused = paused;
}

void
sim_events_emit(struct sim *s, const char *bytes, size_t len)
{
	for (size_t i = s->events->clients.len; i-- > 0;)
		sim_http_chunk(s->events->clients.at[i]->req, bytes, len);
}

size_t
sim_events_clients(const struct sim *s)
{
	return s->events->clients.len;
}

static bool
client_wants(const struct client *c, const struct event *e)
{
	const json_t *f = c->filters;

	return sim_filter_any(f, "scope", "swarm") &&
	    sim_filter_any(f, "type", e->type) &&
	    sim_filter_any(f, "event", e->action) &&
	    (!sim_filter_has(f, e->type) || sim_filter_any(f, e->type, e->id) ||
		sim_filter_any(f, e->type, e->name));
}

void
sim_events_tell(struct sim *s, const struct sim_object *o, const char *action,
    const char *more)
{
	struct sim_events *ev = s->events;
	struct event *e = &ev->ring[ev->count++ % RING];
	bool created = strcmp(action, "create") == 0;
	struct str line;

	event_fini(e);
	e->ns = strcmp(action, "remove") == 0 ? sim_now(s)
	    : created			      ? o->created_ns
					      : o->updated_ns;
	e->type = xstrdup(sim_kind_names[o->kind]);
	e->action = xstrdup(action);
	e->id = xstrdup(o->id);
	e->name = xstrdup(o->name);
	str_init(&line, SIM_TEXT_MAX);
	str_addf(&line,
	    "{\"Type\":\"%s\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\","
	    "\"Attributes\":{\"name\":",
	    e->type, action, o->id);
	str_add_json(&line, o->name, strlen(o->name));
	str_addf(&line,
	    "%s}},\"scope\":\"swarm\",\"time\":%lld,\"timeNano\":%lld}\n", more,
	    (long long)(e->ns / 1000000000), (long long)e->ns);
	e->line = str_take(&line);
	log_info("%s %s %s%s", e->type, e->name, action, more);
	if (ev->paused)
		return;
	for (size_t i = ev->clients.len; i-- > 0;) {
		struct client *c = ev->clients.at[i];

		if (client_wants(c, e))
			sim_http_chunk(c->req, e->line, strlen(e->line));
	}
}

static void
on_gone(struct sim_http_request *req)
{
	client_free(req->data);
}

int
sim_events_serve(struct sim *s, struct sim_http_request *req,
    const char *filters, const char *since, struct error *e)
{
	static const char *const known[] = { "scope", "type", "event",
		"service", "network", "node", "secret", "config", "container",
		"image", "volume", "label", "daemon", "plugin", NULL };
	struct sim_events *ev = s->events;
	json_t *wanted = NULL;
	struct client *c;
	double from = since != NULL ? strtod(since, NULL) : 0;

	if (sim_filter_parse(filters, known, &wanted, e) != 0)
		return -1;
	c = xcalloc(1, sizeof(*c));
	c->sim = s;
	c->req = req;
	c->filters = wanted;
	vec_push(&ev->clients, c);
	req->data = c;
	req->on_gone = on_gone;
	sim_http_stream(req, "application/json");
	for (size_t i = ev->count > RING ? ev->count - RING : 0;
	     since != NULL && i < ev->count; i++) {
		const struct event *old = &ev->ring[i % RING];

		if ((double)old->ns / 1e9 >= from && client_wants(c, old))
			sim_http_chunk(req, old->line, strlen(old->line));
	}
	return 0;
}
