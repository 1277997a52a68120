/* Start and load of the simulated Swarm; see sim_load.h. */
#include "sim_load.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "sim_api.h"
#include "sim_orch.h"
#include "sim_store.h"
#include "sim_task.h"

#define TASKS_PER_NETWORK 200

struct sim_load {
	struct sim *sim;
	uv_timer_t timer;
	uint64_t turn;
	uint64_t per_turn; /* changes */
	char *only;	   /* the name of the one service, owned; or NULL */
};

static int
make_network(struct sim *s, const char *name, const char *driver, bool ingress,
    struct error *e)
{
	json_t *request = json_pack("{s:s,s:s,s:b}", "Name", name, "Driver",
	    driver, "Ingress", ingress ? 1 : 0);
	struct sim_network *n = sim_network_make(s, request, e);

	json_decref(request);
	return n != NULL ? 0 : -1;
}

/* "{s:..}" of one generated service: as plain as routed ones are. */
static json_t *
load_service(const struct sim *s, uint32_t i, uint32_t networks)
{
	char *name _cleanup_free_ = xasprintf("load-%u", i);
	char *host _cleanup_free_ = xasprintf("load-%u.example", i);
	char *net _cleanup_free_ = xasprintf("load-net-%u", i % networks);
	char *cluster _cleanup_free_ = xasprintf(
	    "c%u", s->options.clusters > 0 ? i % s->options.clusters : 0);
	uint32_t tasks = s->options.tasks / s->options.services +
	    (i < s->options.tasks % s->options.services);
	json_t *labels = json_pack("{s:s,s:s}", "com.docker.lb.hosts", host,
	    "com.docker.lb.port", "8080");

	if (s->options.clusters > 0)
		(void)json_object_set_new(labels,
		    "com.docker.lb.service_cluster", json_string(cluster));
	return json_pack("{s:s,s:o,s:{s:{s:s},s:[{s:s}]},s:{s:{s:i}}}", "Name",
	    name, "Labels", labels, "TaskTemplate", "ContainerSpec", "Image",
	    "load:1", "Networks", "Target", net, "Mode", "Replicated",
	    "Replicas", (int)tasks);
}

static int
make_load(struct sim *s, struct error *e)
{
	const struct sim_options *o = &s->options;
	uint32_t networks =
	    1 + (o->tasks + o->services * 2) / TASKS_PER_NETWORK;

	if (o->services == 0)
		return 0;
	for (uint32_t i = 0; i < networks; i++) {
		char *name _cleanup_free_ = xasprintf("load-net-%u", i);

		if (make_network(s, name, "overlay", false, e) != 0)
			return -1;
	}
	for (uint32_t i = 0; i < o->services; i++) {
		json_t *request = load_service(s, i, networks);
		struct sim_service *v = sim_service_make(s, request, e);

		json_decref(request);
		if (v == NULL)
			return -1;
	}
	return 0;
}

