/*
 * A Watch server that does with a request what a test says, and what the
 * client told.
 */
#ifndef TESTS_UNIT_WATCH_FIXTURE_H
#define TESTS_UNIT_WATCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "../fake/sim_h2.h"
#include "../lib/faulty.h"
#include "base/clock.h"
#include "base/fs.h"
#include "docker/grpc_frames.h"
#include "docker/proto.h"
#include "docker/watch.h"

#define KINDS (1U << WATCH_TASK | 1U << WATCH_SERVICE)
#define MIB ((size_t)1024 * 1024)

/* What the server does with a request. */
enum manner {
	STAND, /* the start message, and then what the test says */
	NO_ANSWER,
	NO_START,
	EVENT_FIRST,
	UNIMPLEMENTED,
	HTML,
	STATUS_503,
	COMPACTED, /* to a request that resumes, once; else STAND */
	GARBAGE,
	HUGE_LENGTH,
};

enum stop { NEVER, CLOSE_ON_UP, CLOSE_ON_GAP, CLOSE_ON_EVENT, CLOSE_ON_DOWN };

struct fixture {
	uv_loop_t loop;
	char folder[64];
	char path[96];
	struct sim_h2_server *server;
	struct sim_h2_stream *stream;
	enum manner manner;
	unsigned requests;
	uint64_t resumed_from; /* by the last request */
	unsigned kinds;

	struct docker_watch *watch;
	unsigned ups, gaps, events, downs;
	bool was_up;
	char why[128];
	struct error error;
	struct watch_event last;
	enum stop stop;
	bool reopen_on_event;
	bool closed;
};

static inline bool
on_request_message(void *arg, const unsigned char *message, size_t len)
{
	struct fixture *f = arg;
	bool resume;

	assert_int_equal(watch_request_decode(message, len, &f->kinds, &resume,
			     &f->resumed_from, NULL),
	    0);
	assert_true(resume == (f->resumed_from != 0));
	return true;
}

static inline void
say(struct fixture *f, const void *bytes, size_t len)
{
	STR_AUTO(frame, 32 * MIB);

	grpc_frame_add(&frame, bytes, len);
	sim_h2_write(f->stream, frame.p, frame.len);
}

/* A change of service "s<objver>", with the message's version or without. */
static inline void
change(struct str *out, uint64_t objver, uint64_t version)
{
	char id[32];
	STR_AUTO(index, 64);
	STR_AUTO(meta, 64);
	STR_AUTO(object, 256);
	STR_AUTO(choice, 256);
	STR_AUTO(event, 256);

	(void)snprintf(id, sizeof(id), "s%u", (unsigned)objver);
	proto_add_number(&index, 1, objver);
	proto_add_bytes(&meta, 1, index.p, index.len);
	proto_add_text(&object, 1, id);
	proto_add_bytes(&object, 2, meta.p, meta.len);
	proto_add_bytes(&choice, 2, object.p, object.len);
	proto_add_number(&event, 1, WATCH_UPDATE);
	proto_add_bytes(&event, 2, choice.p, choice.len);
	proto_add_bytes(out, 1, event.p, event.len);
	if (version == 0)
		return;
	str_clear(&index);
	proto_add_number(&index, 1, version);
	proto_add_bytes(out, 2, index.p, index.len);
}

static inline void
say_change(struct fixture *f, uint64_t objver, uint64_t version)
{
	STR_AUTO(message, 1024);

	change(&message, objver, version);
	say(f, message.p, message.len);
}

static inline void
on_stream_gone(struct sim_h2_stream *stream)
{
	struct fixture *f = stream->data;

	if (f->stream == stream)
		f->stream = NULL;
}

static inline void
stand(struct fixture *f, const char *type)
{
	sim_h2_answer(f->stream, "200", type, -1, NULL);
}

