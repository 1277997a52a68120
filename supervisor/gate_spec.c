/*
 * The spec of a proxy service: see gate_spec.h.
 *
 * A member that the Engine leaves out when it is empty is left out here too,
 * so that what was set reads as it was written.
 */
#include "gate_spec.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/sha256.h"
#include "config/keys.h"
#include "gate_granted.h"
#include "gate_spec_lists.h"

#define NS_PER_MS 1000000
#define SET_MAX ((size_t)64 * 1024)
/* How long Swarm watches new tasks before an update is over. */
#define MONITOR_MS 2000
#define RESTART_DELAY_MS 1000

/* One laying of the wish over a spec. */
struct laying {
	const struct gate_wish *w;
	json_t *spec; /* being made */
	bool create;
	const char *was; /* what the INI had set before: words */
	struct str set;	 /* what it sets now */
};

void
gate_change_fini(struct gate_change *c)
{
	free(c->spec);
	free(c->what);
	memset(c, 0, sizeof(*c));
}

/* ------------------------------------------------------------ small things */

static bool
is_empty(const json_t *v)
{
	switch (v == NULL ? JSON_NULL : json_typeof(v)) {
	case JSON_NULL:
	case JSON_FALSE:
		return true;
	case JSON_STRING:
		return json_string_length(v) == 0;
	case JSON_INTEGER:
		return json_integer_value(v) == 0;
	case JSON_REAL:
		return json_real_value(v) == 0;
	case JSON_ARRAY:
		return json_array_size(v) == 0;
	case JSON_OBJECT:
		return json_object_size(v) == 0;
	case JSON_TRUE:
		break;
	}
	return false;
}

/* Takes 'value'; an empty one is no member. */
static void
put(json_t *o, const char *key, json_t *value)
{
	if (!is_empty(value)) {
		must(json_object_set_new(o, key, value) == 0);
		return;
	}
	json_decref(value);
	if (!is_empty(json_object_get(o, key)))
		(void)json_object_del(o, key);
}

static json_t *
text(const char *s)
{
	return s == NULL ? json_null() : json_string(s);
}

static json_t *
duration(uint64_t ms)
{
	return json_integer((json_int_t)ms * NS_PER_MS);
}

/* The member, made where it is not there; borrowed. */
static json_t *
inner(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_object(v)) {
		v = json_object();
		must(json_object_set_new(o, key, v) == 0);
	}
	return v;
}

static bool
has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)) != NULL; p++) {
		if ((p == words || p[-1] == ' ') &&
		    (p[len] == ' ' || p[len] == '\0'))
			return true;
	}
	return false;
}

static bool
spoken(const struct cluster_config *c, const char *section, const char *key)
{
	const struct config_key *row =
	    config_key_find(&config_cluster_table, section, key);

	must(row != NULL);
	return c->key_line[row - config_cluster_table.keys] != 0;
}

/*
 * Whether the unit 'key' of [proxy] is to be set.  One of which the INI
 * speaks is remembered, so that it goes back when the INI is silent again.
 */
static bool
enforced(struct laying *l, const char *key)
{
	if (spoken(l->w->config, "proxy", key)) {
		str_addf(&l->set, " %s", key);
		return true;
	}
	return l->create || has_word(l->was, key);
}

/* ------------------------------------------------------------------- parts */

static void
lay_labels(struct laying *l)
{
	const struct gate_wish *w = l->w;
	json_t *labels = inner(l->spec, "Labels");

	gate_lists_pairs(
	    labels, &w->config->proxy.labels, "label", l->was, &l->set);
	put(labels, GATE_LABEL_CLUSTER, text(w->config->cluster.name));
	put(labels, GATE_LABEL_OWNER, text(w->owner));
	if (w->stack != NULL)
		put(labels, GATE_LABEL_STACK, text(w->stack));
}

static json_t *
command_json(const struct gate_wish *w)
{
	struct gate_args a = { 0 };
	json_t *list = json_array();

	gate_args_build(w, &a);
	for (size_t i = 0; i < a.list.len; i++)
		must(json_array_append_new(list, json_string(a.list.at[i])) ==
		    0);
	gate_args_fini(&a);
	return list;
}

