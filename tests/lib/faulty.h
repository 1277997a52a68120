/*
 * For unit tests: a server on the loop that plays a script of bytes to each
 * connection after its first request head, with pauses, and then closes,
 * hangs, or waits for the next request.
 */
#ifndef TESTS_LIB_FAULTY_H
#define TESTS_LIB_FAULTY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "loop/listen_socket.h"

struct faulty {
	uv_loop_t *loop;
	uv_pipe_t listener; /* any stream socket */
	const char *bytes;  /* what it says */
	size_t len;
	size_t piece;	   /* so many at once; 0: all */
	unsigned pause_ms; /* between pieces */
	bool deaf;	   /* says nothing at all */
	bool hang;	   /* does not close at the end */
	unsigned accepted;
	unsigned open; /* connections */
	char request[4096];
	size_t request_len;
	VEC(struct faulty_peer *) peers;
};

struct faulty_peer {
	uv_pipe_t pipe;
	uv_timer_t timer;
	struct faulty *faulty;
	size_t said;
	bool talking;
	bool closing;
	unsigned handles;
	char in[8192];
};

static void
faulty_on_closed(uv_handle_t *h)
{
	struct faulty_peer *p = h->data;

	if (--p->handles == 0)
		free(p);
}

static void
faulty_drop(struct faulty_peer *p)
{
	struct faulty *f = p->faulty;

	if (p->closing)
		return;
	p->closing = true;
	f->open--;
	for (size_t i = 0; i < f->peers.len; i++) {
		if (f->peers.at[i] == p) {
			vec_remove(&f->peers, i);
			break;
		}
	}
	uv_close((uv_handle_t *)&p->pipe, faulty_on_closed);
	uv_close((uv_handle_t *)&p->timer, faulty_on_closed);
}

struct faulty_write {
	uv_write_t req;
	struct faulty_peer *peer;
	bool last;
};

static void
faulty_on_written(uv_write_t *req, int status)
{
	struct faulty_write *w = container_of(req, struct faulty_write, req);
	struct faulty_peer *p = w->peer;

	if (w->last && status == 0 && !p->faulty->hang)
		faulty_drop(p);
	free(w);
}

static void
faulty_talk(uv_timer_t *t)
{
	struct faulty_peer *p = t->data;
	struct faulty *f = p->faulty;
	size_t n = f->len - p->said;
	struct faulty_write *w;
	uv_buf_t buf;

	if (p->closing)
		return;
	if (f->piece != 0 && n > f->piece)
		n = f->piece;
	w = xcalloc(1, sizeof(*w));
	w->peer = p;
	buf = uv_buf_init((char *)(uintptr_t)f->bytes + p->said, (unsigned)n);
	p->said += n;
	w->last = p->said == f->len;
	(void)uv_write(
	    &w->req, (uv_stream_t *)&p->pipe, &buf, 1, faulty_on_written);
	if (!w->last)
		(void)uv_timer_start(&p->timer, faulty_talk, f->pause_ms, 0);
}

static void
faulty_alloc(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
	struct faulty_peer *p = h->data;

	(void)size;
	*buf = uv_buf_init(p->in, sizeof(p->in));
}

static void
faulty_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct faulty_peer *p = s->data;
	struct faulty *f = p->faulty;
	size_t room = sizeof(f->request) - 1 - f->request_len;

	if (n < 0) {
		faulty_drop(p);
		return;
	}
	if (room > (size_t)n)
		room = (size_t)n;
	memcpy(f->request + f->request_len, buf->base, room);
	f->request_len += room;
	f->request[f->request_len] = '\0';
	if (f->deaf || p->talking ||
	    memmem(f->request, f->request_len, "\r\n\r\n", 4) == NULL)
		return;
	p->talking = true;
	(void)uv_timer_start(&p->timer, faulty_talk, 0, 0);
}

static void
faulty_on_connection(uv_stream_t *s, int status)
{
	struct faulty *f = s->data;
	struct faulty_peer *p = xcalloc(1, sizeof(*p));

	must(status == 0);
	p->faulty = f;
	p->pipe.data = p->timer.data = p;
	p->handles = 2;
	must(uv_pipe_init(f->loop, &p->pipe, 0) == 0);
	must(uv_timer_init(f->loop, &p->timer) == 0);
	must(uv_accept(s, (uv_stream_t *)&p->pipe) == 0);
	f->accepted++;
	f->open++;
	vec_push(&f->peers, p);
	must(uv_read_start(
		 (uv_stream_t *)&p->pipe, faulty_alloc, faulty_read) == 0);
}

static inline void
faulty_start(struct faulty *f, uv_loop_t *loop, const char *address)
{
	bool local;
	struct error e = { 0 };
	int fd = listen_socket(address, 0600, 511, &local, &e);

	must(fd >= 0);
	f->loop = loop;
	must(uv_pipe_init(loop, &f->listener, 0) == 0);
	must(uv_pipe_open(&f->listener, fd) == 0);
	f->listener.data = f;
	must(uv_listen(
		 (uv_stream_t *)&f->listener, 511, faulty_on_connection) == 0);
}

static inline void
faulty_say(struct faulty *f, const char *bytes)
{
	f->bytes = bytes;
	f->len = strlen(bytes);
}

static inline void
faulty_stop(struct faulty *f)
{
	while (f->peers.len > 0)
		faulty_drop(f->peers.at[0]);
	vec_fini(&f->peers);
	uv_close((uv_handle_t *)&f->listener, NULL);
}

#endif
