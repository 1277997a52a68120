/* loop/http_client */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "../lib/faulty.h"
#include "base/clock.h"
#include "base/fs.h"
#include "loop/http_client.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

struct result {
	unsigned calls;
	long status;
	int code;
	char message[512];
	char body[256];
	size_t body_len;
	unsigned head_calls;
	size_t data_len;
	bool stop_data;
	struct http_request *request;
};

struct fixture {
	uv_loop_t loop;
	char folder[64];
	char address[96]; /* "unix:..." */
	struct faulty server;
	struct http_client *client;
	struct result r;
};

static unsigned
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	must(d != NULL);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static void
on_done(void *arg, const struct http_response *response)
{
	struct result *r = arg;

	r->calls++;
	r->status = response->status;
	r->code = response->error == NULL ? 0 : response->error->code;
	if (response->error != NULL)
		(void)snprintf(
		    r->message, sizeof(r->message), "%s", response->error->msg);
	r->body_len = response->body_len;
	if (response->body_len < sizeof(r->body))
		memcpy(r->body, response->body, response->body_len + 1);
}

static bool
on_data(void *arg, const char *bytes, size_t len)
{
	struct result *r = arg;

	assert_int_equal(r->calls, 0);
	(void)bytes;
	r->data_len += len;
	return !r->stop_data;
}

static void
on_status(void *arg, long status)
{
	struct result *r = arg;

	r->head_calls++;
	r->status = status;
}

static void
open_client(struct fixture *f, const char *url)
{
	struct http_endpoint endpoint = { .url = url, .bearer_token = "t0k" };
	struct error e = { 0 };

	f->client = http_client_new(&f->loop, &endpoint, &e);
	if (f->client == NULL)
		fail_msg("%s", e.msg);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	must(uv_loop_init(&f->loop) == 0);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/bh-http-XXXXXX");
	must(mkdtemp(f->folder) != NULL);
	(void)snprintf(
	    f->address, sizeof(f->address), "unix:%s/s.sock", f->folder);
	faulty_start(&f->server, &f->loop, f->address);
	open_client(f, f->address);
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	http_client_close(f->client, NULL, NULL);
	faulty_stop(&f->server);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&f->loop) == 0);
	must(fs_remove_tree(f->folder, NULL) == 0);
	free(f);
	return 0;
}

static void
start(struct fixture *f, struct http_request_options o)
{
	memset(&f->r, 0, sizeof(f->r));
	o.target = o.target == NULL ? "/x" : o.target;
	o.done = on_done;
	o.arg = &f->r;
	f->r.request = http_request_start(f->client, &o);
	assert_int_equal(f->r.calls, 0);
}

static void
wait_done(struct fixture *f)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (f->r.calls == 0 && clock_mono_ms() < end)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->r.calls, 1);
}

static void
get(struct fixture *f, struct http_request_options o)
{
	start(f, o);
	wait_done(f);
}

