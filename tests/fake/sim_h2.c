/* HTTP/2 over TLS by nghttp2 and GnuTLS; see sim_h2.h. */
#include "sim_h2.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <nghttp2/nghttp2.h>

#include "base/mem.h"

/* What may wait for a client: as the engine, we never hold one up. */
#define OUT_MAX ((size_t)1 << 31)
#define REQUEST_MAX ((size_t)1024 * 1024)

struct sim_h2_server {
	uv_pipe_t pipe;
	char *path;
	sim_h2_handler *handler;
	void *arg;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	struct sim_h2_connection *first;
	bool closing;
	unsigned users; /* the listener and the connections */
};

struct sim_h2_connection {
	uv_pipe_t pipe;
	struct sim_h2_server *server;
	gnutls_session_t tls;
	nghttp2_session *h2;
	struct str in;	/* bytes of TLS that were not taken yet */
	struct str out; /* bytes of TLS to be written */
	bool shaken;
	bool closing;
	bool pumping;
	struct sim_h2_stream *streams;
	struct sim_h2_connection *next;
};

struct writing {
	uv_write_t req;
	char *bytes;
};

static void
server_unref(struct sim_h2_server *s)
{
	if (--s->users > 0)
		return;
	gnutls_certificate_free_credentials(s->credentials);
	gnutls_priority_deinit(s->priority);
	free(s->path);
	free(s);
}

/* ---------------------------------------------------------------- the end */

static void
stream_free(struct sim_h2_stream *stream)
{
	if (stream->on_gone != NULL)
		stream->on_gone(stream);
	str_fini(&stream->path);
	str_fini(&stream->body);
	str_fini(&stream->out);
	free(stream);
}

static void
on_connection_closed(uv_handle_t *handle)
{
	struct sim_h2_connection *c =
	    container_of(handle, struct sim_h2_connection, pipe);

	nghttp2_session_del(c->h2);
	gnutls_deinit(c->tls);
	str_fini(&c->in);
	str_fini(&c->out);
	server_unref(c->server);
	free(c);
}

static void
drop(struct sim_h2_connection *c)
{
	struct sim_h2_connection **p = &c->server->first;

	if (c->closing)
		return;
	c->closing = true;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	while (c->streams != NULL) {
		struct sim_h2_stream *stream = c->streams;

		c->streams = stream->next;
		stream_free(stream);
	}
	uv_close((uv_handle_t *)&c->pipe, on_connection_closed);
}

/* ---------------------------------------------------------------- TLS */

static ssize_t
on_tls_push(gnutls_transport_ptr_t arg, const void *bytes, size_t len)
{
	struct sim_h2_connection *c = arg;

	str_addn(&c->out, bytes, len);
	return (ssize_t)len;
}

static ssize_t
on_tls_pull(gnutls_transport_ptr_t arg, void *bytes, size_t len)
{
	struct sim_h2_connection *c = arg;

	if (c->in.len == 0) {
		gnutls_transport_set_errno(c->tls, EAGAIN);
		return -1;
	}
	if (len > c->in.len)
		len = c->in.len;
	memcpy(bytes, c->in.p, len);
	str_drop(&c->in, len);
	return (ssize_t)len;
}

static void
on_written(uv_write_t *req, int status)
{
	struct writing *w = container_of(req, struct writing, req);

	(void)status;
	free(w->bytes);
	free(w);
}

static void
flush(struct sim_h2_connection *c)
{
	struct writing *w;
	uv_buf_t buf;

	if (c->out.len == 0 || c->closing)
		return;
	w = xcalloc(1, sizeof(*w));
	buf.len = c->out.len;
	w->bytes = buf.base = str_take(&c->out);
	if (uv_write(&w->req, (uv_stream_t *)&c->pipe, &buf, 1, on_written) !=
	    0) {
		free(w->bytes);
		free(w);
		drop(c);
	}
}