static struct sim_service *
choose(struct sim_load *l)
{
	struct sim *s = l->sim;
	size_t n = s->lists[SIM_SERVICE].len,
	       from = n == 0 ? 0 : sim_random(s) % n;
	const char *prefix = l->only != NULL ? l->only : "load-";

	for (size_t i = 0; i < n; i++) {
		struct sim_service *v =
		    (struct sim_service *)(void *)s->lists[SIM_SERVICE]
			.at[(from + i) % n];
		const char *name =
		    json_string_value(json_object_get(v->spec, "Name"));

		if (name != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
			return v;
	}
	return NULL;
}

static void
fail_task(struct sim *s, struct sim_service *v)
{
	size_t n = v->tasks.len, from = n == 0 ? 0 : sim_random(s) % n;

	for (size_t i = 0; i < n; i++) {
		struct sim_task *t = v->tasks.at[(from + i) % n];

		if (t->state != TASK_RUNNING || t->desired != TASK_RUNNING)
			continue;
		sim_task_exit(t, 1);
		return;
	}
}

/* Now a task fails, now a label changes; of a single service, tasks fail. */
static void
change(struct sim_load *l)
{
	struct sim_service *v = choose(l);
	json_t *spec, *labels;
	char *text;

	if (v == NULL)
		return;
	if (l->turn++ % 2 == 0 || l->only != NULL) {
		fail_task(l->sim, v);
		return;
	}
	spec = json_deep_copy(v->spec);
	labels = json_object_get(spec, "Labels");
	text = xasprintf("%llu", 1 + (unsigned long long)l->turn % 100);
	(void)json_object_set_new(
	    labels, "com.docker.lb.max_fails", json_string(text));
	free(text);
	sim_service_put_spec(v, spec, false);
}

static void
on_churn(uv_timer_t *timer)
{
	struct sim_load *l = timer->data;

	for (uint64_t i = 0; i < l->per_turn; i++)
		change(l);
}

void
sim_load_churn(struct sim *s, uint64_t per_s, const char *service)
{
	struct sim_load *l = s->load;
	uint64_t ms = per_s == 0 || per_s > 1000 ? 1 : 1000 / per_s;

	free(l->only);
	l->only = service == NULL ? NULL : xstrdup(service);
	(void)uv_timer_stop(&l->timer);
	l->per_turn = per_s > 1000 ? per_s / 1000 : 1;
	if (per_s > 0)
		must(uv_timer_start(&l->timer, on_churn, ms, ms) == 0);
}

int
sim_load_start(struct sim *s, struct error *e)
{
	struct sim_load *l = xcalloc(1, sizeof(*l));

	s->load = l;
	l->sim = s;
	must(uv_timer_init(&s->loop, &l->timer) == 0);
	l->timer.data = l;
	if (make_network(s, "ingress", "overlay", true, e) != 0 ||
	    make_network(s, "bridge", "bridge", false, e) != 0 ||
	    make_network(s, "host", "host", false, e) != 0 ||
	    make_network(s, "none", "null", false, e) != 0)
		return -1;
	if (s->options.script != NULL &&
	    sim_load_script(s, s->options.script, e) != 0)
		return -1;
	if (make_load(s, e) != 0)
		return -1;
	sim_load_churn(s, s->options.churn_per_s, NULL);
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct sim_load *l = handle->data;

	free(l->only);
	free(l);
}

void
sim_load_stop(struct sim *s)
{
	if (s->load != NULL)
		uv_close((uv_handle_t *)&s->load->timer, on_closed);
	s->load = NULL;
}

static int
script_item(
    struct sim *s, const char *list, const json_t *item, struct error *e)
{
	if (strcmp(list, "networks") == 0)
		return sim_network_make(s, item, e) != NULL ? 0 : -1;
	if (strcmp(list, "secrets") == 0)
		return sim_blob_make(s, SIM_SECRET, item, e) != NULL ? 0 : -1;
	if (strcmp(list, "configs") == 0)
		return sim_blob_make(s, SIM_CONFIG, item, e) != NULL ? 0 : -1;
	return sim_service_make(s, item, e) != NULL ? 0 : -1;
}

int
sim_load_script(struct sim *s, const char *path, struct error *e)
{
	static const char *const lists[] = { "networks", "secrets", "configs",
		"services" };
	STR_AUTO(text, 64 * 1024 * 1024);
	json_t *script, *item;
	json_error_t je;
	size_t i;
	int rc = 0;

	if (fs_read(path, &text, e) != 0)
		return -1;
	script = json_loadb(text.p, text.len, JSON_ALLOW_NUL, &je);
	if (!json_is_object(script)) {
		json_decref(script);
		return error_set(e, EINVAL, "%s:%d: %s", path, je.line,
		    script == NULL ? je.text : "not an object");
	}
	for (size_t k = 0; k < countof(lists) && rc == 0; k++) {
		json_array_foreach(json_object_get(script, lists[k]), i, item)
		{
			if (script_item(s, lists[k], item, e) == 0)
				continue;
			rc = error_wrap(
			    e, "%s: %s, element %zu", path, lists[k], i);
			break;
		}
	}
	json_decref(script);
	return rc;
}
