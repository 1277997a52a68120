/*
 * HTTP server by libmicrohttpd on the loop: see http_server.h.
 *
 * microhttpd runs in its external epoll mode: its epoll descriptor is polled
 * by libuv and its timeout kept by a timer.  An exchange that waits for its
 * answer is suspended; microhttpd then neither times it out nor notices that
 * its peer left, so the connection's descriptor is watched here.
 */
#include "loop/http_server.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/listen_socket.h"

#define BODY_MAX ((size_t)1024 * 1024)
#define STREAM_MAX ((size_t)1024 * 1024)
#define TLS_FILE_MAX ((size_t)1024 * 1024)
#define CONNECTIONS 256
#define IDLE_S 60
#define BACKLOG 511

struct http_server {
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	http_handler_fn *handler;
	void *arg;
	char *unix_path; /* to remove at the end */
	char *token;
	size_t max_body;
	bool local;
	bool tls;
	bool running; /* inside MHD_run() */
	bool again;   /* and it has to run once more */
	bool closing;
	unsigned open_handles;
	struct http_exchange *first; /* all exchanges */
	struct str ca, cert, key;
	void (*closed)(void *arg);
	void *closed_arg;
};

enum exchange_state {
	RECEIVING,
	HANDLED,  /* the handler has it */
	ANSWERED, /* 'response' waits to be queued */
	STREAMING,
	QUEUED, /* microhttpd has the answer */
	DEAD,	/* the peer left; the connection is dropped */
};

struct http_exchange {
	struct http_server *server;
	struct http_exchange *next, *prev;
	struct MHD_Connection *connection;
	enum exchange_state state;
	char *method;
	char *path;
	struct str body;
	bool authorized;
	bool in_callback; /* microhttpd waits for our return */
	bool suspended;
	struct peer_watch *watch;
	void (*gone)(void *arg, struct http_exchange *x);
	void *gone_arg;
	struct MHD_Response *response;
	unsigned status;
	struct str stream;
	bool stream_queued;
	bool stream_ended;
};

/* Watches a suspended exchange's connection for its end. */
struct peer_watch {
	uv_poll_t poll;
	struct http_server *server;
	struct http_exchange *exchange;
};

static void handle_closed(struct http_server *s);

/* ------------------------------------------------------- run microhttpd */

static void on_timer(uv_timer_t *timer);

static void
set_timer(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (s->again)
		(void)uv_timer_start(&s->timer, on_timer, 0, 0);
	else if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		(void)uv_timer_start(&s->timer, on_timer, ms, 0);
	else
		(void)uv_timer_stop(&s->timer);
}

static void
run(struct http_server *s)
{
	if (s->closing)
		return;
	s->again = false;
	s->running = true;
	(void)MHD_run(s->daemon);
	s->running = false;
	if (!s->closing)
		set_timer(s);
}

static void
on_timer(uv_timer_t *timer)
{
	run(container_of(timer, struct http_server, timer));
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(container_of(poll, struct http_server, poll));
}

/* Resumed connections go on in the loop's next turn. */
static void
run_soon(struct http_server *s)
{
	s->again = true;
	if (!s->closing && !s->running)
		set_timer(s);
}

/* ------------------------------------------------------ suspend and resume */

static void
on_watch_closed(uv_handle_t *handle)
{
	struct peer_watch *w = container_of(handle, struct peer_watch, poll);
	struct http_server *s = w->server;

	free(w);
	handle_closed(s);
}

static void
unwatch(struct http_exchange *x)
{
	struct peer_watch *w = x->watch;

	if (w == NULL)
		return;
	x->watch = NULL;
	w->exchange = NULL;
	/* Takes the descriptor off the loop at once; it may be closed then. */
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static void
tell_gone(struct http_exchange *x)
{
	void (*gone)(void *, struct http_exchange *) = x->gone;

	x->gone = NULL;
	if (gone != NULL)
		gone(x->gone_arg, x);
}

static void
resume(struct http_exchange *x)
{
	if (!x->suspended)
		return;
	x->suspended = false;
	unwatch(x);
	MHD_resume_connection(x->connection);
	run_soon(x->server);
}

static void
on_peer_event(uv_poll_t *poll, int status, int events)
{
	struct peer_watch *w = container_of(poll, struct peer_watch, poll);
	struct http_exchange *x = w->exchange;

	if (x == NULL || (status == 0 && (events & UV_DISCONNECT) == 0))
		return;
	x->state = DEAD;
	tell_gone(x);
	resume(x);
}

static void
suspend(struct http_exchange *x)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct peer_watch *w = xcalloc(1, sizeof(*w));

	must(!x->suspended);
	x->suspended = true;
	MHD_suspend_connection(x->connection);
	w->server = x->server;
	w->exchange = x;
	if (info == NULL ||
	    uv_poll_init(x->server->loop, &w->poll, info->connect_fd) != 0) {
		free(w);
		return;
	}
	x->server->open_handles++;
	x->watch = w;
	(void)uv_poll_start(&w->poll, UV_DISCONNECT, on_peer_event);
}

