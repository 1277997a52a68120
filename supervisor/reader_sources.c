/* When the reader looks, and at what: see reader_sources.h. */
#include "reader_sources.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "reader_cycle.h"

#define COALESCE_MS 3
/* A service that changes on and on is looked at so often. */
#define DAMP_MS 100
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 10000
/* A socket of this machine costs nothing to try. */
#define RETRY_MAX_LOCAL_MS 800
#define CONFIRM_MS 2600
/* Lists in a row that show what no event told: the stream is dead. */
#define MISSED_TIMES 3
#define EVENTS                                                                 \
	"/events?filters=%7B%22type%22%3A%5B%22service%22%2C%22network%22"     \
	"%2C%22node%22%2C%22secret%22%2C%22config%22%5D%7D"

enum source {
	SOURCE_SERVICE,
	SOURCE_NETWORK,
	SOURCE_NODE,
	SOURCE_SECRET,
	SOURCE_CONFIG,
	SOURCE_POLL,
	SOURCE_RESYNC,
	SOURCE_MISSED,
	SOURCES
};
static const char *const source_names[SOURCES] = {
	[SOURCE_SERVICE] = "service",
	[SOURCE_NETWORK] = "network",
	[SOURCE_NODE] = "node",
	[SOURCE_SECRET] = "secret",
	[SOURCE_CONFIG] = "config",
	[SOURCE_POLL] = "poll",
	[SOURCE_RESYNC] = "resync",
	[SOURCE_MISSED] = "missed",
};

struct sources {
	uv_loop_t *loop;
	struct docker_client *docker;
	struct swarm *swarm;
	struct sources_handlers handlers;
	void *arg;
	uint64_t poll_ms;
	uint64_t resync_ms;

	struct docker_call *events;
	bool listening; /* the event stream stands */
	uint64_t listening_ms;
	struct backoff reopen_backoff;
	uv_timer_t reopen;
	unsigned missed; /* in a row */

	struct cycle *cycle;
	uint64_t cycle_ms;	    /* when it began */
	struct cycle_wants looking; /* what it looks at */
	struct cycle_wants next;
	struct map dirty;	/* service ID -> when it may be looked at */
	struct map dirty_tasks; /* the same, for its tasks alone */
	struct map looked;	/* service ID -> when it was looked at last */
	struct backoff retry_backoff;
	uv_timer_t start; /* the next cycle */

	uv_timer_t poll;
	bool pushed;		/* nobody polls */
	uint64_t tasks_ms;	/* when all tasks were listed last */
	uint64_t tasks_took_ms; /* and how long that took */
	uv_timer_t resync;
	uv_timer_t confirm;

	bool connected;
	struct error error;
	struct log_limit limit;
	uint64_t counts[SOURCES];
	bool closing;
	unsigned open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void start_soon(struct sources *s, uint64_t ms);
static void on_confirm(uv_timer_t *timer);
static void open_events(struct sources *s);
static void maybe_free(struct sources *s);

static uint32_t
random32(void)
{
	uint32_t r = 0;

	(void)uv_random(NULL, NULL, &r, sizeof(r), 0, NULL);
	return r;
}

/* ------------------------------------------------------------------ state */

static void
set_connected(struct sources *s, const struct error *e, uint64_t retry_ms)
{
	bool was = s->connected;

	s->connected = e == NULL;
	if (e != NULL) {
		s->error = *e;
		log_limited(&s->limit, LOG_WARN,
		    "docker: %s; what is known stays, retry in %llu ms", e->msg,
		    (unsigned long long)retry_ms);
	} else if (!was) {
		s->error.code = 0;
		log_info("docker: connected, API %s",
		    docker_client_version(s->docker));
	}
	if (was != s->connected || e != NULL)
		s->handlers.on_state(s->arg);
}

/* ------------------------------------------------------------------ cycles */

static uint64_t
take_due_of(
    struct sources *s, struct map *dirty, struct map *wanted, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(dirty, &i)) != NULL;) {
		uint64_t due = (uintptr_t)e->value;

		if (due > now) {
			next = due < next ? due : next;
			continue;
		}
		(void)map_set(wanted, e->key, s);
		(void)map_set(&s->looked, e->key, (void *)(uintptr_t)(now | 1));
		(void)map_remove(dirty, e->key);
	}
	return next;
}

/* What events told and may be looked at now; gives when the next may. */
static uint64_t
take_due(struct sources *s, uint64_t now)
{
	uint64_t one = take_due_of(s, &s->dirty, &s->next.service_ids, now);
	uint64_t two = take_due_of(s, &s->dirty_tasks, &s->next.task_ids, now);

	return one < two ? one : two;
}

