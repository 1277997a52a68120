/*
 * Connections and answers of the simulator's HTTP server; sim_http_parse.c
 * reads requests.
 */
#include "sim_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "sim_http_parse.h"

#define STREAM_BACKLOG ((size_t)16 * 1024 * 1024)

union any_handle {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

struct sim_http_conn {
	union any_handle h;
	struct sim_http_server *server; /* NULL after it was closed */
	struct sim_http_conn *prev, *next;
	struct str in;
	struct sim_http_parse parse;
	struct sim_http_request req;
	void (*on_bytes)(struct sim_http_request *, const char *, size_t);
	bool busy; /* a request is with the handler */
	bool keep;
	bool streaming;
	bool closing;
	bool in_handler;
	char peer[INET_ADDRSTRLEN];
};

struct sim_http_server {
	union any_handle h;
	uv_loop_t *loop;
	bool is_pipe;
	bool closing;	/* the handle's close was asked for */
	bool closed;	/* and is done */
	bool forgotten; /* nobody refers to it any more */
	sim_http_fn *on_request;
	void *arg;
	void *owned;
	struct sim_http_conn *conns;
	void (*on_drained)(void *arg);
	void *drained_arg;
};

struct write {
	uv_write_t req;
	char *bytes;
	bool close_after;
};

static void conn_next(struct sim_http_conn *c);

/* After the last of its connections, or its own handle, was closed. */
static void
server_release(struct sim_http_server *s)
{
	void (*done)(void *) = s->on_drained;

	if (!s->closed || s->conns != NULL)
		return;
	s->on_drained = NULL;
	if (s->forgotten) {
		free(s->owned);
		free(s);
	} else if (done != NULL) {
		done(s->drained_arg);
	}
}

void
sim_http_own(struct sim_http_server *s, void *owned)
{
	s->owned = owned;
}

static void
on_conn_closed(uv_handle_t *handle)
{
	struct sim_http_conn *c = handle->data;

	str_fini(&c->in);
	sim_http_parse_fini(&c->parse);
	vec_fini(&c->req.headers);
	free(c);
}

static void
conn_close(struct sim_http_conn *c)
{
	struct sim_http_server *s = c->server;

	if (c->closing)
		return;
	c->closing = true;
	if (c->busy && c->req.on_gone != NULL)
		c->req.on_gone(&c->req);
	c->busy = false;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->server = NULL;
	uv_close(&c->h.handle, on_conn_closed);
	if (s->closing)
		server_release(s);
}

static void
on_written(uv_write_t *req, int status)
{
	struct write *w = container_of(req, struct write, req);
	struct sim_http_conn *c = req->handle->data;

	if ((status != 0 || w->close_after) && !c->closing)
		conn_close(c);
	free(w->bytes);
	free(w);
}

/* Takes 'bytes'. */
static void
conn_write(struct sim_http_conn *c, char *bytes, size_t len, bool close_after)
{
	struct write *w;
	uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);
	int n;

	must(len <= UINT32_MAX);
	if (!close_after && c->h.stream.write_queue_size == 0) {
		n = uv_try_write(&c->h.stream, &buf, 1);
		if (n == (int)len) {
			free(bytes);
			return;
		}
		if (n > 0) {
			memmove(bytes, bytes + n, len - (size_t)n);
			buf.len -= (size_t)n;
		}
	}
	w = xcalloc(1, sizeof(*w));
	w->bytes = bytes;
	w->close_after = close_after;
	if (uv_write(&w->req, &c->h.stream, &buf, 1, on_written) != 0) {
		free(bytes);
		free(w);
		conn_close(c);
	}
}

