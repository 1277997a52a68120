/* Service specs of the simulated Swarm; see sim_spec.h. */
#include "sim_spec.h"

#include <ctype.h>
#include <errno.h>

#include "sim_net.h"
#include "sim_store.h"

/* SwarmKit: ^[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*$, at most 63. */
static bool
is_dns_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 63 || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[len - 1]))
		return false;
	for (const char *c = name; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return false;
	}
	return true;
}

static json_t *
fail(struct error *e, int status, const char *message)
{
	(void)error_set(e, status, "%s", message);
	return NULL;
}

/* Copies member 'key' if it is there. */
static void
copy(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (value != NULL && !json_is_null(value))
		(void)json_object_set_new(to, key, json_deep_copy(value));
}

/* The networks of a spec with IDs as targets. */
static json_t *
normalize_networks(struct sim *s, const json_t *given, struct error *e)
{
	json_t *out = json_array(), *item, *entry;
	struct sim_object *n;
	const char *target;
	size_t i;

	json_array_foreach(given, i, item)
	{
		target = json_string_value(json_object_get(item, "Target"));
		n = target == NULL ? NULL : sim_find(s, SIM_NETWORK, target);
		if (n == NULL) {
			json_decref(out);
			(void)error_set(e, 500, "network %s not found",
			    target == NULL ? "" : target);
			return NULL;
		}
		entry = json_deep_copy(item);
		(void)json_object_set_new(entry, "Target", json_string(n->id));
		(void)json_array_append_new(out, entry);
	}
	return out;
}

static json_t *
normalize_template(struct sim *s, const json_t *spec, struct error *e)
{
	static const char *const before[] = { "Resources", "RestartPolicy",
		"Placement" };
	const json_t *given = json_object_get(spec, "TaskTemplate"), *networks;
	json_t *container = json_object_get(given, "ContainerSpec"), *out,
	       *list, *policy;
	const char *image;

	if (!json_is_object(container))
		return fail(e, 400, "mismatched Runtime and *Spec fields");
	image = json_string_value(json_object_get(container, "Image"));
	if (image == NULL || *image == '\0')
		return fail(e, 400,
		    "rpc error: code = InvalidArgument desc = ContainerSpec: "
		    "image reference must be provided");
	networks = json_object_get(given, "Networks");
	if (json_array_size(networks) == 0)
		networks = json_object_get(spec, "Networks");
	list = normalize_networks(s, networks, e);
	if (list == NULL)
		return NULL;
	out = json_object();
	container = json_deep_copy(container);
	if (json_object_get(container, "Isolation") == NULL)
		(void)json_object_set_new(
		    container, "Isolation", json_string("default"));
	(void)json_object_set_new(out, "ContainerSpec", container);
	for (size_t i = 0; i < countof(before); i++)
		copy(out, given, before[i]);
	if (json_array_size(list) > 0)
		(void)json_object_set_new(out, "Networks", list);
	else
		json_decref(list);
	copy(out, given, "LogDriver");
	policy = json_object_get(out, "RestartPolicy");
	if (policy != NULL && json_object_get(policy, "MaxAttempts") == NULL)
		(void)json_object_set_new(
		    policy, "MaxAttempts", json_integer(0));
	(void)json_object_set_new(out, "ForceUpdate",
	    json_integer(
		json_integer_value(json_object_get(given, "ForceUpdate"))));
	(void)json_object_set_new(out, "Runtime", json_string("container"));
	return out;
}

/* A member as it was given, or this. */
static void
copy_or(json_t *to, const json_t *from, const char *key, json_t *otherwise)
{
	(void)json_object_set_new(to, key, otherwise);
	copy(to, from, key);
}

/* UpdateConfig or RollbackConfig with its defaults. */
static void
add_update_config(json_t *out, const json_t *spec, const char *key)
{
	json_t *given = json_object_get(spec, key), *config;

	if (!json_is_object(given))
		return;
	config = json_object();
	copy_or(config, given, "Parallelism", json_integer(0));
	copy(config, given, "Delay");
	copy_or(config, given, "FailureAction", json_string("pause"));
	copy(config, given, "Monitor");
	copy_or(config, given, "MaxFailureRatio", json_integer(0));
	copy_or(config, given, "Order", json_string("stop-first"));
	(void)json_object_set_new(out, key, config);
}

