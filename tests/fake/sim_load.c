/* Start and load of the simulated Swarm; see sim_load.h. */
#include "sim_load.h"

#include <errno.h>

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

/* Now a task fails, now a service changes an environment variable. */
static void
on_churn(uv_timer_t *timer)
{
	struct sim_load *l = timer->data;
	struct sim *s = l->sim;
	size_t n = s->lists[SIM_SERVICE].len;
	struct sim_service *v;
	json_t *spec, *labels;
	char *text;

	if (n == 0)
		return;
	v = (struct sim_service *)(void *)s->lists[SIM_SERVICE]
		.at[sim_random(s) % n];
	if (l->turn++ % 2 == 0 && v->tasks.len > 0) {
		struct sim_task *t = v->tasks.at[sim_random(s) % v->tasks.len];

		if (t->state == TASK_RUNNING && t->desired == TASK_RUNNING)
			sim_task_exit(t, 1);
		return;
	}
	spec = json_deep_copy(v->spec);
	labels = json_object_get(spec, "Labels");
	text = xasprintf("%llu", (unsigned long long)l->turn);
	(void)json_object_set_new(labels, "churn", json_string(text));
	free(text);
	sim_service_put_spec(v, spec, false);
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
	if (s->options.churn_per_s > 0) {
		uint64_t ms = 1000 / s->options.churn_per_s;

		must(uv_timer_start(
			 &l->timer, on_churn, 1000, ms > 0 ? ms : 1) == 0);
	}
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
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
