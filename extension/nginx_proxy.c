/* Passing requests on: see nginx_proxy.h. */
#include "nginx_proxy.h"

#include "base/inet.h"

#include <string.h>

/* An idle websocket is no dead one. */
enum { WEBSOCKET_MS = 3600 * 1000 };

void
nginx_proxy_secret(struct emit *m, const struct nginx_context *x,
    const struct labels *l, enum label_id which, bool key)
{
	char id[SECRET_ID_SIZE];
	struct secret_use use;

	must(labels_secret(l, which, &use));
	if (!x->o->live) {
		emit_file(m, x->secrets_dir,
		    key && use.key != NULL ? use.key : use.name);
		return;
	}
	secret_use_id(&use, id);
	emit_text(m, "secrets/");
	emit_id(m, id);
	if (key && use.key != NULL)
		emit_text(m, ".key");
	else
		emit_choice(m, use.kind == SECRET_PASSWORDS, ".txt", ".pem");
}

/* True if the two networks have an address in common. */
static bool
is_met(const struct inet *a, const struct inet *b)
{
	return a->bits < b->bits ? inet_contains(a, b) : inet_contains(b, a);
}

/* True if the lists of a service let in every address of 'network'. */
static bool
lets_in(const struct labels *l, const char *network)
{
	bool in = l->allow.len == 0;
	struct inet n, a;
	size_t i;

	if (inet_parse(network, strlen(network), &n, NULL) != 0)
		return false;
	for (i = 0; i < l->deny.len; i++) {
		const char *text = l->deny.at[i].text;

		if (inet_parse(text, strlen(text), &a, NULL) != 0 ||
		    is_met(&n, &a))
			return false;
	}
	for (i = 0; i < l->allow.len && !in; i++) {
		const char *text = l->allow.at[i].text;

		in = inet_parse(text, strlen(text), &a, NULL) == 0 &&
		    a.bits <= n.bits && inet_contains(&a, &n);
	}
	return in;
}

/*
 * Behind a passthrough a trusted balancer that tells no client stays "unix:"
 * to nginx, whichever of them it is: it gets in if all of them would.
 */
static void
write_untold(
    struct emit *m, const struct nginx_context *x, const struct labels *l)
{
	const struct config_list *from = &x->c->nginx.real_ip_from;
	bool in = true;
	size_t i;

	if (!x->front_socket || l->allow.len + l->deny.len == 0)
		return;
	for (i = 0; i < from->items.len && in; i++)
		in = lets_in(l, from->items.at[i]);
	emit_begin(m, "");
	emit_choice(m, in, "allow", "deny");
	emit_text(m, " unix:");
	emit_end(m);
}

static void
write_limits(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct route *r)
{
	const struct labels *l = &r->owner->labels;
	char id[NGINX_ID_SIZE];
	size_t i;

	write_untold(m, x, l);
	for (i = 0; i < l->deny.len; i++) {
		emit_begin(m, "deny ");
		emit_cidr(m, l->deny.at[i].text);
		emit_end(m);
	}
	for (i = 0; i < l->allow.len; i++) {
		emit_begin(m, "allow ");
		emit_cidr(m, l->allow.at[i].text);
		emit_end(m);
	}
	if (l->allow.len > 0)
		emit_line(m, "deny all");
	if (l->basic_auth != NULL) {
		emit_line(m, "auth_basic \"Restricted\"");
		emit_begin(m, "auth_basic_user_file ");
		nginx_proxy_secret(m, x, l, LABEL_BASIC_AUTH, false);
		emit_end(m);
	}
	if (label_given(l, LABEL_RATE_LIMIT)) {
		nginx_route_id(s, r, id);
		emit_begin(m, "limit_req zone=");
		emit_id(m, id);
		if (l->rate_limit_burst > 0) {
			emit_text(m, " burst=");
			emit_number(m, l->rate_limit_burst);
			emit_text(m, " nodelay");
		}
		emit_end(m);
	}
	if (label_given(l, LABEL_MAX_BODY_SIZE)) {
		emit_begin(m, "client_max_body_size ");
		emit_number(m, l->max_body_size);
		emit_end(m);
	} else if (l->grpc) {
		emit_line(m, "client_max_body_size 0");
	}
}

static void
write_timeout(struct emit *m, bool grpc, const char *which, uint64_t ms)
{
	emit_begin(m, "");
	emit_choice(m, grpc, "grpc_", "proxy_");
	emit_literal(m, which);
	emit_text(m, "_timeout ");
	emit_ms(m, ms);
	emit_end(m);
}

