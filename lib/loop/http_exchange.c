/*
 * Exchanges of the HTTP server: answers, streams, and waiting for them.  An
 * exchange that waits is suspended; microhttpd then neither times it out nor
 * notices that its peer left, so the connection's descriptor is watched here.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/http_internal.h"

static void
on_watch_closed(uv_handle_t *handle)
{
	struct peer_watch *w = container_of(handle, struct peer_watch, poll);
	struct http_server *s = w->server;

	free(w);
	http_handle_closed(s);
}

void
http_unwatch(struct http_exchange *x)
{
	struct peer_watch *w = x->watch;

	if (w == NULL)
		return;
	x->watch = NULL;
	w->exchange = NULL;
	/* Takes the descriptor off the loop at once; it may be closed then. */
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

void
http_tell_gone(struct http_exchange *x)
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
	http_unwatch(x);
	MHD_resume_connection(x->connection);
	http_run_soon(x->server);
}

void
http_drop(struct http_exchange *x)
{
	x->state = DEAD;
	http_tell_gone(x);
	resume(x);
}

static void
on_peer_event(uv_poll_t *poll, int status, int events)
{
	struct peer_watch *w = container_of(poll, struct peer_watch, poll);
	struct http_exchange *x = w->exchange;

	if (x == NULL || (status == 0 && (events & UV_DISCONNECT) == 0))
		return;
	http_drop(x);
}

void
http_suspend(struct http_exchange *x)
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

enum MHD_Result
http_queue(struct http_exchange *x)
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
		http_suspend(x);
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
