/* libcurl's multi interface on libuv: see curl_glue.h. */
#include "loop/curl_glue.h"

#include <curl/curl.h>

#include "base/mem.h"

struct curl_glue {
	uv_loop_t *loop;
	uv_timer_t timer;
	CURLM *multi;
	curl_glue_done_fn *done;
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
	unsigned open_handles;
	bool busy;
	bool closing;
};

/* One socket of curl's. */
struct watch {
	uv_poll_t poll;
	struct curl_glue *glue;
	curl_socket_t fd;
};

static void
handle_closed(struct curl_glue *g)
{
	must(g->open_handles > 0);
	g->open_handles--;
	if (g->open_handles > 0)
		return;
	if (g->closed != NULL)
		g->closed(g->closed_arg);
	free(g);
}

static void
on_watch_closed(uv_handle_t *handle)
{
	struct watch *w = container_of(handle, struct watch, poll);
	struct curl_glue *g = w->glue;

	free(w);
	handle_closed(g);
}

static void
collect_done(struct curl_glue *g)
{
	CURLMsg *message;
	int left;

	while (!g->closing &&
	    (message = curl_multi_info_read(g->multi, &left)) != NULL) {
		CURL *easy = message->easy_handle;
		int code = (int)message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		must(curl_multi_remove_handle(g->multi, easy) == CURLM_OK);
		g->done(g->arg, easy, code);
	}
}

static void
act(struct curl_glue *g, curl_socket_t fd, int events)
{
	int running;

	g->busy = true;
	(void)curl_multi_socket_action(g->multi, fd, events, &running);
	g->busy = false;
	collect_done(g);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *w = container_of(poll, struct watch, poll);
	int flags = 0;

	if (w->glue->closing)
		return;
	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	act(w->glue, w->fd, flags);
}

static void
on_timer(uv_timer_t *timer)
{
	struct curl_glue *g = container_of(timer, struct curl_glue, timer);

	if (!g->closing)
		act(g, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_glue *g = arg;

	(void)multi;
	if (g->closing)
		return 0;
	/* 0 would be the same turn of the loop: give others a chance. */
	if (timeout_ms < 0)
		(void)uv_timer_stop(&g->timer);
	else
		(void)uv_timer_start(&g->timer, on_timer,
		    timeout_ms == 0 ? 1 : (uint64_t)timeout_ms, 0);
	return 0;
}

static struct watch *
watch_new(struct curl_glue *g, curl_socket_t fd)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->glue = g;
	w->fd = fd;
	if (uv_poll_init_socket(g->loop, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	g->open_handles++;
	(void)curl_multi_assign(g->multi, fd, w);
	return w;
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct curl_glue *g = arg;
	struct watch *w = watch;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			(void)curl_multi_assign(g->multi, fd, NULL);
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		}
		return 0;
	}
	if (w == NULL)
		w = watch_new(g, fd);
	if (w == NULL)
		return -1;
	if (what != CURL_POLL_OUT)
		events |= UV_READABLE;
	if (what != CURL_POLL_IN)
		events |= UV_WRITABLE;
	(void)uv_poll_start(&w->poll, events, on_poll);
	return 0;
}

static void *
resize(void *p, size_t size)
{
	return xreallocarray(p, 1, size);
}

struct curl_glue *
curl_glue_new(uv_loop_t *loop, curl_glue_done_fn *done, void *arg)
{
	struct curl_glue *g = xcalloc(1, sizeof(*g));

	/* Counted by curl; there is nothing to undo. */
	must(curl_global_init_mem(CURL_GLOBAL_ALL, xmalloc, free, resize,
		 xstrdup, xcalloc) == CURLE_OK);
	g->loop = loop;
	g->done = done;
	g->arg = arg;
	g->multi = curl_multi_init();
	if (g->multi == NULL)
		oom();
	must(uv_timer_init(loop, &g->timer) == 0);
	g->open_handles = 1;
	(void)curl_multi_setopt(
	    g->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	(void)curl_multi_setopt(g->multi, CURLMOPT_SOCKETDATA, g);
	(void)curl_multi_setopt(
	    g->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	(void)curl_multi_setopt(g->multi, CURLMOPT_TIMERDATA, g);
	return g;
}

void
curl_glue_add(struct curl_glue *g, void *easy)
{
	must(!g->busy && !g->closing);
	must(curl_multi_add_handle(g->multi, easy) == CURLM_OK);
}

void
curl_glue_remove(struct curl_glue *g, void *easy)
{
	must(!g->busy);
	g->busy = true;
	must(curl_multi_remove_handle(g->multi, easy) == CURLM_OK);
	g->busy = false;
}

bool
curl_glue_busy(const struct curl_glue *g)
{
	return g->busy;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	handle_closed(container_of(handle, struct curl_glue, timer));
}

void
curl_glue_close(struct curl_glue *g, void (*closed)(void *arg), void *arg)
{
	must(!g->busy && !g->closing);
	g->closing = true;
	g->closed = closed;
	g->closed_arg = arg;
	/* Tells the sockets of idle connections, whose watches close then. */
	must(curl_multi_cleanup(g->multi) == CURLM_OK);
	g->multi = NULL;
	uv_close((uv_handle_t *)&g->timer, on_timer_closed);
}
