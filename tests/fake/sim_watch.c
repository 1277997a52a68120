/* Watch of the simulated Swarm; see sim_watch.h. */
#include "sim_watch.h"

#include <errno.h>

#include "base/log.h"
#include "docker/grpc_frames.h"
#include "docker/proto.h"
#include "docker/watch_message.h"
#include "sim_h2.h"
#include "sim_store.h"

#define PATH "/docker.swarmkit.v1.Watch/Watch"
#define LOG_MAX 5000 /* messages to resume from */
#define DISORDER_MS 50
#define MESSAGE_MAX ((size_t)8 * 1024 * 1024)

enum {
	UNKNOWN = 2,
	INVALID_ARGUMENT = 3,
	UNIMPLEMENTED = 12,
	UNAVAILABLE = 14,
};

/* A transaction of the store: one change. */
struct record {
	uint64_t version;
	enum sim_kind kind;
	struct str event;
};

struct client {
	struct sim_watch *watch;
	struct sim_h2_stream *stream;
	unsigned kinds;
};

struct sim_watch {
	struct sim *sim;
	struct sim_h2_server *server; /* NULL while the socket is away */
	VEC(struct client *) clients;
	struct record log[LOG_MAX];
	size_t count;		  /* ever recorded */
	size_t first;		  /* oldest that is kept */
	uint64_t floor;		  /* no resuming from before this version */
	struct sim_object *added; /* not told yet: its maker goes on with it */
	uint64_t added_version;
	uv_prepare_t turn;
	uv_timer_t late;
	struct record *held; /* while in disorder */
	uint64_t requests;
	uint64_t refused_with; /* a gRPC status; 0: served */
	bool hang;
	bool silent;
	bool twice;
	bool disorder;
	bool closing;
};

static const unsigned masks[SIM_KINDS] = {
	[SIM_NODE] = 1U << WATCH_NODE,
	[SIM_SERVICE] = 1U << WATCH_SERVICE,
	[SIM_NETWORK] = 1U << WATCH_NETWORK,
	[SIM_TASK] = 1U << WATCH_TASK,
	[SIM_SECRET] = 1U << WATCH_SECRET,
	[SIM_CONFIG] = 1U << WATCH_CONFIG,
};

/* ------------------------------------------------------------ telling */

/*
 * As the engine does, the version goes with every message that is repeated
 * from the log, and with no live one of a batch: which tasks' changes are.
 */
static void
tell(struct client *c, const struct record *r, bool from_log)
{
	STR_AUTO(message, MESSAGE_MAX);
	STR_AUTO(frame, MESSAGE_MAX);

	if ((c->kinds & masks[r->kind]) == 0)
		return;
	str_addn(&message, r->event.p, r->event.len);
	if (from_log || r->kind != SIM_TASK) {
		STR_AUTO(version, 32);

		proto_add_number(&version, 1, r->version);
		proto_add_bytes(&message, 2, version.p, version.len);
	}
	grpc_frame_add(&frame, message.p, message.len);
	sim_h2_write(c->stream, frame.p, frame.len);
}

static void
tell_all(struct sim_watch *w, const struct record *r)
{
	if (w->silent)
		return;
	/* A client that is dropped meanwhile leaves the list. */
	for (size_t i = w->clients.len; i-- > 0;) {
		tell(w->clients.at[i], r, false);
		if (w->twice && i < w->clients.len)
			tell(w->clients.at[i], r, false);
	}
}

static void
tell_held(struct sim_watch *w)
{
	struct record *held = w->held;

	if (held == NULL)
		return;
	w->held = NULL;
	(void)uv_timer_stop(&w->late);
	tell_all(w, held);
	str_fini(&held->event);
	free(held);
}

static void
on_late(uv_timer_t *timer)
{
	tell_held(container_of(timer, struct sim_watch, late));
}

/* Every other message waits for the one after it. */
static void
hold(struct sim_watch *w, const struct record *r)
{
	if (w->held != NULL) {
		tell_all(w, r);
		tell_held(w);
		return;
	}
	w->held = xcalloc(1, sizeof(*w->held));
	w->held->version = r->version;
	w->held->kind = r->kind;
	str_init(&w->held->event, MESSAGE_MAX);
	str_addn(&w->held->event, r->event.p, r->event.len);
	(void)uv_timer_start(&w->late, on_late, DISORDER_MS, 0);
}

static void
forget_oldest(struct sim_watch *w)
{
	struct record *r = &w->log[w->first++ % LOG_MAX];

	w->floor = r->version;
	str_fini(&r->event);
}

