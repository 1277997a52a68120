/* INIs of clusters in Docker configs: see reader_configs.h. */
#include "reader_configs.h"

#include <jansson.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/vec.h"
#include "docker/decode_guard.h"
#include "loop/http_client.h"

/* Of base64; larger ones are told without: they cannot travel. */
#define DATA_MAX 900000
#define LINE_MAX_SIZE ((size_t)1024 * 1024 - 1)
#define CONFIRM_MS 2000
#define RETRY_MS 1000
#define REMOVED_MANY 1000

struct found {
	char *id;
	char *name;
	char *cluster;
	char *data; /* base64, as the Engine gives it; NULL once told */
	int64_t created_ns;
};

struct reader_configs {
	struct docker_client *docker;
	reader_configs_tell_fn *tell;
	void *arg;
	struct docker_call *call;
	struct map fresh;   /* cluster -> struct found *: the look under way */
	struct map current; /* cluster -> struct found *: what was told */
	struct map removed; /* IDs that events told to be gone */
	bool told;	    /* once at least */
	bool doubted;	    /* the list before lacked something */
	bool again;
	uv_timer_t timer;
	bool closing;
	bool timer_open;
};

static void
found_free(struct found *f)
{
	if (f == NULL)
		return;
	free(f->id);
	free(f->name);
	free(f->cluster);
	free(f->data);
	free(f);
}

static void
clear(struct map *m)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(m, &i)) != NULL;)
		found_free(e->value);
	map_fini(m);
}

static void
maybe_free(struct reader_configs *c)
{
	if (!c->closing || c->timer_open || c->call != NULL)
		return;
	clear(&c->fresh);
	clear(&c->current);
	map_fini(&c->removed);
	free(c);
}

/* ---------------------------------------------------------------- decoding */

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

/* The label can hold anything; what is no name is told, to be reported. */
#define LABEL_MAX 4096

static struct found *
take_found(const json_t *o)
{
	const json_t *spec = json_object_get(o, "Spec");
	const char *created = text_of(o, "CreatedAt");
	const char *cluster =
	    text_of(json_object_get(spec, "Labels"), CONFIG_LABEL_CLUSTER);
	struct found *f;
	int64_t ns;

	if (*text_of(o, "ID") == '\0' || *text_of(spec, "Name") == '\0' ||
	    strlen(text_of(o, "ID")) > LABEL_MAX ||
	    strlen(text_of(spec, "Name")) > LABEL_MAX ||
	    strlen(cluster) > LABEL_MAX ||
	    parse_rfc3339(created, strlen(created), &ns, NULL) != 0)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->id = xstrdup(text_of(o, "ID"));
	f->name = xstrdup(text_of(spec, "Name"));
	f->cluster = xstrdup(cluster);
	f->data = xstrdup(text_of(spec, "Data"));
	f->created_ns = ns;
	return f;
}

static struct found *
decode(const char *json, size_t len)
{
	json_t *o = NULL;
	struct found *f;

	if (decode_guard_enter(json, len, NULL) != 0)
		return NULL;
	o = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
	f = take_found(o);
	json_decref(o);
	decode_guard_leave();
	return f;
}

static bool
is_newer(const struct found *a, const struct found *b)
{
	if (a->created_ns != b->created_ns)
		return a->created_ns > b->created_ns;
	return strcmp(a->id, b->id) > 0;
}

static void
on_object(void *arg, const char *json, size_t len)
{
	struct reader_configs *c = arg;
	struct found *f = decode(json, len), *other;

	if (f == NULL) {
		log_warn("a Docker config labelled " CONFIG_LABEL_CLUSTER
			 " cannot be read: left out");
		return;
	}
	other = map_get(&c->fresh, f->cluster);
	if (other != NULL && !is_newer(f, other)) {
		found_free(f);
		return;
	}
	(void)map_set(&c->fresh, f->cluster, f);
	found_free(other);
}

/* ------------------------------------------------------------------ telling */

static bool
was_told(const struct reader_configs *c, const struct found *f)
{
	const struct found *before = map_get(&c->current, f->cluster);

	return before != NULL && strcmp(before->id, f->id) == 0;
}

static bool
is_different(const struct reader_configs *c)
{
	struct map_entry *e;

	if (!c->told || c->fresh.len != c->current.len)
		return true;
	for (size_t i = 0; (e = map_next(&c->fresh, &i)) != NULL;) {
		if (!was_told(c, e->value))
			return true;
	}
	return false;
}

/* Whether something went that nobody said was removed. */
static bool
is_doubtful(const struct reader_configs *c)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&c->current, &i)) != NULL;) {
		const struct found *was = e->value;
		const struct found *is = map_get(&c->fresh, e->key);

		if ((is == NULL || is_newer(was, is)) &&
		    map_get(&c->removed, was->id) == NULL)
			return true;
	}
	return false;
}

