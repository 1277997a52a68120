/*
 * What says that the reader has to look: events, polling, the resync timer.
 * See reader_sources.h; looking itself is reader_looks.c.
 */
#include "reader_sources.h"

#include <errno.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "reader_events.h"
#include "reader_looks.h"
#include "reader_pace.h"

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 10000
/* A socket of this machine costs nothing to try. */
#define RETRY_MAX_LOCAL_MS 800
#define CONFIRM_MS 2600
/* Lists that show what no event told, with no event between: it is dead. */
#define MISSED_TIMES 3

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
	struct docker_client *docker;
	struct swarm *swarm;
	struct sources_handlers handlers;
	void *arg;
	uint64_t poll_ms;
	uint64_t resync_ms;

	struct events *events;
	unsigned missed; /* whole lists that showed more, since an event */
	struct looks *looks;

	uv_timer_t poll;
	bool pushed; /* nobody polls */
	uv_timer_t resync;
	uv_timer_t confirm;

	bool connected;
	struct error error;
	struct log_limit limit;
	uint64_t counts[SOURCES];
	bool closing;
	unsigned open_parts; /* timers, events and looks */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* How soon to look at tasks again, and at whose. */
static void plan_poll(struct sources *s);
static void on_confirm(uv_timer_t *timer);

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

/* ------------------------------------------------------------------- looks */

static void
judge_events(struct sources *s, bool missed)
{
	/* One that shows nothing new says nothing of the stream. */
	if (!missed)
		return;
	s->counts[SOURCE_MISSED]++;
	if (++s->missed < MISSED_TIMES || !events_listening(s->events))
		return;
	log_warn("docker: the event stream says nothing of what changes; "
		 "opening it again");
	s->missed = 0;
	events_reopen(s->events);
}

static void
on_found(void *arg, const struct looks_found *found)
{
	struct sources *s = arg;
	struct swarm_changes *changes = found->changes;

	if (changes->confirm) {
		log_warn("docker: a list lacks much of what is known; asking "
			 "again before anything is removed");
		if (!uv_is_active((uv_handle_t *)&s->confirm))
			(void)uv_timer_start(
			    &s->confirm, on_confirm, CONFIRM_MS, 0);
	}
	if (found->all_services)
		judge_events(s, changes->missed);
	if (found->all_tasks)
		s->handlers.on_listed(s->arg, changes, found->began_ms);
	s->handlers.on_changes(s->arg, changes, clock_wall_us());
	/* Only a resync lists all services. */
	if (found->all_services)
		s->handlers.on_resynced(s->arg);
}

static void
on_part(void *arg, const struct swarm_changes *changes)
{
	struct sources *s = arg;

	s->handlers.on_part(s->arg, changes);
}

static void
on_looked(void *arg, bool whole_failed)
{
	struct sources *s = arg;

	if (events_listening(s->events) && !whole_failed)
		set_connected(s, NULL, 0);
	plan_poll(s);
}

/* An answer, or the event stream: what is known stays. */
static void
on_failed(void *arg, const struct error *e, uint64_t retry_ms)
{
	set_connected(arg, e, retry_ms);
}

/* ------------------------------------------------------------------ timers */

static void
on_poll(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, poll);
	const struct pace *whole = looks_whole_pace(s->looks);
	struct map moving = { 0 };
	uint64_t now = clock_mono_ms();

	if (s->closing || s->pushed || !s->swarm->complete)
		return;
	s->counts[SOURCE_POLL]++;
	(void)swarm_moving(s->swarm, now, s->poll_ms, &moving);
	if (!looks_whole_runs(s->looks) &&
	    (now - looks_tasks_ms(s->looks) + 20 >=
		    pace_poll(whole, s->poll_ms) ||
		pace_whole_is_cheaper(
		    whole, looks_single_pace(s->looks), moving.len)))
		looks_wants(s->looks)->tasks = true;
	else
		looks_moving(s->looks, &moving);
	map_fini(&moving);
	looks_soon(s->looks, 0);
	plan_poll(s);
}

static void
plan_poll(struct sources *s)
{
	const struct pace *whole = looks_whole_pace(s->looks);
	struct map moving = { 0 };
	uint64_t now = clock_mono_ms(), in, least;
	uint64_t all = looks_tasks_ms(s->looks) + pace_poll(whole, s->poll_ms);

	if (s->pushed || s->closing)
		return;
	in = swarm_moving(s->swarm, now, s->poll_ms, &moving);
	all = all > now ? all - now : 1;
	/* One is on its way, or about to be. */
	if (looks_whole_runs(s->looks) || looks_wants(s->looks)->tasks)
		all = s->poll_ms;
	least = pace_moving(whole, looks_single_pace(s->looks), moving.len);
	if (in < least)
		in = least;
	map_fini(&moving);
	if (all < in)
		in = all;
	(void)uv_timer_start(
	    &s->poll, on_poll, backoff_jitter(in, random32()), 0);
}

