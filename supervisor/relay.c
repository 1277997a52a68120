/* Output of children on its way to ours: see relay.h. */
#include "relay.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define LINES_PER_SECOND 200
#define LINE_MAX_BYTES 16384

struct relay {
	uv_pipe_t pipe;
	char *name;
	struct str line;
	uint64_t second;
	unsigned said;
	unsigned held;
	bool closing;
	void (*ended)(void *arg);
	void *arg;
	char buf[8192];
};

static void
on_closed(uv_handle_t *handle)
{
	struct relay *r = container_of(handle, struct relay, pipe);

	r->ended(r->arg);
	str_fini(&r->line);
	free(r->name);
	free(r);
}

static void
tell_held(struct relay *r)
{
	if (r->held > 0)
		log_warn(
		    "%s: %u lines of its output dropped", r->name, r->held);
	r->held = 0;
}

static void
pass_line(struct relay *r)
{
	uint64_t second = clock_mono_ms() / 1000;

	if (second != r->second) {
		tell_held(r);
		r->second = second;
		r->said = 0;
	}
	if (r->said >= LINES_PER_SECOND) {
		r->held++;
	} else {
		r->said++;
		str_addc(&r->line, '\n');
		(void)!write(STDERR_FILENO, r->line.p, r->line.len);
	}
	str_clear(&r->line);
}

void
relay_close(struct relay *r)
{
	if (r->closing)
		return;
	r->closing = true;
	if (r->line.len > 0)
		pass_line(r);
	tell_held(r);
	uv_close((uv_handle_t *)&r->pipe, on_closed);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct relay *r = container_of(handle, struct relay, pipe);

	(void)suggested;
	*buf = uv_buf_init(r->buf, sizeof(r->buf));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct relay *r = container_of(stream, struct relay, pipe);
	const char *p = buf->base, *end, *newline;

	if (r->closing)
		return;
	if (n < 0) {
		relay_close(r);
		return;
	}
	for (end = p + n; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		str_addn(&r->line, p,
		    (size_t)((newline == NULL ? end : newline) - p));
		if (r->line.len > LINE_MAX_BYTES)
			str_trim(&r->line, LINE_MAX_BYTES);
		if (newline == NULL)
			return;
		pass_line(r);
	}
}

struct relay *
relay_new(uv_loop_t *loop, int fd, const char *name, void (*ended)(void *arg),
    void *arg)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	must(uv_pipe_init(loop, &r->pipe, 0) == 0);
	str_init(&r->line, LINE_MAX_BYTES + sizeof(r->buf) + 1);
	r->name = xstrdup(name);
	r->ended = ended;
	r->arg = arg;
	/* A fresh pipe of ours: refusing it would be a bug, not the world. */
	must(uv_pipe_open(&r->pipe, fd) == 0);
	must(uv_read_start((uv_stream_t *)&r->pipe, on_alloc, on_read) == 0);
	return r;
}
