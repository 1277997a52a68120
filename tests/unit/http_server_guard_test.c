/* loop/http_server: who and what is kept out */
#define PORT "23011"
#include "http_server_fixture.h"

#include <errno.h>
#include <netinet/in.h>

#include "../lib/pki.h"

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
open_tls_server(struct fixture *f)
{
	char *ca _cleanup_free_ = in_folder(f, "ca.crt");
	char *cert _cleanup_free_ = in_folder(f, "server.crt");
	char *key _cleanup_free_ = in_folder(f, "server.key");

	make_certificates(f);
	open_server(f,
	    (struct http_server_options){ .listen = TCP,
		.tls_ca = ca,
		.tls_cert = cert,
		.tls_key = key });
}

static void
only_our_authority_s_clients_are_served_over_tls(void **state)
{
	struct fixture *f = *state;

	open_tls_server(f);
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
	struct http_request *r;

	open_tls_server(f);
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
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(23011),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned turns = 0;
	uint64_t end;

	open_tls_server(f);
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
		T(a_port_in_use_and_odd_addresses_are_named),
		T(more_connections_than_the_limit_wait_their_turn),
		T(a_wrong_token_is_not_authorized),
		T(bodies_over_the_maximum_are_refused),
		T(broken_requests_reach_no_handler),
		T(silent_connections_are_dropped_after_the_idle_time),
		T(only_our_authority_s_clients_are_served_over_tls),
		T(a_peer_that_leaves_a_tls_long_poll_is_noticed),
		T(a_stalled_handshake_does_not_spin_the_loop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	open_libraries();
	return cmocka_run_group_tests_name(
	    "http_server_guard", tests, NULL, NULL);
}
