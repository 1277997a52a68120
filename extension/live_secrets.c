/* What the live extension knows of secrets: see live_secrets.h. */
#include "live_secrets.h"

#include <jansson.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "secret_facts.h"

#define FILE_MAX (64U * 1024 * 1024)

static const struct secret_fact *
get_fact(void *arg, const struct secret_use *use)
{
	struct live_secrets *s = arg;
	char id[SECRET_ID_SIZE];

	secret_use_id(use, id);
	return map_get(&s->facts, id);
}

static const struct secret_use *
get_last_good(void *arg, const char *service_id)
{
	struct live_secrets *s = arg;

	return map_get(&s->last_good, service_id);
}

static void
free_use(struct secret_use *u)
{
	if (u == NULL)
		return;
	secret_use_fini(u);
	free(u);
}

/* ---- on disk ---- */

static void
load_last_good(struct live_secrets *s, const json_t *list)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *service =
		    json_string_value(json_object_get(o, "service"));
		const char *name =
		    json_string_value(json_object_get(o, "name"));
		const char *key = json_string_value(json_object_get(o, "key"));
		struct secret_use *u;

		if (service == NULL || name == NULL)
			continue;
		u = xcalloc(1, sizeof(*u));
		u->name = xstrdup(name);
		u->key = key == NULL ? NULL : xstrdup(key);
		free_use(map_set(&s->last_good, service, u));
	}
}

/* What cannot be read is as if nothing were known: the agents tell. */
static void
load(struct live_secrets *s)
{
	STR_AUTO(text, FILE_MAX);
	json_auto_t *j = NULL;

	if (fs_read(s->path, &text, NULL) != 0)
		return;
	j = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	secret_facts_decode(json_object_get(j, "facts"), &s->facts);
	load_last_good(s, json_object_get(j, "last_good"));
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
encode_last_good(const struct live_secrets *s, struct str *out)
{
	struct {
		VEC(const char *) list;
	} ids = { { NULL, 0, 0 } };
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&s->last_good, &i)) != NULL;)
		vec_push(&ids.list, e->key);
	vec_sort(&ids.list, compare_keys);
	for (i = 0; i < ids.list.len; i++) {
		const struct secret_use *u =
		    map_get(&s->last_good, ids.list.at[i]);

		str_add(out, i == 0 ? "\n{\"service\":" : ",\n{\"service\":");
		str_add_json(out, ids.list.at[i], strlen(ids.list.at[i]));
		str_add_member(out, "name", u->name);
		str_add_member(out, "key", u->key);
		str_addc(out, '}');
	}
	vec_fini(&ids.list);
}

int
live_secrets_store(struct live_secrets *s, struct error *e)
{
	STR_AUTO(text, FILE_MAX);

	if (s->stored)
		return 0;
	str_add(&text, "{\"version\":1,\"facts\":");
	secret_facts_encode(&s->facts, &text);
	str_add(&text, ",\n\"last_good\":[");
	encode_last_good(s, &text);
	str_add(&text, "]}\n");
	if (fs_write(s->path, text.p, text.len, 0640, e) != 0)
		return -1;
	s->stored = true;
	return 0;
}

/* ---- news ---- */

bool
live_secrets_refresh(
    struct live_secrets *s, const struct proxies *p, uint64_t now_ms)
{
	struct map now = { 0 };
	struct map_entry *e;
	bool same;
	size_t i;

	proxies_secrets(p, now_ms, &now);
	/* Of what no proxy speaks, what was said last goes on. */
	for (i = 0; (e = map_next(&s->facts, &i)) != NULL;) {
		struct secret_fact *f;

		if (map_get(&now, e->key) != NULL)
			continue;
		f = xcalloc(1, sizeof(*f));
		secret_fact_copy(e->value, f);
		(void)map_set(&now, e->key, f);
	}
	same = secret_facts_same(&s->facts, &now);
	secret_facts_free(&s->facts);
	s->facts = now;
	if (!same)
		s->stored = false;
	return !same;
}

static void
set_last_good(
    struct live_secrets *s, const char *service, const struct secret_use *use)
{
	const struct secret_use *old = map_get(&s->last_good, service);
	struct secret_use *u;