static void
lay_container(struct laying *l, json_t *template)
{
	const struct gate_wish *w = l->w;
	const struct cluster_config *c = w->config;
	json_t *o = inner(template, "ContainerSpec"), *labels;

	if (enforced(l, "image"))
		put(o, "Image", text(c->proxy.image));
	put(o, "Command", json_pack("[ss]", "proxyctl", "agent"));
	put(o, "Args", command_json(w));
	put(o, "Init", json_true());
	put(o, "ReadOnly", json_true());
	put(o, "CapabilityDrop", json_pack("[s]", "ALL"));
	gate_lists_mount(o, GATE_AGENT_DIR);
	gate_lists_secrets(o, w);
	gate_lists_configs(o, w);
	gate_lists_env(o, &c->proxy.env, l->was, &l->set);
	if (enforced(l, "stop_signal"))
		put(o, "StopSignal", text(c->proxy.stop_signal));
	/* Made from drain_delay where it is not said. */
	if (enforced(l, "stop_grace_period") || enforced(l, "drain_delay"))
		put(o, "StopGracePeriod",
		    duration(c->proxy.stop_grace_period_ms));
	labels = inner(o, "Labels");
	gate_lists_pairs(
	    labels, &c->proxy.container_labels, "container", l->was, &l->set);
	put(labels, GATE_LABEL_CLUSTER, text(c->cluster.name));
	if (w->stack != NULL)
		put(labels, GATE_LABEL_STACK, text(w->stack));
}

static void
lay_placement(struct laying *l, json_t *template)
{
	const struct cluster_config *c = l->w->config;
	json_t *o = inner(template, "Placement");

	if (enforced(l, "constraints"))
		put(o, "Constraints", gate_lists_texts(&c->proxy.constraints));
	if (enforced(l, "placement_preferences"))
		put(o, "Preferences",
		    gate_lists_preferences(&c->proxy.placement_preferences));
	if (json_object_size(o) == 0)
		(void)json_object_del(template, "Placement");
}

static void
lay_resources(struct laying *l, json_t *template)
{
	const struct cluster_config *c = l->w->config;
	json_t *o = inner(template, "Resources");
	json_t *limits = inner(o, "Limits");
	double cpus =
	    c->proxy.cpu_limit == NULL ? 0 : strtod(c->proxy.cpu_limit, NULL);

	if (enforced(l, "cpu_limit"))
		put(limits, "NanoCPUs",
		    json_integer((json_int_t)(cpus * 1e9 + 0.5)));
	if (enforced(l, "memory_limit"))
		put(limits, "MemoryBytes",
		    json_integer((json_int_t)c->proxy.memory_limit));
	if (json_object_size(limits) == 0)
		(void)json_object_del(o, "Limits");
	if (json_object_size(o) == 0)
		(void)json_object_del(template, "Resources");
}

static void
lay_update(struct laying *l)
{
	const struct cluster_config *c = l->w->config;
	json_t *o = inner(l->spec, "UpdateConfig");
	/* A fixed host port decides the order where nobody says it. */
	bool order = enforced(l, "update_order");

	order |= enforced(l, "publish_mode");
	if (enforced(l, "update_parallelism"))
		put(o, "Parallelism",
		    json_integer(c->proxy.update_parallelism));
	if (enforced(l, "update_delay"))
		put(o, "Delay", duration(c->proxy.update_delay_ms));
	if (order)
		put(o, "Order",
		    text(c->proxy.update_order == ORDER_START_FIRST
			    ? "start-first"
			    : "stop-first"));
	if (!l->create)
		return;
	put(o, "FailureAction", text("pause"));
	put(o, "Monitor", duration(MONITOR_MS));
}

static json_t *
port_json(const struct cluster_config *c, uint16_t target, uint16_t published)
{
	return json_pack("{s:s,s:i,s:i,s:s}", "Protocol", "tcp", "TargetPort",
	    target, "PublishedPort", published, "PublishMode",
	    c->proxy.publish_mode == PUBLISH_HOST ? "host" : "ingress");
}

