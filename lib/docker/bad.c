/*
 * Objects that the reader could not decode, on their way to an extension: the
 * member "bad" of a snapshot document.  See decode.h.
 */
#include "docker/decode.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static const char *const kinds[] = { "service", "task", "network", "node",
	"secret", "config" };

static const char *
known_kind(const char *kind)
{
	size_t i;

	for (i = 0; i < countof(kinds); i++) {
		if (strcmp(kinds[i], kind) == 0)
			return kinds[i];
	}
	return NULL;
}

static void
add_member(struct str *out, const char *key, const char *text)
{
	if (text == NULL)
		return;
	str_addf(out, ",\"%s\":", key);
	str_add_json(out, text, strlen(text));
}

void
docker_encode_bad(struct str *out, const struct model *m)
{
	size_t i;

	str_addc(out, '[');
	for (i = 0; i < m->bad.len; i++) {
		const struct bad_object *b = &m->bad.at[i];

		str_addf(out, "%s{\"kind\":\"%s\",\"position\":%zu",
		    i == 0 ? "" : ",\n", b->kind, b->position);
		add_member(out, "id", b->id);
		add_member(out, "name", b->name);
		add_member(out, "reason", b->reason);
		str_addc(out, '}');
	}
	str_addc(out, ']');
}

static char *
copy_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text == NULL ? NULL : xstrdup(text);
}

int
docker_decode_bad(
    const char *json, size_t len, struct model *m, struct error *e)
{
	json_auto_t *list = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *o;
	size_t i;

	if (!json_is_array(list))
		return error_set(e, EPROTO, "not a list of bad objects");
	json_array_foreach(list, i, o)
	{
		const char *kind =
		    json_string_value(json_object_get(o, "kind"));
		char *reason = copy_text(o, "reason");
		struct bad_object *b;

		kind = kind == NULL ? NULL : known_kind(kind);
		if (kind == NULL || reason == NULL) {
			free(reason);
			return error_set(
			    e, EPROTO, "%zu: no kind or no reason", i);
		}
		b = vec_add(&m->bad);
		b->kind = kind;
		b->reason = reason;
		b->id = copy_text(o, "id");
		b->name = copy_text(o, "name");
		b->position =
		    (size_t)json_integer_value(json_object_get(o, "position"));
	}
	m->bad_listed = true;
	return 0;
}
