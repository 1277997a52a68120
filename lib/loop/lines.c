/* Lines over a stream socket: see lines.h.  Used by every program. */
#include "loop/lines.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

struct lines {
	uv_pipe_t pipe;
	struct str in;
	size_t scanned; /* no newline before this */
	lines_fn *on_line;
	lines_end_fn *on_end;
	lines_drained_fn *on_drained;
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
	bool closing;
	bool ended;
	char chunk[65536];
};

struct line_write {
	uv_write_t req;
	struct lines *lines;
	uv_buf_t buf;
	char bytes[];
};

static void
end(struct lines *l, const struct error *e)
{
	if (l->ended || l->closing)
		return;
	l->ended = true;
	(void)uv_read_stop((uv_stream_t *)&l->pipe);
	l->on_end(l->arg, e);
}

static void
end_with(struct lines *l, int uv_status, const char *what)
{
	struct error e;

	(void)error_set(&e, -uv_status, "%s: %s", what, uv_strerror(uv_status));
	end(l, &e);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct lines *l = container_of(handle, struct lines, pipe);

	(void)suggested;
	*buf = uv_buf_init(l->chunk, sizeof(l->chunk));
}

/* Hands over the whole lines; what is left stays for the next bytes. */
static void
cut_lines(struct lines *l)
{
	size_t start = 0;
	char *newline;

	while (!l->closing && !l->ended &&
	    (newline = memchr(
		 l->in.p + l->scanned, '\n', l->in.len - l->scanned)) != NULL) {
		char *line = l->in.p + start;
		size_t len = (size_t)(newline - line);

		*newline = '\0';
		start += len + 1;
		l->scanned = start;
		l->on_line(l->arg, line, len);
	}
	if (l->closing)
		return;
	str_drop(&l->in, start);
	l->scanned = l->in.len;
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct lines *l = container_of(stream, struct lines, pipe);
	struct error e;

	if (l->closing || l->ended)
		return;
	if (n == UV_EOF) {
		end(l, NULL);
		return;
	}
	if (n < 0) {
		end_with(l, (int)n, "read");
		return;
	}
	str_addn(&l->in, buf->base, (size_t)n);
	cut_lines(l);
	if (!l->closing && l->in.len > LINES_MAX) {
		(void)error_set(
		    &e, EMSGSIZE, "a line of more than %d bytes", LINES_MAX);
		end(l, &e);
	}
}

struct lines *
lines_new(uv_loop_t *loop, int fd, lines_fn *on_line, lines_end_fn *on_end,
    void *arg, struct error *e)
{
	struct lines *l = xcalloc(1, sizeof(*l));
	int rc;

	l->on_line = on_line;
	l->on_end = on_end;
	l->arg = arg;
	/* One chunk may arrive behind an unfinished line. */
	str_init(&l->in, LINES_MAX + 2 * sizeof(l->chunk));
	must(uv_pipe_init(loop, &l->pipe, 0) == 0);
	rc = uv_pipe_open(&l->pipe, fd);
	if (rc != 0)
		(void)close(fd);
	else
		rc = uv_read_start((uv_stream_t *)&l->pipe, on_alloc, on_read);
	if (rc != 0) {
		(void)error_set(
		    e, -rc, "descriptor %d: %s", fd, uv_strerror(rc));
		lines_close(l, NULL, NULL);
		return NULL;
	}
	return l;
}

void
lines_on_drained(struct lines *l, lines_drained_fn *drained)
{
	l->on_drained = drained;
}

static void
on_written(uv_write_t *req, int status)
{
	struct line_write *w = container_of(req, struct line_write, req);
	struct lines *l = w->lines;

	free(w);
	if (l->closing || l->ended)
		return;
	if (status != 0)
		end_with(l, status, "write");
	else if (l->on_drained != NULL && lines_pending(l) == 0)
		l->on_drained(l->arg);
}

static bool
send_bytes(struct lines *l, const char *bytes, size_t len, bool newline)
{
	struct line_write *w;
	size_t total = len + (newline ? 1 : 0);

	if (l->closing || l->ended || lines_pending(l) > (size_t)LINES_MAX * 8)
		return false;
	w = xmalloc(sizeof(*w) + total);
	w->lines = l;
	memcpy(w->bytes, bytes, len);
	if (newline)
		w->bytes[len] = '\n';
	w->buf = uv_buf_init(w->bytes, (unsigned)total);
	/* Fails only for a stream that is not open: the read side tells. */
	if (uv_write(&w->req, (uv_stream_t *)&l->pipe, &w->buf, 1,
		on_written) != 0) {
		free(w);
		return false;
	}
	return true;
}

bool
lines_send(struct lines *l, const char *line, size_t len)
{
	must(len <= LINES_MAX);
	return send_bytes(l, line, len, true);
}

bool
lines_send_raw(struct lines *l, const char *bytes, size_t len)
{
	return send_bytes(l, bytes, len, false);
}

size_t
lines_pending(const struct lines *l)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&l->pipe);
}

static void
on_close(uv_handle_t *handle)
{
	struct lines *l = container_of(handle, struct lines, pipe);

	str_fini(&l->in);
	if (l->closed != NULL)
		l->closed(l->closed_arg);
	free(l);
}

void
lines_close(struct lines *l, void (*closed)(void *arg), void *arg)
{
	if (l == NULL || l->closing)
		return;
	l->closing = true;
	l->closed = closed;
	l->closed_arg = arg;
	uv_close((uv_handle_t *)&l->pipe, on_close);
}
