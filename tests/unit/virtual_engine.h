/*
 * A small Swarm in virtual time (virtual_time.h) in the place of docker/client
 * and docker/watch: services and tasks with versions, answers that take their
 * time, the event stream and Watch, each with its weather.
 */
#ifndef TESTS_VIRTUAL_ENGINE_H
#define TESTS_VIRTUAL_ENGINE_H

#include "virtual_time.h"

#include <errno.h>

#include "base/str.h"
#include "docker/client.h"
#include "docker/watch.h"

#define SERVICES_MAX 900 /* ever; no ID comes twice */
#define LIVE_MAX 24
#define TASKS_MAX 20000

/* Chances are in percent. */
struct weather {
	uint64_t list_ms;   /* a whole list takes up to so long */
	uint64_t look_ms;   /* anything else */
	uint64_t behind_ms; /* a message of Watch or event */
	uint64_t lag_ms;    /* all of Watch besides */
	unsigned error;	    /* of an answer */
	unsigned empty;	    /* a list that shows nothing */
	unsigned cut;	    /* of Watch, at each message */
	unsigned compact;   /* with it, the log is shortened */
	unsigned twice, swap;
	unsigned events_lost, events_cut;
	bool silent; /* Watch is open and says nothing */
	bool away;   /* nobody listens for Watch */
};

struct etask {
	unsigned service;
	uint64_t version;
	enum task_state state, desired;
	bool there;
};

struct eservice {
	bool there, labelled;
	unsigned label, replicas;
	uint64_t version;
};

struct docker_call {
	char *target;
	docker_object_fn *on_object;
	docker_done_fn *done;
	docker_body_fn *done_body;
	void (*on_open)(void *arg);
	void *arg;
	VEC(char *) objects;
	long status; /* 0: an error without an answer */
	bool canceled, ended;
	unsigned pending; /* appointments that know of it */
};

struct docker_watch {
	struct docker_watch_handlers on;
	void *arg;
	bool up;
	unsigned stream; /* messages of another one are void */
	uint64_t last_version;
	uint64_t last_due_ms;
	struct docker_watch_counts counts;
};

static struct world {
	struct weather weather;
	struct eservice services[SERVICES_MAX];
	struct etask tasks[TASKS_MAX];
	unsigned tasks_len;
	unsigned services_len;
	uint64_t version;
	VEC(struct watch_event) log;
	size_t floor; /* entries of the log before it are compacted */
	struct docker_watch *watch;
	struct docker_call *events;
	uint64_t events_due_ms;
	struct histogram seconds;
	unsigned requests, whole_lists;
} world;

/* ------------------------------------------------------------------ Watch */

struct letter {
	unsigned stream;
	size_t first, second; /* of the log; SIZE_MAX: none */
};

static void watch_open(void *arg);

static void
watch_down(void *arg)
{
	struct docker_watch *w = arg;
	struct error e;

	(void)error_set(&e, EPIPE, "cut");
	after(100 + chance(1500), watch_open, w);
	w->on.on_down(w->arg, &e, true, 100);
}

static void
watch_cut(struct docker_watch *w)
{
	if (!w->up)
		return;
	w->up = false;
	w->stream++;
	if (percent(world.weather.compact))
		world.floor = world.log.len;
	after(0, watch_down, w);
}

static void
watch_tell(struct docker_watch *w, size_t i)
{
	struct watch_event ev;

	if (i == SIZE_MAX || !w->up)
		return;
	ev = world.log.at[i];
	w->counts.events++;
	w->on.on_event(w->arg, &ev);
	if (w->up && ev.version > w->last_version)
		w->last_version = ev.version;
	if (w->up)
		w->on.on_end(w->arg);
}

static void
on_letter(void *arg)
{
	struct letter *l = arg;
	struct docker_watch *w = world.watch;

	if (w != NULL && w->up && l->stream == w->stream) {
		watch_tell(w, l->second);
		watch_tell(w, l->first);
		if (percent(world.weather.twice))
			watch_tell(w, l->first);
		if (percent(world.weather.cut))
			watch_cut(w);
	}
	free(l);
}

static void
watch_send(struct docker_watch *w, size_t first, size_t second)
{
	struct letter *l = xcalloc(1, sizeof(*l));
	uint64_t due = virtual_ms + world.weather.lag_ms +
	    chance(world.weather.behind_ms + 2);

	if (due < w->last_due_ms)
		due = w->last_due_ms;
	w->last_due_ms = due;
	l->stream = w->stream;
	l->first = first;
	l->second = second;
	after(due - virtual_ms, on_letter, l);
}

static void
watch_open(void *arg)
{
	struct docker_watch *w = arg;
	bool resumed = w->last_version != 0;
	size_t n = world.log.len;
	struct error e;

	if (world.watch != w)
		return;
	if (world.weather.away) {
		(void)error_set(&e, ENOENT, "nobody there");
		after(300, watch_open, w);
		w->on.on_down(w->arg, &e, false, 300);
		return;
	}
	if (resumed && world.floor > 0 &&
	    w->last_version < world.log.at[world.floor - 1].version)
		resumed = false;
	w->up = true;
	w->stream++;
	w->last_due_ms = 0;
	w->on.on_up(w->arg, resumed);
	if (!resumed) {
		w->last_version = 0;
		w->on.on_gap(w->arg, "test");
	}
	for (size_t i = world.floor; resumed && i < n; i++) {
		/* An object's version is one below its transaction's. */
		if (world.log.at[i].version + 1 > w->last_version)
			watch_send(w, i, SIZE_MAX);
	}
}

