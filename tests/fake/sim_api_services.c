/* /services and /tasks of the simulated Engine API. */
#include <errno.h>

#include "sim_api.h"
#include "sim_check.h"
#include "sim_events.h"
#include "sim_filter.h"
#include "sim_orch.h"
#include "sim_render.h"
#include "sim_spec.h"
#include "sim_store.h"
#include "sim_task.h"
#include "sim_update.h"
#include "sim_vip.h"

static struct sim_service *
service_of(const struct sim_object *o)
{
	return (struct sim_service *)(void *)o;
}

static bool
wanted_service(const struct sim_object *o, const json_t *f)
{
	const struct sim_service *v = service_of(o);
	const char *mode = v->mode == SERVICE_GLOBAL ? "global" : "replicated";

	return sim_filter_prefix(f, "id", o->id) &&
	    sim_filter_prefix(f, "name", o->name) &&
	    sim_filter_any(f, "mode", mode) &&
	    sim_filter_labels(f, "label", json_object_get(v->spec, "Labels"));
}

void
sim_api_service_list(struct sim_call *c)
{
	static const char *const known[] = { "id", "name", "label", "mode",
		"runtime", NULL };

	sim_api_list(c, SIM_SERVICE, known, wanted_service);
}

void
sim_api_service_inspect(struct sim_call *c)
{
	struct sim_object *o = sim_api_find(c, SIM_SERVICE);
	const char *json;

	if (o == NULL)
		return;
	json = sim_render(o);
	sim_api_json(c, 200, json, strlen(json));
}

/* What a new spec sets going; the version has been counted already. */
static void
spec_in_force(struct sim_service *v, bool rollback)
{
	if (sim_spec_allocate(v->sim, v)) {
		sim_store_touch(v->sim, &v->o);
		sim_events_tell(v->sim, &v->o, "update", "");
	}
	sim_update_start(v, rollback ? SIM_ROLLBACK_BY_HAND : SIM_FORWARD);
	sim_orch_reconcile(v);
	sim_vip_refresh(v);
}

struct sim_service *
sim_service_make(struct sim *s, const json_t *request, struct error *e)
{
	json_t *spec = sim_spec_normalize(s, request, e);
	struct sim_service *v;
	const char *name;

	if (spec == NULL)
		return NULL;
	if (sim_check_spec(s, NULL, spec, e) != 0) {
		json_decref(spec);
		return NULL;
	}
	name = json_string_value(json_object_get(spec, "Name"));
	if (map_get(&s->by_name[SIM_SERVICE], name) != NULL) {
		(void)error_set(e, 409,
		    "rpc error: code = AlreadyExists desc = name conflicts "
		    "with an existing object: service %s already exists",
		    name);
		json_decref(spec);
		return NULL;
	}
	v = xcalloc(1, sizeof(*v));
	v->sim = s;
	v->spec = spec;
	sim_store_add(s, &v->o, SIM_SERVICE, xstrdup(name));
	sim_spec_apply(v);
	sim_events_tell(s, &v->o, "create", "");
	spec_in_force(v, false);
	return v;
}

void
sim_api_service_create(struct sim_call *c)
{
	json_t *body = sim_api_body(c);
	struct sim_service *v;
	struct error e;

	if (body == NULL)
		return;
	v = sim_service_make(c->sim, body, &e);
	if (v == NULL)
		sim_api_error(c, e.code, "%s", e.msg);
	else
		sim_api_created(c, "ID", v->o.id);
}

static void
add_rollback_states(struct str *more, struct sim_service *v, bool rollback)
{
	const char *old =
	    json_string_value(json_object_get(v->status, "State"));

	if (!rollback)
		return;
	str_add(more, ",\"updatestate.new\":\"rollback_started\"");
	if (old != NULL)
		str_addf(more, ",\"updatestate.old\":\"%s\"", old);
}

void
sim_service_put_spec(struct sim_service *v, json_t *spec, bool rollback)
{
	uint64_t old = v->replicas;
	bool was_replicated = v->mode == SERVICE_REPLICATED;
	STR_AUTO(more, 256);

	json_decref(v->previous);
	v->previous = v->spec;
	v->spec = spec;
	add_rollback_states(&more, v, rollback);
	json_decref(v->status);
	v->status = rollback ? sim_update_by_hand_status(v) : NULL;
	sim_spec_apply(v);
	sim_store_touch(v->sim, &v->o);
	if (was_replicated && v->mode == SERVICE_REPLICATED &&
	    v->replicas != old)
		str_addf(&more,
		    ",\"replicas.new\":\"%llu\",\"replicas.old\":\"%llu\"",
		    (unsigned long long)v->replicas, (unsigned long long)old);
	sim_events_tell(v->sim, &v->o, "update", more.p);
	spec_in_force(v, rollback);
}

/* The same "Mode" kind, by its only member. */
static bool
same_mode(const json_t *a, const json_t *b)
{
	static const char *const kinds[] = { "Replicated", "Global",
		"ReplicatedJob", "GlobalJob" };

	for (size_t i = 0; i < countof(kinds); i++) {
		if ((json_object_get(a, kinds[i]) == NULL) !=
		    (json_object_get(b, kinds[i]) == NULL))
			return false;
	}
	return true;
}

