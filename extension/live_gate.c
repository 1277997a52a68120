/*
 * The live extension and the gate: what the proxies need is told, and which
 * networks they are on is heard (docs/internals.md, Bus).
 */
#include <jansson.h>
#include <string.h>

#include "base/log.h"
#include "claims.h"
#include "live_object.h"

#define NEED_MAX ((size_t)1024 * 1024)

static bool
is_on(const struct live *l)
{
	return l->config->proxy.driver == DRIVER_SWARM;
}

static void
add_name(struct str *out, struct map *seen, const char *name)
{
	if (name == NULL || map_set(seen, name, seen) != NULL)
		return;
	if (out->p[out->len - 1] != '[')
		str_addc(out, ',');
	str_add_json(out, name, strlen(name));
}

/* Secrets, or configs, of those that no proxy has yet: nobody could use
 * them otherwise. */
static void
add_uses(const struct live *l, const struct routing *r, bool configs,
    struct str *out, struct map *seen)
{
	for (size_t i = 0; i < r->uses.len; i++) {
		const struct secret_use *u = &r->uses.at[i].use;
		bool config = u->kind == SECRET_AUTHORITIES &&
		    claims_is_config(l->model, u->name);

		if (config == configs)
			add_name(out, seen, u->name);
		if (!configs)
			add_name(out, seen, u->key);
	}
}

static void
format_need(const struct live *l, const struct routing *r, struct str *out)
{
	struct map networks = { 0 }, secrets = { 0 }, configs = { 0 };
	size_t i;

	str_add(out, "{\"networks\":[");
	for (i = 0; i < r->networks.len; i++)
		add_name(out, &networks, r->networks.at[i]->id);
	str_add(out, "],\"secrets\":[");
	for (i = 0; i < r->secrets.len; i++)
		add_name(out, &secrets, r->secrets.at[i]);
	add_uses(l, r, false, out, &secrets);
	str_add(out, "],\"configs\":[");
	for (i = 0; i < r->configs.len; i++)
		add_name(out, &configs, r->configs.at[i]);
	add_uses(l, r, true, out, &configs);
	str_addf(out, "]%s}", live_pin_is_unsure(l) ? ",\"unsure\":true" : "");
	map_fini(&networks);
	map_fini(&secrets);
	map_fini(&configs);
}

/*
 * While pinned proxies need what is pinned; where that is not known, what was
 * told before stays.
 */
static void
find_need(const struct live *l, const struct routing *r, struct str *out)
{
	struct pinned_routing pinned;

	if (!live_pin_is_on(l)) {
		format_need(l, r, out);
	} else if (live_pin_routing(l, &pinned)) {
		format_need(l, pinned.routing, out);
		pinned_routing_fini(&pinned);
	}
}

bool
live_gate_ready(struct live *l, const struct routing *r)
{
	STR_AUTO(need, NEED_MAX);

	if (!is_on(l) || r == NULL)
		return true;
	find_need(l, r, &need);
	if (need.len == 0)
		return l->gate.heard;
	if (need.overflow) {
		log_error("the proxies need more networks, secrets and "
			  "configs than can be told");
	} else if (l->gate.need == NULL || strcmp(need.p, l->gate.need) != 0) {
		free(l->gate.need);
		l->gate.need = xstrdup(need.p);
		subscriber_need(l->subscriber, need.p, need.len);
	}
	return l->gate.heard;
}

void
live_gate_options(const struct live *l, struct routing_options *o)
{
	if (!is_on(l) || !l->gate.known)
		return;
	o->joined = &l->gate.joined;
	o->joined_words = l->gate.words;
}

static bool
same_networks(const struct map *joined, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *id = json_string_value(item);

		if (id != NULL && map_get(joined, id) == NULL)
			return false;
	}
	return json_array_size(list) == joined->len;
}

static void
take_networks(struct live *l, const json_t *list)
{
	const json_t *item;
	size_t i;

	map_fini(&l->gate.joined);
	json_array_foreach(list, i, item)
	{
		const char *id = json_string_value(item);

		if (id != NULL)
			(void)map_set(&l->gate.joined, id, l);
	}
}

void
live_gate_take(struct live *l, const char *body, size_t len)
{
	json_auto_t *o = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(o, "networks");
	const char *words = json_string_value(json_object_get(o, "error"));
	bool known = json_is_true(json_object_get(o, "known"));
	bool same;

	if (l->stopping || !is_on(l) || !json_is_array(list))
		return;
	same = l->gate.heard && l->gate.known == known &&
	    same_networks(&l->gate.joined, list) &&
	    strcmp(words == NULL ? "" : words,
		l->gate.words == NULL ? "" : l->gate.words) == 0;
	if (same)
		return;
	/* The routing was made with the set. */
	live_forget(l);
	l->gate.heard = true;
	l->gate.known = known;
	take_networks(l, list);
	free(l->gate.words);
	l->gate.words = words == NULL ? NULL : xstrdup(words);
	live_changed(l);
}

void
live_gate_fini(struct live *l)
{
	map_fini(&l->gate.joined);
	free(l->gate.words);
	free(l->gate.need);
}
