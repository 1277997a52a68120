/* What operators ask of the gate.  See gate.h. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/log.h"
#include "docker/service.h"
#include "gate_config.h"
#include "gate_object.h"

#define REPLICAS_MAX 10000

void
gate_answer_error(struct child_query *q, unsigned status, const char *fmt, ...)
{
	STR_AUTO(text, 4096);
	STR_AUTO(body, 16384);
	va_list ap;

	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	str_add(&body, "{\"error\":");
	str_add_json(&body, text.p, text.len);
	str_add(&body, "}\n");
	child_answer(q, status, body.p, body.len);
}

/* ------------------------------------------------------------------- scale */

void
gate_scaled(struct gate_group *x, const struct error *e)
{
	STR_AUTO(body, 256);
	struct child_query *q = x->scale_query;

	x->scale = false;
	x->scale_query = NULL;
	if (q == NULL)
		return;
	if (e != NULL) {
		gate_answer_error(q, 502, "%s", e->msg);
		return;
	}
	str_addf(&body, "{\"cluster\":\"%s\",\"replicas\":%llu}\n", x->name,
	    (unsigned long long)x->replicas);
	child_answer(q, 200, body.p, body.len);
}

void
gate_scale_impossible(struct gate_group *x)
{
	struct child_query *q = x->scale_query;

	x->scale = false;
	x->scale_query = NULL;
	if (q != NULL)
		gate_answer_error(q, 409,
		    "cluster %s has no proxy service now; \"proxyctl status\" "
		    "says why",
		    x->name);
}

static void
scale(struct gate *g, struct child_query *q, const char *cluster, json_t *args)
{
	json_t *n = json_object_get(args, "replicas");
	struct gate_group *x = gate_find(g, cluster);

	if (!json_is_integer(n) || json_integer_value(n) < 0 ||
	    json_integer_value(n) > REPLICAS_MAX) {
		gate_answer_error(q, 400,
		    "replicas must be a number from 0 to %d", REPLICAS_MAX);
	} else if (x == NULL) {
		gate_answer_error(q, 409,
		    "only a cluster with driver = swarm is scaled by command; "
		    "the replicas of another are those of its INI file");
	} else if (x->passive) {
		gate_answer_error(q, 409,
		    "another supervisor has taken the proxy service over");
	} else if (x->scale_query != NULL) {
		gate_answer_error(q, 409, "it is being scaled already");
	} else {
		x->scale = true;
		x->scale_query = q;
		x->replicas = (uint64_t)json_integer_value(n);
		gate_look_soon(g);
	}
}

/* ------------------------------------------------------------------ remove */

struct removal {
	struct gate *gate;
	struct child_query *query;
	char *cluster;
	VEC(char *) ids;
	bool foreign; /* another supervisor's */
	size_t left;
	char *error;
};

static void
removal_end(struct removal *r)
{
	struct gate *g = r->gate;
	static const char done[] = "{\"ok\":true}\n";

	if (r->error != NULL)
		gate_answer_error(r->query, 502, "%s", r->error);
	else if (r->ids.len > 0)
		child_answer(r->query, 200, done, sizeof(done) - 1);
	else if (r->foreign)
		gate_answer_error(r->query, 409,
		    "the proxy service of cluster %s is another supervisor's",
		    r->cluster);
	else
		gate_answer_error(r->query, 404,
		    "cluster %s has no proxy service", r->cluster);
	for (size_t i = 0; i < r->ids.len; i++)
		free(r->ids.at[i]);
	vec_fini(&r->ids);
	free(r->error);
	free(r->cluster);
	free(r);
	gate_unref(g);
}

static void
on_removed(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct removal *r = arg;

	(void)body;
	(void)len;
	if (e != NULL && status != 404) {
		free(r->error);
		r->error = xstrdup(e->msg);
	} else {
		log_info(
		    "cluster %s: its proxy service was removed", r->cluster);
	}
	if (--r->left == 0)
		removal_end(r);
}

static void
on_found(void *arg, const char *json, size_t len)
{
	struct removal *r = arg;
	struct gate_seen *s = gate_look_service(json, len);

	if (s != NULL && strcmp(s->cluster, r->cluster) == 0) {
		if (strcmp(s->owner, r->gate->owner) == 0)
			vec_push(&r->ids, xstrdup(s->id));
		else
			r->foreign = true;
	}
	gate_seen_free(s);
}

static void
on_listed(void *arg, long status, const struct error *e)
{
	struct removal *r = arg;

	(void)status;
	if (e != NULL)
		r->error = xstrdup(e->msg);
	if (e != NULL || r->gate->closing || r->ids.len == 0) {
		removal_end(r);
		return;
	}
	r->left = r->ids.len;
	for (size_t i = 0; i < r->ids.len; i++)
		(void)docker_service_remove(
		    r->gate->docker, r->ids.at[i], on_removed, r);
}

static void
start_removal(struct gate *g, struct child_query *q, const char *cluster)
{
	struct removal *r;

	if (gate_find(g, cluster) != NULL) {
		gate_answer_error(q, 409,
		    "cluster %s is configured: its proxy service would be "
		    "made again",
		    cluster);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->gate = g;
	r->query = q;
	r->cluster = xstrdup(cluster);
	g->open++;
	(void)docker_service_list(
	    g->docker, GATE_LABEL_OWNER, on_found, on_listed, r);
}

/* ----------------------------------------------------------------- queries */

bool
gate_query(struct gate *g, struct child_query *q, const char *what,
    const char *args, size_t len)
{
	json_auto_t *j = json_loadb(args, len, 0, NULL);
	const char *cluster = json_string_value(json_object_get(j, "cluster"));
	const char *data = json_string_value(json_object_get(j, "data"));
	STR_AUTO(body, (size_t)16 * 1024 * 1024);

	if (strcmp(what, "gate") == 0) {
		str_add(&body, "{\"gate\":");
		gate_json(g, &body);
		str_add(&body, "}\n");
		child_answer(q, 200, body.p, body.len);
		return true;
	}
	if (strcmp(what, "gate_scale") != 0 &&
	    strcmp(what, "gate_remove") != 0 &&
	    strcmp(what, "config_add") != 0 &&
	    strcmp(what, "config_remove") != 0)
		return false;
	if (cluster == NULL || g->closing ||
	    !config_is_cluster_name(cluster, strlen(cluster)))
		gate_answer_error(q, 400, "say which cluster");
	else if (strcmp(what, "gate_scale") == 0)
		scale(g, q, cluster, j);
	else if (strcmp(what, "config_remove") == 0)
		gate_config_remove(g, q, cluster);
	else if (strcmp(what, "config_add") == 0 && data != NULL)
		gate_config_add(g, q, cluster, data);
	else if (strcmp(what, "config_add") == 0)
		gate_answer_error(q, 400, "say what the config holds");
	else
		start_removal(g, q, cluster);
	return true;
}
