/* docker/watch: servers that are none, or say nothing */
#include "watch_fixture.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("watch_refused", tests, NULL, NULL);
}
