/* One look at the Engine: see reader_cycle.h. */
#include "reader_cycle.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "loop/http_client.h"

/* So often the Engine is asked which service it is that is gone. */
#define REFUSED_TIMES 3
#define FILTER_MAX 65536

enum look {
	LOOK_SERVICES,
	LOOK_SERVICE,
	LOOK_TASKS,
	LOOK_NETWORKS,
	LOOK_NODES,
	LOOK_SECRETS,
	LOOK_CONFIGS,
	LOOK_MANAGER
};

struct cycle {
	struct docker_client *docker;
	struct swarm_batch batch;
	VEC(struct cycle_call *) calls; /* under way */
	bool starting;
	bool refused; /* the tasks' list, for a service that is gone */
	unsigned refusals;
	bool failed;
	struct error error;
	cycle_done_fn *done;
	void *arg;
};

struct cycle_call {
	struct cycle *cycle;
	enum look look;
	char *id; /* of a single service */
	struct docker_call *call;
};

void
cycle_wants_fini(struct cycle_wants *w)
{
	map_fini(&w->service_ids);
	map_fini(&w->task_ids);
	memset(w, 0, sizeof(*w));
}

bool
cycle_wants_any(const struct cycle_wants *w)
{
	return w->services || w->tasks || w->networks || w->nodes ||
	    w->secrets || w->configs || w->manager || w->service_ids.len > 0 ||
	    w->task_ids.len > 0;
}

void
cycle_wants_everything(struct cycle_wants *w)
{
	w->services = w->tasks = w->networks = true;
	w->nodes = w->secrets = w->configs = true;
}

/* ---------------------------------------------------------------- answers */

static void list_tasks(struct cycle *c, bool all);
static void inspect(struct cycle *c, const char *id);

static void
fail(struct cycle *c, const struct error *e)
{
	if (c->failed)
		return;
	c->failed = true;
	c->error = *e;
	/* The others are of no use without it. */
	for (size_t i = 0; i < c->calls.len; i++)
		docker_call_cancel(c->calls.at[i]->call);
}

/*
 * The Engine refuses a list of several services' tasks for one that is gone.
 * The single looks have told which by now; where they have not, those whose
 * tasks alone were asked for are looked at.
 */
static void
list_tasks_again(struct cycle *c)
{
	struct swarm_batch *b = &c->batch;
	size_t before = b->asked_tasks.len;
	struct map_entry *e;
	struct error error;

	c->refused = false;
	for (size_t i = 0; (e = map_next(&b->gone, &i)) != NULL;)
		(void)map_remove(&b->asked_tasks, e->key);
	if (b->asked_tasks.len == 0)
		return;
	if (b->asked_tasks.len < before) {
		list_tasks(c, false);
	} else if (++c->refusals < REFUSED_TIMES) {
		c->refused = true;
		for (size_t i = 0; (e = map_next(&b->asked_tasks, &i)) != NULL;)
			inspect(c, e->key);
	} else {
		(void)error_set(&error, EAGAIN,
		    "tasks are refused of services that are there");
		fail(c, &error);
	}
}

static void
end(struct cycle *c)
{
	if (c->calls.len > 0 || c->starting)
		return;
	if (c->refused && !c->failed)
		list_tasks_again(c);
	if (c->calls.len > 0)
		return;
	c->done(c->arg, &c->batch, c->failed ? &c->error : NULL);
	swarm_batch_fini(&c->batch);
	vec_fini(&c->calls);
	free(c);
}

static void
end_call(struct cycle_call *x, const struct error *e)
{
	struct cycle *c = x->cycle;

	for (size_t i = 0; i < c->calls.len; i++) {
		if (c->calls.at[i] == x) {
			vec_remove(&c->calls, i);
			break;
		}
	}
	free(x->id);
	free(x);
	if (e != NULL)
		fail(c, e);
	end(c);
}

static void
on_object(void *arg, const char *json, size_t len)
{
	struct cycle_call *x = arg;
	struct swarm_batch *b = &x->cycle->batch;

	switch (x->look) {
	case LOOK_SERVICES:
	case LOOK_SERVICE:
		swarm_batch_service(b, json, len);
		break;
	case LOOK_TASKS:
		swarm_batch_task(b, json, len);
		break;
	case LOOK_NETWORKS:
		swarm_batch_network(b, json, len);
		break;
	case LOOK_NODES:
		swarm_batch_node(b, json, len);
		break;
	case LOOK_SECRETS:
		swarm_batch_secret(b, json, len);
		break;
	case LOOK_CONFIGS:
		swarm_batch_config(b, json, len);
		break;
	case LOOK_MANAGER:
		break;
	}
}

static void
on_skipped(void *arg, const char *json, size_t len)
{
	static const char *const kinds[] = {
		[LOOK_SERVICES] = "service",
		[LOOK_SERVICE] = "service",
		[LOOK_TASKS] = "task",
		[LOOK_NETWORKS] = "network",
		[LOOK_NODES] = "node",
		[LOOK_SECRETS] = "secret",
		[LOOK_CONFIGS] = "config",
		[LOOK_MANAGER] = "info",
	};
	struct cycle_call *x = arg;

	swarm_batch_skipped(&x->cycle->batch, kinds[x->look], json, len);
}