/* Everything that nghttp2 has to say, through TLS, to the peer. */
static void
pump(struct sim_h2_connection *c)
{
	if (c->pumping || !c->shaken || c->closing)
		return;
	c->pumping = true;
	for (;;) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(c->h2, &bytes);

		if (n <= 0)
			break;
		/* Pushing to memory never falls short. */
		while (n > 0) {
			ssize_t sent =
			    gnutls_record_send(c->tls, bytes, (size_t)n);

			must(sent > 0);
			bytes += sent;
			n -= sent;
		}
	}
	c->pumping = false;
	flush(c);
}

/* ---------------------------------------------------------------- HTTP/2 */

static int
on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct sim_h2_connection *c = arg;
	struct sim_h2_stream *stream;

	if (frame->hd.type != NGHTTP2_HEADERS ||
	    frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	stream = xcalloc(1, sizeof(*stream));
	stream->connection = c;
	stream->id = frame->hd.stream_id;
	stream->grpc_status = -1;
	str_init(&stream->path, 1024);
	str_init(&stream->body, REQUEST_MAX);
	str_init(&stream->out, OUT_MAX);
	stream->next = c->streams;
	c->streams = stream;
	(void)nghttp2_session_set_stream_user_data(h2, stream->id, stream);
	return 0;
}

static int
on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct sim_h2_stream *stream =
	    nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	(void)flags;
	(void)arg;
	if (stream != NULL && name_len == 5 && memcmp(name, ":path", 5) == 0)
		str_addn(&stream->path, value, len);
	return 0;
}

static int
on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *bytes,
    size_t len, void *arg)
{
	struct sim_h2_stream *stream =
	    nghttp2_session_get_stream_user_data(h2, id);

	(void)flags;
	(void)arg;
	if (stream != NULL)
		str_addn(&stream->body, bytes, len);
	return 0;
}

static int
on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct sim_h2_connection *c = arg;
	struct sim_h2_stream *stream =
	    nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	if (stream == NULL || stream->handled ||
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	stream->handled = true;
	c->server->handler(c->server->arg, stream);
	return c->closing ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int
on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
	struct sim_h2_connection *c = arg;
	struct sim_h2_stream **p = &c->streams;
	struct sim_h2_stream *stream =
	    nghttp2_session_get_stream_user_data(h2, id);

	(void)code;
	while (*p != NULL && *p != stream)
		p = &(*p)->next;
	if (*p == NULL)
		return 0;
	*p = stream->next;
	stream_free(stream);
	return 0;
}

/* nghttp2 asks for more of the answer. */
static ssize_t
on_body_wanted(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t max,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct sim_h2_stream *stream = source->ptr;
	size_t n = stream->out.len < max ? stream->out.len : max;
	char status[12];

	(void)arg;
	memcpy(buf, stream->out.p, n);
	str_drop(&stream->out, n);
	if (stream->out.len > 0)
		return (ssize_t)n;
	if (!stream->ended)
		return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->grpc_status >= 0) {
		nghttp2_nv trailers[] = {
			{ (uint8_t *)"grpc-status", (uint8_t *)status, 11, 0,
			    0 },
			{ (uint8_t *)"grpc-message",
			    (uint8_t *)stream->grpc_message, 12,
			    strlen(stream->grpc_message), 0 },
		};

		trailers[0].valuelen = (size_t)snprintf(
		    status, sizeof(status), "%d", stream->grpc_status);
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		(void)nghttp2_submit_trailer(h2, id, trailers, 2);
	}
	return (ssize_t)n;
}

static int
start_h2(struct sim_h2_connection *c)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		oom();
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
	    callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(
	    callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    callbacks, on_stream_close);
	if (nghttp2_session_server_new(&c->h2, callbacks, c) != 0)
		oom();
	nghttp2_session_callbacks_del(callbacks);
	return nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, NULL, 0);
}

/* ---------------------------------------------------------------- the peer */

