/*
 * Requests of the HTTP server: who may make them, their bodies, and handing
 * them over to the program.
 */
#include <string.h>
#include <strings.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/http_internal.h"

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

	http_unwatch(x);
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

/* A head has this long to arrive, from the connection's start. */
#define HEAD_S 10

void
http_on_connection(void *arg, struct MHD_Connection *connection, void **state,
    enum MHD_ConnectionNotificationCode what)
{
	struct http_server *s = arg;
	struct http_connection *c = *state;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*state = c = xcalloc(1, sizeof(*c));
		c->server = s;
		s->handshakes += s->tls ? 1 : 0;
		if (s->idle_s > HEAD_S)
			(void)MHD_set_connection_option(
			    connection, MHD_CONNECTION_OPTION_TIMEOUT, HEAD_S);
		return;
	}
	if (!c->greeted)
		s->handshakes -= s->tls ? 1 : 0;
	*state = NULL;
	free(c);
}

/* The first head of a connection: it may take its time from now on. */
static void
greet(const struct http_exchange *x)
{
	struct http_connection *c = MHD_get_connection_info(
	    x->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
					->socket_context;

	if (c->greeted)
		return;
	c->greeted = true;
	x->server->handshakes -= x->server->tls ? 1 : 0;
	(void)MHD_set_connection_option(
	    x->connection, MHD_CONNECTION_OPTION_TIMEOUT, x->server->idle_s);
}

/* The head is there, the body is not: refuse early what will be refused. */
static enum MHD_Result
check_head(struct http_exchange *x)
{
	struct http_server *s = x->server;
	const char *length = MHD_lookup_connection_value(
	    x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	greet(x);
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
	return x->response == NULL ? MHD_YES : http_queue(x);
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
		http_suspend(x);
		return MHD_YES;
	case ANSWERED:
		return http_queue(x);
	case STREAMING:
		x->stream_queued = true;
		return http_queue(x);
	case RECEIVING:
	case QUEUED:
	case DEAD:
		break;
	}
	return MHD_NO;
}

enum MHD_Result
http_on_request(void *arg, struct MHD_Connection *connection, const char *path,
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

void
http_on_completed(void *arg, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode how)
{
	struct http_exchange *x = *state;

	(void)arg;
	(void)connection;
	(void)how;
	if (x == NULL)
		return;
	*state = NULL;
	http_tell_gone(x);
	exchange_free(x);
}
