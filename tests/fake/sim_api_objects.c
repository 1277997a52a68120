/* /networks, /secrets, /configs and /nodes of the simulated Engine API. */
#include <ctype.h>

#include "sim_api.h"
#include "sim_events.h"
#include "sim_filter.h"
#include "sim_net.h"
#include "sim_node.h"
#include "sim_render.h"
#include "sim_spec.h"
#include "sim_store.h"
#include "sim_task.h"

static const char *const known_filters[] = { "id", "name", "names", "label",
	"driver", "scope", "type", "dangling", "role", "membership",
	"node.label", NULL };

static void
inspect(struct sim_call *c, enum sim_kind kind)
{
	struct sim_object *o = sim_api_find(c, kind);
	const char *json;

	if (o == NULL)
		return;
	json = sim_render(o);
	sim_api_json(c, 200, json, strlen(json));
}

static bool
wanted_network(const struct sim_object *o, const json_t *f)
{
	const struct sim_network *n =
	    (const struct sim_network *)(const void *)o;

	return sim_filter_prefix(f, "id", o->id) &&
	    sim_filter_part(f, "name", o->name) &&
	    sim_filter_any(f, "driver", n->driver) &&
	    sim_filter_any(f, "scope", n->swarm_scope ? "swarm" : "local") &&
	    sim_filter_labels(f, "label", n->labels);
}

void
sim_api_network_list(struct sim_call *c)
{
	sim_api_list(c, SIM_NETWORK, known_filters, wanted_network);
}

void
sim_api_network_inspect(struct sim_call *c)
{
	struct sim_object *o = sim_find(c->sim, SIM_NETWORK, c->id);

	if (o == NULL)
		sim_api_error(c, 404, "network %s not found", c->id);
	else
		sim_api_json(c, 200, sim_render(o), strlen(sim_render(o)));
}

static bool
is_network_name(const char *name)
{
	if (name == NULL || *name == '\0')
		return false;
	for (; *name != '\0'; name++) {
		if (isspace((unsigned char)*name))
			return false;
	}
	return true;
}

static struct sim_network *
network_new(const json_t *request)
{
	struct sim_network *n = xcalloc(1, sizeof(*n));
	const char *driver =
	    json_string_value(json_object_get(request, "Driver"));
	json_t *labels = json_object_get(request, "Labels");

	n->driver = xstrdup(driver != NULL ? driver : "bridge");
	n->swarm_scope = strcmp(n->driver, "overlay") == 0;
	n->internal = json_is_true(json_object_get(request, "Internal"));
	n->attachable = json_is_true(json_object_get(request, "Attachable"));
	n->ingress = json_is_true(json_object_get(request, "Ingress"));
	if (json_is_object(labels) && json_object_size(labels) > 0)
		n->labels = json_deep_copy(labels);
	return n;
}

struct sim_network *
sim_network_make(struct sim *s, const json_t *request, struct error *e)
{
	const char *name = json_string_value(json_object_get(request, "Name"));
	const char *subnet;
	struct sim_network *n;
	struct sim_object *old;

	if (!is_network_name(name)) {
		(void)error_set(
		    e, 500, "invalid name: %s", name != NULL ? name : "");
		return NULL;
	}
	old = sim_find(s, SIM_NETWORK, name);
	if (old != NULL && strcmp(old->name, name) == 0) {
		(void)error_set(
		    e, 409, "network with name %s already exists", name);
		return NULL;
	}
	n = network_new(request);
	subnet = json_string_value(json_object_get(
	    json_array_get(
		json_object_get(json_object_get(request, "IPAM"), "Config"), 0),
	    "Subnet"));
	if ((subnet != NULL &&
		sim_net_parse(subnet, &n->subnet, &n->prefix, e) != 0) ||
	    (n->swarm_scope && sim_net_subnet(s, n, e) != 0)) {
		e->code = 400;
		sim_network_free(n);
		return NULL;
	}
	n->own_subnet = subnet != NULL;
	n->vxlan = s->next_vxlan++;
	sim_store_add(s, &n->o, SIM_NETWORK, xstrdup(name));
	if (n->swarm_scope) {
		sim_events_tell(s, &n->o, "create", "");
		sim_store_touch(s, &n->o);
		sim_events_tell(s, &n->o, "update", "");
	}
	return n;
}

void
sim_api_network_create(struct sim_call *c)
{
	json_t *body = sim_api_body(c);
	struct sim_network *n;
	struct error e;

	if (body == NULL)
		return;
	n = sim_network_make(c->sim, body, &e);
	if (n == NULL)
		sim_api_error(c, e.code, "%s", e.msg);
	else
		sim_api_created(c, "Id", n->o.id);
}

