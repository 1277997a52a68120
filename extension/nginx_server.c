/* Servers: see nginx_server.h. */
#include "nginx_server.h"

#include "nginx_conf.h"
#include "nginx_location.h"
#include "nginx_proxy.h"

#include <string.h>

void
nginx_server_socket(
    struct emit *m, const struct nginx_context *x, const char *name)
{
	if (x->o->live || x->o->dir == NULL) {
		emit_text(m, "unix:");
		emit_literal(m, name);
		return;
	}
	emit_socket(m, x->o->dir, name);
}

void
nginx_server_listen(struct emit *m, const struct nginx_context *x)
{
	if (x->o->live) {
		emit_line(m, "include agent/listen_http.conf");
		return;
	}
	emit_begin(m, "listen ");
	emit_listen(m, x->o->listen);
	emit_end(m);
}

/*
 * Behind a passthrough the client's address comes by PROXY protocol; that of a
 * trusted balancer does, and the client's is where the balancer says.  What a
 * server trusts takes the place of what the http block does.
 */
static void
write_client_address(struct emit *m, const struct nginx_context *x, bool front)
{
	emit_line(m, "set_real_ip_from unix:");
	if (front || (x->kept && x->c->nginx.accept_proxy_protocol))
		nginx_conf_trusted(m, x);
	emit_begin(m, "real_ip_header ");
	emit_choice(m, front, "X-Forwarded-For", "proxy_protocol");
	emit_end(m);
}

/* On a socket that a passthrough's stream block connects to. */
static void
write_socket(
    struct emit *m, const struct nginx_context *x, bool front, bool is_default)
{
	emit_begin(m, "listen ");
	nginx_server_socket(
	    m, x, front ? NGINX_FRONT_SOCKET : NGINX_TLS_SOCKET);
	if (is_default) {
		emit_text(m, " default_server ssl");
		if (x->c->nginx.http2)
			emit_text(m, " http2");
		emit_text(m, " proxy_protocol");
	}
	emit_end(m);
	write_client_address(m, x, front);
}

void
nginx_server_https(struct emit *m, const struct nginx_context *x, bool front)
{
	if (x->sites->passthrough) {
		write_socket(m, x, front, false);
	} else if (x->o->live) {
		emit_line(m, "include agent/listen_https.conf");
	} else {
		emit_begin(m, "listen ");
		emit_listen(m, x->o->listen_ssl);
		emit_end(m);
	}
	if (x->kept)
		write_socket(m, x, x->front_socket, false);
}

/* A secret with the certificate may hold the key too. */
static void
write_certificate(
    struct emit *m, const struct nginx_context *x, const struct labels *l)
{
	emit_begin(m, "ssl_certificate ");
	nginx_proxy_secret(m, x, l, LABEL_SSL_CERT, false);
	emit_end(m);
	emit_begin(m, "ssl_certificate_key ");
	nginx_proxy_secret(m, x, l, LABEL_SSL_CERT, true);
	emit_end(m);
}

static void
write_server(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, enum nginx_side side, bool front)
{
	const struct labels *l = &s->owner->labels;
	size_t i;

	emit_block(m, "server");
	if (side != SIDE_TLS)
		nginx_server_listen(m, x);
	if (front)
		emit_line(m, "include sites/https_front.inc");
	else if (side != SIDE_PLAIN)
		emit_line(m, "include sites/https.inc");
	emit_begin(m, "server_name");
	for (i = 0; i < s->hosts.len; i++) {
		emit_text(m, " ");
		emit_host(m, s->hosts.at[i]);
	}
	emit_end(m);
	if (side != SIDE_PLAIN)
		write_certificate(m, x, l);
	if (side == SIDE_TLS && label_given(l, LABEL_HSTS)) {
		nginx_location_info(m, x);
		nginx_location_hsts(m, s);
	}
	nginx_template(m, x, TEMPLATE_SERVER);
	nginx_location_all(m, x, s, side);
	emit_close(m);
}

/*
 * One server for both listeners unless the two must differ, or learn the
 * client's address in different ways.
 */