/* -------------------------------------------------------------- answering */

static enum MHD_Result
queue(struct http_exchange *x)
{
	enum MHD_Result ok =
	    MHD_queue_response(x->connection, x->status, x->response);

	MHD_destroy_response(x->response);
	x->response = NULL;
	if (x->state == ANSWERED)
		x->state = QUEUED;
	return ok;
}

static void
set_response(struct http_exchange *x, unsigned status, const char *type,
    struct MHD_Response *response)
{
	if (response == NULL)
		oom();
	x->status = status;
	x->response = response;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
	    type == NULL ? "application/json" : type);
	(void)MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (!x->in_callback)
		resume(x);
}

void
http_answer(struct http_exchange *x, unsigned status, const char *type,
    const void *body, size_t len)
{
	must(x->state == HANDLED);
	x->state = ANSWERED;
	x->gone = NULL;
	/* microhttpd takes the bytes as not const, but copies them. */
	set_response(x, status, type,
	    MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY));
}

void
http_answer_error(
    struct http_exchange *x, unsigned status, const char *fmt, ...)
{
	char *text _cleanup_free_ = NULL;
	STR_AUTO(body, 65536);
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	str_add(&body, "{\"error\":");
	str_add_json(&body, text, strnlen(text, 8192));
	str_add(&body, "}\n");
	http_answer(x, status, NULL, body.p, body.len);
}

/* microhttpd asks for more of a stream. */
static ssize_t
on_stream_read(void *arg, uint64_t position, char *buf, size_t max)
{
	struct http_exchange *x = arg;
	size_t n = x->stream.len < max ? x->stream.len : max;

	(void)position;
	if (x->state == DEAD)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && x->stream_ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		suspend(x);
		return 0;
	}
	memcpy(buf, x->stream.p, n);
	str_drop(&x->stream, n);
	return (ssize_t)n;
}

void
http_stream_begin(struct http_exchange *x, const char *type)
{
	must(x->state == HANDLED);
	x->state = STREAMING;
	set_response(x, MHD_HTTP_OK, type,
	    MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, 16384, on_stream_read, x, NULL));
}

bool
http_stream_write(struct http_exchange *x, const void *bytes, size_t len)
{
	must(x->state == STREAMING && !x->stream_ended);
	str_addn(&x->stream, bytes, len);
	if (x->stream_queued)
		resume(x);
	return !x->stream.overflow;
}

void
http_stream_end(struct http_exchange *x)
{
	must(x->state == STREAMING);
	x->gone = NULL;
	x->stream_ended = true;
	if (x->stream_queued)
		resume(x);
}

/* --------------------------------------------------------------- receiving */

