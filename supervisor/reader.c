/*
 * The reader's shell: see reader.h.  Parts: sources (when to look), push (what
 * Watch tells), swarm (what is known), clusters (who gets what).
 */
#include "reader.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "bus/message.h"
#include "config/config.h"
#include "docker/client.h"
#include "docker/decode_guard.h"
#include "gate.h"
#include "loop/child_abi.h"
#include "reader_clusters.h"
#include "reader_configs.h"
#include "reader_damp.h"
#include "reader_push.h"
#include "reader_snapshot.h"
#include "reader_sources.h"
#include "reader_swarm.h"

#define STATUS_MS 100
/* Messages are counted for the metrics: told also while nothing changes. */
#define STATUS_SLOW_MS 5000

struct reader {
	uv_loop_t loop;
	struct daemon_config *config;
	struct swarm swarm;
	struct docker_client *docker;
	struct sources *sources;
	struct push *push; /* NULL: no Watch */
	struct reader_clusters *clusters;
	struct reader_configs *configs;
	struct gate *gate;
	struct damp damp;
	uv_timer_t damped; /* something that waits may be told */
	struct child_link *link;
	uv_signal_t sigterm;
	uv_signal_t sigint;
	uv_timer_t status;
	bool told_soon; /* a status line is due within STATUS_MS */
	bool stopping;
	int exit_code;
};

/* ----------------------------------------------------------------- status */

static void on_status(uv_timer_t *timer);

static void
push_status(struct reader *r)
{
	if (r->stopping || r->told_soon)
		return;
	r->told_soon = true;
	(void)uv_timer_start(&r->status, on_status, STATUS_MS, 0);
}

static void
on_status(uv_timer_t *timer)
{
	struct reader *r = container_of(timer, struct reader, status);
	STR_AUTO(line, (size_t)1024 * 1024 - 1);

	r->told_soon = false;
	(void)uv_timer_start(&r->status, on_status, STATUS_SLOW_MS, 0);
	str_addf(&line,
	    "{\"type\":\"status\",\"ready\":%s,\"push\":%s,\"docker\":",
	    r->swarm.complete ? "true" : "false",
	    push_in_force(r->push) ? "true" : "false");
	sources_docker_json(r->sources, &line);
	str_add(&line, ",\"events\":");
	sources_events_json(r->sources, push_events(r->push), &line);
	str_addf(&line, ",\"services\":%zu,\"bad\":%zu,\"clusters\":",
	    r->swarm.model->services.len, r->swarm.model->bad.len);
	reader_clusters_json(r->clusters, &line);
	str_add(&line, ",\"gate\":");
	gate_json(r->gate, &line);
	str_addc(&line, '}');
	if (!line.overflow)
		child_push(r->link, line.p, line.len);
}

/* ---------------------------------------------------------------- sources */

static void on_damped(uv_timer_t *timer);

/* What waited long enough goes along. */
static void
publish(struct reader *r, struct swarm_changes *changes, uint64_t read_us)
{
	uint64_t next = damp_due(&r->damp, clock_mono_ms(), changes);

	if (next != UINT64_MAX)
		(void)uv_timer_start(&r->damped, on_damped, next, 0);
	reader_clusters_publish(r->clusters, changes, read_us);
}

static void
on_damped(uv_timer_t *timer)
{
	struct reader *r = container_of(timer, struct reader, damped);
	struct swarm_changes changes = { 0 };

	if (r->stopping)
		return;
	publish(r, &changes, clock_wall_us());
	swarm_changes_fini(&changes);
}

static void
on_changes(void *arg, struct swarm_changes *changes, uint64_t read_us)
{
	struct reader *r = arg;
	bool any = changes->services.len > 0 || changes->removed.len > 0;

	if (any)
		log_debug("%zu services changed, %zu are gone",
		    changes->services.len, changes->removed.len);
	/* Nothing is told before the first whole list. */
	if (r->swarm.complete)
		damp_take(&r->damp, changes, clock_mono_ms());
	publish(r, changes, read_us);
	if (any || changes->objects)
		gate_changed(r->gate);
	if (any || changes->bad)
		push_status(r);
}

static void
on_part(void *arg, const struct swarm_changes *changes)
{
	struct reader *r = arg;

	reader_clusters_place(r->clusters, changes);
}

static void
on_state(void *arg)
{
	push_status(arg);
}

static void
on_listed(void *arg, const struct swarm_changes *changes, uint64_t began_ms)
{
	struct reader *r = arg;

	push_listed(r->push, changes, began_ms);
}

static void
on_heard(void *arg, const char *service_id)
{
	struct reader *r = arg;

	push_heard(r->push, service_id);
	gate_heard(r->gate, service_id);
}

static void
on_config(void *arg, const char *id, bool removed)
{
	struct reader *r = arg;

	reader_configs_heard(r->configs, id, removed);
}

static void
on_resynced(void *arg)
{
	struct reader *r = arg;

	reader_configs_look(r->configs);
}