static void
record(struct sim_watch *w, const struct sim_object *o, uint64_t version,
    unsigned action)
{
	struct record *r;

	if (o->kind == SIM_NETWORK &&
	    !((const struct sim_network *)(const void *)o)->swarm_scope)
		return;
	if (w->count - w->first == LOG_MAX)
		forget_oldest(w);
	r = &w->log[w->count++ % LOG_MAX];
	r->version = version;
	r->kind = o->kind;
	str_init(&r->event, MESSAGE_MAX);
	sim_watch_encode_event(&r->event, o, action);
	if (w->disorder)
		hold(w, r);
	else
		tell_all(w, r);
}

/* ------------------------------------------------------------ the store */

static void
settle(struct sim_watch *w)
{
	struct sim_object *o = w->added;

	w->added = NULL;
	if (o != NULL)
		record(w, o, w->added_version, WATCH_CREATE);
}

/* The makers of new objects are through with them. */
static void
on_turn(uv_prepare_t *turn)
{
	settle(container_of(turn, struct sim_watch, turn));
}

/* A transaction's version is one above what its object has. */
void
sim_watch_added(struct sim *s, struct sim_object *o)
{
	struct sim_watch *w = s->watch;

	if (w == NULL || w->closing)
		return;
	settle(w);
	w->added = o;
	w->added_version = s->index + 1;
}

void
sim_watch_changed(struct sim *s, struct sim_object *o)
{
	struct sim_watch *w = s->watch;

	if (w == NULL || w->closing)
		return;
	settle(w);
	record(w, o, s->index + 1, WATCH_UPDATE);
}

void
sim_watch_removed(struct sim *s, struct sim_object *o)
{
	struct sim_watch *w = s->watch;

	if (w == NULL || w->closing)
		return;
	settle(w);
	record(w, o, s->index + 1, WATCH_REMOVE);
}

/* ------------------------------------------------------------ clients */

static void
on_gone(struct sim_h2_stream *stream)
{
	struct client *c = stream->data;
	struct sim_watch *w = c->watch;

	for (size_t i = 0; i < w->clients.len; i++) {
		if (w->clients.at[i] == c) {
			vec_remove(&w->clients, i);
			break;
		}
	}
	free(c);
}

static void
fail(struct sim_h2_stream *stream, int status, const char *message)
{
	sim_h2_answer(stream, "200", "application/grpc", status, message);
}

