/* Facts about secrets as JSON: see secret_facts.h. */
#include "secret_facts.h"

#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

enum { NAMES_MAX = 1000, FACTS_MAX = 20000 };

static char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text == NULL ? NULL : xstrdup(text);
}

static bool
flag_of(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static bool
good_id(const char *id)
{
	return id != NULL && strlen(id) == SECRET_ID_SIZE - 1 &&
	    strspn(id, "0123456789abcdef") == SECRET_ID_SIZE - 1;
}

static void
decode_names(const json_t *names, struct secret_fact *f)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		if (json_is_string(name) && i < NAMES_MAX)
			vec_push(&f->names, xstrdup(json_string_value(name)));
		else
			f->all_names = false;
	}
}

void
secret_facts_decode(const json_t *list, struct map *ret)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *id = json_string_value(json_object_get(o, "id"));
		int state = secret_state_parse(
		    json_string_value(json_object_get(o, "state")));
		struct secret_fact *f;

		if (!good_id(id) || state < 0 || map_get(ret, id) != NULL ||
		    ret->len >= FACTS_MAX)
			continue;
		f = xcalloc(1, sizeof(*f));
		f->state = (enum secret_state)state;
		f->kept = flag_of(o, "kept");
		f->in_key = flag_of(o, "in_key");
		f->all_names = flag_of(o, "all_names");
		f->reason = text_of(o, "reason");
		f->remark = text_of(o, "remark");
		decode_names(json_object_get(o, "names"), f);
		if (f->state != SECRET_GOOD && f->reason == NULL)
			f->reason = xstrdup("a proxy cannot use it");
		(void)map_set(ret, id, f);
	}
}

void
secret_serving_decode(const json_t *list, struct secret_serving *ret)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *kind =
		    json_string_value(json_object_get(o, "kind"));
		int number =
		    kind == NULL ? SECRET_CERTIFICATE : secret_kind_parse(kind);
		char *service = text_of(o, "service");
		char *name = text_of(o, "name");
		char *key = text_of(o, "key");
		struct secret_served *s;

		if (service == NULL || name == NULL || number < 0 ||
		    !secret_name_ok(name) ||
		    (key != NULL && !secret_name_ok(key)) ||
		    ret->list.len >= FACTS_MAX) {
			free(service);
			free(name);
			free(key);
			continue;
		}
		s = vec_add(&ret->list);
		s->service = service;
		s->use =
		    (struct secret_use){ (enum secret_kind)number, name, key };
	}
}

void
secret_serving_add(
    struct str *out, const char *service, const struct secret_use *u)
{
	str_add(out, "{\"service\":");
	str_add_json(out, service, strlen(service));
	str_add_member(out, "kind", secret_kind_name(u->kind));
	str_add_member(out, "name", u->name);
	str_add_member(out, "key", u->key);
	str_addc(out, '}');
}

void
secret_serving_fini(struct secret_serving *s)
{
	for (size_t i = 0; i < s->list.len; i++) {
		free(s->list.at[i].service);
		secret_use_fini(&s->list.at[i].use);
	}
	vec_fini(&s->list);
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
encode(const char *id, const struct secret_fact *f, struct str *out)
{
	size_t i;

	str_addf(out,
	    "{\"id\":\"%s\",\"state\":\"%s\",\"kept\":%s,\"in_key\":%s,"
	    "\"all_names\":%s",
	    id, secret_state_name(f->state), f->kept ? "true" : "false",
	    f->in_key ? "true" : "false", f->all_names ? "true" : "false");
	str_add_member(out, "reason", f->reason);
	str_add_member(out, "remark", f->remark);
	str_add(out, ",\"names\":[");
	for (i = 0; i < f->names.len; i++) {
		str_add(out, i == 0 ? "" : ",");
		str_add_json(out, f->names.at[i], strlen(f->names.at[i]));
	}
	str_add(out, "]}");
}

void
secret_facts_encode(const struct map *facts, struct str *out)
{
	struct {
		VEC(const char *) list;
	} ids = { { NULL, 0, 0 } };
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(facts, &i)) != NULL;)
		vec_push(&ids.list, e->key);
	vec_sort(&ids.list, compare_keys);
	str_addc(out, '[');
	for (i = 0; i < ids.list.len; i++) {
		str_add(out, i == 0 ? "\n" : ",\n");
		encode(ids.list.at[i], map_get(facts, ids.list.at[i]), out);
	}
	str_addc(out, ']');
	vec_fini(&ids.list);
}

bool
secret_facts_same(const struct map *a, const struct map *b)
{
	struct map_entry *e;
	size_t i;

	if (a->len != b->len)
		return false;
	for (i = 0; (e = map_next(a, &i)) != NULL;) {
		const struct secret_fact *f = map_get(b, e->key);

		if (f == NULL || !secret_fact_same(e->value, f))
			return false;
	}
	return true;
}

void
secret_facts_free(struct map *facts)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(facts, &i)) != NULL;) {
		secret_fact_fini(e->value);
		free(e->value);
	}
	map_fini(facts);
	*facts = (struct map){ 0 };
}
