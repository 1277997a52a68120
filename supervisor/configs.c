/* Docker configs that hold INIs: see configs.h. */
#include "configs.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"

static void
docker_config_free(struct docker_config *d)
{
	if (d == NULL)
		return;
	free(d->id);
	free(d->name);
	free(d->cluster);
	free(d->text);
	free(d);
}

static const char *
text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* Its content comes once; which of them count is said afterwards. */
static int
take_one(struct configs *c, const json_t *o, struct error *e)
{
	const char *id = text_of(o, "id"), *name = text_of(o, "name");
	const char *cluster = text_of(o, "cluster"), *data = text_of(o, "data");
	STR_AUTO(text, CONFIG_FILE_MAX);
	struct docker_config *d;

	if (id == NULL || name == NULL || cluster == NULL ||
	    json_object_get(o, "data") == NULL)
		return error_set(e, EPROTO, "a config without a member");
	if (data != NULL && base64_decode(&text, data, strlen(data), e) != 0)
		return error_wrap(e, "config %s", name);
	if (text.overflow)
		return error_set(e, EFBIG, "config %s is too large", name);
	d = map_get(&c->arrived, id);
	if (d != NULL) {
		/* A config's bytes never change, but its labels may. */
		c->touched |= strcmp(d->cluster, cluster) != 0;
		free(d->cluster);
		d->cluster = xstrdup(cluster);
		return 0;
	}
	d = xcalloc(1, sizeof(*d));
	d->id = xstrdup(id);
	d->name = xstrdup(name);
	d->cluster = xstrdup(cluster);
	d->len = text.len;
	if (data != NULL)
		d->text = str_take(&text);
	(void)map_set(&c->arrived, id, d);
	return 0;
}

static void
drop_old(struct configs *c, const struct map *wanted)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&c->arrived, &i)) != NULL;) {
		if (map_get(wanted, e->key) != NULL)
			continue;
		docker_config_free(e->value);
		(void)map_remove(&c->arrived, e->key);
	}
}

static bool
same_list(const struct configs *c, const json_t *ids)
{
	const json_t *id;
	size_t i;

	if (!c->known || json_array_size(ids) != c->list.len)
		return false;
	json_array_foreach(ids, i, id)
	{
		if (strcmp(c->list.at[i]->id, json_string_value(id)) != 0)
			return false;
	}
	return true;
}

static int
take_list(
    struct configs *c, const json_t *ids, bool *ret_changed, struct error *e)
{
	struct map wanted = { 0 };
	const json_t *id;
	size_t i;

	json_array_foreach(ids, i, id)
	{
		if (!json_is_string(id) ||
		    map_get(&c->arrived, json_string_value(id)) == NULL) {
			map_fini(&wanted);
			return error_set(
			    e, EPROTO, "a config that was not told");
		}
		(void)map_set(&wanted, json_string_value(id), c);
	}
	*ret_changed = c->touched || !same_list(c, ids);
	c->known = true;
	c->touched = false;
	c->list.len = 0;
	json_array_foreach(ids, i, id)
	    vec_push(&c->list, map_get(&c->arrived, json_string_value(id)));
	drop_old(c, &wanted);
	map_fini(&wanted);
	return 0;
}

int
configs_take(struct configs *c, const char *line, size_t len, bool *ret_changed,
    struct error *e)
{
	json_auto_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *type = text_of(o, "type");
	const json_t *ids = json_object_get(o, "ids");

	if (type != NULL && strcmp(type, "config") == 0) {
		if (take_one(c, o, e) != 0)
			return -1;
		*ret_changed = false;
		return 0;
	}
	if (type == NULL || strcmp(type, "configs") != 0 || !json_is_array(ids))
		return error_set(e, EPROTO, "neither a config nor their list");
	return take_list(c, ids, ret_changed, e);
}

void
configs_fini(struct configs *c)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&c->arrived, &i)) != NULL;)
		docker_config_free(e->value);
	map_fini(&c->arrived);
	vec_fini(&c->list);
}