static void
serve(struct sim_watch *w, struct sim_h2_stream *stream, unsigned kinds,
    bool resume, uint64_t from)
{
	struct client *c;
	STR_AUTO(start, 16);

	settle(w);
	if (resume && from > w->sim->index + 1) {
		fail(stream, UNKNOWN, "versions are out of order");
		return;
	}
	if (resume && from < w->floor) {
		fail(stream, UNKNOWN,
		    "requested index is unavailable due to compaction");
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->watch = w;
	c->stream = stream;
	c->kinds = kinds;
	stream->data = c;
	stream->on_gone = on_gone;
	sim_h2_answer(stream, "200", "application/grpc", -1, NULL);
	grpc_frame_add(&start, "", 0);
	sim_h2_write(stream, start.p, start.len);
	for (size_t i = w->first; resume && i < w->count; i++) {
		if (w->log[i % LOG_MAX].version > from)
			tell(c, &w->log[i % LOG_MAX], true);
	}
	vec_push(&w->clients, c);
}

struct request {
	unsigned kinds;
	bool resume;
	uint64_t from;
	bool sound;
};

static bool
on_request_message(void *arg, const unsigned char *message, size_t len)
{
	struct request *r = arg;

	r->sound = watch_request_decode(message, len, &r->kinds, &r->resume,
		       &r->from, NULL) == 0;
	return false;
}

static void
on_request(void *arg, struct sim_h2_stream *stream)
{
	struct sim_watch *w = arg;
	struct request r = { 0 };
	struct grpc_frames frames;

	w->requests++;
	if (w->hang)
		return;
	if (strcmp(stream->path.p, PATH) != 0) {
		fail(stream, UNIMPLEMENTED, "unknown service");
		return;
	}
	if (w->refused_with != 0) {
		fail(stream, (int)w->refused_with, "refused by the test");
		return;
	}
	grpc_frames_init(&frames, MESSAGE_MAX);
	if (grpc_frames_feed(&frames, stream->body.p, stream->body.len,
		on_request_message, &r, NULL) == 0 &&
	    r.sound && r.kinds != 0)
		serve(w, stream, r.kinds, r.resume, r.from);
	else
		fail(stream, INVALID_ARGUMENT, "cannot read the request");
	grpc_frames_fini(&frames);
}

/* ------------------------------------------------------------ the simulator's
 * API */

static void
cut(struct sim_watch *w)
{
	while (w->clients.len > 0)
		sim_h2_cut(w->clients.at[0]->stream);
}

static void
end_all(struct sim_watch *w, int status, const char *message)
{
	while (w->clients.len > 0) {
		struct client *c = w->clients.at[0];

		vec_remove(&w->clients, 0);
		sim_h2_end(c->stream, status, message);
	}
}

static void
emit(struct sim_watch *w, const char *bytes, size_t len)
{
	for (size_t i = w->clients.len; i-- > 0;)
		sim_h2_write(w->clients.at[i]->stream, bytes, len);
}

static int
listen_again(struct sim_watch *w)
{
	struct error e;

	if (w->server != NULL)
		return 0;
	w->server = sim_h2_listen(
	    &w->sim->loop, w->sim->options.control_socket, on_request, w, &e);
	if (w->server == NULL)
		log_error("control socket: %s", e.msg);
	return w->server != NULL ? 0 : -1;
}

static void
behave(struct sim_watch *w)
{
	w->refused_with = 0;
	w->hang = w->silent = w->twice = w->disorder = false;
	tell_held(w);
	(void)listen_again(w);
}

static void
tell_state(struct sim_call *c, const struct sim_watch *w)
{
	STR_AUTO(out, 512);

	str_addf(&out,
	    "{\"clients\":%zu,\"requests\":%llu,\"log\":%zu,\"floor\":%llu,"
	    "\"version\":%llu}\n",
	    w->clients.len, (unsigned long long)w->requests,
	    w->count - w->first, (unsigned long long)w->floor,
	    (unsigned long long)c->sim->index + 1);
	sim_api_json(c, 200, out.p, out.len);
}

static bool
act(struct sim_watch *w, struct sim_call *c, const char *action)
{
	if (strcmp(action, "cut") == 0)
		cut(w);
	else if (strcmp(action, "end") == 0)
		end_all(w, UNAVAILABLE, "manager is shutting down");
	else if (strcmp(action, "silent") == 0)
		w->silent = true;
	else if (strcmp(action, "duplicate") == 0)
		w->twice = true;
	else if (strcmp(action, "disorder") == 0)
		w->disorder = true;
	else if (strcmp(action, "hang") == 0)
		w->hang = true;
	else if (strcmp(action, "refuse") == 0)
		w->refused_with = UNIMPLEMENTED;
	else if (strcmp(action, "emit") == 0)
		emit(w, c->req->body, c->req->body_len);
	else if (strcmp(action, "normal") == 0)
		behave(w);
	else if (strcmp(action, "compact") == 0) {
		while (w->first < w->count)
			forget_oldest(w);
		w->floor = w->sim->index + 1;
	} else if (strcmp(action, "away") == 0) {
		sim_h2_close(w->server);
		w->server = NULL;
	} else
		return false;
	return true;
}

void
sim_watch_control(struct sim_call *c, const char *action)
{
	struct sim_watch *w = c->sim->watch;

	if (w == NULL)
		sim_api_error(c, 404, "there is no --control-socket");
	else if (action == NULL)
		tell_state(c, w);
	else if (!act(w, c, action))
		sim_api_error(c, 404, "no such action: %s", action);
	else
		sim_api_empty(c, 204);
}

/* ------------------------------------------------------------ start, end */

int
sim_watch_start(struct sim *s, struct error *e)
{
	struct sim_watch *w;

	if (s->options.control_socket == NULL)
		return 0;
	w = xcalloc(1, sizeof(*w));
	w->sim = s;
	w->floor = s->index;
	w->server = sim_h2_listen(
	    &s->loop, s->options.control_socket, on_request, w, e);
	if (w->server == NULL) {
		free(w);
		return -1;
	}
	must(uv_prepare_init(&s->loop, &w->turn) == 0);
	must(uv_prepare_start(&w->turn, on_turn) == 0);
	must(uv_timer_init(&s->loop, &w->late) == 0);
	s->watch = w;
	return 0;
}

void
sim_watch_stop(struct sim *s)
{
	struct sim_watch *w = s->watch;

	if (w == NULL || w->closing)
		return;
	w->closing = true;
	sim_h2_close(w->server);
	uv_close((uv_handle_t *)&w->turn, NULL);
	uv_close((uv_handle_t *)&w->late, NULL);
}

void
sim_watch_fini(struct sim *s)
{
	struct sim_watch *w = s->watch;

	if (w == NULL)
		return;
	while (w->first < w->count)
		forget_oldest(w);
	if (w->held != NULL)
		str_fini(&w->held->event);
	free(w->held);
	vec_fini(&w->clients);
	free(w);
	s->watch = NULL;
}