static bool
token_is_right(const struct http_server *s, struct MHD_Connection *connection)
{
	const char *given = MHD_lookup_connection_value(
	    connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
	size_t len = strlen(s->token);
	unsigned char differ = 0;

	if (given == NULL || strncasecmp(given, "Bearer ", 7) != 0)
		return false;
	given += 7;
	if (strlen(given) != len)
		return false;
	/* The time it takes tells nothing about the token. */
	for (size_t i = 0; i < len; i++)
		differ |= (unsigned char)(given[i] ^ s->token[i]);
	return differ == 0;
}

/* microhttpd asks for a certificate and serves also those without one. */
static bool
certificate_is_right(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned status = 0;

	if (info == NULL)
		return false;
	return gnutls_certificate_verify_peers(
		   info->tls_session, &purpose, 1, &status) == 0 &&
	    status == 0;
}

static struct http_exchange *
exchange_new(struct http_server *s, struct MHD_Connection *connection,
    const char *method, const char *path)
{
	struct http_exchange *x = xcalloc(1, sizeof(*x));

	x->server = s;
	x->connection = connection;
	x->method = xstrdup(method);
	x->path = xstrdup(path);
	str_init(&x->body, s->max_body);
	str_init(&x->stream, STREAM_MAX);
	x->next = s->first;
	if (x->next != NULL)
		x->next->prev = x;
	s->first = x;
	return x;
}

static void
exchange_free(struct http_exchange *x)
{
	struct http_server *s = x->server;

	unwatch(x);
	if (x->response != NULL)
		MHD_destroy_response(x->response);
	if (x->prev != NULL)
		x->prev->next = x->next;
	else
		s->first = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	free(x->method);
	free(x->path);
	str_fini(&x->body);
	str_fini(&x->stream);
	free(x);
}

/* The head is there, the body is not: refuse early what will be refused. */
static enum MHD_Result
check_head(struct http_exchange *x)
{
	struct http_server *s = x->server;
	const char *length = MHD_lookup_connection_value(
	    x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	x->in_callback = true;
	x->authorized = s->tls || s->token != NULL;
	if (s->token != NULL && !token_is_right(s, x->connection))
		x->authorized = false;
	if (s->tls && !certificate_is_right(x->connection)) {
		x->state = HANDLED;
		http_answer_error(
		    x, MHD_HTTP_FORBIDDEN, "no valid client certificate");
	} else if (length != NULL && strtoull(length, NULL, 10) > s->max_body) {
		x->state = HANDLED;
		http_answer_error(x, MHD_HTTP_CONTENT_TOO_LARGE,
		    "a body of at most %zu bytes is taken", s->max_body);
	}
	x->in_callback = false;
	return x->response == NULL ? MHD_YES : queue(x);
}

static void
hand_over(struct http_exchange *x)
{
	struct http_received received = {
		.method = x->method,
		.path = x->path,
		.body = x->body.p,
		.body_len = x->body.len,
		.authorized = x->authorized,
		.local = x->server->local,
	};

	x->state = HANDLED;
	x->in_callback = true;
	x->server->handler(x->server->arg, x, &received);
	x->in_callback = false;
}

/* The request is whole, or an exchange was resumed. */
static enum MHD_Result
proceed(struct http_exchange *x)
{
	if (x->state == RECEIVING)
		hand_over(x);
	switch (x->state) {
	case HANDLED:
		suspend(x);
		return MHD_YES;
	case ANSWERED:
		return queue(x);
	case STREAMING:
		x->stream_queued = true;
		return queue(x);
	case RECEIVING:
	case QUEUED:
	case DEAD:
		break;
	}
	return MHD_NO;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *upload, size_t *len,
    void **state)
{
	struct http_exchange *x = *state;

	(void)version;
	if (x == NULL) {
		*state = x = exchange_new(arg, connection, method, path);
		return check_head(x);
	}
	if (*len > 0) {
		/* More than the head said, or it said nothing. */
		str_addn(&x->body, upload, *len);
		*len = 0;
		return x->body.overflow ? MHD_NO : MHD_YES;
	}
	return proceed(x);
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode how)
{
	struct http_exchange *x = *state;

	(void)arg;
	(void)connection;
	(void)how;
	if (x == NULL)
		return;
	*state = NULL;
	tell_gone(x);
	exchange_free(x);
}

const char *
http_query(struct http_exchange *x, const char *name)
{
	return MHD_lookup_connection_value(
	    x->connection, MHD_GET_ARGUMENT_KIND, name);
}

void
http_on_gone(struct http_exchange *x,
    void (*gone)(void *arg, struct http_exchange *x), void *arg)
{
	x->gone = gone;
	x->gone_arg = arg;
}

/* ------------------------------------------------------------------ server */

static void __attribute__((format(printf, 2, 0)))
on_log(void *arg, const char *fmt, va_list ap)
{
	char *text _cleanup_free_ = xvasprintf(fmt, ap);

	(void)arg;
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

static int
read_tls(
    struct http_server *s, const struct http_server_options *o, struct error *e)
{
	if (o->tls_ca == NULL && o->tls_cert == NULL && o->tls_key == NULL)
		return 0;
	if (o->tls_ca == NULL || o->tls_cert == NULL || o->tls_key == NULL)
		return error_set(e, EINVAL,
		    "TLS needs all three: tls_ca, tls_cert and tls_key");
	s->tls = true;
	if (fs_read(o->tls_ca, &s->ca, e) != 0 ||
	    fs_read(o->tls_cert, &s->cert, e) != 0)
		return -1;
	return fs_read(o->tls_key, &s->key, e);
}

static struct MHD_Daemon *
start_daemon(struct http_server *s, const struct http_server_options *o, int fd)
{
	unsigned flags =
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_TRUST, 0, s->ca.p },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert.p },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, s->key.p },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

	if (s->tls)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
	    fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
	    MHD_OPTION_CONNECTION_LIMIT,
	    o->max_connections == 0 ? CONNECTIONS : o->max_connections,
	    MHD_OPTION_CONNECTION_TIMEOUT,
	    o->idle_timeout_s == 0 ? IDLE_S : o->idle_timeout_s,
	    MHD_OPTION_ARRAY, s->tls ? tls : none, MHD_OPTION_END);
}

