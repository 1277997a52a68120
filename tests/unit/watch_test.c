/* docker/watch */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
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

static bool
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

static void
say(struct fixture *f, const void *bytes, size_t len)
{
	STR_AUTO(frame, 32 * MIB);

	grpc_frame_add(&frame, bytes, len);
	sim_h2_write(f->stream, frame.p, frame.len);
}

/* A change of service "s<objver>", with the message's version or without. */
static void
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

static void
say_change(struct fixture *f, uint64_t objver, uint64_t version)
{
	STR_AUTO(message, 1024);

	change(&message, objver, version);
	say(f, message.p, message.len);
}

static void
on_stream_gone(struct sim_h2_stream *stream)
{
	struct fixture *f = stream->data;

	if (f->stream == stream)
		f->stream = NULL;
}

static void
stand(struct fixture *f, const char *type)
{
	sim_h2_answer(f->stream, "200", type, -1, NULL);
}

static void
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

static void
on_closed(void *arg)
{
	struct fixture *f = arg;

	f->closed = true;
	f->watch = NULL;
}

static void
maybe_close(struct fixture *f, enum stop here)
{
	if (f->stop == here)
		docker_watch_close(f->watch, on_closed, f);
}

static void
on_up(void *arg, bool resumed)
{
	struct fixture *f = arg;

	assert_true(resumed == (f->resumed_from != 0));
	f->ups++;
	assert_true(docker_watch_is_up(f->watch));
	maybe_close(f, CLOSE_ON_UP);
}

static void
on_gap(void *arg, const char *why)
{
	struct fixture *f = arg;

	assert_true(f->stop != CLOSE_ON_UP);
	f->gaps++;
	(void)snprintf(f->why, sizeof(f->why), "%s", why);
	maybe_close(f, CLOSE_ON_GAP);
}

static void
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

static void
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

static void
serve(struct fixture *f)
{
	struct error e;

	f->server = sim_h2_listen(&f->loop, f->path, on_request, f, &e);
	if (f->server == NULL)
		fail_msg("%s", e.msg);
}

static void
begin(struct fixture *f, enum manner manner)
{
	f->manner = manner;
	serve(f);
	f->watch = docker_watch_new(&f->loop, f->path, KINDS, &handlers, f);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	must(uv_loop_init(&f->loop) == 0);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/bh-watch-XXXXXX");
	must(mkdtemp(f->folder) != NULL);
	(void)snprintf(f->path, sizeof(f->path), "%s/c.sock", f->folder);
	return 0;
}

static int
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

/* ---- tests ---- */

static void
a_first_stream_is_up_with_a_gap_and_tells_changes(void **state)
{
	struct fixture *f = *state;
	struct docker_watch_counts n;

	begin(f, STAND);
	assert_int_equal(f->ups, 0);
	wait_for(f, f->gaps == 1);
	assert_int_equal(f->ups, 1);
	assert_int_equal(f->kinds, KINDS);
	assert_int_equal(f->resumed_from, 0);
	assert_int_equal(docker_watch_last_version(f->watch), 0);
	say_change(f, 11, 12);
	say_change(f, 12, 13);
	wait_for(f, f->events == 2);
	assert_string_equal(f->last.id, "s12");
	assert_int_equal(docker_watch_last_version(f->watch), 13);
	n = docker_watch_counts(f->watch);
	assert_int_equal(n.streams, 1);
	assert_int_equal(n.messages, 2);
	assert_int_equal(n.late, 0);
	assert_int_equal(n.failures, 0);
	assert_int_equal(f->downs, 0);
}

static void
late_and_repeated_messages_are_told_and_counted(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	say_change(f, 11, 12);
	say_change(f, 5, 6);
	wait_for(f, f->events == 3);
	assert_int_equal(docker_watch_last_version(f->watch), 12);
	assert_int_equal(docker_watch_counts(f->watch).late, 2);
}

