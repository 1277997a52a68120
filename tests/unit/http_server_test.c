/* loop/http_server, asked by loop/http_client and by bare sockets */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../lib/pki.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/vec.h"
#include "loop/http_client.h"
#include "loop/http_server.h"

#define PORT "23010"
#define TCP "127.0.0.1:" PORT

struct fixture {
	uv_loop_t loop;
	char folder[64];
	char address[96];
	struct http_server *server;
	struct http_client *client;
	unsigned before; /* descriptors */
	unsigned handled, gone, server_closed;
	bool authorized, local;
	char method[16], path[256], query[256];
	char *body;
	size_t body_len;
	VEC(struct http_exchange *) waiting;
	struct http_exchange *stream;
	unsigned done, failed;
	long status;
	int code;
	char *answer;
	size_t answer_len, data_len;
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
on_gone(void *arg, struct http_exchange *x)
{
	struct fixture *f = arg;

	f->gone++;
	if (f->stream == x)
		f->stream = NULL;
	for (size_t i = 0; i < f->waiting.len; i++) {
		if (f->waiting.at[i] == x) {
			vec_remove(&f->waiting, i);
			return;
		}
	}
}

static void
keep_request(struct fixture *f, struct http_exchange *x,
    const struct http_received *received)
{
	const char *q = http_query(x, "q");

	f->handled++;
	f->authorized = received->authorized;
	f->local = received->local;
	(void)snprintf(f->method, sizeof(f->method), "%s", received->method);
	(void)snprintf(f->path, sizeof(f->path), "%s", received->path);
	(void)snprintf(
	    f->query, sizeof(f->query), "%s", q == NULL ? "(none)" : q);
	free(f->body);
	f->body = xmemdup0(received->body, received->body_len);
	f->body_len = received->body_len;
}

static void
handler(
    void *arg, struct http_exchange *x, const struct http_received *received)
{
	struct fixture *f = arg;

	keep_request(f, x, received);
	if (strcmp(received->path, "/later") == 0) {
		http_on_gone(x, on_gone, f);
		vec_push(&f->waiting, x);
	} else if (strcmp(received->path, "/stream") == 0) {
		http_on_gone(x, on_gone, f);
		http_stream_begin(x, "text/event-stream");
		f->stream = x;
	} else if (strcmp(received->path, "/wake") == 0) {
		while (f->waiting.len > 0) {
			http_answer(f->waiting.at[0], 200, NULL, "woken", 5);
			vec_remove(&f->waiting, 0);
		}
		http_answer(x, 204, NULL, "", 0);
	} else if (strcmp(received->path, "/error") == 0) {
		http_answer_error(x, 409, "it \"%s\"", "clashes");
	} else if (strcmp(received->path, "/close") == 0) {
		http_answer(x, 200, NULL, "bye", 3);
		http_server_close(f->server, NULL, NULL);
		f->server = NULL;
	} else {
		http_answer(x, 200, "text/plain", "hello", 5);
	}
}

static void
open_server(struct fixture *f, struct http_server_options o)
{
	struct error e = { 0 };

	o.listen = o.listen == NULL ? f->address : o.listen;
	f->server = http_server_new(&f->loop, &o, handler, f, &e);
	if (f->server == NULL)
		fail_msg("%s", e.msg);
}

static void
open_client(struct fixture *f, struct http_endpoint endpoint)
{
	struct error e = { 0 };

	if (f->client != NULL)
		http_client_close(f->client, NULL, NULL);
	endpoint.url = endpoint.url == NULL ? f->address : endpoint.url;
	f->client = http_client_new(&f->loop, &endpoint, &e);
	if (f->client == NULL)
		fail_msg("%s", e.msg);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	f->before = count_fds();
	must(uv_loop_init(&f->loop) == 0);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/bh-httpd-XXXXXX");
	must(mkdtemp(f->folder) != NULL);
	(void)snprintf(
	    f->address, sizeof(f->address), "unix:%s/s.sock", f->folder);
	return 0;
}

static void
on_server_closed(void *arg)
{
	struct fixture *f = arg;

	f->server_closed++;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	http_client_close(f->client, NULL, NULL);
	http_server_close(f->server, on_server_closed, f);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	must(f->server == NULL || f->server_closed == 1);
	must(uv_loop_close(&f->loop) == 0);
	must(fs_remove_tree(f->folder, NULL) == 0);
	assert_int_equal(count_fds(), f->before);
	vec_fini(&f->waiting);
	free(f->body);
	free(f->answer);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct http_response *response)
{
	struct fixture *f = arg;

	f->done++;
	if (response->error != NULL)
		f->failed++;
	f->code = response->error == NULL ? 0 : response->error->code;
	f->status = response->status;
	free(f->answer);
	f->answer = xmemdup0(response->body, response->body_len);
	f->answer_len = response->body_len;
}

static bool
on_data(void *arg, const char *bytes, size_t len)
{
	struct fixture *f = arg;

	(void)bytes;
	f->data_len += len;
	return true;
}

static struct http_request *
start(struct fixture *f, const char *target)
{
	struct http_request_options o = { .target = target,
		.first_byte_ms = 20000,
		.done = on_done,
		.arg = f };

	return http_request_start(f->client, &o);
}

#define wait_for(f, condition)                                                 \
	do {                                                                   \
		uint64_t end_ = clock_mono_ms() + 20000;                       \
		while (!(condition) && clock_mono_ms() < end_)                 \
			(void)uv_run(&(f)->loop, UV_RUN_ONCE);                 \
		assert_true(condition);                                        \
	} while (0)

static void
get(struct fixture *f, const char *target)
{
	unsigned before = f->done;

	(void)start(f, target);
	wait_for(f, f->done == before + 1);
}

/* A blocking socket to the server. */
static int
dial(struct fixture *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s.sock", f->folder);
	must(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	must(send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	    (ssize_t)strlen(text));
}

/* Reads until 'text' came, or the end; gives all that came. */
static char *
hear(struct fixture *f, int fd, const char *text)
{
	static char buf[65536];
	size_t len = 0;
	uint64_t end = clock_mono_ms() + 20000;

	buf[0] = '\0';
	while (strstr(buf, text) == NULL && clock_mono_ms() < end) {
		ssize_t n =
		    recv(fd, buf + len, sizeof(buf) - 1 - len, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0) {
			len += (size_t)n;
			buf[len] = '\0';
		}
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	return buf;
}

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
a_port_in_use_and_odd_addresses_are_named(void **state)
{
	static const char *const odd[] = { "", "nowhere", ":80",
		"1.2.3.4:", "a.example:80", "127.0.0.1:port",
		"unix:/no/such/folder/s" };
	struct fixture *f = *state;
	struct http_server_options o = { .listen = TCP };
	struct error e = { 0 };

	open_server(f, o);
	assert_null(http_server_new(&f->loop, &o, handler, f, &e));
	assert_int_equal(e.code, EADDRINUSE);
	assert_non_null(strstr(e.msg, TCP));
	for (size_t i = 0; i < countof(odd); i++) {
		o.listen = odd[i];
		assert_null(http_server_new(&f->loop, &o, handler, f, &e));
		assert_non_null(strstr(e.msg, "listen on"));
	}
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
more_connections_than_the_limit_wait_their_turn(void **state)
{
	struct fixture *f = *state;
	int fds[20];

	open_server(f, (struct http_server_options){ .max_connections = 4 });
	for (size_t i = 0; i < countof(fds); i++) {
		fds[i] = dial(f);
		say(fds[i],
		    "GET / HTTP/1.1\r\nHost: x\r\n"
		    "Connection: close\r\n\r\n");
	}
	for (size_t i = 0; i < countof(fds); i++) {
		assert_non_null(strstr(hear(f, fds[i], "hello"), "200 OK"));
		(void)close(fds[i]);
	}
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

static void
a_wrong_token_is_not_authorized(void **state)
{
	static const char *const wrong[] = { "secreT", "secre", "secrets",
		"x" };
	struct fixture *f = *state;

	open_server(
	    f, (struct http_server_options){ .bearer_token = "secret" });
	open_client(f, (struct http_endpoint){ 0 });
	get(f, "/");
	assert_false(f->authorized);
	for (size_t i = 0; i < countof(wrong); i++) {
		open_client(
		    f, (struct http_endpoint){ .bearer_token = wrong[i] });
		get(f, "/");
		assert_false(f->authorized);
	}
	open_client(f, (struct http_endpoint){ .bearer_token = "secret" });
	get(f, "/");
	assert_true(f->authorized);
}

static void
bodies_over_the_maximum_are_refused(void **state)
{
	struct fixture *f = *state;
	char *big = xcalloc(1, 200001);
	struct http_request_options o = { .method = "POST",
		.target = "/",
		.body = big,
		.body_len = 100001,
		.done = on_done,
		.arg = f };
	int fd;

	memset(big, 'x', 200000);
	open_server(f, (struct http_server_options){ .max_body = 100000 });
	open_client(f, (struct http_endpoint){ 0 });
	(void)http_request_start(f->client, &o);
	wait_for(f, f->done == 1);
	assert_true(f->status == 413 || f->code != 0);
	assert_int_equal(f->handled, 0);
	o.body_len = 100000;
	(void)http_request_start(f->client, &o);
	wait_for(f, f->done == 2);
	assert_int_equal(f->status, 200);
	assert_int_equal(f->body_len, 100000);
	fd = dial(f);
	say(fd,
	    "POST / HTTP/1.1\r\nHost: x\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n20000\r\n");
	(void)send(fd, big, 131072, MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_null(strstr(hear(f, fd, "200 OK"), "200 OK"));
	assert_int_equal(f->handled, 1);
	(void)close(fd);
	free(big);
}

static void
broken_requests_reach_no_handler(void **state)
{
	static const char *const broken[] = { "\x16\x03\x01\r\n\r\n",
		"GET\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"GET / HTTP/1.1\r\n" };
	struct fixture *f = *state;

	open_server(f, (struct http_server_options){ 0 });
	for (size_t i = 0; i < countof(broken); i++) {
		int fd = dial(f);

		say(fd, broken[i]);
		(void)shutdown(fd, SHUT_WR);
		(void)hear(f, fd, "200 OK");
		(void)close(fd);
	}
	assert_int_equal(f->handled, 0);
	open_client(f, (struct http_endpoint){ 0 });
	get(f, "/");
	assert_int_equal(f->status, 200);
}

static void
silent_connections_are_dropped_after_the_idle_time(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_server(f, (struct http_server_options){ .idle_timeout_s = 1 });
	fd = dial(f);
	say(fd, "GET / HT");
	assert_int_equal(strlen(hear(f, fd, "never")), 0);
	(void)close(fd);
}

static char *
in_folder(struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->folder, name);
}

static long
get_with(struct fixture *f, const char *ca, const char *name)
{
	char *ca_path _cleanup_free_ = xasprintf("%s/%s.crt", f->folder, ca);
	char *cert _cleanup_free_ =
	    xasprintf("%s/%s.crt", f->folder, name == NULL ? "" : name);
	char *key _cleanup_free_ =
	    xasprintf("%s/%s.key", f->folder, name == NULL ? "" : name);

	open_client(f,
	    (struct http_endpoint){ .url = "https://" TCP,
		.tls_ca = ca_path,
		.tls_cert = name == NULL ? NULL : cert,
		.tls_key = name == NULL ? NULL : key });
	f->status = 0;
	get(f, "/");
	return f->status;
}

static void
make_certificates(struct fixture *f)
{
	struct pki_entity ca = pki_make(f->folder, "ca", NULL, NULL, false);
	struct pki_entity other =
	    pki_make(f->folder, "other-ca", NULL, NULL, false);
	struct pki_entity made[] = {
		pki_make(
		    f->folder, "server", &ca, GNUTLS_KP_TLS_WWW_SERVER, false),
		pki_make(
		    f->folder, "agent", &ca, GNUTLS_KP_TLS_WWW_CLIENT, false),
		pki_make(
		    f->folder, "expired", &ca, GNUTLS_KP_TLS_WWW_CLIENT, true),
		pki_make(f->folder, "stranger", &other,
		    GNUTLS_KP_TLS_WWW_CLIENT, false),
	};

	for (size_t i = 0; i < countof(made); i++)
		pki_free(&made[i]);
	pki_free(&ca);
	pki_free(&other);
}

static void
only_our_authority_s_clients_are_served_over_tls(void **state)
{
	struct fixture *f = *state;
	char *ca _cleanup_free_ = in_folder(f, "ca.crt");
	char *cert _cleanup_free_ = in_folder(f, "server.crt");
	char *key _cleanup_free_ = in_folder(f, "server.key");

	make_certificates(f);
	open_server(f,
	    (struct http_server_options){ .listen = TCP,
		.tls_ca = ca,
		.tls_cert = cert,
		.tls_key = key });
	assert_int_equal(get_with(f, "ca", "agent"), 200);
	assert_int_equal(f->handled, 1);
	assert_true(f->authorized);
	assert_false(f->local);
	assert_int_not_equal(get_with(f, "ca", NULL), 200);
	assert_int_not_equal(get_with(f, "ca", "expired"), 200);
	assert_int_not_equal(get_with(f, "ca", "stranger"), 200);
	assert_int_not_equal(get_with(f, "ca", "server"), 200);
	assert_int_equal(f->handled, 1);
	/* And the client does not take a server of another authority. */
	assert_int_equal(get_with(f, "other-ca", "agent"), 0);
	assert_int_not_equal(f->code, 0);
	open_client(f, (struct http_endpoint){ .url = "http://" TCP });
	get(f, "/");
	assert_int_equal(f->handled, 1);
	assert_int_equal(get_with(f, "ca", "agent"), 200);
}

static void
a_peer_that_leaves_a_tls_long_poll_is_noticed(void **state)
{
	struct fixture *f = *state;
	char *ca _cleanup_free_ = in_folder(f, "ca.crt");
	char *cert _cleanup_free_ = in_folder(f, "server.crt");
	char *key _cleanup_free_ = in_folder(f, "server.key");
	struct http_request *r;

	make_certificates(f);
	open_server(f,
	    (struct http_server_options){ .listen = TCP,
		.tls_ca = ca,
		.tls_cert = cert,
		.tls_key = key });
	assert_int_equal(get_with(f, "ca", "agent"), 200);
	r = start(f, "/later");
	wait_for(f, f->waiting.len == 1);
	http_answer(f->waiting.at[0], 200, NULL, "late", 4);
	f->waiting.len = 0;
	wait_for(f, f->done == 2);
	assert_string_equal(f->answer, "late");
	r = start(f, "/later");
	wait_for(f, f->waiting.len == 1);
	http_request_cancel(r);
	wait_for(f, f->gone == 1);
}

static void
a_stalled_handshake_does_not_spin_the_loop(void **state)
{
	struct fixture *f = *state;
	char *ca _cleanup_free_ = in_folder(f, "ca.crt");
	char *cert _cleanup_free_ = in_folder(f, "server.crt");
	char *key _cleanup_free_ = in_folder(f, "server.key");
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(23010),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned turns = 0;
	uint64_t end;

	make_certificates(f);
	open_server(f,
	    (struct http_server_options){ .listen = TCP,
		.tls_ca = ca,
		.tls_cert = cert,
		.tls_key = key });
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	/* The head of a record that says more will come. */
	must(send(fd, "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL) == 6);
	end = clock_mono_ms() + 500;
	while (clock_mono_ms() < end) {
		(void)uv_run(&f->loop, UV_RUN_ONCE);
		turns++;
	}
	/* And others are served meanwhile. */
	assert_int_equal(get_with(f, "ca", "agent"), 200);
	assert_in_range(turns, 1, 250);
	(void)close(fd);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_request_and_its_answer_pass_whole),
		T(the_socket_has_the_mode_asked_for_and_goes_away),
		T(a_stale_socket_is_replaced_and_a_file_is_not),
		T(a_port_in_use_and_odd_addresses_are_named),
		T(a_long_poll_is_answered_later),
		T(one_request_answers_300_that_wait),
		T(more_connections_than_the_limit_wait_their_turn),
		T(a_peer_that_leaves_while_it_waits_is_noticed),
		T(a_cancelled_long_poll_is_gone),
		T(closing_the_server_ends_what_waits),
		T(a_handler_may_close_its_server),
		T(a_stream_passes_what_is_written_until_its_end),
		T(a_slow_reader_of_a_stream_is_told),
		T(a_reader_that_leaves_a_stream_is_noticed),
		T(a_wrong_token_is_not_authorized),
		T(bodies_over_the_maximum_are_refused),
		T(broken_requests_reach_no_handler),
		T(silent_connections_are_dropped_after_the_idle_time),
		T(only_our_authority_s_clients_are_served_over_tls),
		T(a_peer_that_leaves_a_tls_long_poll_is_noticed),
		T(a_stalled_handshake_does_not_spin_the_loop),
	};

	uv_loop_t once;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	/* The libraries open descriptors of their own once. */
	must(gnutls_global_init() == 0);
	must(uv_loop_init(&once) == 0 && uv_loop_close(&once) == 0);
	return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