static void
forget_looked(struct sources *s, uint64_t now)
{
	struct map_entry *e;

	if (s->looked.len < 1000)
		return;
	for (size_t i = 0; (e = map_next(&s->looked, &i)) != NULL;) {
		if ((uintptr_t)e->value + DAMP_MS < now)
			(void)map_remove(&s->looked, e->key);
	}
}

/* How soon to look at tasks again, and at whose. */
static void plan_poll(struct sources *s);

static void
look_again(struct sources *s)
{
	struct cycle_wants *w = &s->looking;
	struct map_entry *e;

	s->next.services |= w->services;
	s->next.tasks |= w->tasks;
	s->next.networks |= w->networks;
	s->next.nodes |= w->nodes;
	s->next.secrets |= w->secrets;
	s->next.configs |= w->configs;
	s->next.manager |= w->manager;
	for (size_t i = 0; (e = map_next(&w->service_ids, &i)) != NULL;)
		(void)map_set(&s->next.service_ids, e->key, s);
	for (size_t i = 0; (e = map_next(&w->task_ids, &i)) != NULL;)
		(void)map_set(&s->next.task_ids, e->key, s);
}

static void
judge_events(struct sources *s, bool missed)
{
	if (!missed) {
		s->missed = 0;
		return;
	}
	s->counts[SOURCE_MISSED]++;
	if (++s->missed < MISSED_TIMES || s->events == NULL)
		return;
	log_warn("docker: the event stream says nothing of what changes; "
		 "opening it again");
	s->missed = 0;
	docker_call_cancel(s->events);
}

static void
apply(struct sources *s, struct swarm_batch *batch)
{
	struct swarm_changes changes;
	bool whole = batch->all_services;
	uint64_t now = clock_mono_ms();
	struct map_entry *e;

	/* What events told while the answers were on their way counts too. */
	for (size_t i = 0; (e = map_next(&s->dirty, &i)) != NULL;)
		(void)map_set(&s->looking.service_ids, e->key, s);
	if (batch->all_tasks) {
		s->tasks_ms = now;
		s->tasks_took_ms = now - s->cycle_ms;
	}
	swarm_apply(s->swarm, batch, &s->looking.service_ids, now, &changes);
	if (changes.confirm) {
		log_warn("docker: a list lacks much of what is known; asking "
			 "again before anything is removed");
		if (!uv_is_active((uv_handle_t *)&s->confirm))
			(void)uv_timer_start(
			    &s->confirm, on_confirm, CONFIRM_MS, 0);
	}
	if (whole)
		judge_events(s, changes.missed);
	s->handlers.on_changes(s->arg, &changes, clock_wall_us());
	if (batch->all_tasks)
		s->handlers.on_listed(s->arg, &changes, s->cycle_ms);
	swarm_changes_fini(&changes);
}

static void
on_cycle_done(void *arg, struct swarm_batch *batch, const struct error *e)
{
	struct sources *s = arg;
	uint64_t delay = 0;

	s->cycle = NULL;
	if (s->closing) {
		maybe_free(s);
		return;
	}
	if (e != NULL) {
		look_again(s);
		delay = backoff_jitter(
		    backoff_next(&s->retry_backoff, 0), random32());
		set_connected(s, e, delay);
	} else {
		s->retry_backoff.next_ms = 0;
		apply(s, batch);
		if (s->listening)
			set_connected(s, NULL, 0);
		plan_poll(s);
	}
	cycle_wants_fini(&s->looking);
	if (cycle_wants_any(&s->next) || s->dirty.len > 0 ||
	    s->dirty_tasks.len > 0)
		start_soon(s, delay);
}

static void
on_start(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, start);
	uint64_t now = clock_mono_ms(), due;

	if (s->closing || s->cycle != NULL)
		return;
	due = take_due(s, now);
	forget_looked(s, now);
	if (!cycle_wants_any(&s->next)) {
		if (due != UINT64_MAX)
			start_soon(s, due - now);
		return;
	}
	s->looking = s->next;
	memset(&s->next, 0, sizeof(s->next));
	s->cycle_ms = now;
	s->cycle = cycle_start(s->docker, &s->looking, on_cycle_done, s);
}

static void
start_soon(struct sources *s, uint64_t ms)
{
	if (s->closing || s->cycle != NULL)
		return;
	if (uv_is_active((uv_handle_t *)&s->start) &&
	    uv_timer_get_due_in(&s->start) <= ms)
		return;
	(void)uv_timer_start(&s->start, on_start, ms, 0);
}

/* ------------------------------------------------------------------ timers */