struct docker_watch *
docker_watch_new(uv_loop_t *loop, const char *socket_path, unsigned kinds,
    const struct docker_watch_handlers *handlers, void *arg)
{
	struct docker_watch *w = xcalloc(1, sizeof(*w));

	(void)loop;
	(void)socket_path;
	(void)kinds;
	w->on = *handlers;
	w->arg = arg;
	world.watch = w;
	after(1, watch_open, w);
	return w;
}

static void
watch_gone(void *arg)
{
	free(arg);
}

void
docker_watch_close(struct docker_watch *w, void (*closed)(void *arg), void *arg)
{
	w->up = false;
	world.watch = NULL;
	after(0, closed, arg);
	after(10000, watch_gone, w);
}

void
docker_watch_reopen(struct docker_watch *w, const char *why)
{
	(void)why;
	w->last_version = 0;
	watch_cut(w);
}

struct docker_watch_counts
docker_watch_counts(const struct docker_watch *w)
{
	return w->counts;
}

char *
docker_watch_socket(const struct daemon_config *c)
{
	(void)c;
	return xstrdup("watch");
}

/* ------------------------------------------------------------ event stream */

static void
events_over(void *arg)
{
	struct docker_call *call = arg;
	struct error e;

	if (!call->ended) {
		call->ended = true;
		(void)error_set(&e, EPIPE, "the stream is over");
		if (world.events == call)
			world.events = NULL;
		call->done(call->arg, 0, &e);
	}
	if (--call->pending == 0) {
		free(call->target);
		free(call);
	}
}

static void
events_end(void)
{
	struct docker_call *call = world.events;

	if (call == NULL)
		return;
	world.events = NULL;
	call->pending++;
	after(0, events_over, call);
}

struct line {
	struct docker_call *call;
	char *text;
};

static void
on_line(void *arg)
{
	struct line *l = arg;

	if (world.events == l->call)
		l->call->on_object(l->call->arg, l->text, strlen(l->text));
	free(l->text);
	free(l);
}

static void
events_tell(const char *id)
{
	uint64_t due = virtual_ms + chance(world.weather.behind_ms + 2);
	struct line *l;

	if (world.events == NULL || percent(world.weather.events_lost))
		return;
	if (percent(world.weather.events_cut)) {
		events_end();
		return;
	}
	if (due < world.events_due_ms)
		due = world.events_due_ms;
	world.events_due_ms = due;
	l = xcalloc(1, sizeof(*l));
	l->call = world.events;
	l->text =
	    xasprintf("{\"Type\":\"service\",\"Actor\":{\"ID\":\"%s\"}}", id);
	after(due - virtual_ms, on_line, l);
}

static void
events_opened(void *arg)
{
	struct docker_call *call = arg;

	if (!call->ended) {
		world.events = call;
		call->on_open(call->arg);
	}
	call->pending--;
}

struct docker_call *
docker_events(struct docker_client *d, const char *target,
    void (*on_open)(void *arg), docker_object_fn *on_event,
    docker_done_fn *done, void *arg)
{
	struct docker_call *call = xcalloc(1, sizeof(*call));

	(void)d;
	call->target = xstrdup(target);
	call->on_open = on_open;
	call->on_object = on_event;
	call->done = done;
	call->arg = arg;
	call->pending = 1;
	after(1 + chance(5), events_opened, call);
	return call;
}

/* ---------------------------------------------------------------- the store */

/* A transaction: 'version' of its object becomes the newest. */
static struct watch_event *
commit(uint64_t *version, enum watch_kind kind, enum watch_action action)
{
	struct watch_event *ev = vec_add(&world.log);

	memset(ev, 0, sizeof(*ev));
	ev->kind = kind;
	ev->action = action;
	if (action != WATCH_REMOVE)
		*version = world.version;
	ev->version = world.version++;
	ev->commit_us = clock_wall_us();
	return ev;
}

/* To those who watch; every so often the one before comes after it. */
static void
publish_last(void)
{
	struct docker_watch *w = world.watch;
	size_t n = world.log.len;

	if (w == NULL || !w->up || world.weather.silent)
		return;
	watch_send(
	    w, n - 1, n > 1 && percent(world.weather.swap) ? n - 2 : SIZE_MAX);
}

static void
service_commit(unsigned i, enum watch_action action)
{
	struct watch_event *ev =
	    commit(&world.services[i].version, WATCH_SERVICE, action);

	(void)snprintf(ev->id, sizeof(ev->id), "s%03u", i);
	events_tell(ev->id);
	publish_last();
}

static void
task_commit(unsigned i, enum watch_action action)
{
	struct etask *t = &world.tasks[i];
	struct watch_event *ev = commit(&t->version, WATCH_TASK, action);

	(void)snprintf(ev->id, sizeof(ev->id), "t%05u", i);
	(void)snprintf(
	    ev->service_id, sizeof(ev->service_id), "s%03u", t->service);
	ev->slot = 1;
	ev->state = t->state;
	ev->desired = t->desired;
	publish_last();
}

#include "virtual_answers.inc"

#endif