static void
tell_one(struct reader_configs *c, struct found *f)
{
	STR_AUTO(line, LINE_MAX_SIZE);

	str_add(&line, "{\"type\":\"config\"");
	str_add_member(&line, "id", f->id);
	str_add_member(&line, "name", f->name);
	str_add_member(&line, "cluster", f->cluster);
	str_add_member(
	    &line, "data", strlen(f->data) > DATA_MAX ? NULL : f->data);
	str_addc(&line, '}');
	must(!line.overflow);
	c->tell(c->arg, line.p, line.len);
	free(f->data);
	f->data = NULL;
}

/* In an order of its own, so that equal sets are equal lines. */
static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
tell(struct reader_configs *c)
{
	STR_AUTO(line, LINE_MAX_SIZE);
	VEC(const char *) ids = { 0 };
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&c->fresh, &i)) != NULL;) {
		struct found *f = e->value;

		if (!was_told(c, f))
			tell_one(c, f);
		vec_push(&ids, f->id);
	}
	vec_sort(&ids, compare_ids);
	str_add(&line, "{\"type\":\"configs\",\"ids\":[");
	for (size_t i = 0; i < ids.len; i++) {
		if (i > 0)
			str_addc(&line, ',');
		str_add_json(&line, ids.at[i], strlen(ids.at[i]));
	}
	str_add(&line, "]}");
	vec_fini(&ids);
	if (line.overflow)
		log_error("there are more Docker configs than can be told");
	else
		c->tell(c->arg, line.p, line.len);
	clear(&c->current);
	c->current = c->fresh;
	memset(&c->fresh, 0, sizeof(c->fresh));
	c->told = true;
}

/* ------------------------------------------------------------------ looking */

static void
on_timer(uv_timer_t *timer)
{
	reader_configs_look(container_of(timer, struct reader_configs, timer));
}

static void
look_in(struct reader_configs *c, uint64_t ms)
{
	(void)uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void
judge(struct reader_configs *c)
{
	if (!is_different(c)) {
		c->doubted = false;
	} else if (is_doubtful(c) && !c->doubted) {
		log_warn("a list lacks a Docker config that nobody is known "
			 "to have removed: asking again before its cluster "
			 "is retired");
		c->doubted = true;
		look_in(c, CONFIRM_MS);
	} else if (is_doubtful(c) && uv_is_active((uv_handle_t *)&c->timer)) {
		return; /* the second look is due later */
	} else {
		c->doubted = false;
		tell(c);
	}
}

static void
on_done(void *arg, long status, const struct error *e)
{
	struct reader_configs *c = arg;
	bool again = c->again;

	(void)status;
	c->call = NULL;
	c->again = false;
	if (c->closing) {
		maybe_free(c);
		return;
	}
	if (e != NULL) {
		log_debug("docker configs: %s", e->msg);
		if (!uv_is_active((uv_handle_t *)&c->timer))
			look_in(c, RETRY_MS);
	} else {
		judge(c);
	}
	clear(&c->fresh);
	if (again)
		reader_configs_look(c);
}

void
reader_configs_look(struct reader_configs *c)
{
	STR_AUTO(target, 1024);
	static const char filter[] =
	    "{\"label\":[\"" CONFIG_LABEL_CLUSTER "\"]}";

	if (c->closing)
		return;
	if (c->call != NULL) {
		c->again = true;
		return;
	}
	str_add(&target, "/configs?filters=");
	http_add_escaped(&target, filter, sizeof(filter) - 1);
	c->call = docker_list(c->docker, target.p, on_object, NULL, on_done, c);
}

void
reader_configs_heard(struct reader_configs *c, const char *id, bool removed)
{
	if (removed && id != NULL) {
		if (c->removed.len >= REMOVED_MANY)
			map_fini(&c->removed);
		(void)map_set(&c->removed, id, c);
	}
	reader_configs_look(c);
}

/* --------------------------------------------------------------------- life */

struct reader_configs *
reader_configs_new(uv_loop_t *loop, struct docker_client *docker,
    reader_configs_tell_fn *tell_fn, void *arg)
{
	struct reader_configs *c = xcalloc(1, sizeof(*c));

	c->docker = docker;
	c->tell = tell_fn;
	c->arg = arg;
	must(uv_timer_init(loop, &c->timer) == 0);
	c->timer_open = true;
	return c;
}

static void
on_closed(uv_handle_t *handle)
{
	struct reader_configs *c =
	    container_of(handle, struct reader_configs, timer);

	c->timer_open = false;
	maybe_free(c);
}

void
reader_configs_close(struct reader_configs *c)
{
	if (c == NULL || c->closing)
		return;
	c->closing = true;
	(void)uv_timer_stop(&c->timer);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}
