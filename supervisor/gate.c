/* The gate's shell: looks, writes, tells.  See gate.h. */
#include "gate.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/backoff.h"
#include "base/fs.h"
#include "base/log.h"
#include "docker/service.h"
#include "gate_object.h"

#define SOON_MS 50
#define MOVING_MS 250
#define IDLE_MS 5000
#define OWNER_BYTES 8
#define WORD_MAX ((size_t)1024 * 1024)

static void look_in(struct gate *g, uint64_t ms);

/* -------------------------------------------------------------------- life */

void
gate_unref(struct gate *g)
{
	if (--g->open > 0)
		return;
	for (size_t i = 0; i < g->groups.len; i++)
		gate_group_free(g->groups.at[i]);
	vec_fini(&g->groups);
	for (size_t i = 0; i < g->fresh.len; i++)
		gate_seen_free(g->fresh.at[i]);
	vec_fini(&g->fresh);
	gate_left_fini(g);
	gate_self_free(g->self);
	if (g->closed != NULL)
		g->closed(g->closed_arg);
	free(g->owner);
	free(g);
}

/* Who wrote a service: kept, so that a restart of ours is nobody else. */
static char *
load_owner(const char *run_dir)
{
	char *path _cleanup_free_ = xasprintf("%s/gate.id", run_dir);
	unsigned char bytes[OWNER_BYTES];
	STR_AUTO(id, 256);
	struct error e;

	if (fs_read(path, &id, NULL) == 0) {
		str_trim(&id, strcspn(id.p, "\r\n"));
		if (id.len == 2 * (size_t)OWNER_BYTES &&
		    strspn(id.p, "0123456789abcdef") == id.len)
			return xstrdup(id.p);
	}
	str_clear(&id);
	must(uv_random(NULL, NULL, bytes, sizeof(bytes), 0, NULL) == 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		str_addf(&id, "%02x", bytes[i]);
	if (fs_write(path, id.p, id.len, 0644, &e) != 0)
		log_warn("%s", e.msg);
	return xstrdup(id.p);
}

struct gate_group *
gate_find(const struct gate *g, const char *cluster)
{
	for (size_t i = 0; i < g->groups.len; i++) {
		if (strcmp(g->groups.at[i]->name, cluster) == 0)
			return g->groups.at[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------- words */

/* What the extension is told of its proxies. */
static void
group_word(const struct gate *g, const struct gate_group *x, struct str *out)
{
	char *error _cleanup_free_ = gate_group_error(x, uv_now(g->loop));
	bool known = x->seen != NULL && x->seen->running > 0;

	str_addf(out, "{\"known\":%s,\"networks\":[", known ? "true" : "false");
	for (size_t i = 0; known && i < x->seen->networks.len; i++) {
		if (i > 0)
			str_addc(out, ',');
		str_add_json(out, x->seen->networks.at[i],
		    strlen(x->seen->networks.at[i]));
	}
	str_addf(out, "],\"running\":%u", known ? x->seen->running : 0);
	str_add_member(out, "error", error);
	str_addc(out, '}');
}

static void
tell_group(struct gate *g, struct gate_group *x)
{
	char *error _cleanup_free_ = gate_group_error(x, uv_now(g->loop));
	STR_AUTO(word, WORD_MAX);

	if (error != NULL &&
	    (x->told_error == NULL || strcmp(error, x->told_error) != 0)) {
		log_warn("cluster %s: proxy service: %s", x->name, error);
		g->handlers.on_event(g->arg, x->name, "proxy-service", error);
	} else if (error == NULL && x->told_error != NULL) {
		log_info("cluster %s: proxy service: well again", x->name);
	}
	free(x->told_error);
	x->told_error = error;
	error = NULL;
	group_word(g, x, &word);
	if (x->told != NULL && strcmp(x->told, word.p) == 0)
		return;
	free(x->told);
	x->told = xstrdup(word.p);
	reader_clusters_tell_gate(g->clusters, x->name, word.p, word.len);
	g->handlers.on_state(g->arg);
}

static void
on_need(void *arg, const char *cluster, const char *need, size_t len,
    struct str *body)
{
	struct gate *g = arg;
	struct gate_group *x = gate_find(g, cluster);
	struct gate_need n = { 0 };
	struct error e;

	if (x == NULL) {
		str_add(body,
		    "{\"known\":false,\"networks\":[],\"running\":0,"
		    "\"error\":null}");
		return;
	}
	if (gate_need_parse(need, len, &n, &e) != 0) {
		log_warn("cluster %s: %s", cluster, e.msg);
	} else {
		gate_need_fini(&x->need);
		x->need = n;
		x->need_known = true;
		look_in(g, SOON_MS);
	}
	group_word(g, x, body);
}

void
gate_json(const struct gate *g, struct str *out)
{
	str_addc(out, '{');
	for (size_t i = 0; i < g->groups.len; i++) {
		const struct gate_group *x = g->groups.at[i];
		const struct gate_seen *s = x->seen;
		char *error _cleanup_free_ =
		    gate_group_error(x, uv_now(g->loop));

		str_addf(out, "%s\"%s\":{\"state\":\"%s\"", i == 0 ? "" : ",",
		    x->name, gate_group_state(x, uv_now(g->loop)));
		str_add_member(out, "service", x->config->proxy.service);
		str_add_member(out, "service_id", s == NULL ? NULL : s->id);
		str_addf(out, ",\"replicas\":%llu,\"running\":%u",
		    (unsigned long long)(s == NULL ? 0 : s->replicas),
		    s == NULL ? 0 : s->running);
		str_add_member(out, "error", error);
		str_addc(out, '}');
	}
	gate_left_json(g, out);
	str_addc(out, '}');
}

/* ------------------------------------------------------------------ writing */

struct write {
	struct gate *gate;
	char *cluster;
	enum gate_action action;
	char *what;
	bool scale;
};

static void
tell_written(struct gate *g, const struct write *w)
{
	STR_AUTO(text, 4096);

	if (w->action == GATE_CREATE)
		str_add(&text, "the proxy service was made");
	else
		str_addf(&text, "the proxy service was updated: %s",
		    w->what == NULL ? "its update goes on" : w->what);
	log_info("cluster %s: %s", w->cluster, text.p);
	g->handlers.on_event(g->arg, w->cluster, "proxy-service", text.p);
}

static void
on_written(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct write *w = arg;
	struct gate *g = w->gate;
	struct gate_group *x = gate_find(g, w->cluster);

	(void)status;
	(void)body;
	(void)len;
	if (x != NULL && !g->closing) {
		bool retry =
		    w->scale && docker_service_is_outrun(e) && x->outrun < 3;

		gate_group_wrote(x, e, uv_now(g->loop));
		x->scale = retry;
		if (w->scale && !retry)
			gate_scaled(x, e);
		if (e == NULL)
			tell_written(g, w);
		tell_group(g, x);
		look_in(g, SOON_MS);
	} else if (x != NULL) {
		x->writing = false;
	}
	free(w->cluster);
	free(w->what);
	free(w);
	gate_unref(g);
}

static void
write_step(struct gate *g, struct gate_group *x, struct gate_step *step)
{
	struct write *w = xcalloc(1, sizeof(*w));

	w->gate = g;
	w->cluster = xstrdup(x->name);
	w->action = step->action;
	w->scale = x->scale;
	w->what = step->what;
	step->what = NULL;
	g->open++;
	if (step->action == GATE_CREATE)
		(void)docker_service_create(
		    g->docker, step->spec, on_written, w);
	else
		(void)docker_service_update(g->docker, x->seen->id,
		    x->seen->version, step->spec, on_written, w);
}

static bool
step_group(struct gate *g, struct gate_group *x)
{
	const char *service = gate_self_service(g->self);
	char *host _cleanup_free_ =
	    service == NULL ? NULL : xasprintf("tasks.%s", service);
	struct map none = { 0 };
	const struct map *services =
	    reader_clusters_services(g->clusters, x->name);
	struct gate_view v = {
		.model = g->swarm->model,
		.services = services == NULL ? &none : services,
		.owner = g->owner,
		.stack = gate_self_stack(g->self),
		.control_host = host,
		.may_create = g->self_known && gate_self_wanted(g->self),
		.now_ms = uv_now(g->loop),
		.started_ms = g->started_ms,
	};
	struct gate_step step;
	bool soon;

	if (x->scale && x->seen == NULL && !x->writing)
		gate_scale_impossible(x);
	gate_group_step(x, &v, &step);
	if (step.repaired) {
		free(step.event);
		step.event = xasprintf("service %s was changed by another hand "
				       "(%s): set back, since the INI says so",
		    x->config->proxy.service, step.what);
	}
	if (step.event != NULL) {
		log_warn("cluster %s: %s", x->name, step.event);
		g->handlers.on_event(
		    g->arg, x->name, "proxy-service", step.event);
	}
	if (step.action != GATE_NOTHING)
		write_step(g, x, &step);
	soon = step.soon || step.action != GATE_NOTHING;
	gate_step_fini(&step);
	tell_group(g, x);
	return soon;
}

/* ------------------------------------------------------------------ looking */

/* What was seen last stays: proxies serve on without a Swarm. */
static void
tell_blind(struct gate *g, const struct error *e)
{
	for (size_t i = 0; i < g->groups.len; i++) {
		gate_group_blind(g->groups.at[i], e, uv_now(g->loop));
		tell_group(g, g->groups.at[i]);
	}
}

static void
end_look(struct gate *g, const struct error *e)
{
	bool soon = g->again;

	g->looking = g->again = false;
	if (!g->closing && e == NULL && g->swarm->complete) {
		for (size_t i = 0; i < g->groups.len; i++)
			soon |= step_group(g, g->groups.at[i]);
		soon |= gate_left_step(g);
		g->left.due = false;
	} else if (!g->closing && e != NULL) {
		tell_blind(g, e);
	}
	/* Until everything was listed once, nothing can be decided. */
	soon |= !g->swarm->complete;
	if (!g->closing)
		look_in(g, soon ? MOVING_MS : IDLE_MS);
	gate_unref(g);
}

static void
on_self(void *arg, bool known)
{
	struct gate *g = arg;

	g->self_known |= known;
	if (!known)
		g->self_known = false;
	end_look(g, NULL);
}

/* The new looks become the groups'; then who we are, where that matters. */
static void
take_looks(struct gate *g)
{
	bool missing = false;

	for (size_t i = 0; i < g->groups.len; i++) {
		struct gate_group *x = g->groups.at[i];
		struct gate_seen *seen = NULL;

		for (size_t k = 0; k < g->fresh.len && seen == NULL; k++) {
			struct gate_seen *s = g->fresh.at[k];

			if (strcmp(s->cluster, x->name) == 0 &&
			    strcmp(s->name, x->config->proxy.service) == 0) {
				seen = s;
				vec_remove(&g->fresh, k);
			}
		}
		missing |= seen == NULL;
		gate_group_see(x, seen);
	}
	gate_left_take(g);
	if (!missing && g->self_known) {
		end_look(g, NULL);
		return;
	}
	gate_self_look(g->self, on_self, g);
}

static void
on_tasks(void *arg, long status, const struct error *e)
{
	struct gate *g = arg;

	(void)status;
	if (e != NULL || g->closing)
		end_look(g, e);
	else
		take_looks(g);
}

static void
on_task(void *arg, const char *json, size_t len)
{
	struct gate *g = arg;
	char *id _cleanup_free_ = gate_look_task_service(json, len);

	for (size_t i = 0; id != NULL && i < g->fresh.len; i++) {
		if (strcmp(g->fresh.at[i]->id, id) == 0)
			gate_look_task(g->fresh.at[i], json, len);
	}
}

static void
on_services(void *arg, long status, const struct error *e)
{
	struct gate *g = arg;
	const char **ids;

	(void)status;
	if (e != NULL || g->closing) {
		end_look(g, e);
		return;
	}
	if (g->fresh.len == 0) {
		take_looks(g);
		return;
	}
	ids = xcalloc(g->fresh.len, sizeof(ids[0]));
	for (size_t i = 0; i < g->fresh.len; i++)
		ids[i] = g->fresh.at[i]->id;
	(void)docker_service_tasks(
	    g->docker, ids, g->fresh.len, on_task, on_tasks, g);
	free(ids);
}

static void
on_service(void *arg, const char *json, size_t len)
{
	struct gate *g = arg;
	struct gate_seen *s = gate_look_service(json, len);

	if (s != NULL)
		vec_push(&g->fresh, s);
}

static bool
has_work(const struct gate *g)
{
	return g->groups.len > 0 || g->left.list.len > 0 || g->left.due;
}

static void
on_timer(uv_timer_t *timer)
{
	struct gate *g = container_of(timer, struct gate, timer);

	if (g->closing || g->looking || !has_work(g))
		return;
	for (size_t i = 0; i < g->fresh.len; i++)
		gate_seen_free(g->fresh.at[i]);
	g->fresh.len = 0;
	g->looking = true;
	g->open++;
	(void)docker_service_list(
	    g->docker, GATE_LABEL_OWNER, on_service, on_services, g);
}

static void
look_in(struct gate *g, uint64_t ms)
{
	uint32_t random = 0;

	if (g->closing)
		return;
	if (g->looking) {
		g->again |= ms < IDLE_MS;
		return;
	}
	if (ms == IDLE_MS) {
		(void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
		ms = backoff_jitter(ms, random);
	}
	if (uv_is_active((uv_handle_t *)&g->timer) &&
	    uv_timer_get_due_in(&g->timer) <= ms)
		return;
	must(uv_timer_start(&g->timer, on_timer, ms, 0) == 0);
}

void
gate_look_soon(struct gate *g)
{
	look_in(g, SOON_MS);
}

/* --------------------------------------------------------------- from above */

void
gate_heard(struct gate *g, const char *service_id)
{
	for (size_t i = 0; g != NULL && i < g->groups.len; i++) {
		const struct gate_seen *s = g->groups.at[i]->seen;

		if (s != NULL && strcmp(s->id, service_id) == 0)
			look_in(g, SOON_MS);
	}
	if (g != NULL && gate_left_has(g, service_id))
		look_in(g, SOON_MS);
}

void
gate_changed(struct gate *g)
{
	if (has_work(g))
		look_in(g, SOON_MS);
}

static void
drop_group(struct gate *g, size_t i)
{
	struct gate_group *x = g->groups.at[i];

	gate_scale_impossible(x);
	vec_remove(&g->groups, i);
	gate_group_free(x);
}

void
gate_configure(struct gate *g)
{
	const struct cluster_config *c;

	for (size_t i = 0; i < g->groups.len; i++)
		g->groups.at[i]->config = NULL;
	for (size_t i = 0; (c = reader_clusters_config(g->clusters, i)) != NULL;
	     i++) {
		struct gate_group *x = gate_find(g, c->cluster.name);

		if (c->proxy.driver != DRIVER_SWARM)
			continue;
		if (x == NULL) {
			x = gate_group_new(c->cluster.name);
			vec_push(&g->groups, x);
		}
		x->config = c;
		gate_group_reset(x);
	}
	for (size_t i = g->groups.len; i-- > 0;) {
		if (g->groups.at[i]->config == NULL)
			drop_group(g, i);
	}
	g->left.due = true;
	g->handlers.on_state(g->arg);
	gate_changed(g);
}

struct gate *
gate_new(uv_loop_t *loop, struct docker_client *docker,
    const struct swarm *swarm, struct reader_clusters *clusters,
    const char *run_dir, const struct gate_handlers *h, void *arg)
{
	struct gate *g = xcalloc(1, sizeof(*g));

	g->loop = loop;
	g->docker = docker;
	g->swarm = swarm;
	g->clusters = clusters;
	g->handlers = *h;
	g->arg = arg;
	g->owner = load_owner(run_dir);
	g->self = gate_self_new(docker);
	g->started_ms = uv_now(loop);
	g->open = 1;
	must(uv_timer_init(loop, &g->timer) == 0);
	reader_clusters_set_gate(clusters, on_need, g);
	gate_configure(g);
	return g;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	gate_unref(container_of(handle, struct gate, timer));
}

void
gate_close(struct gate *g, void (*closed)(void *arg), void *arg)
{
	if (g == NULL || g->closing)
		return;
	g->closing = true;
	g->closed = closed;
	g->closed_arg = arg;
	reader_clusters_set_gate(g->clusters, NULL, NULL);
	for (size_t i = 0; i < g->groups.len; i++)
		gate_scale_impossible(g->groups.at[i]);
	uv_close((uv_handle_t *)&g->timer, on_timer_closed);
}
