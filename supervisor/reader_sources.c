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
#include "reader_dirty.h"

#define COALESCE_MS 3
/* Whole lists that are this fast take single services along. */
#define FAST_MS 50
/* The first list is not taken for slower than this. */
#define FIRST_MAX_MS 5000
/* Whole lists on a timer take at most one part in so many of the time. */
#define RESYNC_SHARE 10
#define POLL_SHARE 20
/* And looks at what moves, where nobody pushes. */
#define MOVING_SHARE 4
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

/* A look under way. */
struct slot {
	struct sources *sources;
	struct cycle *cycle;
	struct cycle_wants looking;
	uint64_t began_ms;
	uint64_t took_ms; /* the last one that succeeded */
	uint64_t pace_ms; /* what one takes, where not for once */
	bool failed;	  /* the last one */
	struct backoff backoff;
	uint64_t not_before_ms;
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

	/*
	 * Whole lists of services or tasks take long where there are many;
	 * single services are looked at beside them.
	 */
	struct slot whole, single;
	struct swarm_newer newer; /* looked at since the whole list began */
	struct cycle_wants next;
	struct dirty dirty;
	uv_timer_t start; /* the next cycle */

	uv_timer_t poll;
	bool pushed;	   /* nobody polls */
	uint64_t tasks_ms; /* when all tasks were listed last */
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

/* How soon to look at tasks again, and at whose. */
static void plan_poll(struct sources *s);

static void
look_again(struct sources *s, const struct cycle_wants *w)
{
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
add_ids(struct map *to, const struct map *ids)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(ids, &i)) != NULL;)
		(void)map_set(to, e->key, to);
}

static void
apply(struct sources *s, struct slot *slot, struct swarm_batch *batch)
{
	struct swarm_changes changes;
	bool all_services = batch->all_services;
	bool all_tasks = batch->all_tasks;
	uint64_t now = clock_mono_ms();

	/* What events told while the answers were on their way counts too. */
	add_ids(&slot->looking.service_ids, &s->dirty.services);
	add_ids(&slot->looking.service_ids, &s->next.service_ids);
	if (slot == &s->whole) {
		add_ids(&slot->looking.service_ids, &s->newer.ids);
		swarm_batch_except(batch, &s->newer);
	}
	if (all_tasks)
		s->tasks_ms = now;
	swarm_apply(s->swarm, batch, &slot->looking.service_ids, now, &changes);
	if (changes.confirm) {
		log_warn("docker: a list lacks much of what is known; asking "
			 "again before anything is removed");
		if (!uv_is_active((uv_handle_t *)&s->confirm))
			(void)uv_timer_start(
			    &s->confirm, on_confirm, CONFIRM_MS, 0);
	}
	if (all_services)
		judge_events(s, changes.missed);
	if (all_tasks)
		s->handlers.on_listed(s->arg, &changes, slot->began_ms);
	s->handlers.on_changes(s->arg, &changes, clock_wall_us());
	swarm_changes_fini(&changes);
}

/* One that stalled does not put off the next ones for long. */
static void
note_took(struct slot *slot, uint64_t took_ms)
{
	uint64_t most =
	    slot->pace_ms == 0 ? FIRST_MAX_MS : slot->pace_ms * 2 + FAST_MS;

	slot->took_ms = took_ms;
	slot->pace_ms = took_ms < most ? took_ms : most;
}

static void
on_cycle_done(void *arg, struct swarm_batch *batch, const struct error *e)
{
	struct slot *slot = arg;
	struct sources *s = slot->sources;
	uint64_t delay = 0, now = clock_mono_ms();

	slot->cycle = NULL;
	if (s->closing) {
		maybe_free(s);
		return;
	}
	log_debug("docker: %s%zu services, tasks of %zu more: %s after %llu "
		  "ms; %zu and %zu wait",
	    slot == &s->whole ? "whole lists, " : "",
	    slot->looking.service_ids.len, slot->looking.task_ids.len,
	    e == NULL ? "looked at" : e->msg,
	    (unsigned long long)(now - slot->began_ms), s->dirty.services.len,
	    s->dirty.tasks.len);
	slot->failed = e != NULL;
	if (e != NULL) {
		look_again(s, &slot->looking);
		delay =
		    backoff_jitter(backoff_next(&slot->backoff, 0), random32());
		slot->not_before_ms = now + delay;
		set_connected(s, e, delay);
	} else {
		slot->backoff.next_ms = 0;
		slot->not_before_ms = 0;
		note_took(slot, now - slot->began_ms);
		apply(s, slot, batch);
		if (s->listening && !s->whole.failed)
			set_connected(s, NULL, 0);
		plan_poll(s);
	}
	if (slot == &s->whole)
		swarm_newer_clear(&s->newer);
	cycle_wants_fini(&slot->looking);
	if (cycle_wants_any(&s->next) || dirty_any(&s->dirty))
		start_soon(s, delay);
}

