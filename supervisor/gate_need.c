/* What is asked of the gate, and what of it is allowed: see gate_need.h. */
#include "gate_need.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "gate_granted.h"
#include "model/label.h"

static void
names_fini(struct gate_names *names)
{
	for (size_t i = 0; i < names->len; i++)
		free(names->at[i]);
	vec_fini(names);
}

void
gate_need_fini(struct gate_need *n)
{
	names_fini(&n->networks);
	names_fini(&n->secrets);
	names_fini(&n->configs);
}

static int
parse_names(json_t *list, struct gate_names *ret, struct error *e)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return error_set(e, EPROTO, "need: not a list");
	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);

		if (s == NULL || s[0] == '\0' || strlen(s) > 255)
			return error_set(e, EPROTO, "need: not a name");
		vec_push(ret, xstrdup(s));
	}
	return 0;
}

int
gate_need_parse(
    const char *body, size_t len, struct gate_need *ret, struct error *e)
{
	json_auto_t *o = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	struct gate_need n = { 0 };

	if (!json_is_object(o))
		return error_set(e, EPROTO, "need: not an object");
	if (parse_names(json_object_get(o, "networks"), &n.networks, e) != 0 ||
	    parse_names(json_object_get(o, "secrets"), &n.secrets, e) != 0 ||
	    parse_names(json_object_get(o, "configs"), &n.configs, e) != 0) {
		gate_need_fini(&n);
		return -1;
	}
	n.unsure = json_is_true(json_object_get(o, "unsure"));
	*ret = n;
	return 0;
}

/* -------------------------------------------------------------- additions */

static bool
is_joinable(const struct network *n)
{
	return !n->ingress && strcmp(n->driver, "overlay") == 0;
}

static void
add_ref(struct gate_refs *refs, const char *id, const char *name)
{
	struct gate_ref r = { id, name };

	for (size_t i = 0; i < refs->len; i++) {
		if (strcmp(refs->at[i].id, id) == 0)
			return;
	}
	vec_push(refs, r);
}

static int
compare_refs(const void *a, const void *b)
{
	const struct gate_ref *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(x->id, y->id);
}

static void
refuse(struct str *refused, const char *what, const char *name)
{
	str_addf(refused, "%s%s ", refused->len == 0 ? "" : ", ", what);
	str_add_shown(refused, name);
}

/* The next of the cluster's services that there is; NULL: no more. */
static const struct service *
next_service(const struct model *m, const struct map *services, size_t *i)
{
	const struct map_entry *e;

	while ((e = map_next(services, i)) != NULL) {
		const struct service *s = map_get(&m->services, e->key);

		if (s != NULL)
			return s;
	}
	return NULL;
}

/* --------------------------------------------------------------- networks */

static bool
is_on(const struct model *m, const struct service *s, const struct network *n)
{
	for (size_t i = 0; i < s->networks.len; i++) {
		if (model_find_network(m, s->networks.at[i]) == n)
			return true;
	}
	for (size_t i = 0; i < s->vips.len; i++) {
		if (strcmp(s->vips.at[i].network_id, n->id) == 0)
			return true;
	}
	return false;
}

static bool
somebody_is_on(
    const struct model *m, const struct map *services, const struct network *n)
{
	const struct service *s;

	for (size_t i = 0; (s = next_service(m, services, &i)) != NULL;)
		if (is_on(m, s, n))
			return true;
	return false;
}

static void
allow_networks(const struct gate_need *need, const struct model *m,
    const struct map *services, struct gate_wish *w, struct str *refused)
{
	for (size_t i = 0; i < need->networks.len; i++) {
		const char *id = need->networks.at[i];
		const struct network *n = map_get(&m->networks, id);

		if (n != NULL && is_joinable(n) &&
		    somebody_is_on(m, services, n))
			add_ref(&w->networks, n->id, n->name);
		else if (n != NULL)
			refuse(refused, "network", n->name);
	}
}

static void
fixed_networks(const struct model *m, struct gate_wish *w)
{
	const struct config_list *list = &w->config->cluster.networks;

	for (size_t i = 0; i < list->items.len; i++) {
		const struct network *n =
		    model_find_network(m, list->items.at[i]);

		if (n != NULL && is_joinable(n))
			add_ref(&w->networks, n->id, n->name);
	}
}

/* ---------------------------------------------------------------- secrets */