static void
take(struct sim_h2_connection *c)
{
	uint8_t bytes[16384];

	if (!c->shaken) {
		int rc = gnutls_handshake(c->tls);

		flush(c);
		if (rc != 0) {
			if (gnutls_error_is_fatal(rc))
				drop(c);
			return;
		}
		c->shaken = true;
		if (start_h2(c) != 0) {
			drop(c);
			return;
		}
	}
	/* What handlers say meanwhile waits: nghttp2 is on the stack. */
	c->pumping = true;
	for (;;) {
		ssize_t n = gnutls_record_recv(c->tls, bytes, sizeof(bytes));

		if (n == GNUTLS_E_AGAIN)
			break;
		if (n <= 0 ||
		    nghttp2_session_mem_recv(c->h2, bytes, (size_t)n) < 0) {
			drop(c);
			return;
		}
	}
	c->pumping = false;
	pump(c);
}

static void
on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	(void)handle;
	buf->base = xmalloc(size);
	buf->len = size;
}

static void
on_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *buf)
{
	struct sim_h2_connection *c =
	    container_of(pipe, struct sim_h2_connection, pipe);

	if (n > 0 && !c->closing) {
		str_addn(&c->in, buf->base, (size_t)n);
		take(c);
	} else if (n < 0) {
		drop(c);
	}
	free(buf->base);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct sim_h2_server *s =
	    container_of(listener, struct sim_h2_server, pipe);
	gnutls_datum_t alpn = { (unsigned char *)"h2", 2 };
	struct sim_h2_connection *c;

	if (status != 0 || s->closing)
		return;
	c = xcalloc(1, sizeof(*c));
	c->server = s;
	s->users++;
	c->next = s->first;
	s->first = c;
	str_init(&c->in, OUT_MAX);
	str_init(&c->out, OUT_MAX);
	must(uv_pipe_init(listener->loop, &c->pipe, 0) == 0);
	if (gnutls_init(&c->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK) != 0)
		oom();
	(void)gnutls_priority_set(c->tls, s->priority);
	(void)gnutls_credentials_set(
	    c->tls, GNUTLS_CRD_CERTIFICATE, s->credentials);
	(void)gnutls_alpn_set_protocols(c->tls, &alpn, 1, 0);
	gnutls_transport_set_ptr(c->tls, c);
	gnutls_transport_set_push_function(c->tls, on_tls_push);
	gnutls_transport_set_pull_function(c->tls, on_tls_pull);
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) != 0 ||
	    uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0)
		drop(c);
}

/* ---------------------------------------------------------------- API */

/* A key and a certificate that it signs itself. */
static int
make_certificate(struct sim_h2_server *s)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	time_t now = time(NULL);
	unsigned char serial = 1;
	int rc;

	if (gnutls_x509_privkey_init(&key) != 0 ||
	    gnutls_x509_crt_init(&cert) != 0)
		oom();
	rc = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (rc == 0)
		rc = gnutls_x509_crt_set_version(cert, 3);
	if (rc == 0)
		rc = gnutls_x509_crt_set_serial(cert, &serial, 1);
	if (rc == 0)
		rc = gnutls_x509_crt_set_activation_time(cert, now - 86400);
	if (rc == 0)
		rc = gnutls_x509_crt_set_expiration_time(
		    cert, now + (time_t)3650 * 86400);
	if (rc == 0)
		rc = gnutls_x509_crt_set_dn(cert, "CN=swarm-manager", NULL);
	if (rc == 0)
		rc = gnutls_x509_crt_set_key(cert, key);
	if (rc == 0)
		rc = gnutls_x509_crt_sign2(
		    cert, cert, key, GNUTLS_DIG_SHA256, 0);
	if (rc == 0)
		rc = gnutls_certificate_set_x509_key(
		    s->credentials, &cert, 1, key);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_privkey_deinit(key);
	return rc;
}

