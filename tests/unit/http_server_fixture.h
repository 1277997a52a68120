/*
 * A server that keeps what it was asked and answers by the path, a client, and
 * bare sockets.  Whoever includes it has a PORT of its own: tests run side by
 * side.
 */
#ifndef TESTS_UNIT_HTTP_SERVER_FIXTURE_H
#define TESTS_UNIT_HTTP_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <gnutls/gnutls.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/vec.h"
#include "loop/http_client.h"
#include "loop/http_server.h"

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

static inline unsigned
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

static inline void
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

static inline void
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

static inline void
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

static inline void
open_server(struct fixture *f, struct http_server_options o)
{
	struct error e = { 0 };

	o.listen = o.listen == NULL ? f->address : o.listen;
	f->server = http_server_new(&f->loop, &o, handler, f, &e);
	if (f->server == NULL)
		fail_msg("%s", e.msg);
}

static inline void
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

static inline int
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

static inline void
on_server_closed(void *arg)
{
	struct fixture *f = arg;

	f->server_closed++;
}

static inline int
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

static inline void
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

static inline bool
on_data(void *arg, const char *bytes, size_t len)
{
	struct fixture *f = arg;

	(void)bytes;
	f->data_len += len;
	return true;
}

static inline struct http_request *
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

static inline void
get(struct fixture *f, const char *target)
{
	unsigned before = f->done;

	(void)start(f, target);
	wait_for(f, f->done == before + 1);
}

/* A blocking socket to the server. */
static inline int
dial(struct fixture *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s.sock", f->folder);
	must(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

static inline void
say(int fd, const char *text)
{
	must(send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	    (ssize_t)strlen(text));
}

/* Reads until 'text' came, or the end; gives all that came. */
static inline char *
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

/* The libraries open descriptors of their own once. */
static inline void
open_libraries(void)
{
	uv_loop_t once;

	/* As programs do. */
	(void)signal(SIGPIPE, SIG_IGN);
	must(gnutls_global_init() == 0);
	must(uv_loop_init(&once) == 0 && uv_loop_close(&once) == 0);
}

#endif
