/*
 * HTTP server by libmicrohttpd on the loop: see http_server.h.
 *
 * microhttpd runs in its external epoll mode: its epoll descriptor is polled
 * by libuv and its timeouts are kept by a timer.
 */
#include "loop/http_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_internal.h"
#include "loop/listen_socket.h"

#define BODY_MAX ((size_t)1024 * 1024)
#define TLS_FILE_MAX ((size_t)1024 * 1024)
#define CONNECTIONS 256
#define IDLE_S 60
#define BACKLOG 511
#define SPINS 16
#define SPIN_PAUSE_MS 5

static void on_timer(uv_timer_t *timer);
static void on_idle(uv_idle_t *idle);

/*
 * microhttpd wants to run at once.  While a TLS handshake is under way it
 * always does (0.9.75 does not take note that there is nothing to read); its
 * events wake us anyway, so only the first runs are at once.
 */
static void
run_at_once(struct http_server *s)
{
	if (s->handshakes > 0 && s->spins++ >= SPINS) {
		(void)uv_timer_start(&s->timer, on_timer, SPIN_PAUSE_MS, 0);
		return;
	}
	/* No timer of 0 ms: those would keep the loop from everything else. */
	(void)uv_timer_stop(&s->timer);
	(void)uv_idle_start(&s->idle, on_idle);
}

static void
set_timer(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;

	(void)uv_idle_stop(&s->idle);
	if (!s->again && MHD_get_timeout(s->daemon, &ms) != MHD_YES)
		(void)uv_timer_stop(&s->timer);
	else if (s->again || ms == 0)
		run_at_once(s);
	else
		(void)uv_timer_start(&s->timer, on_timer, ms, 0);
}

static unsigned
connections(const struct http_server *s)
{
	return MHD_get_daemon_info(
	    s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
	    ->num_connections;
}

static void
run(struct http_server *s)
{
	unsigned before;

	if (s->closing)
		return;
	s->again = false;
	s->running = true;
	before = connections(s);
	(void)MHD_run(s->daemon);
	/*
	 * At its limit it takes its listener off, and puts it back only in
	 * the run after the one that closed a connection.
	 */
	if (connections(s) < before)
		s->again = true;
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
on_idle(uv_idle_t *idle)
{
	run(container_of(idle, struct http_server, idle));
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct http_server *s = container_of(poll, struct http_server, poll);

	(void)status;
	(void)events;
	s->spins = 0;
	run(s);
}

void
http_run_soon(struct http_server *s)
{
	s->again = true;
	s->spins = 0;
	if (!s->closing && !s->running)
		set_timer(s);
}

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
	return MHD_start_daemon(flags, 0, NULL, NULL, http_on_request, s,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
	    fd, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, s,
	    MHD_OPTION_CONNECTION_LIMIT,
	    o->max_connections == 0 ? CONNECTIONS : o->max_connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, s->idle_s, MHD_OPTION_ARRAY,
	    s->tls ? tls : none, MHD_OPTION_END);
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
	must(uv_idle_init(s->loop, &s->idle) == 0);
	s->open_handles = 3;
	must(uv_poll_start(&s->poll, UV_READABLE, on_poll) == 0);
}

struct http_server *
http_server_new(uv_loop_t *loop, const struct http_server_options *o,
    http_handler_fn *handler, void *arg, struct error *e)
{
	struct http_server *s = xcalloc(1, sizeof(*s));
	int fd, defer_s = 5;

	s->loop = loop;
	s->handler = handler;
	s->arg = arg;
	s->idle_s = o->idle_timeout_s == 0 ? IDLE_S : o->idle_timeout_s;
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
	if (s->tls && !s->local)
		/* A peer that says nothing is not even accepted. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s,
		    sizeof(defer_s));
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
		if (x->suspended)
			http_drop(x);
	}
	MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
	must(s->first == NULL);
}

void
http_handle_closed(struct http_server *s)
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
	http_handle_closed(container_of(handle, struct http_server, poll));
}

static void
on_idle_closed(uv_handle_t *handle)
{
	http_handle_closed(container_of(handle, struct http_server, idle));
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct http_server *s = container_of(handle, struct http_server, timer);

	stop_daemon(s);
	http_handle_closed(s);
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
	uv_close((uv_handle_t *)&s->idle, on_idle_closed);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