static bool
is_split(const struct nginx_context *x, const struct nginx_site *s)
{
	bool told = x->front || x->c->nginx.accept_proxy_protocol;

	return (x->sites->passthrough && told) || s->owner->labels.ssl_only ||
	    label_given(&s->owner->labels, LABEL_HSTS) ||
	    nginx_location_by_listener(x, s);
}

void
nginx_server_site(
    struct emit *m, const struct nginx_context *x, const struct nginx_site *s)
{
	nginx_location_upstreams(m, x, s);
	if (s->tls != TLS_TERMINATE) {
		write_server(m, x, s, SIDE_PLAIN, false);
		return;
	}
	if (is_split(x, s)) {
		write_server(m, x, s, SIDE_PLAIN, false);
		write_server(m, x, s, SIDE_TLS, false);
	} else {
		write_server(m, x, s, SIDE_BOTH, false);
	}
	if (x->front_tls)
		write_server(m, x, s, SIDE_TLS, true);
}

/* What unknown hosts get: the default backend, or 503. */
static void
write_fallback(
    struct emit *m, const struct nginx_context *x, enum nginx_side side)
{
	const struct nginx_site *s = x->sites->fallback;

	if (s != NULL) {
		nginx_location_all(m, x, s, side);
		return;
	}
	nginx_location_pages(m, x);
	emit_block(m, "location /");
	nginx_location_unavailable(m, x);
	emit_close(m);
}

static void
write_default_tls(struct emit *m, const struct nginx_context *x, bool front)
{
	const struct nginx_site *s = x->sites->fallback;
	bool terminate = s != NULL && s->tls == TLS_TERMINATE;

	emit_block(m, "server");
	if (x->sites->passthrough) {
		write_socket(m, x, front, true);
	} else if (x->o->live) {
		emit_line(m, "include agent/default_https.conf");
	} else {
		emit_begin(m, "listen ");
		emit_listen(m, x->o->listen_ssl);
		emit_text(m, " default_server ssl");
		if (x->c->nginx.http2)
			emit_text(m, " http2");
		if (x->c->nginx.accept_proxy_protocol)
			emit_text(m, " proxy_protocol");
		emit_end(m);
	}
	if (x->kept)
		write_socket(m, x, x->front_socket, true);
	if (terminate)
		write_certificate(m, x, &s->owner->labels);
	else
		emit_line(m, "ssl_reject_handshake on");
	if (terminate && label_given(&s->owner->labels, LABEL_HSTS)) {
		nginx_location_info(m, x);
		nginx_location_hsts(m, s);
	}
	nginx_template(m, x, TEMPLATE_SERVER);
	write_fallback(m, x, SIDE_TLS);
	emit_close(m);
}

void
nginx_server_default(struct emit *m, const struct nginx_context *x)
{
	if (x->sites->fallback != NULL)
		nginx_location_upstreams(m, x, x->sites->fallback);
	emit_block(m, "server");
	if (x->o->live) {
		emit_line(m, "include agent/default_http.conf");
	} else {
		emit_begin(m, "listen ");
		emit_listen(m, x->o->listen);
		emit_text(m, " default_server");
		if (x->c->nginx.accept_proxy_protocol)
			emit_text(m, " proxy_protocol");
		emit_end(m);
	}
	nginx_template(m, x, TEMPLATE_SERVER);
	write_fallback(m, x, SIDE_PLAIN);
	emit_close(m);
	if (x->tls)
		write_default_tls(m, x, false);
	if (x->front_tls)
		write_default_tls(m, x, true);
}

void
nginx_server_status(struct emit *m, const struct nginx_context *x)
{
	if (x->c->proxy.status_listen == NULL)
		return;
	emit_block(m, "server");
	if (x->o->live) {
		emit_line(m, "include agent/listen_status.conf");
	} else {
		emit_begin(m, "listen ");
		emit_listen(m, x->c->proxy.status_listen);
		emit_end(m);
	}
	emit_line(m, "access_log off");
	emit_block(m, "location = /nginx_status");
	emit_line(m, "stub_status");
	emit_close(m);
	emit_block(m, "location /");
	emit_line(m, "return 404");
	emit_close(m);
	emit_close(m);
}