/*
 * What a balancer in front asks: only on the proxy's own node, where the
 * answer is that of the proxy it is asked about.  0: none.
 */
static uint16_t
health_port(const struct cluster_config *c)
{
	const char *colon = c->proxy.health_listen == NULL
	    ? NULL
	    : strrchr(c->proxy.health_listen, ':');
	uint32_t port = 0;

	if (colon == NULL || c->proxy.publish_mode != PUBLISH_HOST ||
	    strncmp(c->proxy.health_listen, "127.", 4) == 0 ||
	    parse_u32(
		colon + 1, strlen(colon + 1), 1, UINT16_MAX, &port, NULL) != 0)
		return 0;
	return (uint16_t)port;
}

static void
lay_ports(struct laying *l)
{
	static const char *const keys[] = { "publish_mode", "published_port",
		"target_port", "published_ssl_port", "target_ssl_port",
		"health_listen" };
	const struct cluster_config *c = l->w->config;
	json_t *o = inner(l->spec, "EndpointSpec"), *ports;
	uint16_t health = health_port(c);
	bool any = false;

	for (size_t i = 0; i < countof(keys); i++)
		any |= enforced(l, keys[i]);
	if (!any)
		return;
	ports = json_array();
	if (c->proxy.published_port != 0)
		must(json_array_append_new(ports,
			 port_json(c, c->proxy.target_port,
			     c->proxy.published_port)) == 0);
	if (c->proxy.published_ssl_port != 0)
		must(json_array_append_new(ports,
			 port_json(c, c->proxy.target_ssl_port,
			     c->proxy.published_ssl_port)) == 0);
	if (health != 0)
		must(json_array_append_new(
			 ports, port_json(c, health, health)) == 0);
	if (l->create)
		put(o, "Mode", text("vip"));
	put(o, "Ports", ports);
}

static int
lay_replicas(struct laying *l, struct error *e)
{
	const struct gate_wish *w = l->w;
	json_t *mode = inner(l->spec, "Mode"), *o;
	json_t *labels = inner(l->spec, "Labels");
	char number[24];
	const char *applied =
	    json_string_value(json_object_get(labels, GATE_LABEL_REPLICAS));

	if (!l->create && json_object_get(mode, "Replicated") == NULL)
		return error_set(e, EINVAL,
		    "service %s is not a replicated one: remove it, and it is "
		    "made anew",
		    w->config->proxy.service);
	o = inner(mode, "Replicated");
	(void)snprintf(number, sizeof(number), "%u", w->config->proxy.replicas);
	if (w->scale)
		must(json_object_set_new(o, "Replicas",
			 json_integer((json_int_t)w->replicas)) == 0);
	else if (applied == NULL || strcmp(applied, number) != 0)
		must(json_object_set_new(o, "Replicas",
			 json_integer(w->config->proxy.replicas)) == 0);
	put(labels, GATE_LABEL_REPLICAS, text(number));
	return 0;
}

/* ------------------------------------------------------------- differences */

static void
differ(const json_t *a, const json_t *b, const char *path, struct str *out)
{
	const char *key;
	json_t *v;
	void *i;

	if (json_equal(a, b) || (is_empty(a) && is_empty(b)))
		return;
	if (!json_is_object(a) || !json_is_object(b)) {
		str_addf(out, "%s%s", out->len == 0 ? "" : ", ", path);
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)a, key, v)
	{
		char *at _cleanup_free_ =
		    xasprintf("%s%s%s", path, *path == '\0' ? "" : ".", key);

		differ(v, json_object_get(b, key), at, out);
	}
	for (i = json_object_iter((json_t *)(uintptr_t)b); i != NULL;
	     i = json_object_iter_next((json_t *)(uintptr_t)b, i)) {
		key = json_object_iter_key(i);
		char *at _cleanup_free_ =
		    xasprintf("%s%s%s", path, *path == '\0' ? "" : ".", key);

		if (json_object_get(a, key) == NULL)
			differ(NULL, json_object_iter_value(i), at, out);
	}
}