/* Answers and true when a service or a task still uses the network. */
static bool
network_in_use(struct sim_call *c, struct sim_network *n)
{
	struct sim_network *used;
	struct sim_service *v;
	struct sim_task *t;

	SIM_FOR_EACH(c->sim, SIM_SERVICE, struct sim_service, v)
	{
		for (size_t i = 0;
		     (used = sim_spec_network(c->sim, v, i)) != NULL; i++) {
			if (used != n)
				continue;
			sim_api_error(c, 400,
			    "rpc error: code = FailedPrecondition desc = "
			    "network %s is in use by service %s",
			    n->o.id, v->o.id);
			return true;
		}
	}
	SIM_FOR_EACH(c->sim, SIM_TASK, struct sim_task, t)
	{
		for (size_t i = 0; i < t->addresses.len; i++) {
			if (t->addresses.at[i].network != n ||
			    sim_task_is_dead(t))
				continue;
			sim_api_error(c, 400,
			    "rpc error: code = FailedPrecondition desc = "
			    "network %s is in use by task %s",
			    n->o.id, t->o.id);
			return true;
		}
	}
	return false;
}

void
sim_api_network_remove(struct sim_call *c)
{
	struct sim_object *o = sim_find(c->sim, SIM_NETWORK, c->id);
	struct sim_network *n = (struct sim_network *)(void *)o;

	if (o == NULL) {
		sim_api_error(c, 404, "network %s not found", c->id);
		return;
	}
	if (!n->swarm_scope &&
	    (strcmp(o->name, "bridge") == 0 || strcmp(o->name, "host") == 0 ||
		strcmp(o->name, "none") == 0)) {
		sim_api_error(c, 403,
		    "%s is a pre-defined network and cannot be removed",
		    o->name);
		return;
	}
	if (network_in_use(c, n))
		return;
	sim_task_forget_network(c->sim, n);
	if (n->swarm_scope)
		sim_events_tell(c->sim, o, "remove", "");
	sim_store_remove(c->sim, o);
	sim_network_free(n);
	sim_api_empty(c, 204);
}

static bool
wanted_blob(const struct sim_object *o, const json_t *f)
{
	const struct sim_blob *b = (const struct sim_blob *)(const void *)o;

	return sim_filter_prefix(f, "id", o->id) &&
	    sim_filter_part(f, "name", o->name) &&
	    sim_filter_any(f, "names", o->name) &&
	    sim_filter_labels(f, "label", json_object_get(b->spec, "Labels"));
}

struct sim_blob *
sim_blob_make(
    struct sim *s, enum sim_kind kind, const json_t *request, struct error *e)
{
	const char *name = json_string_value(json_object_get(request, "Name"));
	json_t *labels = json_object_get(request, "Labels");
	json_t *data = json_object_get(request, "Data");
	struct sim_blob *b;

	if (name == NULL || *name == '\0' || strlen(name) > 64) {
		(void)error_set(e, 400,
		    "rpc error: code = InvalidArgument desc = invalid name, "
		    "only 64 [a-zA-Z0-9-_.] characters allowed, and the start "
		    "and end character must be [a-zA-Z0-9]");
		return NULL;
	}
	if (map_get(&s->by_name[kind], name) != NULL) {
		(void)error_set(e, 409,
		    "rpc error: code = AlreadyExists desc = %s %s already "
		    "exists",
		    sim_kind_names[kind], name);
		return NULL;
	}
	b = xcalloc(1, sizeof(*b));
	b->spec = json_pack("{s:s,s:o}", "Name", name, "Labels",
	    json_is_object(labels) ? json_deep_copy(labels) : json_object());
	if (kind == SIM_CONFIG)
		(void)json_object_set_new(b->spec, "Data",
		    json_is_string(data) ? json_deep_copy(data)
					 : json_string(""));
	sim_store_add(s, &b->o, kind, xstrdup(name));
	sim_events_tell(s, &b->o, "create", "");
	return b;
}

static void
blob_create(struct sim_call *c, enum sim_kind kind)
{
	json_t *body = sim_api_body(c);
	struct sim_blob *b;
	struct error e;

	if (body == NULL)
		return;
	b = sim_blob_make(c->sim, kind, body, &e);
	if (b == NULL)
		sim_api_error(c, e.code, "%s", e.msg);
	else
		sim_api_created(c, "ID", b->o.id);
}