void
sources_resync(struct sources *s)
{
	if (s->closing)
		return;
	s->counts[SOURCE_RESYNC]++;
	looks_everything(s->looks);
}

void
sources_resync_in_time(struct sources *s)
{
	if (s->closing)
		return;
	s->counts[SOURCE_RESYNC]++;
	looks_everything_in_time(s->looks);
}

static void
on_resync(uv_timer_t *timer)
{
	struct sources *s = container_of(timer, struct sources, resync);
	uint64_t in = looks_whole_pace(s->looks)->pace_ms * PACE_RESYNC_SHARE;

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
	looks_wants(s->looks)->manager = true;
	sources_resync(s);
}

/* ------------------------------------------------------------------ events */

void
sources_dirty(struct sources *s, const char *service_id)
{
	if (!s->closing)
		looks_dirty(s->looks, service_id);
}

void
sources_tasks_dirty(struct sources *s, const char *service_id)
{
	if (!s->closing)
		looks_tasks_dirty(s->looks, service_id);
}

bool
sources_awaits(const struct sources *s, const char *service_id)
{
	return !s->closing && looks_awaits(s->looks, service_id);
}

bool
sources_awaits_tasks(const struct sources *s, const char *service_id)
{
	return !s->closing && looks_awaits_tasks(s->looks, service_id);
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
on_event(void *arg, enum event_kind kind, const char *id, bool removed)
{
	struct sources *s = arg;
	struct cycle_wants *next = looks_wants(s->looks);

	switch (kind) {
	case EVENT_SERVICE:
		if (id == NULL)
			return;
		s->missed = 0;
		s->counts[SOURCE_SERVICE]++;
		sources_dirty(s, id);
		s->handlers.on_heard(s->arg, id);
		return;
	case EVENT_NETWORK:
		s->counts[SOURCE_NETWORK]++;
		next->networks = true;
		break;
	case EVENT_NODE:
		/* Down or drained: its tasks move, and only Watch tells. */
		s->counts[SOURCE_NODE]++;
		next->nodes = true;
		next->tasks |= !s->pushed;
		break;
	case EVENT_SECRET:
		s->counts[SOURCE_SECRET]++;
		next->secrets = true;
		break;
	case EVENT_CONFIG:
		s->counts[SOURCE_CONFIG]++;
		next->configs = true;
		s->handlers.on_config(s->arg, id, removed);
		break;
	}
	looks_soon(s->looks, LOOKS_COALESCE_MS);
}

/* What happened while nobody listened is in the lists. */
static void
on_events_open(void *arg)
{
	sources_resync(arg);
}

/* ------------------------------------------------------------------ sources */

struct sources *
sources_new(uv_loop_t *loop, struct docker_client *docker, struct swarm *swarm,
    const struct daemon_config *c, const struct sources_handlers *h, void *arg)
{
	struct sources *s = xcalloc(1, sizeof(*s));
	bool local = strncmp(c->docker.url, "unix:", 5) == 0;
	uint64_t max = local ? RETRY_MAX_LOCAL_MS : RETRY_MAX_MS;
	struct backoff backoff = BACKOFF_INIT(RETRY_MIN_MS, max, max * 2);

	s->docker = docker;
	s->swarm = swarm;
	s->handlers = *h;
	s->arg = arg;
	s->poll_ms = c->docker.poll_interval_ms;
	s->resync_ms = c->docker.resync_interval_ms;
	s->limit = (struct log_limit)LOG_LIMIT_INIT(3, 10000);
	(void)error_set(&s->error, ENOTCONN, "not connected yet");
	must(uv_timer_init(loop, &s->poll) == 0);
	must(uv_timer_init(loop, &s->resync) == 0);
	must(uv_timer_init(loop, &s->confirm) == 0);
	s->open_parts = 5;
	(void)uv_timer_start(
	    &s->resync, on_resync, backoff_jitter(s->resync_ms, random32()), 0);
	s->looks = looks_new(loop, docker, swarm, &backoff,
	    &(struct looks_handlers){ on_found, on_part, on_looked, on_failed },
	    s);
	s->events = events_new(loop, docker, &backoff,
	    &(struct events_handlers){ on_events_open, on_event, on_failed },
	    s);
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
on_part_closed(void *arg)
{
	struct sources *s = arg;

	if (--s->open_parts > 0)
		return;
	if (s->closed != NULL)
		s->closed(s->closed_arg);
	free(s);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	on_part_closed(handle->data);
}

static void
close_timer(struct sources *s, uv_timer_t *timer)
{
	timer->data = s;
	(void)uv_timer_stop(timer);
	uv_close((uv_handle_t *)timer, on_timer_closed);
}

void
sources_close(struct sources *s, void (*closed)(void *arg), void *arg)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	close_timer(s, &s->poll);
	close_timer(s, &s->resync);
	close_timer(s, &s->confirm);
	events_close(s->events, on_part_closed, s);
	looks_close(s->looks, on_part_closed, s);
}