static char *
differences(const json_t *a, const json_t *b)
{
	STR_AUTO(out, 2048);

	differ(a, b, "", &out);
	return str_take(&out);
}

char *
gate_spec_differences(const char *a, const char *b)
{
	json_auto_t *x = json_loads(a, JSON_ALLOW_NUL, NULL);
	json_auto_t *y = json_loads(b, JSON_ALLOW_NUL, NULL);

	return differences(x, y);
}

/* ------------------------------------------------------------------- merge */

/* What we want, whatever the service has: made as if it were new. */
static void
wish_hash(const json_t *fresh, char ret[SHA256_HEX_SIZE])
{
	char *dump =
	    json_dumps(fresh, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	must(dump != NULL);
	sha256_hex(dump, strlen(dump), ret);
	free(dump);
}

static int
lay(struct laying *l, struct error *e)
{
	json_t *template = inner(l->spec, "TaskTemplate");
	json_t *labels = inner(l->spec, "Labels");

	put(l->spec, "Name", text(l->w->config->proxy.service));
	lay_labels(l);
	lay_container(l, template);
	gate_lists_networks(template, l->w);
	lay_placement(l, template);
	lay_resources(l, template);
	if (l->create)
		put(template, "RestartPolicy",
		    json_pack("{s:s,s:I}", "Condition", "any", "Delay",
			(json_int_t)RESTART_DELAY_MS * NS_PER_MS));
	lay_update(l);
	lay_ports(l);
	if (lay_replicas(l, e) != 0)
		return -1;
	put(labels, GATE_LABEL_SET, text(l->set.len > 0 ? l->set.p + 1 : ""));
	return 0;
}

/* The spec of a service that is not there; never fails. */
static json_t *
lay_fresh(const struct gate_wish *w)
{
	struct laying l = { .w = w, .create = true, .was = "" };

	str_init(&l.set, SET_MAX);
	l.spec = json_object();
	must(lay(&l, NULL) == 0);
	str_fini(&l.set);
	return l.spec;
}

static int
lay_over(const struct gate_wish *w, json_t *spec, struct error *e)
{
	const char *was = json_string_value(
	    json_object_get(json_object_get(spec, "Labels"), GATE_LABEL_SET));
	char *words _cleanup_free_ = xstrdup(was == NULL ? "" : was);
	struct laying l = { .w = w, .spec = spec, .was = words };
	int rc;

	str_init(&l.set, SET_MAX);
	rc = lay(&l, e);
	str_fini(&l.set);
	return rc;
}

int
gate_spec_merge(const struct gate_wish *w, const char *current,
    struct gate_change *ret, struct error *e)
{
	json_auto_t *fresh = lay_fresh(w);
	json_auto_t *was = NULL, *spec = NULL;
	char hash[SHA256_HEX_SIZE];
	struct gate_change c = { 0 };
	char *granted _cleanup_free_ = gate_granted_words(w);
	const char *old;
	json_error_t je;

	wish_hash(fresh, hash);
	if (current == NULL) {
		spec = json_incref(fresh);
	} else {
		was = json_loads(current, JSON_ALLOW_NUL, &je);
		if (was == NULL)
			return error_set(e, EPROTO, "spec: %s", je.text);
		spec = json_deep_copy(was);
		if (lay_over(w, spec, e) != 0)
			return -1;
		old = json_string_value(json_object_get(
		    json_object_get(was, "Labels"), GATE_LABEL_HASH));
		c.repaired = old != NULL && strcmp(old, hash) == 0;
		c.what = differences(was, spec);
	}
	/* Alone they are no reason to write. */
	put(inner(spec, "Labels"), GATE_LABEL_HASH, text(hash));
	put(inner(spec, "Labels"), GATE_LABEL_GRANTED, text(granted));
	if (was == NULL || c.what[0] != '\0') {
		c.spec = json_dumps(spec, JSON_COMPACT);
		must(c.spec != NULL);
	}
	*ret = c;
	return 0;
}