static void
on_configs_tell(void *arg, const char *line, size_t len)
{
	struct reader *r = arg;

	child_push(r->link, line, len);
}

/* -------------------------------------------------------------------- gate */

static void
on_gate_event(
    void *arg, const char *cluster, const char *kind, const char *text)
{
	struct reader *r = arg;
	STR_AUTO(line, (size_t)65536);
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;
	char stamp[32] = "";

	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	str_addf(
	    &line, "{\"type\":\"event\",\"event\":{\"time\":\"%s\"", stamp);
	str_add_member(&line, "cluster", cluster);
	str_add_member(&line, "kind", kind);
	str_add_member(&line, "text", text);
	str_add(&line, "}}");
	if (!line.overflow)
		child_push(r->link, line.p, line.len);
}

/* ----------------------------------------------------------------- parent */

struct asked {
	struct child_query *query;
};

static void
on_snapshot(void *arg, const char *text, size_t len, const struct error *e)
{
	struct asked *a = arg;
	STR_AUTO(body, 4096);

	if (e == NULL) {
		child_answer(a->query, 200, text, len);
	} else {
		str_add(&body, "{\"error\":");
		str_add_json(&body, e->msg, strlen(e->msg));
		str_addc(&body, '}');
		child_answer(a->query, 502, body.p, body.len);
	}
	free(a);
}