static void
start_slot(struct sources *s, struct slot *slot, uint64_t now)
{
	slot->began_ms = now;
	slot->cycle =
	    cycle_start(s->docker, &slot->looking, on_cycle_done, slot);
}

/* Whole lists, and where they are fast or the first ones all else, too. */
static void
start_whole(struct sources *s, uint64_t now)
{
	struct cycle_wants *w = &s->whole.looking;
	bool together = !s->swarm->complete || s->whole.took_ms <= FAST_MS;

	if (together)
		(void)dirty_take(&s->dirty, now, &s->next);
	*w = s->next;
	memset(&s->next, 0, sizeof(s->next));
	if (!together) {
		s->next.service_ids = w->service_ids;
		s->next.task_ids = w->task_ids;
		memset(&w->service_ids, 0, sizeof(w->service_ids));
		memset(&w->task_ids, 0, sizeof(w->task_ids));
	}
	start_slot(s, &s->whole, now);
}

/* Everything but whole lists of services and tasks. */
static void
start_single(struct sources *s, uint64_t now)
{
	struct cycle_wants *w = &s->single.looking;
	bool services = s->next.services, tasks = s->next.tasks;

	*w = s->next;
	w->services = w->tasks = false;
	memset(&s->next, 0, sizeof(s->next));
	s->next.services = services;
	s->next.tasks = tasks;
	if (s->whole.cycle != NULL) {
		add_ids(&s->newer.ids, &w->service_ids);
		add_ids(&s->newer.ids, &w->task_ids);
		s->newer.networks |= w->networks;
		s->newer.nodes |= w->nodes;
		s->newer.secrets |= w->secrets;
		s->newer.configs |= w->configs;
	}
	start_slot(s, &s->single, now);
}

static bool
wants_single(const struct cycle_wants *w)
{
	return w->networks || w->nodes || w->secrets || w->configs ||
	    w->manager || w->service_ids.len > 0 || w->task_ids.len > 0;
}

static void
on_start(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, start);
	uint64_t now = clock_mono_ms(), due;

	if (s->closing || s->single.cycle != NULL)
		return;
	if ((s->next.services || s->next.tasks) && s->whole.cycle == NULL) {
		if (now < s->whole.not_before_ms)
			start_soon(s, s->whole.not_before_ms - now);
		else
			start_whole(s, now);
	}
	if (!s->swarm->complete)
		return;
	if (now < s->single.not_before_ms) {
		start_soon(s, s->single.not_before_ms - now);
		return;
	}
	due = dirty_take(&s->dirty, now, &s->next);
	if (wants_single(&s->next))
		start_single(s, now);
	else if (due != UINT64_MAX)
		start_soon(s, due > now ? due - now : 0);
}

static void
start_soon(struct sources *s, uint64_t ms)
{
	/* The end of what is under way starts the next. */
	if (s->closing || s->single.cycle != NULL ||
	    (s->whole.cycle != NULL && !s->swarm->complete))
		return;
	if (uv_is_active((uv_handle_t *)&s->start) &&
	    uv_timer_get_due_in(&s->start) <= ms)
		return;
	(void)uv_timer_start(&s->start, on_start, ms, 0);
}

/* ------------------------------------------------------------------ timers */

/* Whole lists are polled so often: a large Swarm's are expensive. */
static uint64_t
poll_period(const struct sources *s)
{
	uint64_t least = s->whole.pace_ms * POLL_SHARE;

	return least > s->poll_ms ? least : s->poll_ms;
}

/* Whether single looks at so many services cost more than a whole list. */
static bool
whole_is_cheaper(const struct sources *s, size_t services)
{
	return services > DIRTY_TASKS / 2 &&
	    s->whole.took_ms <=
	    services / DIRTY_TASKS * s->single.took_ms + FAST_MS;
}

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
	if (s->whole.cycle == NULL &&
	    (now - s->tasks_ms + 20 >= poll_period(s) ||
		whole_is_cheaper(s, moving.len)))
		s->next.tasks = true;
	/* What was not looked at since the last time waits already. */
	else if (s->dirty.tasks.len == 0)
		for (size_t i = 0; (e = map_next(&moving, &i)) != NULL;)
			(void)dirty_tasks(&s->dirty, e->key, now);
	map_fini(&moving);
	if (cycle_wants_any(&s->next) || dirty_any(&s->dirty))
		start_soon(s, 0);
	plan_poll(s);
}