static json_t *
normalize_mode(const json_t *mode)
{
	json_t *replicated, *out;

	if (json_is_object(mode) && json_object_size(mode) > 0) {
		out = json_deep_copy(mode);
		replicated = json_object_get(out, "Replicated");
		if (replicated != NULL &&
		    json_object_get(replicated, "Replicas") == NULL)
			(void)json_object_set_new(
			    replicated, "Replicas", json_integer(1));
		return out;
	}
	return json_pack("{s:{s:i}}", "Replicated", "Replicas", 1);
}

static json_t *
normalize_endpoint(const json_t *given)
{
	json_t *out = json_object(), *ports = json_object_get(given, "Ports");
	const char *mode = json_string_value(json_object_get(given, "Mode"));
	json_t *list = json_array(), *item, *port;
	size_t i;

	(void)json_object_set_new(out, "Mode",
	    json_string(mode != NULL && *mode != '\0' ? mode : "vip"));
	json_array_foreach(ports, i, item)
	{
		port = json_object();
		copy(port, item, "Name");
		(void)json_object_set_new(port, "Protocol", json_string("tcp"));
		copy(port, item, "Protocol");
		copy(port, item, "TargetPort");
		copy(port, item, "PublishedPort");
		(void)json_object_set_new(
		    port, "PublishMode", json_string("ingress"));
		copy(port, item, "PublishMode");
		(void)json_array_append_new(list, port);
	}
	if (json_array_size(list) > 0)
		(void)json_object_set_new(out, "Ports", list);
	else
		json_decref(list);
	return out;
}

json_t *
sim_spec_normalize(struct sim *s, const json_t *given, struct error *e)
{
	const char *name = json_string_value(json_object_get(given, "Name"));
	json_t *out, *template, *labels = json_object_get(given, "Labels");
	const json_t *endpoint = json_object_get(given, "EndpointSpec");

	template = normalize_template(s, given, e);
	if (template == NULL)
		return NULL;
	if (name == NULL || !is_dns_name(name)) {
		json_decref(template);
		return fail(e, 400,
		    "rpc error: code = InvalidArgument desc = name must be "
		    "valid as a DNS name component");
	}
	out = json_object();
	(void)json_object_set_new(out, "Name", json_string(name));
	(void)json_object_set_new(out, "Labels",
	    json_is_object(labels) ? json_deep_copy(labels) : json_object());
	(void)json_object_set_new(out, "TaskTemplate", template);
	(void)json_object_set_new(
	    out, "Mode", normalize_mode(json_object_get(given, "Mode")));
	add_update_config(out, given, "UpdateConfig");
	add_update_config(out, given, "RollbackConfig");
	if (json_is_object(endpoint) && json_object_size(endpoint) > 0)
		(void)json_object_set_new(
		    out, "EndpointSpec", normalize_endpoint(endpoint));
	return out;
}

static uint16_t
port_of(const json_t *port, const char *member)
{
	json_int_t n = json_integer_value(json_object_get(port, member));

	return n > 0 && n <= UINT16_MAX ? (uint16_t)n : 0;
}

static void
apply_ports(struct sim_service *v, const json_t *endpoint)
{
	json_t *item;
	size_t i;

	v->ports.len = 0;
	json_array_foreach(json_object_get(endpoint, "Ports"), i, item)
	{
		struct sim_port *p = vec_add(&v->ports);
		const char *text =
		    json_string_value(json_object_get(item, "Protocol"));

		p->protocol = text != NULL && strcmp(text, "udp") == 0 ? "udp"
		    : text != NULL && strcmp(text, "sctp") == 0	       ? "sctp"
								       : "tcp";
		text = json_string_value(json_object_get(item, "PublishMode"));
		p->host_mode = text != NULL && strcmp(text, "host") == 0;
		p->target = port_of(item, "TargetPort");
		p->published = port_of(item, "PublishedPort");
		if (p->published == 0 && !p->host_mode)
			p->published = v->sim->next_ingress_port++;
	}
}

void
sim_spec_apply(struct sim_service *v)
{
	const json_t *mode = json_object_get(v->spec, "Mode");
	const json_t *endpoint = json_object_get(v->spec, "EndpointSpec");
	const char *text = json_string_value(json_object_get(endpoint, "Mode"));

	v->replicas = 0;
	if (json_object_get(mode, "Global") != NULL) {
		v->mode = SERVICE_GLOBAL;
	} else if (json_object_get(mode, "ReplicatedJob") != NULL) {
		v->mode = SERVICE_REPLICATED_JOB;
	} else if (json_object_get(mode, "GlobalJob") != NULL) {
		v->mode = SERVICE_GLOBAL_JOB;
	} else {
		v->mode = SERVICE_REPLICATED;
		v->replicas = (uint64_t)json_integer_value(json_object_get(
		    json_object_get(mode, "Replicated"), "Replicas"));
		if (v->replicas > SIM_REPLICAS_MAX)
			v->replicas = SIM_REPLICAS_MAX;
	}
	v->dnsrr = text != NULL && strcmp(text, "dnsrr") == 0;
	apply_ports(v, endpoint);
}