void
sim_api_service_update(struct sim_call *c)
{
	json_t *body = sim_api_body(c), *spec;
	const char *rollback = sim_api_query(c, "rollback");
	bool by_hand = rollback != NULL && strcmp(rollback, "previous") == 0;
	struct sim_object *o;
	struct sim_service *v;
	struct error e;

	if (body == NULL)
		return;
	o = sim_find(c->sim, SIM_SERVICE, c->id);
	if (o == NULL) {
		sim_api_error(c, 404, "service %s not found", c->id);
		return;
	}
	v = service_of(o);
	if (by_hand && v->previous == NULL) {
		sim_api_error(c, 400,
		    "rpc error: code = FailedPrecondition desc = service %s "
		    "does not have a previous spec",
		    c->id);
		return;
	}
	if (by_hand)
		body = v->previous;
	spec = sim_spec_normalize(c->sim, body, &e);
	if (spec == NULL) {
		sim_api_error(c, e.code, "%s", e.msg);
		return;
	}
	if (sim_check_spec(c->sim, v, spec, &e) != 0) {
		sim_api_error(c, e.code, "%s", e.msg);
		json_decref(spec);
		return;
	}
	if (!sim_api_version_is(c, o)) {
		json_decref(spec);
		return;
	}
	if (strcmp(json_string_value(json_object_get(spec, "Name")), o->name) !=
	    0)
		sim_api_error(c, 501,
		    "rpc error: code = Unimplemented desc = renaming services "
		    "is not supported");
	else if (!same_mode(json_object_get(spec, "Mode"),
		     json_object_get(v->spec, "Mode")))
		sim_api_error(c, 501,
		    "rpc error: code = Unimplemented desc = service mode "
		    "change is not allowed");
	else {
		sim_service_put_spec(v, spec, by_hand);
		sim_api_json(c, 200, "{\"Warnings\":null}\n", 18);
		return;
	}
	json_decref(spec);
}

void
sim_api_service_remove(struct sim_call *c)
{
	struct sim_object *o = sim_api_find(c, SIM_SERVICE);

	if (o == NULL)
		return;
	sim_events_tell(c->sim, o, "remove", "");
	sim_orch_remove_service(service_of(o));
	sim_api_empty(c, 200);
}

/* "desired-state" knows three words; each covers its neighbours. */
static bool
wanted_desired(const struct sim_task *t, const json_t *f)
{
	const char *word;

	if (!sim_filter_has(f, "desired-state"))
		return true;
	word = t->desired == TASK_RUNNING ? "running"
	    : t->desired > TASK_RUNNING	  ? "shutdown"
					  : "accepted";
	return sim_filter_any(f, "desired-state", word);
}

static bool
wanted_task(const struct sim_object *o, const json_t *f)
{
	const struct sim_task *t = (const struct sim_task *)(const void *)o;

	return sim_filter_prefix(f, "id", o->id) &&
	    sim_filter_prefix(f, "name", o->name) &&
	    (sim_filter_any(f, "service", t->service_id) ||
		sim_filter_any(f, "service", t->service_name)) &&
	    sim_filter_any(f, "node", t->node != NULL ? t->node->o.id : "") &&
	    wanted_desired(t, f) &&
	    (!sim_filter_has(f, "label") || t->service == NULL ||
		sim_filter_labels(
		    f, "label", json_object_get(t->service->spec, "Labels")));
}

/*
 * The engine looks services and nodes up before it lists; names become IDs.
 * False when it answered.
 */
static bool
check_task_filters(struct sim_call *c, json_t *f)
{
	static const struct {
		const char *key;
		enum sim_kind kind;
	} looked_up[] = { { "service", SIM_SERVICE }, { "node", SIM_NODE } };
	const char *text;

	for (size_t k = 0; k < countof(looked_up); k++) {
		for (size_t i = 0;
		     (text = sim_filter_value(f, looked_up[k].key, i)) != NULL;
		     i++) {
			if (sim_find(c->sim, looked_up[k].kind, text) != NULL)
				continue;
			sim_api_error(
			    c, 404, "%s %s not found", looked_up[k].key, text);
			return false;
		}
	}
	for (size_t i = 0;
	     (text = sim_filter_value(f, "desired-state", i)) != NULL; i++) {
		if (strcmp(text, "running") != 0 &&
		    strcmp(text, "shutdown") != 0 &&
		    strcmp(text, "accepted") != 0) {
			sim_api_error(
			    c, 500, "Invalid desired-state filter: '%s'", text);
			return false;
		}
	}
	return true;
}

void
sim_api_task_list(struct sim_call *c)
{
	static const char *const known[] = { "id", "name", "label", "service",
		"node", "desired-state", "_up-to-date", "runtime", NULL };
	json_t *filters = NULL;

	if (sim_filter_parse(
		sim_api_query(c, "filters"), known, &filters, NULL) == 0 &&
	    !check_task_filters(c, filters)) {
		json_decref(filters);
		return;
	}
	json_decref(filters);
	sim_api_list(c, SIM_TASK, known, wanted_task);
}

void
sim_api_task_inspect(struct sim_call *c)
{
	struct sim_object *o = sim_api_find(c, SIM_TASK);
	const char *json;

	if (o == NULL)
		return;
	json = sim_render(o);
	sim_api_json(c, 200, json, strlen(json));
}
