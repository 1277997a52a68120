/* Headers and bodies of bus messages: see message.h. */
#include "bus/message.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#define HEADER_MAX 1024

const char *
bus_type_name(enum bus_type type)
{
	switch (type) {
#define MSG(id, name, from, to)                                                \
	case BUS_##id:                                                         \
		return name;
#include "bus/message.def"
#undef MSG
	}
	must(false);
	return NULL;
}

static int
type_parse(const char *name, enum bus_type *ret)
{
#define MSG(id, text, from, to)                                                \
	if (strcmp(name, text) == 0) {                                         \
		*ret = BUS_##id;                                               \
		return 0;                                                      \
	}
#include "bus/message.def"
#undef MSG
	return -1;
}

void
bus_encode_header(struct str *out, const struct bus_message *m)
{
	str_addf(out, "{\"v\":%d,\"type\":\"%s\",\"cluster\":", BUS_VERSION,
	    bus_type_name(m->type));
	str_add_json(out, m->cluster, strlen(m->cluster));
	str_add(out, ",\"epoch\":");
	str_add_json(out, m->epoch, strlen(m->epoch));
	str_addf(out,
	    ",\"seq\":%" PRIu64 ",\"stamps\":{\"commit_us\":%" PRIu64
	    ",\"read_us\":%" PRIu64 ",\"sent_us\":%" PRIu64 "}}\n",
	    m->seq, m->stamps.commit_us, m->stamps.read_us, m->stamps.sent_us);
}

/* All of 's' is in 'allowed', and it has at most 'max' bytes. */
static bool
is_made_of(const char *s, const char *allowed, size_t max)
{
	size_t len = strlen(s);

	return len <= max && strspn(s, allowed) == len;
}

static int
decode_header(json_t *o, struct bus_message *m, struct error *e)
{
	json_int_t v, seq, commit, read, sent;
	const char *type, *cluster, *epoch;
	json_error_t je;

	if (!json_is_integer(json_object_get(o, "v")))
		return error_set(e, EPROTO, "header: no version");
	v = json_integer_value(json_object_get(o, "v"));
	if (v != BUS_VERSION)
		return error_set(e, EPROTONOSUPPORT,
		    "version %" PRId64 " of the bus, ours is %d", (int64_t)v,
		    BUS_VERSION);
	if (json_unpack_ex(o, &je, JSON_STRICT,
		"{s:I,s:s,s:s,s:s,s:I,s:{s:I,s:I,s:I!}!}", "v", &v, "type",
		&type, "cluster", &cluster, "epoch", &epoch, "seq", &seq,
		"stamps", "commit_us", &commit, "read_us", &read, "sent_us",
		&sent) != 0)
		return error_set(e, EPROTO, "header: %s", je.text);
	if (type_parse(type, &m->type) != 0)
		return error_set(e, EPROTO, "header: unknown type");
	if (cluster[0] == '\0' ||
	    !is_made_of(cluster, "abcdefghijklmnopqrstuvwxyz0123456789-",
		sizeof(m->cluster) - 1))
		return error_set(e, EPROTO, "header: odd cluster");
	if (!is_made_of(epoch, "0123456789abcdef", sizeof(m->epoch) - 1))
		return error_set(e, EPROTO, "header: odd epoch");
	if (seq < 0 || commit < 0 || read < 0 || sent < 0)
		return error_set(e, EPROTO, "header: negative number");
	memcpy(m->cluster, cluster, strlen(cluster) + 1);
	memcpy(m->epoch, epoch, strlen(epoch) + 1);
	m->seq = (uint64_t)seq;
	m->stamps.commit_us = (uint64_t)commit;
	m->stamps.read_us = (uint64_t)read;
	m->stamps.sent_us = (uint64_t)sent;
	return 0;
}