static void
a_stream_that_was_cut_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	wait_for(f, f->events == 1);
	sim_h2_cut(f->stream);
	wait_for(f, f->downs == 1);
	assert_true(f->was_up);
	wait_for(f, f->ups == 2);
	assert_int_equal(f->resumed_from, 12);
	say_change(f, 12, 13);
	wait_for(f, f->events == 2);
	assert_int_equal(f->gaps, 1);
}

static void
it_goes_on_from_objects_where_messages_have_no_version(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	say_change(f, 14, 0);
	wait_for(f, f->events == 2);
	sim_h2_end(f->stream, 14, "manager is shutting down");
	wait_for(f, f->ups == 2);
	assert_int_equal(f->resumed_from, 14);
	assert_non_null(strstr(f->error.msg, "manager is shutting down"));
}

static void
a_compacted_log_means_a_gap_without_another_wait(void **state)
{
	struct fixture *f = *state;

	begin(f, COMPACTED);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	wait_for(f, f->events == 1);
	sim_h2_cut(f->stream);
	wait_for(f, f->gaps == 2);
	assert_int_equal(f->requests, 3);
	assert_int_equal(f->downs, 1);
	assert_non_null(strstr(f->why, "log"));
	assert_int_equal(docker_watch_last_version(f->watch), 0);
}

static void
frames_cut_at_every_byte_arrive(void **state)
{
	struct fixture *f = *state;
	STR_AUTO(message, 1024);
	STR_AUTO(stream, 4096);

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	for (unsigned i = 0; i < 5; i++) {
		str_clear(&message);
		change(&message, 11 + i, 12 + i);
		grpc_frame_add(&stream, message.p, message.len);
	}
	for (size_t i = 0; i < stream.len; i++) {
		sim_h2_write(f->stream, stream.p + i, 1);
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	wait_for(f, f->events == 5);
	assert_int_equal(docker_watch_last_version(f->watch), 16);
}

static void
expect_refused(struct fixture *f, enum manner manner, const char *part)
{
	begin(f, manner);
	wait_for(f, f->downs == 1);
	if (strstr(f->error.msg, part) == NULL)
		fail_msg("%s", f->error.msg);
	assert_non_null(strstr(f->error.msg, f->path));
	assert_int_equal(f->events, 0);
	/* And tried again. */
	wait_for(f, f->downs == 2);
	assert_true(f->requests >= 2 || f->server == NULL);
}

static void
an_event_before_the_start_message_is_refused(void **state)
{
	struct fixture *f = *state;

	expect_refused(f, EVENT_FIRST, "no start message");
	assert_int_equal(f->ups, 0);
}

static void
another_grpc_service_is_refused_with_its_words(void **state)
{
	struct fixture *f = *state;

	expect_refused(f, UNIMPLEMENTED, "status 12 \"unknown service docker");
	assert_int_equal(f->ups, 0);
	assert_false(f->was_up);
}

static void
html_over_http2_is_not_swarmkit(void **state)
{
	expect_refused(*state, HTML, "not SwarmKit");
}

static void
a_status_other_than_200_is_not_swarmkit(void **state)
{
	expect_refused(*state, STATUS_503, "503");
}

static void
a_message_that_is_none_ends_the_stream(void **state)
{
	struct fixture *f = *state;

	expect_refused(f, GARBAGE, "cannot be read");
	assert_true(f->was_up && f->ups >= 1);
}

static void
a_length_that_lies_ends_the_stream(void **state)
{
	struct fixture *f = *state;

	expect_refused(f, HUGE_LENGTH, "over 16777216");
	assert_int_equal(f->error.code, EFBIG);
}

static void
a_start_message_that_never_comes_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	uint64_t before = clock_mono_ms();

	begin(f, NO_START);
	wait_for(f, f->downs == 1);
	assert_int_equal(f->error.code, ETIMEDOUT);
	assert_in_range(clock_mono_ms() - before, 4500, 30000);
	assert_int_equal(f->ups, 0);
}

static void
an_answer_that_never_comes_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	begin(f, NO_ANSWER);
	wait_for(f, f->downs == 1);
	assert_int_equal(f->error.code, ETIMEDOUT);
}