/* Only labels may change. */
static void
blob_update(struct sim_call *c, enum sim_kind kind)
{
	json_t *body = sim_api_body(c), *labels;
	struct sim_object *o = body != NULL ? sim_api_find(c, kind) : NULL;
	struct sim_blob *b = (struct sim_blob *)(void *)o;

	if (o == NULL || !sim_api_version_is(c, o))
		return;
	labels = json_object_get(body, "Labels");
	(void)json_object_set_new(b->spec, "Labels",
	    json_is_object(labels) ? json_deep_copy(labels) : json_object());
	sim_store_touch(c->sim, o);
	sim_events_tell(c->sim, o, "update", "");
	sim_api_empty(c, 200);
}

static void
blob_remove(struct sim_call *c, enum sim_kind kind)
{
	struct sim_object *o = sim_api_find(c, kind);
	const char *list = kind == SIM_SECRET ? "Secrets" : "Configs";
	const char *member = kind == SIM_SECRET ? "SecretID" : "ConfigID";
	struct sim_service *v;

	if (o == NULL)
		return;
	SIM_FOR_EACH(c->sim, SIM_SERVICE, struct sim_service, v)
	{
		json_t *template = json_object_get(v->spec, "TaskTemplate");
		json_t *uses, *item;
		size_t i;

		uses = json_object_get(
		    json_object_get(template, "ContainerSpec"), list);
		json_array_foreach(uses, i, item)
		{
			const char *id =
			    json_string_value(json_object_get(item, member));

			if (id == NULL || strcmp(id, o->id) != 0)
				continue;
			sim_api_error(c, 400,
			    "rpc error: code = InvalidArgument desc = %s '%s' "
			    "is in use by the following service: %s",
			    sim_kind_names[kind], o->name, v->o.name);
			return;
		}
	}
	sim_events_tell(c->sim, o, "remove", "");
	sim_store_remove(c->sim, o);
	sim_blob_free((struct sim_blob *)(void *)o);
	sim_api_empty(c, 204);
}

#define BLOB(name, kind)                                                       \
	void sim_api_##name##_list(struct sim_call *c)                         \
	{                                                                      \
		sim_api_list(c, kind, known_filters, wanted_blob);             \
	}                                                                      \
	void sim_api_##name##_inspect(struct sim_call *c)                      \
	{                                                                      \
		inspect(c, kind);                                              \
	}                                                                      \
	void sim_api_##name##_create(struct sim_call *c)                       \
	{                                                                      \
		blob_create(c, kind);                                          \
	}                                                                      \
	void sim_api_##name##_update(struct sim_call *c)                       \
	{                                                                      \
		blob_update(c, kind);                                          \
	}                                                                      \
	void sim_api_##name##_remove(struct sim_call *c)                       \
	{                                                                      \
		blob_remove(c, kind);                                          \
	}

BLOB(secret, SIM_SECRET)
BLOB(config, SIM_CONFIG)

static bool
wanted_node(const struct sim_object *o, const json_t *f)
{
	const struct sim_node *n = (const struct sim_node *)(const void *)o;

	return sim_filter_prefix(f, "id", o->id) &&
	    sim_filter_prefix(f, "name", o->name) &&
	    sim_filter_any(f, "role", n->manager ? "manager" : "worker") &&
	    sim_filter_labels(f, "node.label", n->labels);
}

void
sim_api_node_list(struct sim_call *c)
{
	sim_api_list(c, SIM_NODE, known_filters, wanted_node);
}

void
sim_api_node_inspect(struct sim_call *c)
{
	inspect(c, SIM_NODE);
}

void
sim_api_node_update(struct sim_call *c)
{
	static const char *const words[] = { "active", "pause", "drain" };
	json_t *body = sim_api_body(c), *labels;
	struct sim_object *o = body != NULL ? sim_api_find(c, SIM_NODE) : NULL;
	struct sim_node *n = (struct sim_node *)(void *)o;
	const char *word;

	if (o == NULL || !sim_api_version_is(c, o))
		return;
	word = json_string_value(json_object_get(body, "Availability"));
	for (size_t i = 0; word != NULL && i < countof(words); i++) {
		if (strcmp(word, words[i]) == 0)
			n->availability = words[i];
	}
	labels = json_object_get(body, "Labels");
	json_decref(n->labels);
	n->labels =
	    json_is_object(labels) ? json_deep_copy(labels) : json_object();
	sim_store_touch(c->sim, o);
	sim_events_tell(c->sim, o, "update", "");
	sim_node_changed(c->sim, n);
	sim_api_empty(c, 200);
}