static bool
names(const struct service *s, const char *name, bool config)
{
	struct labels l = { 0 };
	struct findings remarks = { 0 };
	struct finding error = { 0 };
	const char *const *p;
	bool found = false;

	/* What was read before an error counts as well. */
	if (labels_parse(s, &l, &remarks, &error) != 0)
		finding_fini(&error);
	const char *const texts[] = { l.ssl_cert, l.ssl_key, l.ssl_backend_ca,
		l.basic_auth };
	for (p = texts; p < texts + countof(texts); p++)
		found |= (!config || *p == l.ssl_backend_ca) && *p != NULL &&
		    strcmp(*p, name) == 0;
	labels_fini(&l);
	findings_fini(&remarks);
	return found;
}

static bool
somebody_may(const struct model *m, const struct map *services,
    const struct gate_wish *w, const struct secret *secret)
{
	bool once = gate_granted_has(w->granted, 's', secret->name);
	bool any = w->config->cluster.secrets != SECRETS_GRANTED;
	const struct service *s;

	if (any && once)
		return true;
	for (size_t i = 0; (s = next_service(m, services, &i)) != NULL;)
		if ((once || names(s, secret->name, false)) &&
		    (any || service_mounts(s, secret->name) ||
			secret_allows(secret, s)))
			return true;
	return false;
}

/* An extension is not told of configs that no label names: it cannot know that
 * what it needs again was one. */
static void
allow_config_again(const struct model *m, struct gate_wish *w, const char *name)
{
	const struct secret *s = map_get(&m->configs, name);

	if (s != NULL && gate_granted_has(w->granted, 'c', name))
		add_ref(&w->configs, s->id, s->name);
}

static void
allow_secrets(const struct gate_need *need, const struct model *m,
    const struct map *services, struct gate_wish *w, struct str *refused)
{
	for (size_t i = 0; i < need->secrets.len; i++) {
		const char *name = need->secrets.at[i];
		const struct secret *s = map_get(&m->secrets, name);

		if (s != NULL && somebody_may(m, services, w, s))
			add_ref(&w->secrets, s->id, s->name);
		else if (s != NULL)
			refuse(refused, "secret", name);
		else
			allow_config_again(m, w, name);
	}
}

/* Their contents are no secret: who names one may have it. */
static bool
somebody_names(
    const struct model *m, const struct map *services, const char *name)
{
	const struct service *s;

	for (size_t i = 0; (s = next_service(m, services, &i)) != NULL;)
		if (names(s, name, true))
			return true;
	return false;
}

static void
allow_configs(const struct gate_need *need, const struct model *m,
    const struct map *services, struct gate_wish *w, struct str *refused)
{
	for (size_t i = 0; i < need->configs.len; i++) {
		const char *name = need->configs.at[i];
		const struct secret *s = map_get(&m->configs, name);

		/* A secret of that name has its place. */
		if (s == NULL || map_get(&m->secrets, name) != NULL)
			continue;
		if (gate_granted_has(w->granted, 'c', name) ||
		    somebody_names(m, services, name))
			add_ref(&w->configs, s->id, s->name);
		else
			refuse(refused, "config", name);
	}
}

void
gate_need_allow(const struct gate_need *n, const struct model *m,
    const struct map *services, struct gate_wish *w, struct str *refused)
{
	if (w->config->cluster.networks.items.len > 0)
		fixed_networks(m, w);
	else
		allow_networks(n, m, services, w, refused);
	allow_secrets(n, m, services, w, refused);
	allow_configs(n, m, services, w, refused);
}

void
gate_need_sort(struct gate_wish *w)
{
	vec_sort(&w->networks, compare_refs);
	vec_sort(&w->secrets, compare_refs);
	vec_sort(&w->configs, compare_refs);
}

int
gate_need_control(const struct model *m, struct gate_wish *w, struct error *e)
{
	const struct cluster_config *c = w->config;
	const struct config_list *secrets = &c->control.agent_secrets;
	const struct network *n;

	if (c->control.network != NULL) {
		n = model_find_network(m, c->control.network);
		if (n == NULL)
			return error_set(e, ENOENT,
			    "[control] network: there is no network %s (or "
			    "several)",
			    c->control.network);
		add_ref(&w->networks, n->id, n->name);
	}
	for (size_t i = 0; i < secrets->items.len; i++) {
		const struct secret *s =
		    map_get(&m->secrets, secrets->items.at[i]);

		if (s == NULL)
			return error_set(e, ENOENT,
			    "[control] agent_secrets: there is no Docker "
			    "secret %s",
			    secrets->items.at[i]);
		add_ref(&w->secrets, s->id, s->name);
	}
	return 0;
}