int
bus_decode(
    const char *bytes, size_t len, struct bus_message *ret, struct error *e)
{
	const char *end =
	    memchr(bytes, '\n', len < HEADER_MAX ? len : HEADER_MAX);
	struct bus_message m = { 0 };
	json_error_t je;
	json_t *o;
	int r;

	if (end == NULL)
		return error_set(e, EPROTO, "no header line");
	o = json_loadb(
	    bytes, (size_t)(end - bytes), JSON_REJECT_DUPLICATES, &je);
	if (o == NULL)
		return error_set(e, EPROTO, "header: %s", je.text);
	r = decode_header(o, &m, e);
	json_decref(o);
	if (r != 0)
		return -1;
	m.body = end + 1;
	m.body_len = len - (size_t)(m.body - bytes);
	if (m.body_len > 0 && (m.type == BUS_BEACON || m.type == BUS_ASK))
		return error_set(
		    e, EPROTO, "%s with a body", bus_type_name(m.type));
	*ret = m;
	return 0;
}

static void
encode_names(struct str *out, const char *key, char *const *names, size_t len)
{
	size_t i;

	str_addf(
	    out, "%s\"%s\":[", out->p[out->len - 1] == '{' ? "" : ",", key);
	for (i = 0; i < len; i++) {
		if (i > 0)
			str_addc(out, ',');
		str_add_json(out, names[i], strlen(names[i]));
	}
	str_addc(out, ']');
}

void
bus_encode_removal(struct str *out, const struct bus_removal *r)
{
	str_addc(out, '{');
	encode_names(out, "services", r->services, r->services_len);
	encode_names(out, "networks", r->networks, r->networks_len);
	encode_names(out, "nodes", r->nodes, r->nodes_len);
	encode_names(out, "secrets", r->secrets, r->secrets_len);
	encode_names(out, "configs", r->configs, r->configs_len);
	str_addc(out, '}');
}

static int
decode_names(json_t *list, const char *key, char ***ret, size_t *ret_len,
    struct error *e)
{
	size_t i, n = json_array_size(list);

	if (!json_is_array(list))
		return error_set(e, EPROTO, "removal: %s is no list", key);
	*ret = xcalloc(n + 1, sizeof(**ret));
	for (i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s == NULL || s[0] == '\0')
			return error_set(
			    e, EPROTO, "removal: %s: not a name", key);
		(*ret)[(*ret_len)++] = xstrdup(s);
	}
	return 0;
}

int
bus_decode_removal(
    const char *body, size_t len, struct bus_removal *ret, struct error *e)
{
	struct bus_removal r = { 0 };
	const char *key;
	json_error_t je;
	json_t *o, *v;
	int rc = 0;

	o = json_loadb(body, len, JSON_REJECT_DUPLICATES, &je);
	if (o == NULL)
		return error_set(e, EPROTO, "removal: %s", je.text);
	if (!json_is_object(o))
		rc = error_set(e, EPROTO, "removal: not an object");
	json_object_foreach(o, key, v)
	{
		if (strcmp(key, "services") == 0)
			rc = decode_names(
			    v, key, &r.services, &r.services_len, e);
		else if (strcmp(key, "networks") == 0)
			rc = decode_names(
			    v, key, &r.networks, &r.networks_len, e);
		else if (strcmp(key, "nodes") == 0)
			rc = decode_names(v, key, &r.nodes, &r.nodes_len, e);
		else if (strcmp(key, "secrets") == 0)
			rc =
			    decode_names(v, key, &r.secrets, &r.secrets_len, e);
		else if (strcmp(key, "configs") == 0)
			rc =
			    decode_names(v, key, &r.configs, &r.configs_len, e);
		else
			rc = error_set(e, EPROTO, "removal: unknown member");
		if (rc != 0)
			break;
	}
	json_decref(o);
	if (rc != 0) {
		bus_removal_fini(&r);
		return -1;
	}
	*ret = r;
	return 0;
}

static void
free_names(char **names, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		free(names[i]);
	free(names);
}

void
bus_removal_fini(struct bus_removal *r)
{
	free_names(r->services, r->services_len);
	free_names(r->networks, r->networks_len);
	free_names(r->nodes, r->nodes_len);
	free_names(r->secrets, r->secrets_len);
	free_names(r->configs, r->configs_len);
	memset(r, 0, sizeof(*r));
}