struct plain {
	uv_pipe_t listener;
	uv_pipe_t peer;
	const char *text;
	bool accepted;
};

static void
on_plain(uv_stream_t *listener, int status)
{
	struct plain *p = container_of(listener, struct plain, listener);
	uv_buf_t buf =
	    uv_buf_init((char *)(uintptr_t)p->text, (unsigned)strlen(p->text));

	must(status == 0);
	if (p->accepted)
		return;
	p->accepted = true;
	must(uv_pipe_init(listener->loop, &p->peer, 0) == 0);
	must(uv_accept(listener, (uv_stream_t *)&p->peer) == 0);
	if (buf.len > 0)
		(void)uv_try_write((uv_stream_t *)&p->peer, &buf, 1);
}

static void
meet_plain_server(struct fixture *f, const char *text)
{
	struct plain p = { .text = text };

	must(uv_pipe_init(&f->loop, &p.listener, 0) == 0);
	must(uv_pipe_bind(&p.listener, f->path) == 0);
	must(uv_listen((uv_stream_t *)&p.listener, 16, on_plain) == 0);
	f->watch = docker_watch_new(&f->loop, f->path, KINDS, &handlers, f);
	wait_for(f, f->downs == 1);
	assert_int_equal(f->ups, 0);
	docker_watch_close(f->watch, on_closed, f);
	uv_close((uv_handle_t *)&p.listener, NULL);
	uv_close((uv_handle_t *)&p.peer, NULL);
	wait_for(f, f->closed);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

static void
plain_http_is_refused(void **state)
{
	struct fixture *f = *state;

	meet_plain_server(f,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
	    "Content-Length: 5\r\n\r\n\0\0\0\0");
	assert_int_equal(f->error.code, EPROTO);
}

static void
a_server_that_never_says_a_word_is_left(void **state)
{
	struct fixture *f = *state;

	meet_plain_server(f, "");
	assert_int_equal(f->error.code, ETIMEDOUT);
}

static void
a_socket_that_comes_later_is_found(void **state)
{
	struct fixture *f = *state;

	f->watch = docker_watch_new(&f->loop, f->path, KINDS, &handlers, f);
	wait_for(f, f->downs == 2);
	assert_int_equal(f->error.code, ENOENT);
	assert_false(f->was_up);
	f->manner = STAND;
	serve(f);
	wait_for(f, f->gaps == 1);
}

static void
a_path_that_is_too_long_is_told(void **state)
{
	struct fixture *f = *state;
	char path[200];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	f->watch = docker_watch_new(&f->loop, path, KINDS, &handlers, f);
	wait_for(f, f->downs == 1);
	assert_non_null(strstr(f->error.msg, "long"));
}

static void
ten_mebibytes_in_a_message_are_read(void **state)
{
	struct fixture *f = *state;
	char *filler _cleanup_free_ = xcalloc(10, MIB);
	STR_AUTO(message, 16 * MIB);

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	change(&message, 11, 12);
	/* A field that nobody knows. */
	proto_add_bytes(&message, 77, filler, 10 * MIB);
	say(f, message.p, message.len);
	say_change(f, 12, 13);
	wait_for(f, f->events == 2);
	assert_int_equal(docker_watch_last_version(f->watch), 13);
}

static void
reopening_starts_afresh(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	wait_for(f, f->events == 1);
	docker_watch_reopen(f->watch, "it missed a change");
	assert_false(docker_watch_is_up(f->watch));
	assert_int_equal(f->downs, 0);
	wait_for(f, f->gaps == 2);
	assert_int_equal(f->downs, 1);
	assert_non_null(strstr(f->error.msg, "it missed a change"));
	assert_int_equal(f->resumed_from, 0);
}

static void
reopening_is_possible_while_an_event_is_told(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	f->reopen_on_event = true;
	say_change(f, 11, 12);
	wait_for(f, f->gaps == 2);
	assert_int_equal(f->resumed_from, 0);
	assert_int_equal(docker_watch_last_version(f->watch), 0);
}

static void
it_can_be_closed_from_every_handler(void **state)
{
	struct fixture *f = *state;

	for (enum stop stop = CLOSE_ON_UP; stop <= CLOSE_ON_DOWN; stop++) {
		f->stop = stop;
		f->closed = false;
		f->gaps = 0;
		begin(f, STAND);
		if (stop == CLOSE_ON_EVENT || stop == CLOSE_ON_DOWN) {
			wait_for(f, f->gaps == 1);
			say_change(f, 11, 12);
		}
		if (stop == CLOSE_ON_DOWN)
			sim_h2_cut(f->stream);
		wait_for(f, f->closed);
		sim_h2_close(f->server);
		(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	}
	f->server = NULL;
	assert_int_equal(f->ups, 4);
}

static void
it_can_be_closed_after_any_turn_of_the_loop(void **state)
{
	struct fixture *f = *state;

	f->manner = STAND;
	serve(f);
	for (unsigned turns = 0; turns < 25; turns++) {
		f->closed = false;
		f->watch =
		    docker_watch_new(&f->loop, f->path, KINDS, &handlers, f);
		for (unsigned i = 0; i < turns; i++)
			(void)uv_run(&f->loop, UV_RUN_NOWAIT);
		docker_watch_close(f->watch, on_closed, f);
		docker_watch_close(f->watch, on_closed, f);
		wait_for(f, f->closed);
	}
}

static void
the_socket_is_found_beside_docker_s(void **state)
{
	static const struct {
		const char *watch;
		const char *url;
		const char *path;
	} cases[] = {
		{ "auto", "unix:///var/run/docker.sock",
		    "/var/run/docker/swarm/control.sock" },
		{ "auto", "unix:/run/docker.sock",
		    "/run/docker/swarm/control.sock" },
		{ "auto", "unix:///tmp/x/d.sock",
		    "/tmp/x/docker/swarm/control.sock" },
		{ "auto", "tcp://10.0.0.1:2376", NULL },
		{ "off", "unix:///var/run/docker.sock", NULL },
		{ "/a/c.sock", "tcp://10.0.0.1:2376", "/a/c.sock" },
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct daemon_config c = { 0 };
		char *path;

		c.docker.watch = (char *)(uintptr_t)cases[i].watch;
		c.docker.url = (char *)(uintptr_t)cases[i].url;
		path = docker_watch_socket(&c);
		if (cases[i].path == NULL)
			assert_null(path);
		else
			assert_string_equal(path, cases[i].path);
		free(path);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_first_stream_is_up_with_a_gap_and_tells_changes),
		TEST(late_and_repeated_messages_are_told_and_counted),
		TEST(a_stream_that_was_cut_goes_on_where_it_was),
		TEST(it_goes_on_from_objects_where_messages_have_no_version),
		TEST(a_compacted_log_means_a_gap_without_another_wait),
		TEST(frames_cut_at_every_byte_arrive),
		TEST(an_event_before_the_start_message_is_refused),
		TEST(another_grpc_service_is_refused_with_its_words),
		TEST(html_over_http2_is_not_swarmkit),
		TEST(a_status_other_than_200_is_not_swarmkit),
		TEST(a_message_that_is_none_ends_the_stream),
		TEST(a_length_that_lies_ends_the_stream),
		TEST(a_start_message_that_never_comes_is_not_waited_for),
		TEST(an_answer_that_never_comes_is_not_waited_for),
		TEST(plain_http_is_refused),
		TEST(a_server_that_never_says_a_word_is_left),
		TEST(a_socket_that_comes_later_is_found),
		TEST(a_path_that_is_too_long_is_told),
		TEST(ten_mebibytes_in_a_message_are_read),
		TEST(reopening_starts_afresh),
		TEST(reopening_is_possible_while_an_event_is_told),
		TEST(it_can_be_closed_from_every_handler),
		TEST(it_can_be_closed_after_any_turn_of_the_loop),
		cmocka_unit_test(the_socket_is_found_beside_docker_s),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
