/* Services and tasks, from JSON to the model: see decode.h. */
#include "docker/decode.h"

#include <string.h>

#include <jansson.h>

#include "base/parse.h"
#include "docker/fields.h"
#include "model/label.h"

#define OUR_LABELS_MAX 1000
/* Of a label's value; more than LABEL_VALUE_MAX, so that it is refused. */
#define VALUE_KEPT (LABEL_VALUE_MAX + 4)
#define STACK_LABEL "com.docker.stack.namespace"
#define STACK_MAX 255

/*
 * Keeps no more of a value than is needed to refuse it: a tenant's megabyte
 * stays out of every process.  Whole UTF-8 sequences, so that it encodes.
 */
static size_t
kept_len(const char *value, size_t len)
{
	if (len <= VALUE_KEPT)
		return len;
	len = VALUE_KEPT;
	while (((unsigned char)value[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static int
compare_labels(const void *a, const void *b)
{
	return strcmp(
	    ((const struct label *)a)->key, ((const struct label *)b)->key);
}

/* Anybody may write anything there: what is no name names no stack. */
static void
read_stack(const struct json_read *labels, struct service *s)
{
	json_t *v = json_object_get(labels->json, STACK_LABEL);

	if (json_is_string(v) && json_string_length(v) <= STACK_MAX &&
	    strlen(json_string_value(v)) == json_string_length(v))
		s->stack = xstrdup(json_string_value(v));
}

/* Go writes null for a map without entries: null is none, a list is not. */
static void
read_labels(const struct json_read *spec, struct service *s)
{
	struct json_read labels = json_read_object(spec, "Labels");
	const char *key;
	json_t *v, *map = (json_t *)(uintptr_t)labels.json;

	json_object_foreach(map, key, v)
	{
		struct label *l;

		if (!label_is_ours(key))
			continue;
		if (!json_is_string(v)) {
			json_read_fail(&labels, key, "not a string");
			return;
		}
		if (s->labels.len == OUR_LABELS_MAX) {
			json_read_fail(&labels, NULL,
			    "more than %d labels that are ours",
			    OUR_LABELS_MAX);
			return;
		}
		l = vec_add(&s->labels);
		l->key = xstrdup(key);
		l->value_len =
		    kept_len(json_string_value(v), json_string_length(v));
		l->value = xmemdup0(json_string_value(v), l->value_len);
	}
	vec_sort(&s->labels, compare_labels);
	read_stack(&labels, s);
}

/* A service without a number of replicas has one, as the Engine has it. */
static void
read_mode(const struct json_read *spec, struct service *s)
{
	struct json_read mode = json_read_object(spec, "Mode");
	struct json_read global = json_read_object(&mode, "Global");
	struct json_read job = json_read_object(&mode, "ReplicatedJob");
	struct json_read global_job = json_read_object(&mode, "GlobalJob");
	struct json_read replicated = json_read_object(&mode, "Replicated");

	s->mode = SERVICE_REPLICATED;
	if (job.json != NULL)
		s->mode = SERVICE_REPLICATED_JOB;
	else if (global_job.json != NULL)
		s->mode = SERVICE_GLOBAL_JOB;
	else if (global.json != NULL)
		s->mode = SERVICE_GLOBAL;
	else
		s->replicas = json_read_uint(
		    &replicated, "Replicas", FIELDS_NUMBER_MAX, 1);
}

static void
read_endpoint_mode(const struct json_read *root, const struct json_read *spec,
    struct service *s)
{
	struct json_read wanted = json_read_object(spec, "EndpointSpec");
	struct json_read endpoint = json_read_object(root, "Endpoint");
	struct json_read actual = json_read_object(&endpoint, "Spec");
	const struct json_read *at = wanted.json != NULL ? &wanted : &actual;
	const char *mode = json_read_text(at, "Mode");

	s->endpoint_mode = ENDPOINT_VIP;
	if (mode == NULL || *mode == '\0' || strcmp(mode, "vip") == 0)
		return;
	if (strcmp(mode, "dnsrr") != 0)
		json_read_fail(at, "Mode", "neither vip nor dnsrr");
	s->endpoint_mode = ENDPOINT_DNSRR;
}

/* The task's networks; where it has none, those of the older form. */
static void
read_networks(const struct json_read *spec, struct service *s)
{
	struct json_read template = json_read_object(spec, "TaskTemplate");
	struct json_read list = json_read_array(&template, "Networks");
	struct json_read old = json_read_array(spec, "Networks");
	const struct json_read *from = json_read_len(&list) > 0 ? &list : &old;
	size_t i, k, n = json_read_len(from);

	for (i = 0; i < n; i++) {
		struct json_read item = json_read_item(from, i);
		char *target _cleanup_free_ = fields_name(&item, "Target");

		if (target == NULL)
			return;
		for (k = 0; k < s->networks.len; k++) {
			if (strcmp(s->networks.at[k], target) == 0)
				break;
		}
		if (k == s->networks.len)
			vec_push(&s->networks, steal(&target));
	}
}

static void
read_secrets(const struct json_read *spec, struct service *s)
{
	struct json_read template = json_read_object(spec, "TaskTemplate");
	struct json_read box = json_read_object(&template, "ContainerSpec");
	struct json_read list = json_read_array(&box, "Secrets");
	size_t i, n = json_read_len(&list);

	for (i = 0; i < n; i++) {
		struct json_read item = json_read_item(&list, i);
		char *name = fields_name(&item, "SecretName");

		if (name == NULL)
			return;
		vec_push(&s->secrets, name);
	}
}

/* A VIP that is not allocated yet has no address, and is not there yet. */
static void
read_vips(const struct json_read *root, struct service *s)
{
	struct json_read endpoint = json_read_object(root, "Endpoint");
	struct json_read list = json_read_array(&endpoint, "VirtualIPs");
	size_t i, n = json_read_len(&list);

	for (i = 0; i < n; i++) {
		struct json_read item = json_read_item(&list, i);
		const char *text = json_read_text(&item, "Addr");
		struct attachment *a;

		if (text == NULL || *text == '\0')
			continue;
		a = vec_add(&s->vips);
		a->network_id = fields_id(&item, "NetworkID");
		a->address = fields_address(&item, "Addr", text);
	}
}

static struct published_port
read_port(const struct json_read *item)
{
	const char *protocol = json_read_text(item, "Protocol");
	const char *mode = json_read_text(item, "PublishMode");

	return (struct published_port){
		.udp = protocol != NULL && *protocol != '\0' &&
		    strcmp(protocol, "tcp") != 0,
		.host_mode = mode != NULL && strcmp(mode, "host") == 0,
		.target =
		    (uint16_t)json_read_uint(item, "TargetPort", UINT16_MAX, 0),
		.published = (uint16_t)json_read_uint(
		    item, "PublishedPort", UINT16_MAX, 0),
	};
}

static int64_t
read_created(const struct json_read *root)
{
	const char *s = json_read_text(root, "CreatedAt");
	int64_t ns = 0;
	struct error e;

	/* Age decides every claim: without it nothing can be decided. */
	if (s == NULL)
		json_read_fail(root, "CreatedAt", "missing");
	else if (parse_rfc3339(s, strlen(s), &ns, &e) != 0)
		json_read_fail(root, "CreatedAt", "%s", e.msg);
	else if (ns <= 0 || ns > 7000000000 * 1000000000)
		json_read_fail(root, "CreatedAt", "out of range");
	return ns;
}

struct service *
docker_decode_service(const char *json, size_t len, struct error *e)
{
	json_t *doc _cleanup_(fields_done) = fields_load(json, len, e);
	bool failed = false;
	struct json_read root = json_read_root(doc, e, &failed), spec, list,
			 endpoint;
	struct service *s;
	size_t i, n;

	if (doc == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->id = fields_id(&root, "ID");
	spec = json_read_object(&root, "Spec");
	if (spec.json == NULL)
		json_read_fail(&root, "Spec", "missing");
	s->name = fields_name(&spec, "Name");
	s->version = fields_version(&root);
	s->created_ns = read_created(&root);
	read_labels(&spec, s);
	read_mode(&spec, s);
	read_endpoint_mode(&root, &spec, s);
	read_networks(&spec, s);
	read_secrets(&spec, s);
	read_vips(&root, s);
	endpoint = json_read_object(&root, "Endpoint");
	list = json_read_array(&endpoint, "Ports");
	for (i = 0, n = json_read_len(&list); i < n; i++) {
		struct json_read item = json_read_item(&list, i);

		vec_push(&s->ports, read_port(&item));
	}
	if (!failed)
		return s;
	service_free(s);
	return NULL;
}

static enum task_state
read_state(const struct json_read *at, const char *key)
{
	const char *s = json_read_text(at, key);
	int state = s == NULL ? -1 : task_state_parse(s);

	if (s == NULL)
		json_read_fail(at, key, "missing");
	else if (state < 0)
		json_read_fail(at, key, "no task state that we know");
	return state < 0 ? TASK_NEW : (enum task_state)state;
}

static void
read_addresses(const struct json_read *root, struct task *t)
{
	struct json_read list = json_read_array(root, "NetworksAttachments");
	size_t i, k, n = json_read_len(&list);

	for (i = 0; i < n; i++) {
		struct json_read item = json_read_item(&list, i);
		struct json_read network = json_read_object(&item, "Network");
		struct json_read texts = json_read_array(&item, "Addresses");

		for (k = 0; k < json_read_len(&texts); k++) {
			const char *text = json_read_item_text(&texts, k);
			struct json_read at = json_read_place(&texts, k);
			struct attachment *a;

			if (text == NULL || *text == '\0')
				continue;
			a = vec_add(&t->addresses);
			a->network_id = fields_id(&network, "ID");
			a->address = fields_address(&at, NULL, text);
		}
	}
}

struct task *
docker_decode_task(const char *json, size_t len, struct error *e)
{
	json_t *doc _cleanup_(fields_done) = fields_load(json, len, e);
	bool failed = false;
	struct json_read root = json_read_root(doc, e, &failed), status, ports,
			 list;
	struct task *t;
	size_t i, n;

	if (doc == NULL)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->id = fields_id(&root, "ID");
	t->service_id = fields_id_or_none(&root, "ServiceID");
	t->node_id = fields_id_or_none(&root, "NodeID");
	t->version = fields_version(&root);
	t->slot = (uint32_t)json_read_uint(&root, "Slot", UINT32_MAX, 0);
	t->desired = read_state(&root, "DesiredState");
	status = json_read_object(&root, "Status");
	if (status.json == NULL)
		json_read_fail(&root, "Status", "missing");
	t->state = read_state(&status, "State");
	read_addresses(&root, t);
	ports = json_read_object(&status, "PortStatus");
	list = json_read_array(&ports, "Ports");
	for (i = 0, n = json_read_len(&list); i < n; i++) {
		struct json_read item = json_read_item(&list, i);

		vec_push(&t->ports, read_port(&item));
	}
	if (!failed)
		return t;
	task_free(t);
	return NULL;
}