	if (old != NULL && strcmp(old->name, use->name) == 0 &&
	    (old->key == NULL) == (use->key == NULL) &&
	    (use->key == NULL || strcmp(old->key, use->key) == 0))
		return;
	u = xcalloc(1, sizeof(*u));
	secret_use_copy(use, u);
	free_use(map_set(&s->last_good, service, u));
	s->stored = false;
}

/* Removes what is not among 'known' and frees it. */
static bool
forget(struct live_secrets *s, struct map *m, const struct map *known,
    void (*drop)(void *value))
{
	struct {
		VEC(char *) list;
	} gone = { { NULL, 0, 0 } };
	struct map_entry *e;
	size_t i;
	bool any;

	for (i = 0; (e = map_next(m, &i)) != NULL;)
		if (map_get(known, e->key) == NULL)
			vec_push(&gone.list, xstrdup(e->key));
	for (i = 0; i < gone.list.len; i++) {
		drop(map_remove(m, gone.list.at[i]));
		free(gone.list.at[i]);
		s->stored = false;
	}
	any = gone.list.len > 0;
	vec_fini(&gone.list);
	return any;
}

static void
drop_fact(void *value)
{
	secret_fact_fini(value);
	free(value);
}

static void
drop_use(void *value)
{
	free_use(value);
}

void
live_secrets_removed(struct live_secrets *s, const char *name)
{
	struct map left = { 0 };
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&s->last_good, &i)) != NULL;) {
		const struct secret_use *u = e->value;

		if (strcmp(u->name, name) != 0 &&
		    (u->key == NULL || strcmp(u->key, name) != 0))
			(void)map_set(&left, e->key, s);
	}
	(void)forget(s, &s->last_good, &left, drop_use);
	map_fini(&left);
}

bool
live_secrets_learn(struct live_secrets *s, const struct routing *r)
{
	struct map services = { 0 }, ids = { 0 };
	struct secret_use use;
	size_t i;
	bool any;

	/* Of most clusters nothing is known, and so nothing to be learnt. */
	if (s->facts.len == 0 && s->last_good.len == 0)
		return false;
	for (i = 0; i < r->accepted.len; i++) {
		const struct accepted *a = r->accepted.at[i];
		const struct secret_fact *f;

		(void)map_set(&services, a->service->id, s);
		if (!accepted_secret(a, LABEL_SSL_CERT, &use))
			continue;
		f = get_fact(s, &use);
		if (f != NULL && f->state == SECRET_GOOD)
			set_last_good(s, a->service->id, &use);
	}
	for (i = 0; i < r->rejected.len; i++)
		if (r->rejected.at[i].service_id != NULL)
			(void)map_set(
			    &services, r->rejected.at[i].service_id, s);
	for (i = 0; i < r->uses.len; i++)
		(void)map_set(&ids, r->uses.at[i].id, s);
	any = forget(s, &s->last_good, &services, drop_use);
	any = forget(s, &s->facts, &ids, drop_fact) || any;
	map_fini(&services);
	map_fini(&ids);
	return any;
}

void
live_secrets_manifest(const struct routing *r, char **ret)
{
	STR_AUTO(text, FILE_MAX);
	struct str *out = &text;
	size_t i;

	str_addc(out, '[');
	for (i = 0; i < r->uses.len; i++) {
		const struct routing_secret *u = &r->uses.at[i];

		str_addf(out, "%s{\"id\":\"%s\",\"kind\":\"%s\"",
		    i == 0 ? "\n" : ",\n", u->id,
		    secret_kind_name(u->use.kind));
		str_add_member(out, "name", u->use.name);
		str_add_member(out, "key", u->use.key);
		str_addf(out, ",\"used\":%s}", u->used ? "true" : "false");
	}
	str_addc(out, ']');
	*ret = str_take(out);
}

/* ---- life ---- */

void
live_secrets_init(
    struct live_secrets *s, const char *run_dir, const char *cluster)
{
	*s = (struct live_secrets){ .stored = true };
	s->path = xasprintf("%s/state/%s/secrets.json", run_dir, cluster);
	s->book = (struct secret_book){
		.fact = get_fact, .last_good = get_last_good, .arg = s
	};
	load(s);
}

void
live_secrets_fini(struct live_secrets *s)
{
	struct map_entry *e;
	size_t i;

	secret_facts_free(&s->facts);
	for (i = 0; (e = map_next(&s->last_good, &i)) != NULL;)
		free_use(e->value);
	map_fini(&s->last_good);
	free(s->path);
}
