/*
 * Networks, nodes, secrets and configs, and the identity of what does not
 * decode: see decode.h.
 */
#include "docker/decode.h"

#include <string.h>

#include <jansson.h>

#include "base/inet.h"
#include "base/json_cut.h"
#include "docker/fields.h"
#include "model/label.h"

#define ALLOW_MAX 65536

static void
read_subnets(const struct json_read *root, struct network *n)
{
	struct json_read ipam = json_read_object(root, "IPAM");
	struct json_read list = json_read_array(&ipam, "Config");
	size_t i, len = json_read_len(&list);

	for (i = 0; i < len; i++) {
		struct json_read item = json_read_item(&list, i);
		const char *s = json_read_text(&item, "Subnet");
		char text[INET_TEXT_SIZE];
		struct inet a;
		struct error e;

		if (s == NULL || *s == '\0')
			continue;
		if (inet_parse(s, strlen(s), &a, &e) != 0) {
			json_read_fail(&item, "Subnet", "%s", e.msg);
			return;
		}
		inet_mask(&a);
		inet_format_network(&a, text);
		vec_push(&n->subnets, xstrdup(text));
	}
}

struct network *
docker_decode_network(const char *json, size_t len, struct error *e)
{
	json_t *doc _cleanup_(fields_done) = fields_load(json, len, e);
	bool failed = false;
	struct json_read root = json_read_root(doc, e, &failed), labels;
	const char *text;
	struct network *n;

	if (doc == NULL)
		return NULL;
	n = xcalloc(1, sizeof(*n));
	n->id = fields_id(&root, "Id");
	n->name = fields_name(&root, "Name");
	n->driver = fields_name(&root, "Driver");
	n->version = fields_version(&root);
	text = json_read_text(&root, "Scope");
	n->swarm_scope = text != NULL && strcmp(text, "swarm") == 0;
	n->ingress = json_read_bool(&root, "Ingress");
	read_subnets(&root, n);
	labels = json_read_object(&root, "Labels");
	text = json_read_text(&labels, "com.docker.stack.namespace");
	if (text != NULL && *text != '\0')
		n->namespace_label =
		    fields_name(&labels, "com.docker.stack.namespace");
	if (!failed)
		return n;
	network_free(n);
	return NULL;
}

/* A node that is not seen yet has no address; 0.0.0.0 is the same. */
static char *
read_node_address(const struct json_read *root)
{
	struct json_read status = json_read_object(root, "Status");
	const char *s = json_read_text(&status, "Addr");

	if (s == NULL || *s == '\0' || strcmp(s, "0.0.0.0") == 0)
		return xstrdup("");
	return fields_address(&status, "Addr", s);
}

struct node *
docker_decode_node(const char *json, size_t len, struct error *e)
{
	json_t *doc _cleanup_(fields_done) = fields_load(json, len, e);
	bool failed = false;
	struct json_read root = json_read_root(doc, e, &failed), description;
	const char *hostname;
	struct node *n;

	if (doc == NULL)
		return NULL;
	n = xcalloc(1, sizeof(*n));
	n->id = fields_id(&root, "ID");
	description = json_read_object(&root, "Description");
	hostname = json_read_text(&description, "Hostname");
	n->hostname = hostname == NULL || *hostname == '\0'
	    ? xstrdup("")
	    : fields_name(&description, "Hostname");
	n->address = read_node_address(&root);
	if (!failed)
		return n;
	node_free(n);
	return NULL;
}

struct secret *
docker_decode_secret(const char *json, size_t len, struct error *e)
{
	json_t *doc _cleanup_(fields_done) = fields_load(json, len, e);
	bool failed = false;
	struct json_read root = json_read_root(doc, e, &failed), spec, labels;
	const char *allow;
	struct secret *s;

	if (doc == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->id = fields_id(&root, "ID");
	spec = json_read_object(&root, "Spec");
	if (spec.json == NULL)
		json_read_fail(&root, "Spec", "missing");
	s->name = fields_name(&spec, "Name");
	labels = json_read_object(&spec, "Labels");
	allow = json_read_text(&labels, LABEL_PREFIX "allow");
	if (allow != NULL && strlen(allow) > ALLOW_MAX)
		json_read_fail(&labels, LABEL_PREFIX "allow",
		    "longer than %d bytes", ALLOW_MAX);
	else if (allow != NULL)
		s->allow = xstrdup(allow);
	if (!failed)
		return s;
	secret_free(s);
	return NULL;
}

/* What docker_scan_identity() gathers. */
struct identity {
	char *id;
	char *name;
};

/* A JSON string of plain characters as it stands: no escapes, else NULL. */
static char *
plain_text(const char *json, size_t len, bool (*allowed)(const char *, size_t))
{
	if (len < 2 || json[0] != '"' || !allowed(json + 1, len - 2))
		return NULL;
	return xmemdup0(json + 1, len - 2);
}

static bool
key_is(const char *key, size_t len, const char *want)
{
	return len == strlen(want) && memcmp(key, want, len) == 0;
}

static void
on_spec_member(void *arg, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	struct identity *found = arg;

	if (key_is(key, key_len, "Name") && found->name == NULL)
		found->name = plain_text(value, value_len, fields_is_name);
}

static void
on_member(void *arg, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	struct identity *found = arg;

	if ((key_is(key, key_len, "ID") || key_is(key, key_len, "Id")) &&
	    found->id == NULL)
		found->id = plain_text(value, value_len, fields_is_id);
	else if (key_is(key, key_len, "Spec"))
		(void)json_cut_members(
		    value, value_len, on_spec_member, found, NULL);
	else
		on_spec_member(found, key, key_len, value, value_len);
}

void
docker_scan_identity(
    const char *json, size_t len, char **ret_id, char **ret_name)
{
	struct identity found = { NULL, NULL };

	(void)json_cut_members(json, len, on_member, &found, NULL);
	*ret_id = found.id;
	*ret_name = found.name;
}
