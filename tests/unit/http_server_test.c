/* loop/http_server, asked by loop/http_client and by bare sockets */
#define PORT "23010"
#include "http_server_fixture.h"

#include <errno.h>
#include <sys/stat.h>

static void
a_request_and_its_answer_pass_whole(void **state)
{
	struct fixture *f = *state;
	struct http_request_options o = { .method = "POST",
		.target = "/a%20b?q=x%26y&r=",
		.body = "b\0d",
		.body_len = 3,
		.done = on_done,
		.arg = f };

	open_server(f, (struct http_server_options){ 0 });
	open_client(f, (struct http_endpoint){ 0 });
	(void)http_request_start(f->client, &o);
	wait_for(f, f->done == 1);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->answer, "hello");
	assert_string_equal(f->method, "POST");
	assert_string_equal(f->path, "/a b");
	assert_string_equal(f->query, "x&y");
	assert_int_equal(f->body_len, 3);
	assert_memory_equal(f->body, "b\0d", 3);
	assert_true(f->local);
	assert_false(f->authorized);
	get(f, "/error");
	assert_int_equal(f->status, 409);
	assert_string_equal(f->answer, "{\"error\":\"it \\\"clashes\\\"\"}\n");
}

static void
the_socket_has_the_mode_asked_for_and_goes_away(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	open_server(f, (struct http_server_options){ .socket_mode = 0600 });
	assert_int_equal(stat(f->address + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	http_server_close(f->server, on_server_closed, f);
	f->server = NULL;
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->server_closed, 1);
	assert_int_equal(stat(f->address + 5, &st), -1);
}

static void
a_stale_socket_is_replaced_and_a_file_is_not(void **state)
{
	struct fixture *f = *state;
	struct http_server_options o = { .listen = f->address };
	struct error e = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s.sock", f->folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	(void)close(fd);
	open_server(f, (struct http_server_options){ 0 });
	open_client(f, (struct http_endpoint){ 0 });
	get(f, "/");
	assert_int_equal(f->status, 200);
	http_server_close(f->server, NULL, NULL);
	http_client_close(f->client, NULL, NULL);
	f->server = NULL;
	f->client = NULL;
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(fs_write(f->address + 5, "x", 1, 0600, NULL), 0);
	assert_null(http_server_new(&f->loop, &o, handler, f, &e));
	assert_int_equal(e.code, EADDRINUSE);
	assert_non_null(strstr(e.msg, f->folder));
}

static void
a_long_poll_is_answered_later(void **state)
{
	struct fixture *f = *state;

	open_server(f, (struct http_server_options){ 0 });
	open_client(f, (struct http_endpoint){ 0 });
	(void)start(f, "/later");
	wait_for(f, f->waiting.len == 1);
	for (int i = 0; i < 10; i++)
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(f->done, 0);
	http_answer(f->waiting.at[0], 200, NULL, "late", 4);
	f->waiting.len = 0;
	wait_for(f, f->done == 1);
	assert_int_equal(f->code, 0);
	assert_string_equal(f->answer, "late");
	assert_int_equal(f->gone, 0);
	/* The same connection goes on. */
	get(f, "/");
	assert_string_equal(f->answer, "hello");
}

static void
one_request_answers_300_that_wait(void **state)
{
	struct fixture *f = *state;

	open_server(f, (struct http_server_options){ .max_connections = 400 });
	open_client(f, (struct http_endpoint){ 0 });
	for (int i = 0; i < 300; i++)
		(void)start(f, "/later");
	wait_for(f, f->waiting.len == 300);
	(void)start(f, "/wake");
	wait_for(f, f->done == 301);
	assert_int_equal(f->failed, 0);
	assert_int_equal(f->gone, 0);
}

static void
a_peer_that_leaves_while_it_waits_is_noticed(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_server(f, (struct http_server_options){ 0 });
	fd = dial(f);
	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(f, f->waiting.len == 1);
	(void)close(fd);
	wait_for(f, f->gone == 1);
	assert_int_equal(f->waiting.len, 0);
}

static void
a_cancelled_long_poll_is_gone(void **state)
{
	struct fixture *f = *state;
	struct http_request *r;

	open_server(f, (struct http_server_options){ .listen = TCP });
	open_client(f, (struct http_endpoint){ .url = "http://" TCP });
	r = start(f, "/later");
	wait_for(f, f->waiting.len == 1);
	http_request_cancel(r);
	wait_for(f, f->done == 1 && f->gone == 1);
	get(f, "/");
	assert_int_equal(f->status, 200);
}

static void
closing_the_server_ends_what_waits(void **state)
{
	struct fixture *f = *state;

	open_server(f, (struct http_server_options){ 0 });
	open_client(f, (struct http_endpoint){ 0 });
	(void)start(f, "/later");
	(void)start(f, "/stream");
	wait_for(f, f->waiting.len == 1 && f->stream != NULL);
	http_server_close(f->server, on_server_closed, f);
	f->server = NULL;
	wait_for(f, f->server_closed == 1 && f->done == 2);
	assert_int_equal(f->gone, 2);
	assert_int_equal(f->failed, 2);
}

static void
a_handler_may_close_its_server(void **state)
{
	struct fixture *f = *state;

	open_server(f, (struct http_server_options){ 0 });
	open_client(f, (struct http_endpoint){ 0 });
	get(f, "/close");
	assert_null(f->server);
}

static void
a_stream_passes_what_is_written_until_its_end(void **state)
{
	struct fixture *f = *state;
	struct http_request_options o = { .target = "/stream",
		.total_ms = UINT64_MAX,
		.on_data = on_data,
		.done = on_done,
		.arg = f };

	open_server(f, (struct http_server_options){ 0 });
	open_client(f, (struct http_endpoint){ 0 });
	(void)http_request_start(f->client, &o);
	wait_for(f, f->stream != NULL);
	for (unsigned i = 1; i <= 5; i++) {
		assert_true(http_stream_write(f->stream, "data: x\n\n", 9));
		wait_for(f, f->data_len == (size_t)9 * i);
	}
	http_stream_end(f->stream);
	wait_for(f, f->done == 1);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->gone, 0);
}

static void
a_slow_reader_of_a_stream_is_told(void **state)
{
	struct fixture *f = *state;
	char *block = xcalloc(1, 65536);
	unsigned written = 0;
	int fd;

	open_server(f, (struct http_server_options){ 0 });
	fd = dial(f);
	say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(f, f->stream != NULL);
	while (http_stream_write(f->stream, block, 65536) && written < 1000) {
		written++;
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	assert_in_range(written, 15, 100);
	http_stream_end(f->stream);
	(void)close(fd);
	free(block);
}

static void
a_reader_that_leaves_a_stream_is_noticed(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_server(f, (struct http_server_options){ 0 });
	fd = dial(f);
	say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(f, f->stream != NULL);
	(void)hear(f, fd, "event-stream");
	(void)close(fd);
	wait_for(f, f->gone == 1);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_request_and_its_answer_pass_whole),
		T(the_socket_has_the_mode_asked_for_and_goes_away),
		T(a_stale_socket_is_replaced_and_a_file_is_not),
		T(a_long_poll_is_answered_later),
		T(one_request_answers_300_that_wait),
		T(a_peer_that_leaves_while_it_waits_is_noticed),
		T(a_cancelled_long_poll_is_gone),
		T(closing_the_server_ends_what_waits),
		T(a_handler_may_close_its_server),
		T(a_stream_passes_what_is_written_until_its_end),
		T(a_slow_reader_of_a_stream_is_told),
		T(a_reader_that_leaves_a_stream_is_noticed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	open_libraries();
	return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
