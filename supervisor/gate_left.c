/* Services that nothing speaks of any more: see gate_left.h. */
#include "gate_left.h"

#include <string.h>

#include "base/log.h"
#include "docker/service.h"
#include "gate_object.h"

static void
left_free(struct gate_left *l)
{
	gate_seen_free(l->seen);
	free(l);
}

void
gate_left_fini(struct gate *g)
{
	for (size_t i = 0; i < g->left.list.len; i++)
		left_free(g->left.list.at[i]);
	vec_fini(&g->left.list);
}

static bool
is_configured(const struct gate *g, const char *cluster)
{
	const struct cluster_config *c;

	for (size_t i = 0; (c = reader_clusters_config(g->clusters, i)) != NULL;
	     i++) {
		if (strcmp(c->cluster.name, cluster) == 0)
			return true;
	}
	return false;
}

static struct gate_left *
find(const struct gate *g, const char *id)
{
	for (size_t i = 0; i < g->left.list.len; i++) {
		if (strcmp(g->left.list.at[i]->seen->id, id) == 0)
			return g->left.list.at[i];
	}
	return NULL;
}

bool
gate_left_has(const struct gate *g, const char *service_id)
{
	return find(g, service_id) != NULL;
}

static void
tell(struct gate *g, const char *cluster, const char *text)
{
	log_warn("cluster %s: %s", cluster, text);
	g->handlers.on_event(g->arg, cluster, "proxy-service", text);
}

static void
tell_found(struct gate *g, const struct gate_seen *s)
{
	char *text _cleanup_free_ = gate_find(g, s->cluster) != NULL
	    ? xasprintf("service %s was made under the name of before: it is "
			"removed once service %s is well",
		  s->name, gate_find(g, s->cluster)->config->proxy.service)
	    : xasprintf("service %s still runs, though driver is not swarm "
			"any more: it is left alone",
		  s->name);

	tell(g, s->cluster, text);
}

void
gate_left_take(struct gate *g)
{
	struct gate_leftovers next = { 0 };
	bool changed = false;

	for (size_t i = g->fresh.len; i-- > 0;) {
		struct gate_seen *s = g->fresh.at[i];
		struct gate_left *l = find(g, s->id);

		if (strcmp(s->owner, g->owner) != 0 ||
		    !is_configured(g, s->cluster))
			continue;
		vec_remove(&g->fresh, i);
		changed |= l == NULL;
		if (l == NULL) {
			l = xcalloc(1, sizeof(*l));
			tell_found(g, s);
		} else {
			changed |= l->seen->running != s->running ||
			    l->seen->replicas != s->replicas;
			gate_seen_free(l->seen);
		}
		l->seen = s;
		vec_push(&next.list, l);
	}
	for (size_t i = 0; i < g->left.list.len; i++) {
		struct gate_left *l = g->left.list.at[i];
		bool kept = false;

		for (size_t k = 0; k < next.list.len; k++)
			kept |= next.list.at[k] == l;
		changed |= !kept;
		if (!kept)
			left_free(l);
	}
	vec_fini(&g->left.list);
	g->left = next;
	if (changed)
		g->handlers.on_state(g->arg);
}

/* ----------------------------------------------------------------- removal */

struct removal {
	struct gate *gate;
	char *id, *cluster, *name;
};

static void
on_removed(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct removal *r = arg;
	struct gate *g = r->gate;
	struct gate_left *l = find(g, r->id);
	char *text _cleanup_free_ = e != NULL && status != 404
	    ? xasprintf("service %s cannot be removed: %s", r->name, e->msg)
	    : xasprintf("service %s was removed: the service of the new name "
			"is well",
		  r->name);

	(void)body;
	(void)len;
	if (l != NULL) {
		l->removing = false;
		l->retry_ms = uv_now(g->loop) + GATE_LEFT_AGAIN_MS;
	}
	if (!g->closing) {
		tell(g, r->cluster, text);
		gate_look_soon(g);
	}
	free(r->id);
	free(r->cluster);
	free(r->name);
	free(r);
	gate_unref(g);
}

static void
remove_service(struct gate *g, struct gate_left *l)
{
	struct removal *r = xcalloc(1, sizeof(*r));

	r->gate = g;
	r->id = xstrdup(l->seen->id);
	r->cluster = xstrdup(l->seen->cluster);
	r->name = xstrdup(l->seen->name);
	l->removing = true;
	g->open++;
	(void)docker_service_remove(g->docker, r->id, on_removed, r);
}

/* Its successor serves: all are there, and none is being replaced. */
static bool
is_well(const struct gate_group *x, uint64_t now_ms)
{
	char *error _cleanup_free_ = gate_group_error(x, now_ms);

	return error == NULL && strcmp(gate_group_state(x, now_ms), "ok") == 0;
}

bool
gate_left_step(struct gate *g)
{
	uint64_t now_ms = uv_now(g->loop);
	bool soon = false;

	for (size_t i = 0; i < g->left.list.len; i++) {
		struct gate_left *l = g->left.list.at[i];
		const struct gate_group *x = gate_find(g, l->seen->cluster);

		if (x == NULL || l->removing)
			continue;
		soon = true;
		if (!is_well(x, now_ms))
			l->well_ms = 0;
		else if (l->well_ms == 0)
			l->well_ms = now_ms;
		if (l->well_ms != 0 && now_ms - l->well_ms >= GATE_LEFT_MS &&
		    now_ms >= l->retry_ms)
			remove_service(g, l);
	}
	return soon;
}

/* ----------------------------------------------------------------- telling */

void
gate_left_json(const struct gate *g, struct str *out)
{
	for (size_t i = 0; i < g->left.list.len; i++) {
		const struct gate_seen *s = g->left.list.at[i]->seen;
		char *words _cleanup_free_ = NULL;

		if (gate_find(g, s->cluster) != NULL)
			continue;
		words = xasprintf("driver is not swarm any more, and this "
				  "service still runs: \"docker service rm "
				  "%s\" once nobody needs it",
		    s->name);
		str_addf(out, "%s\"%s\":{\"state\":\"leftover\"",
		    out->p[out->len - 1] == '{' ? "" : ",", s->cluster);
		str_add_member(out, "service", s->name);
		str_add_member(out, "service_id", s->id);
		str_addf(out, ",\"replicas\":%llu,\"running\":%u",
		    (unsigned long long)s->replicas, s->running);
		str_add_member(out, "error", words);
		str_addc(out, '}');
	}
}