static void
write_timeouts(struct emit *m, const struct nginx_context *x,
    const struct nginx_location *l)
{
	const struct labels *labels = &l->route->owner->labels;
	bool grpc = labels->grpc;
	uint64_t read = x->c->nginx.read_timeout_ms;
	uint64_t send = x->c->nginx.send_timeout_ms;

	if (label_given(labels, LABEL_CONNECT_TIMEOUT))
		write_timeout(m, grpc, "connect", labels->connect_timeout_ms);
	if (label_given(labels, LABEL_READ_TIMEOUT))
		write_timeout(m, grpc, "read", labels->read_timeout_ms);
	else if (l->websocket && read < WEBSOCKET_MS)
		write_timeout(m, grpc, "read", WEBSOCKET_MS);
	if (label_given(labels, LABEL_SEND_TIMEOUT))
		write_timeout(m, grpc, "send", labels->send_timeout_ms);
	else if (l->websocket && send < WEBSOCKET_MS)
		write_timeout(m, grpc, "send", WEBSOCKET_MS);
}

/* TLS to the application: server name and, where wanted, verification. */
static void
write_backend_tls(
    struct emit *m, const struct nginx_context *x, const struct labels *l)
{
	bool verify = l->ssl_backend_verify || x->c->nginx.ssl_verify;

	emit_begin(m, "");
	emit_choice(m, l->grpc, "grpc", "proxy");
	emit_text(m, "_ssl_server_name on");
	emit_end(m);
	emit_begin(m, "");
	emit_choice(m, l->grpc, "grpc", "proxy");
	emit_text(m, "_ssl_name ");
	if (l->ssl_backend_name != NULL)
		emit_host(m, l->ssl_backend_name);
	else
		emit_text(m, "$host");
	emit_end(m);
	if (!verify)
		return;
	emit_begin(m, "");
	emit_choice(m, l->grpc, "grpc", "proxy");
	emit_text(m, "_ssl_verify on");
	emit_end(m);
	emit_begin(m, "");
	emit_choice(m, l->grpc, "grpc", "proxy");
	emit_text(m, "_ssl_verify_depth 5");
	emit_end(m);
	emit_begin(m, "");
	emit_choice(m, l->grpc, "grpc", "proxy");
	emit_text(m, "_ssl_trusted_certificate ");
	if (l->ssl_backend_ca != NULL)
		nginx_proxy_secret(m, x, l, LABEL_SSL_BACKEND_CA, false);
	else
		emit_text(m, "/etc/ssl/certs/ca-certificates.crt");
	emit_end(m);
}

/* The header list again where Connection is not what http has. */
static void
write_headers(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct nginx_location *l)
{
	bool keep = nginx_location_keepalive(x, s, l->route) > 0;

	if (l->route->owner->labels.grpc) {
		nginx_location_forward(m, x, true);
	} else if (l->websocket) {
		emit_line(m, "proxy_http_version 1.1");
		nginx_location_forward(m, x, false);
		emit_line(m, "proxy_set_header Upgrade $bulkhead_upgrade");
		emit_begin(m, "proxy_set_header Connection ");
		emit_choice(m, keep, "$bulkhead_connection_keep",
		    "$bulkhead_connection_close");
		emit_end(m);
	} else if (keep != x->keepalive) {
		nginx_location_forward(m, x, false);
		emit_begin(m, "proxy_set_header Connection ");
		emit_choice(m, keep, "\"\"", "close");
		emit_end(m);
	}
}

/* Where a rewritten root goes: the path less the root, or a slash. */
static void
write_rewritten(struct emit *m, const struct nginx_location *l, bool exact)
{
	const char *root = l->route->path;
	const char *rest = l->path + (root[1] == '\0' ? 0 : strlen(root));

	if (rest[0] != '\0' && strcmp(rest, "/") != 0)
		emit_path(m, rest);
	if (rest[0] == '\0' || strcmp(rest, "/") == 0 || !exact)
		emit_text(m, "/");
}

void
nginx_proxy_write(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct nginx_location *l,
    enum nginx_side side, bool exact)
{
	const struct labels *labels = &l->route->owner->labels;
	char id[NGINX_ID_SIZE];
	bool vip = route_is_vip(l->route);

	if (s->owner->labels.ssl_only && side == SIDE_PLAIN) {
		/* A balancer in front may have ended TLS. */
		emit_block(m, "if ($bulkhead_scheme = http)");
		emit_line(m, "return 308 https://$host$request_uri");
		emit_close(m);
	}
	write_limits(m, x, s, l->route);
	write_timeouts(m, x, l);
	if (labels->ssl_backend)
		write_backend_tls(m, x, labels);
	write_headers(m, x, s, l);
	if (vip && x->c->nginx.error_page_dir != NULL)
		nginx_location_error_pages(m, true);
	else if (vip)
		emit_line(m, "error_page 502 504 =503 @unavailable");
	nginx_template(m, x, TEMPLATE_LOCATION);
	nginx_route_id(s, l->route, id);
	if (labels->grpc) {
		emit_begin(m, "grpc_pass ");
		emit_choice(m, labels->ssl_backend, "grpcs://", "grpc://");
	} else {
		emit_begin(m, "proxy_pass ");
		emit_choice(m, labels->ssl_backend, "https://", "http://");
	}
	emit_id(m, id);
	if (labels->context_root_rewrite)
		write_rewritten(m, l, exact);
	emit_end(m);
}
