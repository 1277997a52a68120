/* Reports of agents: see proxies.h. */
#include "proxies.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "secret_facts.h"

#define ID_MAX 255

static void
proxy_free(struct proxy *p)
{
	free(p->id);
	free(p->agent);
	free(p->engine);
	free(p->error);
	secret_facts_free(&p->secrets);
	secret_serving_fini(&p->serving);
	free(p);
}

void
proxies_fini(struct proxies *p)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&p->by_id, &i)) != NULL;)
		proxy_free(e->value);
	map_fini(&p->by_id);
}

static bool
good_id(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len <= ID_MAX &&
	    strspn(id,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789._-") == len;
}

static bool
set_text(char **to, const char *text)
{
	if (*to == text ||
	    (*to != NULL && text != NULL && strcmp(*to, text) == 0))
		return false;
	free(*to);
	*to = text == NULL ? NULL : xstrdup(text);
	return true;
}

static void
take(struct proxy *p, const json_t *j, struct proxy_news *news)
{
	const json_t *timing = json_object_get(j, "timing");
	const char *config =
	    json_string_value(json_object_get(j, "applied_config"));
	const char *state = json_string_value(json_object_get(j, "state"));
	const char *asked = json_string_value(json_object_get(j, "config"));

	(void)set_text(
	    &p->agent, json_string_value(json_object_get(j, "agent")));
	(void)set_text(
	    &p->engine, json_string_value(json_object_get(j, "engine")));
	news->error = set_text(&p->error,
			  json_string_value(json_object_get(j, "error"))) &&
	    p->error != NULL;
	p->alive = json_is_true(json_object_get(j, "alive"));
	p->draining = json_is_true(json_object_get(j, "draining"));
	p->pinned = json_is_true(json_object_get(j, "pinned"));
	secret_facts_free(&p->secrets);
	secret_facts_decode(json_object_get(j, "secrets"), &p->secrets);
	secret_serving_fini(&p->serving);
	secret_serving_decode(json_object_get(j, "serving"), &p->serving);
	p->refused = state != NULL && strcmp(state, "refused") == 0;
	p->asked_config[0] = '\0';
	if (asked != NULL && sha256_is_hex(asked))
		memcpy(p->asked_config, asked, SHA256_HEX_SIZE);
	p->reloads =
	    (uint64_t)json_integer_value(json_object_get(j, "reloads"));
	p->applied =
	    (uint64_t)json_integer_value(json_object_get(j, "applied"));
	if (config != NULL && sha256_is_hex(config) &&
	    strcmp(config, p->applied_config) != 0) {
		memcpy(p->applied_config, config, SHA256_HEX_SIZE);
		news->applied = true;
	}
	news->fetched_us =
	    (uint64_t)json_integer_value(json_object_get(timing, "fetched_us"));
	news->checked_us =
	    (uint64_t)json_integer_value(json_object_get(timing, "checked_us"));
	news->live_us =
	    (uint64_t)json_integer_value(json_object_get(timing, "live_us"));
	news->settled_us =
	    (uint64_t)json_integer_value(json_object_get(timing, "settled_us"));
}

/* 'ret_id' is borrowed from 'j'. */
static int
check_head(
    const json_t *j, const char *cluster, const char **ret_id, struct error *e)
{
	const char *id = json_string_value(json_object_get(j, "proxy"));
	const char *name = json_string_value(json_object_get(j, "cluster"));

	if (json_integer_value(json_object_get(j, "version")) != 1)
		return error_set(e, EPROTO, "not a report of version 1");
	if (id == NULL || !good_id(id))
		return error_set(e, EPROTO, "proxy: no name of a proxy");
	if (name == NULL || strcmp(name, cluster) != 0)
		return error_set(
		    e, EPROTO, "cluster: this is the extension of %s", cluster);
	*ret_id = id;
	return 0;
}

int
proxies_check(const char *cluster, const char *json, size_t len,
    struct proxy_check *ret, struct error *e)
{
	static const char *const states[] = { "accepted", "refused", "failed" };
	json_auto_t *j = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	const char *config = json_string_value(json_object_get(j, "config"));
	const char *state = json_string_value(json_object_get(j, "state"));
	const char *words = json_string_value(json_object_get(j, "error"));
	const char *id;
	size_t i;

	if (check_head(j, cluster, &id, e) != 0)
		return -1;
	if (config == NULL || !sha256_is_hex(config))
		return error_set(e, EPROTO, "config: not a SHA-256");
	for (i = 0; i < countof(states); i++) {
		if (state != NULL && strcmp(state, states[i]) == 0)
			break;
	}
	if (i == countof(states))
		return error_set(e, EPROTO, "state: not known");
	memset(ret, 0, sizeof(*ret));
	(void)snprintf(ret->proxy, sizeof(ret->proxy), "%s", id);
	memcpy(ret->config, config, SHA256_HEX_SIZE);
	ret->state = (__typeof__(ret->state))i;
	ret->words = xstrdup(words == NULL ? "" : words);
	return 0;
}

int
proxies_report(struct proxies *p, const char *cluster, const char *json,
    size_t len, uint64_t now_ms, struct proxy_news *ret, struct error *e)
{
	json_auto_t *j = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	struct proxy_news news = { 0 };
	struct proxy *proxy;
	const char *id;

	if (check_head(j, cluster, &id, e) != 0)
		return -1;
	proxy = map_get(&p->by_id, id);
	if (proxy == NULL) {
		proxy = xcalloc(1, sizeof(*proxy));
		proxy->id = xstrdup(id);
		(void)map_set(&p->by_id, id, proxy);
		news.is_new = true;
	}
	proxy->seen_ms = now_ms;
	take(proxy, j, &news);
	news.proxy = proxy;
	*ret = news;
	return 0;
}

void
proxies_seen(struct proxies *p, const char *id, uint64_t now_ms)
{
	struct proxy *proxy = map_get(&p->by_id, id);

	if (proxy != NULL)
		proxy->seen_ms = now_ms;
}

bool
proxies_tick(struct proxies *p, uint64_t now_ms,
    void (*gone)(void *arg, const struct proxy *p), void *arg)
{
	struct map_entry *e;
	bool changed = false;
	size_t i;

	for (i = 0; (e = map_next(&p->by_id, &i)) != NULL;) {
		struct proxy *proxy = e->value;
		uint64_t silent = now_ms - proxy->seen_ms;

		if (silent >=
		    (proxy->draining ? PROXY_LEFT_MS : PROXY_FORGET_MS)) {
			(void)map_remove(&p->by_id, proxy->id);
			proxy_free(proxy);
			changed = true;
		} else if (proxy->alive && silent >= PROXY_SILENT_MS) {
			proxy->alive = false;
			(void)set_text(&proxy->error,
			    "its agent has not been heard for 30 s");
			gone(arg, proxy);
			changed = true;
		}
	}
	return changed;
}

bool
proxies_all_serve(const struct proxies *p, const char *config)
{
	struct map_entry *e;
	bool any = false;
	size_t i;

	for (i = 0; (e = map_next(&p->by_id, &i)) != NULL;) {
		const struct proxy *proxy = e->value;

		if (!proxy->alive)
			continue;
		if (strcmp(proxy->applied_config, config) != 0)
			return false;
		any = true;
	}
	return any;
}

uint64_t
proxies_reloads(const struct proxies *p)
{
	struct map_entry *e;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; (e = map_next(&p->by_id, &i)) != NULL;)
		sum += ((const struct proxy *)e->value)->reloads;
	return sum;
}