static void
server_free(struct http_server *s)
{
	if (s->unix_path != NULL)
		(void)unlink(s->unix_path);
	free(s->unix_path);
	free(s->token);
	str_fini(&s->ca);
	str_fini(&s->cert);
	if (s->key.len > 0)
		explicit_bzero(s->key.p, s->key.len);
	str_fini(&s->key);
	free(s);
}

static void
start_handles(struct http_server *s)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	must(info != NULL);
	must(uv_poll_init(s->loop, &s->poll, info->epoll_fd) == 0);
	must(uv_timer_init(s->loop, &s->timer) == 0);
	s->open_handles = 2;
	must(uv_poll_start(&s->poll, UV_READABLE, on_poll) == 0);
}

struct http_server *
http_server_new(uv_loop_t *loop, const struct http_server_options *o,
    http_handler_fn *handler, void *arg, struct error *e)
{
	struct http_server *s = xcalloc(1, sizeof(*s));
	int fd;

	s->loop = loop;
	s->handler = handler;
	s->arg = arg;
	s->max_body = o->max_body == 0 ? BODY_MAX : o->max_body;
	str_init(&s->ca, TLS_FILE_MAX);
	str_init(&s->cert, TLS_FILE_MAX);
	str_init(&s->key, TLS_FILE_MAX);
	if (o->bearer_token != NULL)
		s->token = xstrdup(o->bearer_token);
	if (read_tls(s, o, e) != 0) {
		server_free(s);
		return NULL;
	}
	fd = listen_socket(o->listen,
	    o->socket_mode == 0 ? 0660 : o->socket_mode, BACKLOG, &s->local, e);
	if (fd < 0) {
		server_free(s);
		return NULL;
	}
	if (s->local)
		s->unix_path = xstrdup(o->listen + strlen("unix:"));
	s->daemon = start_daemon(s, o, fd);
	if (s->daemon == NULL) {
		(void)close(fd);
		(void)error_set(e, EINVAL, "%s: the HTTP server cannot start%s",
		    o->listen,
		    s->tls ? ": do tls_ca, tls_cert and tls_key fit?" : "");
		server_free(s);
		return NULL;
	}
	start_handles(s);
	return s;
}

/* Poll and timer are closed: nobody runs the daemon any more. */
static void
stop_daemon(struct http_server *s)
{
	struct http_exchange *next;

	/* It must not be stopped with suspended connections. */
	for (struct http_exchange *x = s->first; x != NULL; x = next) {
		next = x->next;
		if (x->suspended) {
			x->state = DEAD;
			tell_gone(x);
			resume(x);
		}
	}
	MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
	must(s->first == NULL);
}

static void
handle_closed(struct http_server *s)
{
	must(s->open_handles > 0);
	s->open_handles--;
	if (s->open_handles > 0)
		return;
	must(s->closing && s->daemon == NULL);
	if (s->closed != NULL)
		s->closed(s->closed_arg);
	server_free(s);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	handle_closed(container_of(handle, struct http_server, poll));
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct http_server *s = container_of(handle, struct http_server, timer);

	stop_daemon(s);
	handle_closed(s);
}

void
http_server_close(struct http_server *s, void (*closed)(void *arg), void *arg)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	/*
	 * May be called by a handler, from inside the daemon: that is stopped
	 * by the timer's close callback.
	 */
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
