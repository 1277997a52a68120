/* The Engine's event stream, for as long as the reader lives. */
#include "reader_events.h"

#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"

#define EVENTS                                                                 \
	"/events?filters=%7B%22type%22%3A%5B%22service%22%2C%22network%22"     \
	"%2C%22node%22%2C%22secret%22%2C%22config%22%5D%7D"

static const char *const kinds[] = {
	[EVENT_SERVICE] = "service",
	[EVENT_NETWORK] = "network",
	[EVENT_NODE] = "node",
	[EVENT_SECRET] = "secret",
	[EVENT_CONFIG] = "config",
};

struct events {
	struct docker_client *docker; /* borrowed */
	struct events_handlers handlers;
	void *arg;
	struct docker_call *call;
	bool listening;
	uint64_t listening_ms;
	struct backoff backoff;
	uv_timer_t reopen;
	bool closing, timer_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void open_stream(struct events *s);

static void
maybe_free(struct events *s)
{
	if (!s->timer_closed || s->call != NULL)
		return;
	s->closed(s->closed_arg);
	free(s);
}

static void
on_line(void *arg, const char *line, size_t len)
{
	struct events *s = arg;
	json_auto_t *j = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	const char *type = json_string_value(json_object_get(j, "Type"));
	const char *id = json_string_value(
	    json_object_get(json_object_get(j, "Actor"), "ID"));
	const char *action = json_string_value(json_object_get(j, "Action"));
	bool removed = action != NULL && strcmp(action, "remove") == 0;

	if (s->closing || type == NULL)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(type, kinds[i]) == 0) {
			s->handlers.on_event(
			    s->arg, (enum event_kind)i, id, removed);
			return;
		}
	}
}

static void
on_open(void *arg)
{
	struct events *s = arg;

	if (s->closing)
		return;
	s->listening = true;
	s->listening_ms = clock_mono_ms();
	s->handlers.on_open(s->arg);
}

static void
on_reopen(uv_timer_t *timer)
{
	open_stream(container_of(timer, struct events, reopen));
}

static void
on_done(void *arg, long status, const struct error *e)
{
	struct events *s = arg;
	uint64_t ran, delay;
	uint32_t random = 0;

	(void)status;
	s->call = NULL;
	if (s->closing) {
		maybe_free(s);
		return;
	}
	ran = s->listening ? clock_mono_ms() - s->listening_ms : 0;
	s->listening = false;
	(void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
	delay = backoff_jitter(backoff_next(&s->backoff, ran), random);
	s->handlers.on_lost(s->arg, e, delay);
	(void)uv_timer_start(&s->reopen, on_reopen, delay, 0);
}

static void
open_stream(struct events *s)
{
	if (s->closing || s->call != NULL)
		return;
	s->call =
	    docker_events(s->docker, EVENTS, on_open, on_line, on_done, s);
}

struct events *
events_new(uv_loop_t *loop, struct docker_client *docker,
    const struct backoff *backoff, const struct events_handlers *h, void *arg)
{
	struct events *s = xcalloc(1, sizeof(*s));

	s->docker = docker;
	s->backoff = *backoff;
	s->handlers = *h;
	s->arg = arg;
	must(uv_timer_init(loop, &s->reopen) == 0);
	open_stream(s);
	return s;
}

bool
events_listening(const struct events *s)
{
	return s->listening;
}

void
events_reopen(struct events *s)
{
	if (s->call != NULL)
		docker_call_cancel(s->call);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct events *s =
	    container_of((uv_timer_t *)handle, struct events, reopen);

	s->timer_closed = true;
	maybe_free(s);
}

void
events_close(struct events *s, void (*closed)(void *arg), void *arg)
{
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	(void)uv_timer_stop(&s->reopen);
	uv_close((uv_handle_t *)&s->reopen, on_timer_closed);
}
