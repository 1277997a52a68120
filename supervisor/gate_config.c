/* Docker configs that hold INIs: see gate_config.h. */
#include "gate_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "gate_spec.h"
#include "loop/http_client.h"
#include "reader_configs.h"

#define BODY_MAX ((size_t)2 * 1024 * 1024)
#define NAME_PART 40
#define HASH_PART 12

struct config_call {
	struct gate *gate;
	struct child_query *query;
	char *cluster;
	char *name; /* of the config that is made */
	VEC(char *) ids;
	char *foreign; /* one that "cluster add" did not make */
	size_t left;
	char *error;
};

static struct config_call *
call_new(struct gate *g, struct child_query *q, const char *cluster)
{
	struct config_call *c = xcalloc(1, sizeof(*c));

	c->gate = g;
	c->query = q;
	c->cluster = xstrdup(cluster);
	g->open++;
	return c;
}

static void
call_free(struct config_call *c)
{
	struct gate *g = c->gate;

	for (size_t i = 0; i < c->ids.len; i++)
		free(c->ids.at[i]);
	vec_fini(&c->ids);
	free(c->cluster);
	free(c->name);
	free(c->foreign);
	free(c->error);
	free(c);
	gate_unref(g);
}

/* ---------------------------------------------------------------------- add */

static void
on_created(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct config_call *c = arg;
	STR_AUTO(text, 4096);

	(void)status;
	(void)body;
	(void)len;
	if (e != NULL) {
		gate_answer_error(c->query, 502, "%s", e->msg);
	} else {
		log_info("cluster %s: Docker config %s was made", c->cluster,
		    c->name);
		str_addf(&text, "{\"cluster\":\"%s\",\"source\":\"config\"",
		    c->cluster);
		str_add_member(&text, "where", c->name);
		str_add(&text, "}\n");
		child_answer(c->query, 200, text.p, text.len);
	}
	call_free(c);
}

/* At most 64 bytes, and another one each time. */
static char *
make_name(const char *cluster, const char *data)
{
	char *all _cleanup_free_ = xasprintf(
	    "%s %llu %s", cluster, (unsigned long long)clock_wall_us(), data);
	char hash[SHA256_HEX_SIZE];

	sha256_hex(all, strlen(all), hash);
	return xasprintf(
	    "bulkhead-%.*s-%.*s", NAME_PART, cluster, HASH_PART, hash);
}

void
gate_config_add(struct gate *g, struct child_query *q, const char *cluster,
    const char *data)
{
	struct config_call *c = call_new(g, q, cluster);
	const char *stack = g->self == NULL ? NULL : gate_self_stack(g->self);
	STR_AUTO(body, BODY_MAX);

	c->name = make_name(cluster, data);
	str_addf(&body,
	    "{\"Name\":\"%s\",\"Labels\":{\"%s\":\"%s\",\"%s\":\"true\"",
	    c->name, CONFIG_LABEL_CLUSTER, cluster, GATE_LABEL_ADDED);
	if (stack != NULL)
		str_add_member(&body, GATE_LABEL_STACK, stack);
	str_addc(&body, '}');
	str_add_member(&body, "Data", data);
	str_addc(&body, '}');
	must(!body.overflow);
	(void)docker_request(g->docker, "POST", "/configs/create", body.p,
	    body.len, on_created, c);
}

/* ------------------------------------------------------------------- remove */

static void
removal_end(struct config_call *c)
{
	STR_AUTO(text, 256);

	if (c->error != NULL) {
		gate_answer_error(c->query, 502, "%s", c->error);
	} else if (c->foreign != NULL) {
		gate_answer_error(c->query, 409,
		    "Docker config %s was not made by \"cluster add\": remove "
		    "it, then this again",
		    c->foreign);
	} else {
		str_addf(&text, "{\"removed\":%zu}\n", c->ids.len);
		child_answer(c->query, 200, text.p, text.len);
	}
	call_free(c);
}

static void
on_removed(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct config_call *c = arg;

	(void)body;
	(void)len;
	if (e != NULL && status != 404) {
		free(c->error);
		c->error = xstrdup(e->msg);
	}
	if (--c->left == 0)
		removal_end(c);
}

static void
on_found(void *arg, const char *json, size_t len)
{
	struct config_call *c = arg;
	json_auto_t *o = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
	const json_t *spec = json_object_get(o, "Spec");
	const json_t *labels = json_object_get(spec, "Labels");
	const char *id = json_string_value(json_object_get(o, "ID"));
	const char *name = json_string_value(json_object_get(spec, "Name"));
	const char *cluster =
	    json_string_value(json_object_get(labels, CONFIG_LABEL_CLUSTER));

	if (id == NULL || name == NULL || cluster == NULL ||
	    strcmp(cluster, c->cluster) != 0)
		return;
	if (json_object_get(labels, GATE_LABEL_ADDED) != NULL) {
		vec_push(&c->ids, xstrdup(id));
	} else {
		free(c->foreign);
		c->foreign = xstrdup(name);
	}
}

/* All or nothing: an older one would come into force. */
static void
on_listed(void *arg, long status, const struct error *e)
{
	struct config_call *c = arg;

	(void)status;
	if (e != NULL)
		c->error = xstrdup(e->msg);
	else if (c->gate->closing)
		c->error = xstrdup("the reader is stopping");
	if (c->error != NULL || c->foreign != NULL || c->ids.len == 0) {
		removal_end(c);
		return;
	}
	c->left = c->ids.len;
	for (size_t i = 0; i < c->ids.len; i++) {
		STR_AUTO(target, 1024);

		str_add(&target, "/configs/");
		http_add_escaped(&target, c->ids.at[i], strlen(c->ids.at[i]));
		(void)docker_request(c->gate->docker, "DELETE", target.p, NULL,
		    0, on_removed, c);
	}
}

void
gate_config_remove(struct gate *g, struct child_query *q, const char *cluster)
{
	struct config_call *c = call_new(g, q, cluster);
	STR_AUTO(filter, 1024);
	STR_AUTO(target, 4096);

	str_addf(
	    &filter, "{\"label\":[\"" CONFIG_LABEL_CLUSTER "=%s\"]}", cluster);
	str_add(&target, "/configs?filters=");
	http_add_escaped(&target, filter.p, filter.len);
	(void)docker_list(g->docker, target.p, on_found, NULL, on_listed, c);
}