static void
a_whole_answer_arrives_and_the_connection_is_used_again(void **state)
{
	struct fixture *f = *state;

	faulty_say(&f->server, OK_HEAD "Content-Length: 5\r\n\r\nhello");
	f->server.hang = true;
	get(f,
	    (struct http_request_options){ .method = "POST",
		.target = "/p?q=1",
		.body = "a\0b",
		.body_len = 3 });
	assert_int_equal(f->r.code, 0);
	assert_int_equal(f->r.status, 200);
	assert_string_equal(f->r.body, "hello");
	assert_non_null(strstr(f->server.request, "POST /p?q=1 HTTP/1.1\r\n"));
	assert_non_null(
	    strstr(f->server.request, "Authorization: Bearer t0k\r\n"));
	assert_non_null(
	    strstr(f->server.request, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(f->server.request, "Content-Length: 3\r\n"));
	assert_null(strstr(f->server.request, "Expect"));
	assert_memory_equal(
	    f->server.request + f->server.request_len - 3, "a\0b", 3);
}

static void
every_method_goes_out_by_its_name(void **state)
{
	static const char *const methods[] = { "GET", "DELETE", "PUT" };
	struct fixture *f = *state;

	faulty_say(&f->server, OK_HEAD "Content-Length: 0\r\n\r\n");
	for (size_t i = 0; i < countof(methods); i++) {
		f->server.request_len = 0;
		get(f, (struct http_request_options){ .method = methods[i] });
		assert_int_equal(f->r.code, 0);
		assert_memory_equal(
		    f->server.request, methods[i], strlen(methods[i]));
		assert_null(strstr(f->server.request, "Content-Type"));
	}
}

static void
a_server_that_never_answers_runs_into_the_deadline(void **state)
{
	struct fixture *f = *state;
	uint64_t before = clock_mono_ms();

	f->server.deaf = true;
	get(f, (struct http_request_options){ .first_byte_ms = 100 });
	assert_int_equal(f->r.code, ETIMEDOUT);
	assert_int_equal(f->r.status, 0);
	assert_true(clock_mono_ms() - before >= 100);
	assert_true(clock_mono_ms() - before < 5000);
}

static void
one_byte_at_a_time_runs_into_the_total_deadline(void **state)
{
	struct fixture *f = *state;

	faulty_say(
	    &f->server, OK_HEAD "Content-Length: 1000\r\n\r\nxxxxxxxxxx");
	f->server.piece = 1;
	f->server.pause_ms = 20;
	get(f,
	    (struct http_request_options){
		.first_byte_ms = 10000, .total_ms = 200 });
	assert_int_equal(f->r.code, ETIMEDOUT);
}

/* More than a MiB at once, and the end half a second after the deadline. */
static void
what_goes_on_arriving_is_given_more_time(void **state)
{
	static const char head[] = OK_HEAD "Content-Length: 5242880\r\n\r\n";
	size_t len = strlen(head) + 5242880;
	char *bytes _cleanup_free_ = xcalloc(1, len);
	struct fixture *f = *state;

	memcpy(bytes, head, strlen(head));
	f->server.bytes = bytes;
	f->server.len = len;
	f->server.piece = 1400000;
	f->server.pause_ms = 500;
	get(f, (struct http_request_options){ .total_ms = 1000 });
	assert_int_equal(f->r.code, ETIMEDOUT);
	get(f,
	    (struct http_request_options){
		.total_ms = 1000, .per_mib_ms = 20000 });
	assert_int_equal(f->r.code, 0);
	assert_int_equal(f->r.body_len, 5242880);
	/* What only drips is given none. */
	f->server.piece = 1000;
	f->server.pause_ms = 1;
	get(f,
	    (struct http_request_options){
		.total_ms = 100, .per_mib_ms = 20000 });
	assert_int_equal(f->r.code, ETIMEDOUT);
}

struct steps {
	uv_prepare_t prepare;
	unsigned in_turn, most;
	size_t len;
};

static void
on_turn(uv_prepare_t *prepare)
{
	container_of(prepare, struct steps, prepare)->in_turn = 0;
}

static struct steps steps;

static bool
on_slow_data(void *arg, const char *bytes, size_t len)
{
	uint64_t until = clock_mono_us() + 6000;

	(void)arg;
	(void)bytes;
	steps.len += len;
	if (++steps.in_turn > steps.most)
		steps.most = steps.in_turn;
	while (clock_mono_us() < until)
		continue;
	return true;
}

static void
slow_work_on_a_body_leaves_the_loop_its_turns(void **state)
{
	static const char head[] = OK_HEAD "Content-Length: 600000\r\n\r\n";
	size_t len = strlen(head) + 600000;
	char *bytes _cleanup_free_ = xcalloc(1, len);
	struct fixture *f = *state;

	memcpy(bytes, head, strlen(head));
	f->server.bytes = bytes;
	f->server.len = len;
	steps = (struct steps){ 0 };
	must(uv_prepare_init(&f->loop, &steps.prepare) == 0);
	must(uv_prepare_start(&steps.prepare, on_turn) == 0);
	get(f,
	    (struct http_request_options){
		.on_data = on_slow_data, .in_steps = true });
	uv_close((uv_handle_t *)&steps.prepare, NULL);
	assert_int_equal(f->r.code, 0);
	assert_int_equal(steps.len, 600000);
	/* Two steps are between polls: after one, before the next. */
	assert_in_range(steps.most, 1, 7);
}

static void
a_slow_answer_within_the_deadlines_arrives(void **state)
{
	struct fixture *f = *state;

	faulty_say(&f->server, OK_HEAD "Content-Length: 4\r\n\r\nslow");
	f->server.piece = 1;
	f->server.pause_ms = 2;
	get(f, (struct http_request_options){ .idle_ms = 2000 });
	assert_int_equal(f->r.code, 0);
	assert_string_equal(f->r.body, "slow");
}

static void
a_stream_that_falls_silent_ends(void **state)
{
	struct fixture *f = *state;

	faulty_say(&f->server,
	    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
		    "3\r\nabc\r\n");
	f->server.hang = true;
	get(f,
	    (struct http_request_options){ .total_ms = UINT64_MAX,
		.idle_ms = 100,
		.on_data = on_data,
		.on_status = on_status });
	assert_int_equal(f->r.code, ETIMEDOUT);
	assert_int_equal(f->r.status, 200);
	assert_int_equal(f->r.data_len, 3);
	assert_int_equal(f->r.head_calls, 1);
	assert_int_equal(f->r.body_len, 0);
}

static void
an_answer_that_is_cut_at_any_byte_is_an_error(void **state)
{
	static const char whole[] =
	    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
	struct fixture *f = *state;

	/* Without its very last byte it is whole for curl, and for us. */
	f->server.bytes = whole;
	for (size_t len = 0; len < sizeof(whole) - 2; len++) {
		f->server.len = len;
		get(f, (struct http_request_options){ 0 });
		if (f->r.code == 0)
			fail_msg("cut after %zu bytes: no error", len);
		assert_int_not_equal(f->r.code, ECANCELED);
		assert_true(strlen(f->r.message) > 0);
	}
	f->server.len = sizeof(whole) - 1;
	get(f, (struct http_request_options){ 0 });
	assert_int_equal(f->r.code, 0);
	assert_string_equal(f->r.body, "hello");
}

static void
fewer_bytes_than_promised_are_an_error(void **state)
{
	struct fixture *f = *state;

	faulty_say(&f->server, OK_HEAD "Content-Length: 50\r\n\r\nhello");
	get(f, (struct http_request_options){ 0 });
	assert_int_equal(f->r.code, EPROTO);
	assert_int_equal(f->r.status, 200);
}

static void
what_is_not_http_is_an_error(void **state)
{
	struct fixture *f = *state;

	faulty_say(&f->server, "\x15\x03\x01 garbage\r\n\r\n");
	get(f, (struct http_request_options){ 0 });
	assert_int_not_equal(f->r.code, 0);
	assert_int_equal(f->r.status, 0);
}

static void
a_body_over_the_maximum_is_refused(void **state)
{
	struct fixture *f = *state;
	char *big = xcalloc(1, 300000);

	(void)snprintf(big, 100, OK_HEAD "Content-Length: 200000\r\n\r\n");
	memset(big + strlen(big), 'x', 200000);
	faulty_say(&f->server, big);
	get(f, (struct http_request_options){ .max_body = 1000 });
	assert_int_equal(f->r.code, EFBIG);
	get(f, (struct http_request_options){ .max_body = 200000 });
	assert_int_equal(f->r.code, 0);
	assert_int_equal(f->r.body_len, 200000);
	free(big);
}

static void
the_body_of_an_error_is_gathered_beside_a_stream(void **state)
{
	struct fixture *f = *state;

	faulty_say(&f->server,
	    "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
	get(f, (struct http_request_options){ .on_data = on_data });
	assert_int_equal(f->r.code, 0);
	assert_int_equal(f->r.status, 404);
	assert_int_equal(f->r.data_len, 0);
	assert_string_equal(f->r.body, "none");
}

static void
a_receiver_can_stop_the_stream(void **state)
{
	struct fixture *f = *state;

	faulty_say(&f->server, OK_HEAD "Content-Length: 5\r\n\r\nhello");
	start(f, (struct http_request_options){ .on_data = on_data });
	f->r.stop_data = true;
	wait_done(f);
	assert_int_equal(f->r.code, ECANCELED);
}

static void
a_cancelled_request_completes_once_from_the_loop(void **state)
{
	struct fixture *f = *state;

	f->server.deaf = true;
	start(f, (struct http_request_options){ 0 });
	http_request_cancel(f->r.request);
	http_request_cancel(f->r.request);
	assert_int_equal(f->r.calls, 0);
	wait_done(f);
	assert_int_equal(f->r.code, ECANCELED);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(f->r.calls, 1);
}

static void
closing_the_client_cancels_what_runs(void **state)
{
	struct fixture *f = *state;

	f->server.deaf = true;
	start(f, (struct http_request_options){ 0 });
	http_client_close(f->client, NULL, NULL);
	f->client = NULL;
	wait_done(f);
	assert_int_equal(f->r.code, ECANCELED);
}

static void
an_absent_socket_is_named(void **state)
{
	struct fixture *f = *state;

	http_client_close(f->client, NULL, NULL);
	open_client(f, "unix:///nowhere/docker.sock");
	get(f, (struct http_request_options){ 0 });
	assert_int_equal(f->r.code, ENOENT);
	assert_non_null(strstr(f->r.message, "/nowhere/docker.sock"));
	assert_non_null(strstr(f->r.message, "No such file"));
}

static void
tcp_works_and_a_closed_port_is_refused(void **state)
{
	struct fixture *f = *state;
	struct faulty tcp = { 0 };

	http_client_close(f->client, NULL, NULL);
	open_client(f, "tcp://127.0.0.1:23001");
	get(f, (struct http_request_options){ 0 });
	assert_int_equal(f->r.code, ECONNREFUSED);
	faulty_say(&tcp, OK_HEAD "Content-Length: 3\r\n\r\ntcp");
	faulty_start(&tcp, &f->loop, "127.0.0.1:23001");
	get(f, (struct http_request_options){ 0 });
	assert_string_equal(f->r.body, "tcp");
	faulty_stop(&tcp);
}

static void
urls_of_other_forms_are_refused(void **state)
{
	static const char *const bad[] = { "", "unix:", "unix:relative",
		"ftp://a:1", "tcp://", "http://a:1/path", "a:1",
		"http://user@a:1" };
	struct fixture *f = *state;

	for (size_t i = 0; i < countof(bad); i++) {
		struct http_endpoint endpoint = { .url = bad[i] };
		struct error e = { 0 };

		assert_null(http_client_new(&f->loop, &endpoint, &e));
		assert_true(strlen(e.msg) > 0);
	}
}

static void
a_token_that_would_split_the_header_is_refused(void **state)
{
	struct fixture *f = *state;
	struct http_endpoint endpoint = { .url = "http://a:1",
		.bearer_token = "a\r\nX: y" };
	struct error e = { 0 };

	assert_null(http_client_new(&f->loop, &endpoint, &e));
}

struct chain {
	struct fixture *f;
	unsigned left;
	unsigned failed;
	unsigned calls;
};

static void
chain_done(void *arg, const struct http_response *response)
{
	struct chain *c = arg;
	struct http_request_options o = {
		.target = "/", .done = chain_done, .arg = c
	};

	c->calls++;
	if (response->error != NULL)
		c->failed++;
	if (c->left > 0) {
		c->left--;
		(void)http_request_start(c->f->client, &o);
	}
}

static bool
chain_data(void *arg, const char *bytes, size_t len)
{
	struct chain *c = arg;
	struct http_request_options o = {
		.target = "/", .done = chain_done, .arg = c
	};

	(void)bytes;
	(void)len;
	(void)http_request_start(c->f->client, &o);
	return true;
}

static void
requests_can_be_started_from_every_callback(void **state)
{
	struct fixture *f = *state;
	struct chain c = { .f = f, .left = 50 };
	struct http_request_options o = { .target = "/",
		.on_data = chain_data,
		.done = chain_done,
		.arg = &c };

	faulty_say(&f->server, OK_HEAD "Content-Length: 1\r\n\r\nx");
	(void)http_request_start(f->client, &o);
	while (c.calls < 52)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(c.failed, 0);
}

static void
many_requests_at_once_leave_no_descriptor(void **state)
{
	struct fixture *f = *state;
	struct chain c = { .f = f };
	struct http_request_options o = {
		.target = "/", .done = chain_done, .arg = &c
	};
	unsigned before;

	http_client_close(f->client, NULL, NULL);
	f->client = NULL;
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	before = count_fds();
	open_client(f, f->address);
	faulty_say(&f->server, OK_HEAD "Content-Length: 1\r\n\r\nx");
	for (int i = 0; i < 300; i++)
		(void)http_request_start(f->client, &o);
	while (c.calls < 300)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(c.failed, 0);
	http_client_close(f->client, NULL, NULL);
	f->client = NULL;
	while (f->server.open > 0)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(count_fds(), before);
}

static void
connections_are_not_inherited(void **state)
{
	struct fixture *f = *state;
	unsigned inherited = 0;

	f->server.deaf = true;
	start(f, (struct http_request_options){ 0 });
	while (f->server.request_len == 0)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	for (int fd = 3; fd < 200; fd++) {
		struct sockaddr_storage a;
		socklen_t len = sizeof(a);
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && (flags & FD_CLOEXEC) == 0 &&
		    getpeername(fd, (struct sockaddr *)&a, &len) == 0 &&
		    len > sizeof(sa_family_t))
			inherited++;
	}
	assert_int_equal(inherited, 0);
}

static void
escaping_leaves_only_unreserved_characters(void **state)
{
	STR_AUTO(s, 100);

	(void)state;
	http_add_escaped(&s, "a-Z_0.~/{\"\0\xff", 12);
	assert_string_equal(s.p, "a-Z_0.~%2F%7B%22%00%FF");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_whole_answer_arrives_and_the_connection_is_used_again),
		T(every_method_goes_out_by_its_name),
		T(a_server_that_never_answers_runs_into_the_deadline),
		T(one_byte_at_a_time_runs_into_the_total_deadline),
		T(a_slow_answer_within_the_deadlines_arrives),
		T(a_stream_that_falls_silent_ends),
		T(what_goes_on_arriving_is_given_more_time),
		T(slow_work_on_a_body_leaves_the_loop_its_turns),
		T(an_answer_that_is_cut_at_any_byte_is_an_error),
		T(fewer_bytes_than_promised_are_an_error),
		T(what_is_not_http_is_an_error),
		T(a_body_over_the_maximum_is_refused),
		T(the_body_of_an_error_is_gathered_beside_a_stream),
		T(a_receiver_can_stop_the_stream),
		T(a_cancelled_request_completes_once_from_the_loop),
		T(closing_the_client_cancels_what_runs),
		T(an_absent_socket_is_named),
		T(tcp_works_and_a_closed_port_is_refused),
		T(urls_of_other_forms_are_refused),
		T(a_token_that_would_split_the_header_is_refused),
		T(requests_can_be_started_from_every_callback),
		T(many_requests_at_once_leave_no_descriptor),
		T(connections_are_not_inherited),
		T(escaping_leaves_only_unreserved_characters),
	};

	/* As programs do. */
	(void)signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
