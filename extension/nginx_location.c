/* Locations: see nginx_location.h. */
#include "nginx_location.h"

#include <string.h>

/* An idle websocket is no dead one. */
enum { WEBSOCKET_MS = 3600 * 1000, RETRY_AFTER_S = 120 };

/* What a location answers with. */
enum action {
	ACTION_NOBODY,
	ACTION_MAINTENANCE,
	ACTION_REDIRECT,
	ACTION_UNAVAILABLE,
	ACTION_TO_TLS,
	ACTION_PROXY,
};

static enum action
action_of(const struct nginx_context *x, const struct nginx_site *s,
    const struct nginx_location *l, enum nginx_side side)
{
	const struct labels *host = &s->owner->labels;

	if (l->redirect != NULL)
		return host->maintenance ? ACTION_MAINTENANCE : ACTION_REDIRECT;
	if (l->route == NULL)
		return ACTION_NOBODY;
	if (l->route->owner->labels.maintenance)
		return ACTION_MAINTENANCE;
	if (s->tls == TLS_PASSTHROUGH)
		return host->ssl_only ? ACTION_TO_TLS : ACTION_UNAVAILABLE;
	if (host->ssl_only && side == SIDE_PLAIN && (x == NULL || !x->front))
		return ACTION_TO_TLS;
	if (route_servers(l->route) == 0)
		return ACTION_UNAVAILABLE;
	return ACTION_PROXY;
}

bool
nginx_location_proxied(const struct nginx_site *s, const struct route *r)
{
	size_t i;

	for (i = 0; i < s->locations.len; i++)
		if (s->locations.at[i].route == r &&
		    action_of(NULL, s, &s->locations.at[i], SIDE_TLS) ==
			ACTION_PROXY)
			return true;
	return false;
}

void
nginx_location_info(struct emit *m, const struct nginx_context *x)
{
	if (x->c->nginx.hide_info_headers)
		return;
	emit_line(m, "add_header x-request-id $bulkhead_request_id always");
	emit_line(m, "add_header x-proxy-id $bulkhead_proxy_id always");
	emit_line(m, "add_header x-server-info $bulkhead_server_info always");
	emit_line(m, "add_header x-upstream-addr $upstream_addr always");
	emit_line(m,
	    "add_header x-upstream-response-time $bulkhead_upstream_time "
	    "always");
}

void
nginx_location_hsts(struct emit *m, const struct nginx_site *s)
{
	const struct labels *l = &s->owner->labels;

	if (!label_given(l, LABEL_HSTS))
		return;
	emit_begin(m, "add_header Strict-Transport-Security \"max-age=");
	emit_number(m, l->hsts_seconds);
	if (l->hsts_subdomains)
		emit_text(m, "; includeSubDomains");
	if (l->hsts_preload)
		emit_text(m, "; preload");
	emit_text(m, "\" always");
	emit_end(m);
}

static void
forward_header(struct emit *m, bool grpc, const char *header)
{
	emit_begin(m, "");
	emit_choice(m, grpc, "grpc", "proxy");
	emit_text(m, "_set_header ");
	emit_literal(m, header);
	emit_end(m);
}

void
nginx_location_forward(struct emit *m, bool grpc)
{
	forward_header(m, grpc, "Host $bulkhead_host");
	forward_header(m, grpc, "X-Real-IP $remote_addr");
	forward_header(m, grpc, "X-Forwarded-For $bulkhead_forwarded_for");
	forward_header(m, grpc, "X-Forwarded-Proto $bulkhead_scheme");
	forward_header(m, grpc, "X-Forwarded-Host $bulkhead_host");
	forward_header(m, grpc, "x-request-id $bulkhead_request_id");
}

void
nginx_location_unavailable(struct emit *m, const struct nginx_context *x)
{
	if (x->c->nginx.error_page_dir != NULL)
		emit_line(m, "return 503");
	else
		emit_line(m, "return 503 $bulkhead_unavailable");
}

static const char *const pages[] = { "403", "404", "413", "429", "500", "502",
	"503", "504" };

static void
error_pages(struct emit *m, bool vip)
{
	size_t i;

	for (i = 0; i < countof(pages); i++) {
		bool ours = vip &&
		    (strcmp(pages[i], "502") == 0 ||
			strcmp(pages[i], "504") == 0);

		emit_begin(m, "error_page ");
		emit_literal(m, pages[i]);
		if (ours)
			emit_text(m, " =503");
		emit_text(m, " " NGINX_PAGES);
		emit_literal(m, ours ? "503" : pages[i]);
		emit_end(m);
	}
}