struct sim_h2_server *
sim_h2_listen(uv_loop_t *loop, const char *path, sim_h2_handler *handler,
    void *arg, struct error *e)
{
	struct sim_h2_server *s = xcalloc(1, sizeof(*s));
	int rc;

	s->handler = handler;
	s->arg = arg;
	s->path = xstrdup(path);
	s->users = 1;
	if (gnutls_certificate_allocate_credentials(&s->credentials) != 0 ||
	    gnutls_priority_init(&s->priority, "NORMAL", NULL) != 0)
		oom();
	rc = make_certificate(s);
	if (rc != 0) {
		(void)error_set(
		    e, EINVAL, "certificate: %s", gnutls_strerror(rc));
		server_unref(s);
		return NULL;
	}
	must(uv_pipe_init(loop, &s->pipe, 0) == 0);
	(void)unlink(path);
	rc = uv_pipe_bind(&s->pipe, path);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&s->pipe, 64, on_connection);
	if (rc == 0)
		rc = chmod(path, 0600) == 0 ? 0 : -errno;
	if (rc != 0) {
		(void)error_set(e, -rc, "%s: %s", path, uv_strerror(rc));
		sim_h2_close(s);
		return NULL;
	}
	return s;
}

static void
on_listener_closed(uv_handle_t *handle)
{
	server_unref(container_of(handle, struct sim_h2_server, pipe));
}

void
sim_h2_close(struct sim_h2_server *s)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	while (s->first != NULL)
		drop(s->first);
	(void)unlink(s->path);
	uv_close((uv_handle_t *)&s->pipe, on_listener_closed);
}

static void
submit_head(
    struct sim_h2_stream *stream, const nghttp2_nv *nv, size_t n, bool has_body)
{
	nghttp2_data_provider body = { .source.ptr = stream,
		.read_callback = on_body_wanted };

	stream->answered = true;
	(void)nghttp2_submit_response(
	    stream->connection->h2, stream->id, nv, n, has_body ? &body : NULL);
	pump(stream->connection);
}

void
sim_h2_answer(struct sim_h2_stream *stream, const char *status,
    const char *content_type, int grpc_status, const char *grpc_message)
{
	char number[12];
	nghttp2_nv nv[] = {
		{ (uint8_t *)":status", (uint8_t *)(uintptr_t)status, 7,
		    strlen(status), 0 },
		{ (uint8_t *)"content-type", (uint8_t *)(uintptr_t)content_type,
		    12, strlen(content_type), 0 },
		{ (uint8_t *)"grpc-status", (uint8_t *)number, 11, 0, 0 },
		{ (uint8_t *)"grpc-message", (uint8_t *)(uintptr_t)grpc_message,
		    12, grpc_message != NULL ? strlen(grpc_message) : 0, 0 },
	};

	must(!stream->answered);
	nv[2].valuelen =
	    (size_t)snprintf(number, sizeof(number), "%d", grpc_status);
	submit_head(stream, nv, grpc_status >= 0 ? 4 : 2, grpc_status < 0);
}

void
sim_h2_write(struct sim_h2_stream *stream, const void *bytes, size_t len)
{
	must(stream->answered && !stream->ended);
	str_addn(&stream->out, bytes, len);
	(void)nghttp2_session_resume_data(stream->connection->h2, stream->id);
	pump(stream->connection);
}

void
sim_h2_end(
    struct sim_h2_stream *stream, int grpc_status, const char *grpc_message)
{
	struct sim_h2_connection *c = stream->connection;
	size_t len = grpc_message != NULL ? strlen(grpc_message) : 0;

	must(stream->answered && !stream->ended);
	if (len > sizeof(stream->grpc_message) - 1)
		len = sizeof(stream->grpc_message) - 1;
	if (len > 0)
		memcpy(stream->grpc_message, grpc_message, len);
	stream->grpc_status = grpc_status;
	stream->ended = true;
	(void)nghttp2_session_resume_data(c->h2, stream->id);
	pump(c);
}

void
sim_h2_cut(struct sim_h2_stream *stream)
{
	drop(stream->connection);
}