/* Not usable is worse than kept, and that is worse than good. */
static int
badness(const struct secret_fact *f)
{
	if (f->state == SECRET_GOOD)
		return 0;
	return f->kept ? 1 : f->state == SECRET_MISSING ? 2 : 3;
}

void
proxies_secrets(const struct proxies *p, uint64_t now_ms, struct map *ret)
{
	struct map_entry *e, *s;
	size_t i, k;

	for (i = 0; (e = map_next(&p->by_id, &i)) != NULL;) {
		const struct proxy *proxy = e->value;

		if (proxy->draining ||
		    now_ms - proxy->seen_ms >= PROXY_SILENT_MS)
			continue;
		for (k = 0; (s = map_next(&proxy->secrets, &k)) != NULL;) {
			struct secret_fact *f = map_get(ret, s->key);

			if (f != NULL && badness(f) >= badness(s->value))
				continue;
			if (f == NULL) {
				f = xcalloc(1, sizeof(*f));
				(void)map_set(ret, s->key, f);
			}
			secret_fact_fini(f);
			secret_fact_copy(s->value, f);
		}
	}
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp((*(const struct proxy *const *)a)->id,
	    (*(const struct proxy *const *)b)->id);
}

void
proxies_json(const struct proxies *p, const char *cluster, uint64_t generation,
    const char *config, struct str *out)
{
	struct {
		VEC(const struct proxy *) list;
	} all = { { NULL, 0, 0 } };
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&p->by_id, &i)) != NULL;)
		vec_push(&all.list, e->value);
	vec_sort(&all.list, compare_ids);
	str_addc(out, '[');
	for (i = 0; i < all.list.len; i++) {
		const struct proxy *proxy = all.list.at[i];
		bool newest = strcmp(proxy->applied_config, config) == 0;

		str_addf(out,
		    "%s{\"cluster\":\"%s\",\"id\":\"%s\",\"applied\":%llu,"
		    "\"generation\":%llu,\"alive\":%s,\"pinned\":%s",
		    i == 0 ? "" : ",", cluster, proxy->id,
		    (unsigned long long)(newest ? generation : proxy->applied),
		    (unsigned long long)generation,
		    proxy->alive ? "true" : "false",
		    proxy->pinned ? "true" : "false");
		str_add_member(out, "error", proxy->error);
		str_add_member(out, "version", proxy->engine);
		str_add_member(out, "agent", proxy->agent);
		str_add_member(out, "config", proxy->applied_config);
		str_addf(out, ",\"refused\":%s,\"reloads\":%llu}",
		    proxy->refused ? "true" : "false",
		    (unsigned long long)proxy->reloads);
	}
	str_addc(out, ']');
	vec_fini(&all.list);
}