struct sim_network *
sim_spec_network(struct sim *s, const struct sim_service *v, size_t i)
{
	json_t *list = json_object_get(
	    json_object_get(v->spec, "TaskTemplate"), "Networks");
	const char *id = json_string_value(
	    json_object_get(json_array_get(list, i), "Target"));

	return id == NULL ? NULL : map_get(&s->by_id[SIM_NETWORK], id);
}

static struct sim_network *
ingress_of(struct sim *s, const struct sim_service *v)
{
	struct sim_network *n;

	for (size_t i = 0; i < v->ports.len; i++) {
		if (v->ports.at[i].host_mode)
			continue;
		SIM_FOR_EACH(s, SIM_NETWORK, struct sim_network, n)
		{
			if (n->ingress)
				return n;
		}
	}
	return NULL;
}

static bool
wants_vip(struct sim *s, const struct sim_service *v, struct sim_network *n)
{
	if (v->dnsrr)
		return false;
	if (n == ingress_of(s, v))
		return true;
	for (size_t i = 0; i < 64; i++) {
		if (sim_spec_network(s, v, i) == n)
			return true;
	}
	return false;
}

static bool
add_vip(struct sim_service *v, struct sim_network *n)
{
	struct sim_address *a;

	if (n == NULL || !n->swarm_scope)
		return false;
	for (size_t i = 0; i < v->vips.len; i++) {
		if (v->vips.at[i].network == n)
			return false;
	}
	a = vec_add(&v->vips);
	a->network = n;
	a->address = sim_net_take(n);
	return true;
}

/* Takes over the EndpointSpec; true when it is another one. */
static bool
put_endpoint(struct sim_service *v)
{
	json_t *spec = json_object_get(v->spec, "EndpointSpec");

	if (spec == v->endpoint ||
	    (spec != NULL && json_equal(spec, v->endpoint)))
		return false;
	json_decref(v->endpoint);
	v->endpoint = spec == NULL ? NULL : json_deep_copy(spec);
	return true;
}

bool
sim_spec_allocate(struct sim *s, struct sim_service *v)
{
	bool wanted = v->ports.len > 0, changed = false;

	for (size_t i = v->vips.len; i-- > 0;) {
		struct sim_address a = v->vips.at[i];

		if (wants_vip(s, v, a.network))
			continue;
		sim_net_release(a.network, a.address);
		vec_remove(&v->vips, i);
		changed = true;
	}
	if (!v->dnsrr) {
		changed |= add_vip(v, ingress_of(s, v));
		for (size_t i = 0; i < 64; i++)
			changed |= add_vip(v, sim_spec_network(s, v, i));
		wanted |= v->vips.len > 0;
	}
	/* A service that needs nothing keeps what its endpoint said before. */
	if (wanted || changed)
		changed |= put_endpoint(v);
	return changed;
}

void
sim_spec_release(struct sim_service *v)
{
	for (size_t i = 0; i < v->vips.len; i++)
		sim_net_release(v->vips.at[i].network, v->vips.at[i].address);
	v->vips.len = 0;
}

json_t *
sim_spec_task(const struct sim_service *v)
{
	json_t *spec = json_copy(json_object_get(v->spec, "TaskTemplate"));

	(void)json_object_del(spec, "Runtime");
	return spec;
}

bool
sim_spec_task_is_current(const struct sim_service *v, const struct sim_task *t)
{
	json_t *spec = sim_spec_task(v);
	json_t *endpoint = json_object_get(v->spec, "EndpointSpec");
	bool same = json_equal(spec, t->spec) != 0;

	json_decref(spec);
	return same &&
	    (endpoint == t->endpoint || json_equal(endpoint, t->endpoint));
}

uint64_t
sim_spec_ms(
    const json_t *spec, const char *outer, const char *member, uint64_t other)
{
	json_t *value = json_object_get(json_object_get(spec, outer), member);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return other;
	return (uint64_t)json_integer_value(value) / 1000000;
}

const char *
sim_spec_label(const struct sim_service *v, const char *key)
{
	return json_string_value(
	    json_object_get(json_object_get(v->spec, "Labels"), key));
}