static void
on_query(void *arg, struct child_query *q, const char *what, const char *args,
    size_t len)
{
	static const char unknown[] = "{\"error\":\"no such query\"}";
	struct reader *r = arg;
	json_auto_t *j = json_loadb(args, len, 0, NULL);
	bool full = json_is_true(json_object_get(j, "full"));
	struct asked *a;

	if (!r->stopping && gate_query(r->gate, q, what, args, len))
		return;
	if (strcmp(what, "snapshot") != 0 || r->stopping) {
		child_answer(q, 404, unknown, sizeof(unknown) - 1);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->query = q;
	reader_snapshot_start(r->docker, full, on_snapshot, a);
}

static void
on_reload(void *arg)
{
	struct reader *r = arg;
	struct error e;

	if (r->stopping)
		return;
	if (reader_clusters_load(r->clusters, &e) != 0)
		log_error("%s", e.msg);
	gate_configure(r->gate);
	push_status(r);
}

static void
on_log_level(void *arg, const char *level)
{
	int n = log_level_parse(level);

	(void)arg;
	if (n >= 0)
		log_set_level((enum log_level)n);
}

/* ----------------------------------------------------------- start and stop */

static void
on_sources_closed(void *arg)
{
	struct reader *r = arg;

	r->sources = NULL;
}

/* Inputs first; the loop ends when the last handle is closed. */
static void
stop(struct reader *r, int code)
{
	if (r->stopping)
		return;
	r->stopping = true;
	r->exit_code = code;
	uv_close((uv_handle_t *)&r->sigterm, NULL);
	uv_close((uv_handle_t *)&r->sigint, NULL);
	(void)uv_timer_stop(&r->status);
	uv_close((uv_handle_t *)&r->status, NULL);
	(void)uv_timer_stop(&r->damped);
	uv_close((uv_handle_t *)&r->damped, NULL);
	push_close(r->push);
	sources_close(r->sources, on_sources_closed, r);
	gate_close(r->gate, NULL, NULL);
	reader_configs_close(r->configs);
	docker_client_close(r->docker, NULL, NULL);
	reader_clusters_close(r->clusters, NULL, NULL);
	child_link_close(r->link, NULL, NULL);
}

static void
on_stop(void *arg, const struct error *why)
{
	struct reader *r = arg;

	if (why != NULL)
		log_info("stopping: %s", why->msg);
	stop(r, 0);
}

static void
on_signal(uv_signal_t *handle, int signum)
{
	log_info("stopping: signal %d", signum);
	stop(handle->data, 0);
}

static void
start_signal(struct reader *r, uv_signal_t *handle, int signum)
{
	must(uv_signal_init(&r->loop, handle) == 0);
	handle->data = r;
	must(uv_signal_start(handle, on_signal, signum) == 0);
}

/* 32 hex digits that no other reader had. */
static void
draw_epoch(char ret[BUS_EPOCH_SIZE])
{
	unsigned char bytes[(BUS_EPOCH_SIZE - 1) / 2];

	must(uv_random(NULL, NULL, bytes, sizeof(bytes), 0, NULL) == 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static struct daemon_config *
load_config(const char *run_dir)
{
	char *path _cleanup_free_ =
	    xasprintf("%s/accepted/bulkhead.ini", run_dir);
	struct config_errors errors = { 0 };
	struct daemon_config *c = daemon_config_load(path, &errors);

	for (size_t i = 0; i < errors.lines.len; i++)
		log_error("%s", errors.lines.at[i]);
	config_errors_fini(&errors);
	return c;
}

static int
start_parts(struct reader *r, const char *run_dir, struct error *e)
{
	static const struct child_link_handlers link_handlers = {
		.on_query = on_query,
		.on_reload = on_reload,
		.on_log_level = on_log_level,
		.on_stop = on_stop,
	};
	static const struct sources_handlers handlers = {
		.on_changes = on_changes,
		.on_part = on_part,
		.on_state = on_state,
		.on_listed = on_listed,
		.on_heard = on_heard,
		.on_config = on_config,
		.on_resynced = on_resynced,
	};
	static const struct push_handlers push_handlers = {
		.on_changes = on_changes,
		.on_state = on_state,
	};
	static const struct gate_handlers gate_handlers = {
		.on_state = on_state,
		.on_event = on_gate_event,
	};
	char epoch[BUS_EPOCH_SIZE];

	r->link = child_link_new(&r->loop, &link_handlers, r, e);
	if (r->link == NULL)
		return -1;
	r->docker = docker_client_new(&r->loop, r->config, e);
	if (r->docker == NULL)
		return -1;
	draw_epoch(epoch);
	r->clusters = reader_clusters_new(&r->loop, run_dir, epoch, &r->swarm);
	if (reader_clusters_load(r->clusters, e) != 0)
		return -1;
	r->gate = gate_new(&r->loop, r->docker, &r->swarm, r->clusters, run_dir,
	    &gate_handlers, r);
	r->configs =
	    reader_configs_new(&r->loop, r->docker, on_configs_tell, r);
	r->sources = sources_new(
	    &r->loop, r->docker, &r->swarm, r->config, &handlers, r);
	r->push = push_new(
	    &r->loop, &r->swarm, r->sources, r->config, &push_handlers, r);
	return 0;
}

static void
open_guard(const char *run_dir)
{
	char *path _cleanup_free_ = xasprintf("%s/reader.decode", run_dir);

	if (decode_guard_open(path))
		log_error("an object of Docker ends this program when it is "
			  "read, twice now: it is left out until it changes, "
			  "a bug of ours");
}

/* The owner of Docker's sockets needs no more than that. */
static void
become_modest(void)
{
	struct error e;

	if (sandbox_drop_capabilities(&e) != 0 ||
	    sandbox_filter(SANDBOX_READER, &e) != 0)
		log_warn("more rights than needed: %s", e.msg);
}

int
reader_main(const struct reader_options *o)
{
	struct reader r = { 0 };
	struct error e;

	log_init("bulkhead-reader", NULL);
	r.config = load_config(o->run_dir);
	if (r.config == NULL)
		return EXIT_BAD_CONFIG;
	log_set_level((enum log_level)log_level_parse(r.config->log.level));
	log_set_json(strcmp(r.config->log.format, "json") == 0);
	become_modest();
	open_guard(o->run_dir);
	must(uv_loop_init(&r.loop) == 0);
	swarm_init(&r.swarm);
	start_signal(&r, &r.sigterm, SIGTERM);
	start_signal(&r, &r.sigint, SIGINT);
	must(uv_timer_init(&r.loop, &r.status) == 0);
	must(uv_timer_init(&r.loop, &r.damped) == 0);
	if (start_parts(&r, o->run_dir, &e) == 0) {
		child_ready(r.link);
		push_status(&r);
	} else {
		log_error("%s", e.msg);
		stop(&r, EXIT_BAD_CONFIG);
	}
	(void)uv_run(&r.loop, UV_RUN_DEFAULT);
	must(r.sources == NULL);
	must(uv_loop_close(&r.loop) == 0);
	decode_guard_close();
	swarm_fini(&r.swarm);
	damp_fini(&r.damp);
	daemon_config_free(r.config);
	return r.exit_code;
}

/* --------------------------------------------------- snapshot, no daemon */

struct printing {
	struct docker_client *docker;
	int rc;
};

static void
on_print(void *arg, const char *text, size_t len, const struct error *e)
{
	struct printing *p = arg;

	if (e != NULL) {
		(void)fprintf(stderr, "snapshot: %s\n", e->msg);
	} else if (fwrite(text, 1, len, stdout) != len || fflush(stdout) != 0) {
		(void)fprintf(
		    stderr, "snapshot: output: %s\n", strerror(errno));
	} else {
		p->rc = 0;
	}
	docker_client_close(p->docker, NULL, NULL);
}

int
reader_print_snapshot(const char *url, bool full)
{
	struct daemon_config *c = daemon_config_default();
	struct printing p = { .rc = 1 };
	struct error e;
	uv_loop_t loop;

	(void)signal(SIGPIPE, SIG_IGN);
	free(c->docker.url);
	c->docker.url = xstrdup(url);
	must(uv_loop_init(&loop) == 0);
	p.docker = docker_client_new(&loop, c, &e);
	if (p.docker == NULL)
		(void)fprintf(stderr, "snapshot: %s\n", e.msg);
	else
		reader_snapshot_start(p.docker, full, on_print, &p);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0);
	daemon_config_free(c);
	return p.rc;
}