static const char *
reason_phrase(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 409, "Conflict" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < countof(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "Status";
}

static void
add_head(struct str *out, const struct sim_http_request *req, int status,
    const char *type)
{
	str_addf(out, "HTTP/1.1 %d %s\r\n", status, reason_phrase(status));
	if (type != NULL)
		str_addf(out, "Content-Type: %s\r\n", type);
	if (req->extra_headers != NULL)
		str_add(out, req->extra_headers);
}

/* Hands the answer out; 'announce' may be more than 'len' (a cut answer). */
static void
answer(struct sim_http_request *req, int status, const char *type,
    const char *body, size_t len, size_t announce)
{
	struct sim_http_conn *c = req->conn;
	bool head = strcmp(req->method, "HEAD") == 0;
	bool cut = announce != len;
	bool bare = status == 204 || status == 304 || status < 200;
	struct str out;
	size_t size;

	if (!c->busy)
		return;
	str_init(&out, SIZE_MAX / 8);
	add_head(&out, req, status, type);
	if (!bare)
		str_addf(&out, "Content-Length: %zu\r\n", announce);
	if (!c->keep || c->server->closing)
		str_add(&out, "Connection: close\r\n");
	str_add(&out, "\r\n");
	if (!head && !bare)
		str_addn(&out, body, len);
	size = out.len;
	c->busy = false;
	req->on_gone = NULL;
	cut = cut || !c->keep || c->server->closing;
	conn_write(c, str_take(&out), size, cut);
	if (!cut && !c->in_handler && !c->closing)
		conn_next(c);
}

void
sim_http_answer(struct sim_http_request *req, int status, const char *type,
    const char *body, size_t len)
{
	answer(req, status, type, body, len, len);
}

void
sim_http_answer_cut(struct sim_http_request *req, int status, const char *type,
    const char *body, size_t len, size_t sent)
{
	answer(req, status, type, body, sent < len ? sent : len, len + 1);
}

void
sim_http_send(struct sim_http_request *req, const char *bytes, size_t len)
{
	struct sim_http_conn *c = req->conn;

	if (c->closing)
		return;
	if (c->h.stream.write_queue_size > STREAM_BACKLOG) {
		conn_close(c);
		return;
	}
	conn_write(c, xmemdup0(bytes, len), len, false);
}

void
sim_http_stream(struct sim_http_request *req, const char *type)
{
	struct str out;

	str_init(&out, SIM_HTTP_HEAD_MAX);
	add_head(&out, req, 200, type);
	str_add(&out, "Transfer-Encoding: chunked\r\n\r\n");
	req->conn->streaming = true;
	sim_http_send(req, out.p, out.len);
	str_fini(&out);
}

void
sim_http_chunk(struct sim_http_request *req, const char *bytes, size_t len)
{
	struct str out;

	if (len == 0)
		return;
	str_init(&out, len + 64);
	str_addf(&out, "%zx\r\n", len);
	str_addn(&out, bytes, len);
	str_add(&out, "\r\n");
	sim_http_send(req, out.p, out.len);
	str_fini(&out);
}

void
sim_http_stream_end(struct sim_http_request *req)
{
	struct sim_http_conn *c = req->conn;

	if (c->closing)
		return;
	c->busy = false;
	req->on_gone = NULL;
	conn_write(c, xstrdup("0\r\n\r\n"), 5, true);
}

void
sim_http_drop(struct sim_http_request *req)
{
	req->on_gone = NULL;
	conn_close(req->conn);
}

void
sim_http_take_over(struct sim_http_request *req, const char *bytes, size_t len,
    void (*on_bytes)(
	struct sim_http_request *req, const char *bytes, size_t len))
{
	struct sim_http_conn *c = req->conn;

	c->on_bytes = on_bytes;
	sim_http_send(req, bytes, len);
	if (!c->closing && c->in.len > 0) {
		on_bytes(req, c->in.p, c->in.len);
		str_clear(&c->in);
	}
}

const char *
sim_http_header(const struct sim_http_request *req, const char *name)
{
	for (size_t i = 0; i < req->headers.len; i++) {
		if (strcmp(req->headers.at[i].name, name) == 0)
			return req->headers.at[i].value;
	}
	return NULL;
}

static void
bad_request(struct sim_http_conn *c, const struct error *e)
{
	c->busy = true;
	c->keep = false;
	c->req.method = "GET";
	c->req.on_gone = NULL;
	sim_http_answer(&c->req, 400, "text/plain", e->msg, strlen(e->msg));
}

/* Hands out the next whole request that has arrived, if any. */
static void
conn_next(struct sim_http_conn *c)
{
	struct error e;
	int got;

	while (!c->busy && !c->closing && c->on_bytes == NULL) {
		got = sim_http_parse_next(&c->parse, &c->in, &c->req, &e);
		if (got < 0) {
			bad_request(c, &e);
			return;
		}
		if (got == 0 && c->parse.want_continue) {
			static const char text[] =
			    "HTTP/1.1 100 Continue\r\n\r\n";

			c->parse.want_continue = false;
			sim_http_send(&c->req, text, sizeof(text) - 1);
		}
		if (got == 0)
			return;
		c->busy = true;
		c->keep = c->parse.keep;
		c->req.extra_headers = NULL;
		c->req.on_gone = NULL;
		c->req.data = NULL;
		c->in_handler = true;
		c->server->on_request(&c->req, c->server->arg);
		c->in_handler = false;
	}
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(xmalloc(16384), 16384);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct sim_http_conn *c = stream->data;
	char *bytes _cleanup_free_ = buf->base;

	if (c->closing || n == 0)
		return;
	if (n < 0) {
		conn_close(c);
		return;
	}
	if (c->on_bytes != NULL) {
		c->on_bytes(&c->req, bytes, (size_t)n);
		return;
	}
	str_addn(&c->in, bytes, (size_t)n);
	if (c->in.overflow)
		conn_close(c);
	else
		conn_next(c);
}

static void
conn_peer(struct sim_http_conn *c)
{
	struct sockaddr_in address;
	int len = sizeof(address);

	if (c->server->is_pipe ||
	    uv_tcp_getpeername(&c->h.tcp, (struct sockaddr *)&address, &len) !=
		0)
		return;
	(void)inet_ntop(AF_INET, &address.sin_addr, c->peer, sizeof(c->peer));
}

static void
on_connection(uv_stream_t *stream, int status)
{
	struct sim_http_server *s = stream->data;
	struct sim_http_conn *c;

	if (status != 0 || s->closing)
		return;
	c = xcalloc(1, sizeof(*c));
	if (s->is_pipe)
		must(uv_pipe_init(s->loop, &c->h.pipe, 0) == 0);
	else
		must(uv_tcp_init(s->loop, &c->h.tcp) == 0);
	c->h.handle.data = c;
	c->server = s;
	c->req.conn = c;
	c->req.peer = c->peer;
	str_init(&c->in, SIM_HTTP_HEAD_MAX + SIM_HTTP_BODY_MAX);
	sim_http_parse_init(&c->parse);
	c->next = s->conns;
	if (c->next != NULL)
		c->next->prev = c;
	s->conns = c;
	if (uv_accept(stream, &c->h.stream) != 0 ||
	    uv_read_start(&c->h.stream, on_alloc, on_read) != 0) {
		conn_close(c);
		return;
	}
	if (!s->is_pipe)
		(void)uv_tcp_nodelay(&c->h.tcp, 1);
	conn_peer(c);
}

static void
on_server_closed(uv_handle_t *handle)
{
	struct sim_http_server *s = handle->data;

	s->closed = true;
	server_release(s);
}

void
sim_http_drain(
    struct sim_http_server *s, void (*on_drained)(void *arg), void *arg)
{
	struct sim_http_conn *c, *next;

	s->on_drained = on_drained;
	s->drained_arg = arg;
	s->closing = true;
	for (c = s->conns; c != NULL; c = next) {
		next = c->next;
		if (!c->busy && c->h.stream.write_queue_size == 0)
			conn_close(c);
	}
	uv_close(&s->h.handle, on_server_closed);
}

void
sim_http_close(struct sim_http_server *s)
{
	if (s == NULL)
		return;
	s->forgotten = true;
	s->on_drained = NULL;
	if (!s->closing) {
		s->closing = true;
		uv_close(&s->h.handle, on_server_closed);
	}
	if (s->conns == NULL) {
		server_release(s);
		return;
	}
	while (s->conns != NULL) {
		bool last = s->conns->next == NULL;

		conn_close(s->conns);
		if (last)
			break;
	}
}

static int
bind_pipe(struct sim_http_server *s, const char *path)
{
	struct stat st;
	int rc;

	must(uv_pipe_init(s->loop, &s->h.pipe, 0) == 0);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return UV_ENAMETOOLONG;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	rc = uv_pipe_bind(&s->h.pipe, path);
	/* libuv says EACCES for a folder that is not there. */
	return rc == UV_EACCES && errno == ENOENT ? UV_ENOENT : rc;
}

static int
bind_tcp(struct sim_http_server *s, uint32_t address, uint16_t port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address),
		.sin_port = htons(port),
	};

	must(uv_tcp_init(s->loop, &s->h.tcp) == 0);
	return uv_tcp_bind(&s->h.tcp, (struct sockaddr *)&sin, 0);
}

struct sim_http_server *
sim_http_listen(uv_loop_t *loop, const char *path, uint32_t address,
    uint16_t port, sim_http_fn *on_request, void *arg, struct error *e)
{
	struct sim_http_server *s = xcalloc(1, sizeof(*s));
	int rc;

	s->loop = loop;
	s->is_pipe = path != NULL;
	s->on_request = on_request;
	s->arg = arg;
	rc = path != NULL ? bind_pipe(s, path) : bind_tcp(s, address, port);
	s->h.handle.data = s;
	if (rc == 0)
		rc = uv_listen(&s->h.stream, 512, on_connection);
	if (rc == 0)
		return s;
	if (path != NULL)
		(void)error_set(
		    e, -rc, "listen on %s: %s", path, uv_strerror(rc));
	else
		(void)error_set(e, -rc, "listen on %u.%u.%u.%u:%u: %s",
		    address >> 24, address >> 16 & 255, address >> 8 & 255,
		    address & 255, port, uv_strerror(rc));
	sim_http_close(s);
	return NULL;
}
