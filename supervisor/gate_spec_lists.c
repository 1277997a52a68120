/* Lists of a proxy service's spec: see gate_spec_lists.h. */
#include "gate_spec_lists.h"

#include <jansson.h>
#include <string.h>

#include "base/map.h"

/* Secrets are read by whoever the proxy runs as. */
#define SECRET_MODE 0444
#define DEFAULT_SECRETS_DIR "/run/secrets"
/* An engine makes it root's, and agents are not root. */
#define TMPFS_MODE 01777

static void
append(json_t *list, json_t *item)
{
	must(json_array_append_new(list, item) == 0);
}

static void
set(json_t *o, const char *key, json_t *list)
{
	if (json_array_size(list) > 0) {
		must(json_object_set_new(o, key, list) == 0);
		return;
	}
	json_decref(list);
	if (json_array_size(json_object_get(o, key)) > 0)
		(void)json_object_del(o, key);
}

static bool
is_named(const struct config_pairs *pairs, const char *key, size_t len)
{
	for (size_t i = 0; i < pairs->pairs.len; i++) {
		const char *k = pairs->pairs.at[i].key;

		if (strlen(k) == len && memcmp(k, key, len) == 0)
			return true;
	}
	return false;
}

/* The keys of 'kind' among the words of 'was' that 'pairs' does not name. */
static void
find_dropped(const char *was, const char *kind,
    const struct config_pairs *pairs, struct map *ret)
{
	size_t n = strlen(kind);

	for (const char *p = was; *p != '\0'; p += *p == ' ') {
		size_t len = strcspn(p, " ");

		if (len > n + 1 && memcmp(p, kind, n) == 0 && p[n] == ':' &&
		    !is_named(pairs, p + n + 1, len - n - 1)) {
			char *key _cleanup_free_ =
			    xmemdup0(p + n + 1, len - n - 1);

			(void)map_set(ret, key, ret);
		}
		p += len;
	}
}

void
gate_lists_pairs(json_t *labels, const struct config_pairs *pairs,
    const char *kind, const char *was, struct str *words)
{
	struct map dropped = { 0 };
	struct map_entry *e;

	find_dropped(was, kind, pairs, &dropped);
	for (size_t i = 0; (e = map_next(&dropped, &i)) != NULL;)
		(void)json_object_del(labels, e->key);
	map_fini(&dropped);
	for (size_t i = 0; i < pairs->pairs.len; i++) {
		const struct config_pair *p = &pairs->pairs.at[i];

		must(json_object_set_new(
			 labels, p->key, json_string(p->value)) == 0);
		str_addf(words, " %s:%s", kind, p->key);
	}
}

void
gate_lists_env(json_t *container, const struct config_pairs *pairs,
    const char *was, struct str *words)
{
	json_t *list = json_array(), *item;
	struct map dropped = { 0 };
	size_t i;

	find_dropped(was, "env", pairs, &dropped);
	json_array_foreach(json_object_get(container, "Env"), i, item)
	{
		const char *s = json_string_value(item);
		char *key _cleanup_free_ =
		    s == NULL ? NULL : xmemdup0(s, strcspn(s, "="));

		if (s == NULL ||
		    (map_get(&dropped, key) == NULL &&
			!is_named(pairs, key, strlen(key))))
			append(list, json_incref(item));
	}
	map_fini(&dropped);
	for (i = 0; i < pairs->pairs.len; i++) {
		const struct config_pair *p = &pairs->pairs.at[i];
		char *line _cleanup_free_ =
		    xasprintf("%s=%s", p->key, p->value);

		append(list, json_string(line));
		str_addf(words, " env:%s", p->key);
	}
	set(container, "Env", list);
}

void
gate_lists_mount(json_t *container, const char *target)
{
	json_t *mounts = json_object_get(container, "Mounts"), *item;
	size_t i;

	json_array_foreach(mounts, i, item)
	{
		const char *t =
		    json_string_value(json_object_get(item, "Target"));

		if (t != NULL && strcmp(t, target) == 0)
			return;
	}
	mounts = json_is_array(mounts) ? json_incref(mounts) : json_array();
	append(mounts,
	    json_pack("{s:s,s:s,s:{s:i}}", "Type", "tmpfs", "Target", target,
		"TmpfsOptions", "Mode", TMPFS_MODE));
	set(container, "Mounts", mounts);
}