void
nginx_location_pages(struct emit *m, const struct nginx_context *x)
{
	size_t i;

	if (x->c->nginx.error_page_dir == NULL)
		return;
	error_pages(m, false);
	for (i = 0; i < countof(pages); i++) {
		emit_begin(m, "location = " NGINX_PAGES);
		emit_literal(m, pages[i]);
		emit_open(m);
		emit_line(m, "internal");
		emit_begin(m, "root ");
		emit_filename(m, x->c->nginx.error_page_dir);
		emit_end(m);
		emit_begin(m, "try_files /");
		emit_literal(m, pages[i]);
		emit_text(m, ".html =");
		emit_literal(m, pages[i]);
		emit_end(m);
		emit_close(m);
	}
}

static void
write_limits(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct route *r)
{
	const struct labels *l = &r->owner->labels;
	char id[NGINX_ID_SIZE];
	size_t i;

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
		emit_file(m, x->secrets_dir, l->basic_auth);
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
		emit_file(m, x->secrets_dir, l->ssl_backend_ca);
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
		nginx_location_forward(m, true);
	} else if (l->websocket) {
		emit_line(m, "proxy_http_version 1.1");
		nginx_location_forward(m, false);
		emit_line(m, "proxy_set_header Upgrade $bulkhead_upgrade");
		emit_begin(m, "proxy_set_header Connection ");
		emit_choice(m, keep, "$bulkhead_connection_keep",
		    "$bulkhead_connection_close");
		emit_end(m);
	} else if (keep != x->keepalive) {
		nginx_location_forward(m, false);
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

static void
write_proxy(struct emit *m, const struct nginx_context *x,
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
		error_pages(m, true);
	else if (vip)
		emit_line(m, "error_page 502 504 =503 @unavailable");
	nginx_route_id(s, l->route, id);
	if (labels->grpc) {
		emit_begin(m, "grpc_pass ");
		emit_choice(m, labels->ssl_backend, "grpcs://", "grpc://");
	} else {
		emit_begin(m, "proxy_pass ");
		emit_choice(m, labels->ssl_backend, "https://", "http://");
	}
	emit_id(m, id);
	if (labels->context_root_rewrite && !labels->grpc)
		write_rewritten(m, l, exact);
	emit_end(m);
}

static void
write_to_tls(struct emit *m, const struct nginx_context *x)
{
	emit_begin(m, "return 308 \"https://$host");
	if (x->c->proxy.published_ssl_port != 443) {
		emit_text(m, ":");
		emit_number(m, x->c->proxy.published_ssl_port);
	}
	emit_text(m, "$request_uri\"");
	emit_end(m);
}

static void
write_redirect(struct emit *m, const struct redirect *r)
{
	size_t len = strlen(r->target);

	emit_begin(m, "return 302 \"");
	emit_choice(m, r->target_https, "https://", "http://");
	/* The original URI begins with the slash. */
	while (len > 0 && r->target[len - 1] == '/')
		len--;
	{
		_cleanup_free_ char *target = xmemdup0(r->target, len);

		emit_target(m, target);
	}
	emit_text(m, "$request_uri\"");
	emit_end(m);
}

static void
write_action(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct nginx_location *l,
    enum nginx_side side, bool exact)
{
	switch (action_of(x, s, l, side)) {
	case ACTION_NOBODY:
		emit_line(m, "return 404");
		return;
	case ACTION_MAINTENANCE:
		nginx_location_info(m, x);
		if (side == SIDE_TLS)
			nginx_location_hsts(m, s);
		emit_begin(m, "add_header Retry-After ");
		emit_number(m, RETRY_AFTER_S);
		emit_text(m, " always");
		emit_end(m);
		nginx_location_unavailable(m, x);
		return;
	case ACTION_REDIRECT:
		write_redirect(m, l->redirect);
		return;
	case ACTION_TO_TLS:
		write_to_tls(m, x);
		return;
	case ACTION_UNAVAILABLE:
		nginx_location_unavailable(m, x);
		return;
	case ACTION_PROXY:
		write_proxy(m, x, s, l, side, exact);
		return;
	}
}

void
nginx_location_all(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, enum nginx_side side)
{
	bool vip = false;
	size_t i;

	nginx_location_pages(m, x);
	for (i = 0; i < s->locations.len; i++) {
		const struct nginx_location *l = &s->locations.at[i];
		bool root = strcmp(l->path, "/") == 0;

		if (!root) {
			emit_begin(m, "location = ");
			emit_path(m, l->path);
			emit_open(m);
			write_action(m, x, s, l, side, true);
			emit_close(m);
		}
		emit_begin(m, "location ");
		emit_path(m, l->path);
		if (!root)
			emit_text(m, "/");
		emit_open(m);
		write_action(m, x, s, l, side, false);
		emit_close(m);
		vip |= l->route != NULL && route_is_vip(l->route);
	}
	if (!vip || x->c->nginx.error_page_dir != NULL)
		return;
	emit_block(m, "location @unavailable");
	nginx_location_unavailable(m, x);
	emit_close(m);
}