static void
on_poll(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, poll);
	struct map moving = { 0 };
	struct map_entry *e;
	uint64_t now = clock_mono_ms();

	if (s->closing || s->pushed || !s->swarm->complete)
		return;
	s->counts[SOURCE_POLL]++;
	(void)swarm_moving(s->swarm, now, s->poll_ms, &moving);
	if (now - s->tasks_ms + 20 >= s->poll_ms)
		s->next.tasks = true;
	for (size_t i = 0; (e = map_next(&moving, &i)) != NULL;)
		(void)map_set(&s->next.task_ids, e->key, s);
	map_fini(&moving);
	if (cycle_wants_any(&s->next))
		start_soon(s, 0);
	else
		plan_poll(s);
}

static void
plan_poll(struct sources *s)
{
	struct map moving = { 0 };
	uint64_t now = clock_mono_ms(), in;
	uint64_t all = s->tasks_ms + s->poll_ms;

	if (s->pushed)
		return;
	in = swarm_moving(s->swarm, now, s->poll_ms, &moving);
	all = all > now ? all - now : 1;
	/* Many at once cost a whole list: no more than a quarter of the time.
	 */
	if (moving.len > 32 && in < s->tasks_took_ms * 4)
		in = s->tasks_took_ms * 4;
	map_fini(&moving);
	if (all < in)
		in = all;
	if (!s->closing)
		(void)uv_timer_start(
		    &s->poll, on_poll, backoff_jitter(in, random32()), 0);
}

void
sources_resync(struct sources *s)
{
	s->counts[SOURCE_RESYNC]++;
	cycle_wants_everything(&s->next);
	start_soon(s, 0);
}

static void
on_resync(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, resync);

	if (s->closing)
		return;
	(void)uv_timer_start(
	    timer, on_resync, backoff_jitter(s->resync_ms, random32()), 0);
	sources_resync(s);
}

static void
on_confirm(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, confirm);

	if (s->closing)
		return;
	s->next.manager = true;
	sources_resync(s);
}

/* ------------------------------------------------------------------ events */

static void
mark(struct sources *s, struct map *dirty, const char *service_id)
{
	uint64_t now = clock_mono_ms();
	uint64_t last = (uintptr_t)map_get(&s->looked, service_id);
	uint64_t due = last != 0 && last + DAMP_MS > now ? last + DAMP_MS : now;

	if (map_get(dirty, service_id) == NULL)
		(void)map_set(dirty, service_id, (void *)(uintptr_t)(due | 1));
	start_soon(s, due > now ? due - now : COALESCE_MS);
}

void
sources_dirty(struct sources *s, const char *service_id)
{
	mark(s, &s->dirty, service_id);
}

void
sources_tasks_dirty(struct sources *s, const char *service_id)
{
	/* Looked at whole, its tasks come along. */
	if (map_get(&s->dirty, service_id) == NULL)
		mark(s, &s->dirty_tasks, service_id);
}

bool
sources_awaits(const struct sources *s, const char *service_id)
{
	return s->next.services || map_get(&s->dirty, service_id) != NULL ||
	    map_get(&s->next.service_ids, service_id) != NULL ||
	    (s->cycle != NULL &&
		(s->looking.services ||
		    map_get(&s->looking.service_ids, service_id) != NULL));
}

void
sources_pushed(struct sources *s, bool pushed)
{
	s->pushed = pushed;
	if (s->closing)
		return;
	if (pushed)
		(void)uv_timer_stop(&s->poll);
	else if (s->swarm->complete && s->cycle == NULL)
		plan_poll(s);
}

static void
on_event(void *arg, const char *line, size_t len)
{
	struct sources *s = arg;
	json_auto_t *j = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	const char *type = json_string_value(json_object_get(j, "Type"));
	const char *id = json_string_value(
	    json_object_get(json_object_get(j, "Actor"), "ID"));

	if (s->closing || type == NULL)
		return;
	if (strcmp(type, "service") == 0 && id != NULL) {
		s->counts[SOURCE_SERVICE]++;
		sources_dirty(s, id);
		s->handlers.on_heard(s->arg, id);
		return;
	}
	if (strcmp(type, "network") == 0) {
		s->counts[SOURCE_NETWORK]++;
		s->next.networks = true;
	} else if (strcmp(type, "node") == 0) {
		/* Down or drained: its tasks move, and only Watch tells. */
		s->counts[SOURCE_NODE]++;
		s->next.nodes = true;
		s->next.tasks |= !s->pushed;
	} else if (strcmp(type, "secret") == 0) {
		s->counts[SOURCE_SECRET]++;
		s->next.secrets = true;
	} else if (strcmp(type, "config") == 0) {
		s->counts[SOURCE_CONFIG]++;
		s->next.configs = true;
	} else {
		return;
	}
	start_soon(s, COALESCE_MS);
}