static void
on_manager(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	static const char word[] = "\"ControlAvailable\":true";
	struct cycle_call *x = arg;

	(void)status;
	if (e == NULL)
		x->cycle->batch.manager =
		    memmem(body, len, word, sizeof(word) - 1) != NULL;
	end_call(x, e);
}

static void
on_list_done(void *arg, long status, const struct error *e)
{
	struct cycle_call *x = arg;

	if (x->look == LOOK_TASKS && status == 404 &&
	    !x->cycle->batch.all_tasks) {
		x->cycle->refused = true;
		e = NULL;
	}
	end_call(x, e);
}

static void
on_service(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct cycle_call *x = arg;

	if (status == 404) {
		(void)map_set(&x->cycle->batch.gone, x->id, x);
		end_call(x, NULL);
		return;
	}
	if (e == NULL)
		on_object(x, body, len);
	end_call(x, e);
}

/* ------------------------------------------------------------------ calls */

static struct cycle_call *
call_new(struct cycle *c, enum look look, const char *id)
{
	struct cycle_call *x = xcalloc(1, sizeof(*x));

	x->cycle = c;
	x->look = look;
	x->id = id == NULL ? NULL : xstrdup(id);
	vec_push(&c->calls, x);
	return x;
}

static void
list(struct cycle *c, enum look look, const char *target)
{
	struct cycle_call *x = call_new(c, look, NULL);

	x->call = docker_list(
	    c->docker, target, on_object, on_skipped, on_list_done, x);
}

static void
inspect(struct cycle *c, const char *id)
{
	struct cycle_call *x = call_new(c, LOOK_SERVICE, id);
	STR_AUTO(target, 1024);

	(void)map_set(&c->batch.asked, id, c);
	str_add(&target, "/services/");
	http_add_escaped(&target, id, strlen(id));
	x->call =
	    docker_request(c->docker, "GET", target.p, NULL, 0, on_service, x);
}

/* Only tasks that shall run, of all services or of those in the batch. */
static void
list_tasks(struct cycle *c, bool all)
{
	STR_AUTO(filters, FILTER_MAX);
	STR_AUTO(target, (size_t)FILTER_MAX * 3);
	struct map_entry *e;
	bool first = true;

	str_add(&filters, "{\"desired-state\":[\"running\"]");
	if (!all) {
		str_add(&filters, ",\"service\":[");
		for (size_t i = 0;
		     (e = map_next(&c->batch.asked_tasks, &i)) != NULL;) {
			if (!first)
				str_addc(&filters, ',');
			first = false;
			str_add_json(&filters, e->key, strlen(e->key));
		}
		str_addc(&filters, ']');
	}
	str_addc(&filters, '}');
	str_add(&target, "/tasks?filters=");
	http_add_escaped(&target, filters.p, filters.len);
	list(c, LOOK_TASKS, target.p);
}

static void
start_tasks(struct cycle *c, const struct cycle_wants *w)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&w->service_ids, &i)) != NULL;)
		(void)map_set(&c->batch.asked_tasks, e->key, c);
	for (size_t i = 0; (e = map_next(&w->task_ids, &i)) != NULL;)
		(void)map_set(&c->batch.asked_tasks, e->key, c);
	c->batch.all_tasks = w->tasks || w->services;
	if (c->batch.all_tasks || c->batch.asked_tasks.len > 0)
		list_tasks(c, c->batch.all_tasks);
}

static void
start_services(struct cycle *c, const struct cycle_wants *w)
{
	struct map_entry *e;

	c->batch.all_services = w->services;
	if (c->batch.all_services) {
		list(c, LOOK_SERVICES, "/services");
		return;
	}
	for (size_t i = 0; (e = map_next(&w->service_ids, &i)) != NULL;)
		inspect(c, e->key);
}

struct cycle *
cycle_start(struct docker_client *docker, const struct cycle_wants *w,
    cycle_done_fn *done, void *arg)
{
	struct cycle *c = xcalloc(1, sizeof(*c));

	must(cycle_wants_any(w));
	c->docker = docker;
	c->done = done;
	c->arg = arg;
	swarm_batch_init(&c->batch);
	c->batch.networks = w->networks;
	c->batch.nodes = w->nodes;
	c->batch.secrets = w->secrets;
	c->batch.configs = w->configs;
	c->starting = true;
	start_services(c, w);
	start_tasks(c, w);
	if (w->networks)
		list(c, LOOK_NETWORKS, "/networks");
	if (w->nodes)
		list(c, LOOK_NODES, "/nodes");
	if (w->secrets)
		list(c, LOOK_SECRETS, "/secrets");
	if (w->configs)
		list(c, LOOK_CONFIGS, "/configs");
	if (w->manager) {
		struct cycle_call *x = call_new(c, LOOK_MANAGER, NULL);

		x->call = docker_request(
		    c->docker, "GET", "/info", NULL, 0, on_manager, x);
	}
	c->starting = false;
	return c;
}

void
cycle_cancel(struct cycle *c)
{
	for (size_t i = 0; i < c->calls.len; i++)
		docker_call_cancel(c->calls.at[i]->call);
	if (!c->failed) {
		c->failed = true;
		(void)error_set(&c->error, ECANCELED, "canceled");
	}
}
