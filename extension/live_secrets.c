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
get_last_good(void *arg, const char *service_id, enum secret_kind kind)
{
	struct live_secrets *s = arg;
	const struct last_good *g = map_get(&s->last_good, service_id);

	return g == NULL ? NULL : g->of[kind];
}

static void
drop_use(struct secret_use **u)
{
	if (*u == NULL)
		return;
	secret_use_fini(*u);
	free(*u);
	*u = NULL;
}

static void
drop_last_good(void *value)
{
	struct last_good *g = value;

	for (size_t k = 0; k < SECRET_KIND_COUNT; k++)
		drop_use(&g->of[k]);
	free(g);
}

static void
set_last_good(
    struct live_secrets *s, const char *service, const struct secret_use *use)
{
	struct last_good *g = map_get(&s->last_good, service);
	struct secret_use **u;

	if (g == NULL) {
		g = xcalloc(1, sizeof(*g));
		(void)map_set(&s->last_good, service, g);
	}
	u = &g->of[use->kind];
	if (*u != NULL && str_equal((*u)->name, use->name) &&
	    str_equal((*u)->key, use->key))
		return;
	drop_use(u);
	*u = xcalloc(1, sizeof(**u));
	secret_use_copy(use, *u);
	s->stored = false;
}

/* ---- on disk ---- */

static void
load_last_good(struct live_secrets *s, json_t *list)
{
	struct secret_serving serving = { { NULL, 0, 0 } };
	size_t i;

	secret_serving_decode(list, &serving);
	for (i = 0; i < serving.list.len; i++)
		set_last_good(
		    s, serving.list.at[i].service, &serving.list.at[i].use);
	secret_serving_fini(&serving);
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
	load_last_good(s, json_object_get(j, "last_good_others"));
	s->stored = true;
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Runs of an older kind read certificates only: others stand apart. */
static void
encode_last_good(const struct live_secrets *s, bool others, struct str *out)
{
	struct {
		VEC(const char *) list;
	} ids = { { NULL, 0, 0 } };
	const char *before = "\n";
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&s->last_good, &i)) != NULL;)
		vec_push(&ids.list, e->key);
	vec_sort(&ids.list, compare_keys);
	for (i = 0; i < ids.list.len * SECRET_KIND_COUNT; i++) {
		const char *id = ids.list.at[i / SECRET_KIND_COUNT];
		const struct last_good *g = map_get(&s->last_good, id);
		const struct secret_use *u = g->of[i % SECRET_KIND_COUNT];

		if (u == NULL || others != (u->kind != SECRET_CERTIFICATE))
			continue;
		str_add(out, before);
		secret_serving_add(out, id, u);
		before = ",\n";
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
	encode_last_good(s, false, &text);
	str_add(&text, "],\n\"last_good_others\":[");
	encode_last_good(s, true, &text);
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

void
live_secrets_removed(struct live_secrets *s, const char *name)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->last_good, &i)) != NULL;) {
		struct last_good *g = e->value;

		for (size_t k = 0; k < SECRET_KIND_COUNT; k++) {
			const struct secret_use *u = g->of[k];

			if (u == NULL ||
			    (strcmp(u->name, name) != 0 &&
				!str_equal(u->key, name)))
				continue;
			drop_use(&g->of[k]);
			s->stored = false;
		}
	}
}

bool
live_secrets_told(struct live_secrets *s, const struct proxy *p)
{
	bool news = false;

	for (size_t i = 0; i < p->serving.list.len; i++) {
		const struct secret_served *x = &p->serving.list.at[i];
		const struct last_good *g = map_get(&s->last_good, x->service);

		if (g != NULL && g->of[x->use.kind] != NULL)
			continue;
		set_last_good(s, x->service, &x->use);
		news = true;
	}
	return news;
}

/* What 'a' is served with, where that is good. */
static void
learn(struct live_secrets *s, const struct accepted *a)
{
	struct secret_use use;

	for (size_t k = 0; k < SECRET_KIND_COUNT; k++) {
		const struct secret_fact *f;
		struct last_good *g;

		if (accepted_secret(a, secret_labels[k], &use)) {
			f = get_fact(s, &use);
			if (f != NULL && f->state == SECRET_GOOD)
				set_last_good(s, a->service->id, &use);
			continue;
		}
		/* Nobody asks for it: what comes after is no successor. */
		g = map_get(&s->last_good, a->service->id);
		if (k == SECRET_CERTIFICATE || g == NULL || g->of[k] == NULL ||
		    labels_secret(&a->labels, secret_labels[k], &use))
			continue;
		drop_use(&g->of[k]);
		s->stored = false;
	}
}

bool
live_secrets_learn(struct live_secrets *s, const struct routing *r)
{
	struct map services = { 0 }, ids = { 0 };
	size_t i;
	bool any;

	/* Of most clusters nothing is known, and so nothing to be learnt. */
	if (s->facts.len == 0 && s->last_good.len == 0)
		return false;
	for (i = 0; i < r->accepted.len; i++) {
		const struct accepted *a = r->accepted.at[i];

		(void)map_set(&services, a->service->id, s);
		learn(s, a);
	}
	for (i = 0; i < r->rejected.len; i++)
		if (r->rejected.at[i].service_id != NULL)
			(void)map_set(
			    &services, r->rejected.at[i].service_id, s);
	for (i = 0; i < r->uses.len; i++)
		(void)map_set(&ids, r->uses.at[i].id, s);
	any = forget(s, &s->last_good, &services, drop_last_good);
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
	size_t i, k;

	str_addc(out, '[');
	for (i = 0; i < r->uses.len; i++) {
		const struct routing_secret *u = &r->uses.at[i];

		str_addf(out, "%s{\"id\":\"%s\",\"kind\":\"%s\"",
		    i == 0 ? "\n" : ",\n", u->id,
		    secret_kind_name(u->use.kind));
		str_add_member(out, "name", u->use.name);
		str_add_member(out, "key", u->use.key);
		str_addf(out, ",\"used\":%s", u->used ? "true" : "false");
		str_add(out, ",\"services\":[");
		for (k = 0; k < u->services.len; k++) {
			const char *id = u->services.at[k];

			str_add(out, k == 0 ? "" : ",");
			str_add_json(out, id, strlen(id));
		}
		str_add(out, "]}");
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
		drop_last_good(e->value);
	map_fini(&s->last_good);
	free(s->path);
}