static void
on_events_open(void *arg)
{
	struct sources *s = arg;

	if (s->closing)
		return;
	s->listening = true;
	s->listening_ms = clock_mono_ms();
	/* What happened while nobody listened is in the lists. */
	sources_resync(s);
}

static void
on_reopen(uv_timer_t *timer)
{
	open_events(container_of(timer, struct sources, reopen));
}

static void
on_events_done(void *arg, long status, const struct error *e)
{
	struct sources *s = arg;
	uint64_t ran, delay;

	(void)status;
	s->events = NULL;
	if (s->closing) {
		maybe_free(s);
		return;
	}
	ran = s->listening ? clock_mono_ms() - s->listening_ms : 0;
	s->listening = false;
	delay =
	    backoff_jitter(backoff_next(&s->reopen_backoff, ran), random32());
	set_connected(s, e, delay);
	(void)uv_timer_start(&s->reopen, on_reopen, delay, 0);
}

static void
open_events(struct sources *s)
{
	if (s->closing || s->events != NULL)
		return;
	s->events = docker_events(
	    s->docker, EVENTS, on_events_open, on_event, on_events_done, s);
}

/* ------------------------------------------------------------------ sources */

struct sources *
sources_new(uv_loop_t *loop, struct docker_client *docker, struct swarm *swarm,
    const struct daemon_config *c, const struct sources_handlers *h, void *arg)
{
	struct sources *s = xcalloc(1, sizeof(*s));
	bool local = strncmp(c->docker.url, "unix:", 5) == 0;
	uint64_t max = local ? RETRY_MAX_LOCAL_MS : RETRY_MAX_MS;

	s->loop = loop;
	s->docker = docker;
	s->swarm = swarm;
	s->handlers = *h;
	s->arg = arg;
	s->poll_ms = c->docker.poll_interval_ms;
	s->resync_ms = c->docker.resync_interval_ms;
	s->retry_backoff =
	    (struct backoff)BACKOFF_INIT(RETRY_MIN_MS, max, max * 2);
	s->reopen_backoff = s->retry_backoff;
	s->limit = (struct log_limit)LOG_LIMIT_INIT(3, 10000);
	(void)error_set(&s->error, ENOTCONN, "not connected yet");
	must(uv_timer_init(loop, &s->start) == 0);
	must(uv_timer_init(loop, &s->poll) == 0);
	must(uv_timer_init(loop, &s->resync) == 0);
	must(uv_timer_init(loop, &s->confirm) == 0);
	must(uv_timer_init(loop, &s->reopen) == 0);
	s->open_handles = 5;
	(void)uv_timer_start(
	    &s->resync, on_resync, backoff_jitter(s->resync_ms, random32()), 0);
	open_events(s);
	return s;
}

void
sources_docker_json(const struct sources *s, struct str *out)
{
	str_addf(out, "{\"connected\":%s,\"api_version\":\"%s\",\"error\":",
	    s->connected ? "true" : "false", docker_client_version(s->docker));
	if (s->connected)
		str_add(out, "null");
	else
		str_add_json(out, s->error.msg, strlen(s->error.msg));
	str_add(out, ",\"request_seconds\":");
	histogram_json(docker_client_seconds(s->docker), out);
	str_addc(out, '}');
}

void
sources_events_json(const struct sources *s, uint64_t watch, struct str *out)
{
	str_addf(out, "{\"watch\":%llu,", (unsigned long long)watch);
	for (size_t i = 0; i < SOURCES; i++)
		str_addf(out, "%s\"%s\":%llu", i == 0 ? "" : ",",
		    source_names[i], (unsigned long long)s->counts[i]);
	str_addc(out, '}');
}

static void
maybe_free(struct sources *s)
{
	if (s->open_handles > 0 || s->events != NULL || s->cycle != NULL)
		return;
	cycle_wants_fini(&s->next);
	cycle_wants_fini(&s->looking);
	map_fini(&s->dirty);
	map_fini(&s->dirty_tasks);
	map_fini(&s->looked);
	if (s->closed != NULL)
		s->closed(s->closed_arg);
	free(s);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct sources *s = handle->data;

	s->open_handles--;
	maybe_free(s);
}

static void
close_timer(struct sources *s, uv_timer_t *timer)
{
	timer->data = s;
	(void)uv_timer_stop(timer);
	uv_close((uv_handle_t *)timer, on_handle_closed);
}

void
sources_close(struct sources *s, void (*closed)(void *arg), void *arg)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	close_timer(s, &s->start);
	close_timer(s, &s->poll);
	close_timer(s, &s->resync);
	close_timer(s, &s->confirm);
	close_timer(s, &s->reopen);
}