/* A secret or a config: 'kind' is "Secret" or "Config". */
static json_t *
blob_json(const char *kind, const char *file, const struct gate_ref *r)
{
	char *id _cleanup_free_ = xasprintf("%sID", kind);
	char *name _cleanup_free_ = xasprintf("%sName", kind);

	return json_pack("{s:{s:s,s:s,s:s,s:i},s:s,s:s}", "File", "Name", file,
	    "UID", "0", "GID", "0", "Mode", SECRET_MODE, id, r->id, name,
	    r->name);
}

static json_t *
secret_json(const struct gate_wish *w, const struct gate_ref *r, json_t *was)
{
	const struct cluster_config *c = w->config;
	const char *dir = c->proxy.secrets_dir;
	bool agents = false;
	char *file _cleanup_free_ = NULL;

	(void)was;
	for (size_t i = 0; i < c->control.agent_secrets.items.len; i++)
		agents |=
		    strcmp(c->control.agent_secrets.items.at[i], r->name) == 0;
	file = agents || strcmp(dir, DEFAULT_SECRETS_DIR) == 0
	    ? xstrdup(r->name)
	    : xasprintf("%s/%s", dir, r->name);
	return blob_json("Secret", file, r);
}

static json_t *
config_json(const struct gate_wish *w, const struct gate_ref *r, json_t *was)
{
	char *file _cleanup_free_ =
	    xasprintf("%s/%s", w->config->proxy.secrets_dir, r->name);

	(void)was;
	return blob_json("Config", file, r);
}

/* What another hand said of a network that is there stays. */
static json_t *
network_json(const struct gate_wish *w, const struct gate_ref *r, json_t *was)
{
	(void)w;
	return was != NULL ? json_incref(was)
			   : json_pack("{s:s}", "Target", r->id);
}

/* The item of 'list' whose 'member' is 'id', borrowed, or NULL. */
static json_t *
find(json_t *list, const char *member, const char *id)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *s =
		    json_string_value(json_object_get(item, member));

		if (s != NULL && strcmp(s, id) == 0)
			return item;
	}
	return NULL;
}

/*
 * Exactly 'refs' in the list 'key' of 'o', where 'id' names the object.  Those
 * that are there keep their place; make() is told what was there, or NULL.
 */
static void
refer(json_t *o, const char *key, const char *id, const struct gate_refs *refs,
    json_t *(*make)(
	const struct gate_wish *w, const struct gate_ref *r, json_t *was),
    const struct gate_wish *w)
{
	json_t *was = json_object_get(o, key);
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach(was, i, item)
	{
		for (size_t k = 0; k < refs->len; k++) {
			const struct gate_ref *r = &refs->at[k];

			if (find(was, id, r->id) == item)
				append(list, make(w, r, item));
		}
	}
	for (i = 0; i < refs->len; i++) {
		if (find(list, id, refs->at[i].id) == NULL)
			append(list, make(w, &refs->at[i], NULL));
	}
	set(o, key, list);
}

void
gate_lists_secrets(json_t *container, const struct gate_wish *w)
{
	refer(container, "Secrets", "SecretID", &w->secrets, secret_json, w);
}

void
gate_lists_configs(json_t *container, const struct gate_wish *w)
{
	refer(container, "Configs", "ConfigID", &w->configs, config_json, w);
}

void
gate_lists_networks(json_t *template, const struct gate_wish *w)
{
	refer(template, "Networks", "Target", &w->networks, network_json, w);
}

json_t *
gate_lists_texts(const struct config_list *list)
{
	json_t *out = json_array();

	for (size_t i = 0; i < list->items.len; i++)
		append(out, json_string(list->items.at[i]));
	return out;
}

/* "spread=node.labels.zone", as of docker service create. */
json_t *
gate_lists_preferences(const struct config_list *list)
{
	static const char spread[] = "spread=";
	json_t *out = json_array();

	for (size_t i = 0; i < list->items.len; i++) {
		const char *item = list->items.at[i];

		if (strncmp(item, spread, sizeof(spread) - 1) == 0)
			item += sizeof(spread) - 1;
		append(out,
		    json_pack("{s:{s:s}}", "Spread", "SpreadDescriptor", item));
	}
	return out;
}