static inline void
on_request(void *arg, struct sim_h2_stream *stream)
{
	struct fixture *f = arg;
	struct grpc_frames frames;

	f->requests++;
	f->stream = stream;
	stream->data = f;
	stream->on_gone = on_stream_gone;
	assert_string_equal(stream->path.p, "/docker.swarmkit.v1.Watch/Watch");
	f->resumed_from = 0;
	grpc_frames_init(&frames, 4096);
	assert_int_equal(grpc_frames_feed(&frames, stream->body.p,
			     stream->body.len, on_request_message, f, NULL),
	    0);
	grpc_frames_fini(&frames);
	switch (f->manner) {
	case COMPACTED:
		if (f->resumed_from != 0) {
			sim_h2_answer(stream, "200", "application/grpc", 2,
			    "requested index is unavailable due to compaction");
			break;
		}
		/* fall through */
	case STAND:
		stand(f, "application/grpc");
		say(f, "", 0);
		break;
	case NO_ANSWER:
		break;
	case NO_START:
		stand(f, "application/grpc");
		break;
	case EVENT_FIRST:
		stand(f, "application/grpc");
		say_change(f, 1, 2);
		break;
	case UNIMPLEMENTED:
		sim_h2_answer(stream, "200", "application/grpc", 12,
		    "unknown service docker.swarmkit.v1.Watch");
		break;
	case HTML:
		stand(f, "text/html");
		sim_h2_write(stream, "<html>hello</html>", 18);
		sim_h2_end(stream, -1, NULL);
		break;
	case STATUS_503:
		sim_h2_answer(stream, "503", "application/grpc", -1, NULL);
		sim_h2_end(stream, -1, NULL);
		break;
	case GARBAGE:
		stand(f, "application/grpc");
		say(f, "", 0);
		say(f, "\x0a\x7f not a message", 17);
		break;
	case HUGE_LENGTH:
		stand(f, "application/grpc");
		say(f, "", 0);
		sim_h2_write(stream, "\0\x7f\xff\xff\xff", 5);
		break;
	}
}

/* ---- the client's side ---- */

static inline void
on_closed(void *arg)
{
	struct fixture *f = arg;

	f->closed = true;
	f->watch = NULL;
}

static inline void
maybe_close(struct fixture *f, enum stop here)
{
	if (f->stop == here)
		docker_watch_close(f->watch, on_closed, f);
}

static inline void
on_up(void *arg, bool resumed)
{
	struct fixture *f = arg;

	assert_true(resumed == (f->resumed_from != 0));
	f->ups++;
	assert_true(docker_watch_is_up(f->watch));
	maybe_close(f, CLOSE_ON_UP);
}

static inline void
on_gap(void *arg, const char *why)
{
	struct fixture *f = arg;

	assert_true(f->stop != CLOSE_ON_UP);
	f->gaps++;
	(void)snprintf(f->why, sizeof(f->why), "%s", why);
	maybe_close(f, CLOSE_ON_GAP);
}

static inline void
on_event(void *arg, const struct watch_event *event)
{
	struct fixture *f = arg;

	f->events++;
	f->last = *event;
	if (f->reopen_on_event) {
		f->reopen_on_event = false;
		docker_watch_reopen(f->watch, "it missed a change");
	}
	maybe_close(f, CLOSE_ON_EVENT);
}

static inline void
on_down(void *arg, const struct error *e, bool was_up, uint64_t retry_ms)
{
	struct fixture *f = arg;

	assert_false(docker_watch_is_up(f->watch));
	assert_true(retry_ms >= 80 && retry_ms <= 12000);
	f->downs++;
	f->error = *e;
	f->was_up = was_up;
	maybe_close(f, CLOSE_ON_DOWN);
}

static const struct docker_watch_handlers handlers = {
	.on_up = on_up,
	.on_gap = on_gap,
	.on_event = on_event,
	.on_down = on_down,
};

static inline void
serve(struct fixture *f)
{
	struct error e;

	f->server = sim_h2_listen(&f->loop, f->path, on_request, f, &e);
	if (f->server == NULL)
		fail_msg("%s", e.msg);
}

static inline void
begin(struct fixture *f, enum manner manner)
{
	f->manner = manner;
	serve(f);
	f->watch = docker_watch_new(&f->loop, f->path, KINDS, &handlers, f);
}

static inline int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	/* As programs do: an end of a socket goes at any time. */
	(void)signal(SIGPIPE, SIG_IGN);
	must(uv_loop_init(&f->loop) == 0);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/bh-watch-XXXXXX");
	must(mkdtemp(f->folder) != NULL);
	(void)snprintf(f->path, sizeof(f->path), "%s/c.sock", f->folder);
	return 0;
}

static inline int
tear_down(void **state)
{
	struct fixture *f = *state;

	docker_watch_close(f->watch, on_closed, f);
	sim_h2_close(f->server);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&f->loop) == 0);
	must(f->watch == NULL && f->closed);
	must(fs_remove_tree(f->folder, NULL) == 0);
	free(f);
	return 0;
}

#define wait_for(f, condition)                                                 \
	do {                                                                   \
		uint64_t end_ = clock_mono_ms() + 30000;                       \
                                                                               \
		while (!(condition) && clock_mono_ms() < end_)                 \
			(void)uv_run(&(f)->loop, UV_RUN_ONCE);                 \
		if (!(condition))                                              \
			fail_msg("not in time: %s", #condition);               \
	} while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
