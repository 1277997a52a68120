/* Output of children to our own: see relay.h. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct relay {
	uv_pipe_t pipe;
	int child_fd; /* the write end, or 'target' itself */
	int out_fd;   /* non-blocking, or 'target' itself */
	int target;
	bool piped;
	bool closing;
	unsigned long dropped;
	size_t len;
	void (*closed)(void *arg);
	void *closed_arg;
	char held[65536]; /* an unfinished line */
	struct log_limit limit;
};

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct relay *r = container_of(handle, struct relay, pipe);

	(void)suggested;
	*buf =
	    uv_buf_init(r->held + r->len, (unsigned)(sizeof(r->held) - r->len));
}

/* At most PIPE_BUF bytes: a pipe takes all of them or none. */
static void
put(struct relay *r, const char *p, size_t len)
{
	if (write(r->out_fd, p, len) == (ssize_t)len)
		return;
	r->dropped++;
	log_limited(&r->limit, LOG_WARN,
	    "agent: output blocked: %lu pieces of it dropped", r->dropped);
}

/* Whole lines in pieces of at most PIPE_BUF, cut between lines if it goes. */
static void
put_lines(struct relay *r, const char *p, size_t len)
{
	while (len > 0) {
		size_t n = len;
		const char *cut;

		if (n > PIPE_BUF) {
			cut = memrchr(p, '\n', PIPE_BUF);
			n = cut != NULL ? (size_t)(cut - p) + 1 : PIPE_BUF;
		}
		put(r, p, n);
		p += n;
		len -= n;
	}
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct relay *r = container_of(stream, struct relay, pipe);
	const char *newline;
	size_t whole;

	(void)buf;
	if (r->closing || n <= 0)
		return; /* the write end is ours: no EOF comes */
	r->len += (size_t)n;
	newline = memrchr(r->held, '\n', r->len);
	whole = newline != NULL ? (size_t)(newline - r->held) + 1 : 0;
	if (whole == 0 && r->len == sizeof(r->held))
		whole = r->len;
	put_lines(r, r->held, whole);
	memmove(r->held, r->held + whole, r->len - whole);
	r->len -= whole;
}

/* A description of our own, so that O_NONBLOCK is nobody else's business. */
static int
reopen(int target)
{
	char path[32];
	int fd, flags;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	fd =
	    open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	/* A socket cannot be opened again. */
	flags = fcntl(target, F_GETFL);
	if (flags >= 0)
		(void)fcntl(target, F_SETFL, flags | O_NONBLOCK);
	return target;
}

static int
open_pipe(struct relay *r, struct error *e)
{
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_errno(e, errno, "pipe for output");
	rc = uv_pipe_open(&r->pipe, ends[0]);
	if (rc == 0)
		rc = uv_read_start((uv_stream_t *)&r->pipe, on_alloc, on_read);
	if (rc != 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return error_set(
		    e, -rc, "pipe for output: %s", uv_strerror(rc));
	}
	r->child_fd = ends[1];
	r->out_fd = reopen(r->target);
	r->piped = true;
	return 0;
}

struct relay *
relay_new(uv_loop_t *loop, int target, bool direct, struct error *e)
{
	struct relay *r = xcalloc(1, sizeof(*r));
	struct stat st;
	int flags;

	r->target = r->child_fd = r->out_fd = target;
	r->limit = (struct log_limit)LOG_LIMIT_INIT(1, 10000);
	must(uv_pipe_init(loop, &r->pipe, 0) == 0);
	if (direct && fstat(target, &st) == 0 && S_ISREG(st.st_mode)) {
		flags = fcntl(target, F_GETFL);
		if (flags >= 0)
			(void)fcntl(target, F_SETFL, flags | O_APPEND);
		return r;
	}
	if (open_pipe(r, e) != 0) {
		relay_close(r, NULL, NULL);
		return NULL;
	}
	return r;
}

int
relay_fd(const struct relay *r)
{
	return r->child_fd;
}

static void
on_close(uv_handle_t *handle)
{
	struct relay *r = container_of(handle, struct relay, pipe);

	put_lines(r, r->held, r->len);
	if (r->piped) {
		(void)close(r->child_fd);
		if (r->out_fd != r->target)
			(void)close(r->out_fd);
	}
	if (r->closed != NULL)
		r->closed(r->closed_arg);
	free(r);
}

void
relay_close(struct relay *r, void (*closed)(void *arg), void *arg)
{
	if (r == NULL || r->closing)
		return;
	r->closing = true;
	r->closed = closed;
	r->closed_arg = arg;
	uv_close((uv_handle_t *)&r->pipe, on_close);
}