static void
plan_poll(struct sources *s)
{
	struct map moving = { 0 };
	uint64_t now = clock_mono_ms(), in, least;
	uint64_t all = s->tasks_ms + poll_period(s);

	if (s->pushed || s->closing)
		return;
	in = swarm_moving(s->swarm, now, s->poll_ms, &moving);
	all = all > now ? all - now : 1;
	/* One is on its way, or about to be. */
	if (s->whole.cycle != NULL || s->next.tasks)
		all = s->poll_ms;
	if (whole_is_cheaper(s, moving.len))
		least = s->whole.pace_ms;
	else
		least = s->single.pace_ms * (1 + moving.len / DIRTY_TASKS);
	if (in < least * MOVING_SHARE)
		in = least * MOVING_SHARE;
	map_fini(&moving);
	if (all < in)
		in = all;
	(void)uv_timer_start(
	    &s->poll, on_poll, backoff_jitter(in, random32()), 0);
}

void
sources_resync(struct sources *s)
{
	s->counts[SOURCE_RESYNC]++;
	cycle_wants_everything(&s->next);
	s->whole.not_before_ms = 0;
	start_soon(s, 0);
}

void
sources_resync_in_time(struct sources *s)
{
	uint64_t due = s->whole.began_ms + s->whole.took_ms +
	    s->whole.pace_ms * MOVING_SHARE;
	uint64_t before = s->whole.not_before_ms;

	sources_resync(s);
	s->whole.not_before_ms = due > before ? due : before;
}

static void
on_resync(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, resync);
	uint64_t in = s->whole.pace_ms * RESYNC_SHARE;

	if (s->closing)
		return;
	if (in < s->resync_ms)
		in = s->resync_ms;
	(void)uv_timer_start(
	    timer, on_resync, backoff_jitter(in, random32()), 0);
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

void
sources_dirty(struct sources *s, const char *service_id)
{
	uint64_t in = dirty_service(&s->dirty, service_id, clock_mono_ms());

	start_soon(s, in > 0 ? in : COALESCE_MS);
}

void
sources_tasks_dirty(struct sources *s, const char *service_id)
{
	uint64_t in = dirty_tasks(&s->dirty, service_id, clock_mono_ms());

	start_soon(s, in > 0 ? in : COALESCE_MS);
}

static bool
looks_at(const struct slot *slot, const char *service_id)
{
	return slot->cycle != NULL &&
	    (slot->looking.services ||
		map_get(&slot->looking.service_ids, service_id) != NULL);
}

bool
sources_awaits(const struct sources *s, const char *service_id)
{
	return s->next.services ||
	    map_get(&s->dirty.services, service_id) != NULL ||
	    map_get(&s->next.service_ids, service_id) != NULL ||
	    looks_at(&s->whole, service_id) || looks_at(&s->single, service_id);
}

static bool
looks_at_tasks(const struct slot *slot, const char *service_id)
{
	return slot->cycle != NULL &&
	    (slot->looking.tasks ||
		map_get(&slot->looking.task_ids, service_id) != NULL);
}

bool
sources_awaits_tasks(const struct sources *s, const char *service_id)
{
	return sources_awaits(s, service_id) || s->next.tasks ||
	    map_get(&s->dirty.tasks, service_id) != NULL ||
	    map_get(&s->next.task_ids, service_id) != NULL ||
	    looks_at_tasks(&s->whole, service_id) ||
	    looks_at_tasks(&s->single, service_id);
}

void
sources_pushed(struct sources *s, bool pushed)
{
	s->pushed = pushed;
	if (s->closing)
		return;
	if (pushed)
		(void)uv_timer_stop(&s->poll);
	else if (s->swarm->complete)
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
	s->reopen_backoff =
	    (struct backoff)BACKOFF_INIT(RETRY_MIN_MS, max, max * 2);
	s->whole.backoff = s->single.backoff = s->reopen_backoff;
	s->whole.sources = s->single.sources = s;
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
	if (s->open_handles > 0 || s->events != NULL ||
	    s->whole.cycle != NULL || s->single.cycle != NULL)
		return;
	cycle_wants_fini(&s->next);
	cycle_wants_fini(&s->whole.looking);
	cycle_wants_fini(&s->single.looking);
	swarm_newer_clear(&s->newer);
	dirty_fini(&s->dirty);
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
