/* Locations: see nginx_location.h. */
#include "nginx_location.h"

#include "nginx_proxy.h"

#include <string.h>

enum { RETRY_AFTER_S = 120 };

/* What a location answers with. */
enum action {
	ACTION_NOBODY,
	ACTION_MAINTENANCE,
	ACTION_REDIRECT,
	ACTION_UNAVAILABLE,
	ACTION_TO_TLS,
	ACTION_PROXY,
};

/*
 * The redirect that takes every request of the listener, or NULL.  Behind a
 * balancer that may end TLS the listener does not tell; see write_by_scheme().
 */
static const struct redirect *
redirect_of(const struct nginx_context *x, const struct nginx_location *l,
    enum nginx_side side)
{
	if (l->on_plain == l->on_tls)
		return l->on_plain;
	if (x != NULL && x->front)
		return NULL;
	return side == SIDE_TLS ? l->on_tls : l->on_plain;
}

static enum action
action_of(const struct nginx_context *x, const struct nginx_site *s,
    const struct nginx_location *l, enum nginx_side side)
{
	const struct labels *host = &s->owner->labels;

	if (redirect_of(x, l, side) != NULL)
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

	for (i = 0; i < s->locations.len; i++) {
		struct nginx_location l = s->locations.at[i];

		/* Taken by one redirect on both listeners: passed nowhere. */
		if (l.on_plain == l.on_tls && l.on_plain != NULL)
			continue;
		l.on_plain = l.on_tls = NULL;
		if (l.route == r &&
		    action_of(NULL, s, &l, SIDE_TLS) == ACTION_PROXY)
			return true;
	}
	return false;
}

bool
nginx_location_by_listener(
    const struct nginx_context *x, const struct nginx_site *s)
{
	size_t i;

	for (i = 0; i < s->locations.len && !x->front; i++)
		if (s->locations.at[i].on_plain != s->locations.at[i].on_tls)
			return true;
	return false;
}

void
nginx_location_info(struct emit *m, const struct nginx_context *x)
{
	if (x->c->nginx.hide_info_headers)
		return;
	emit_line(m, "add_header x-request-id $bulkhead_request_id always");
	emit_begin(m, "add_header x-proxy-id ");
	emit_choice(m, x->o->live, "$bulkhead_proxy_id", "$hostname");
	emit_text(m, " always");
	emit_end(m);
	emit_line(
	    m, "add_header x-server-info \"" NGINX_SERVER_INFO "\" always");
	emit_line(m, "add_header x-upstream-addr $upstream_addr always");
	/*
	 * The whole time is not known yet; "-" where no answer came.  A map
	 * that tells more then would cost every request a percent.
	 */
	emit_line(m,
	    "add_header x-upstream-response-time $upstream_header_time always");
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
nginx_location_forward(struct emit *m, const struct nginx_context *x, bool grpc)
{
	bool told = x->front && !x->c->nginx.accept_proxy_protocol;

	forward_header(m, grpc, "Host $bulkhead_host");
	forward_header(m, grpc,
	    x->front_tls ? "X-Real-IP $bulkhead_client"
			 : "X-Real-IP $remote_addr");
	/* Each map costs something in each request: only where it can matter.
	 */
	forward_header(m, grpc,
	    told ? "X-Forwarded-For $bulkhead_forwarded_for"
		 : "X-Forwarded-For $proxy_add_x_forwarded_for");
	forward_header(m, grpc,
	    x->front ? "X-Forwarded-Proto $bulkhead_scheme"
		     : "X-Forwarded-Proto $scheme");
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

void
nginx_location_error_pages(struct emit *m, bool vip)
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
	nginx_location_error_pages(m, false);
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
write_to_tls(struct emit *m, const struct nginx_context *x)
{
	emit_begin(m, "return 308 \"https://$host");
	/* Each local proxy has a port of its own, which its agent knows. */
	if (x->o->live && x->c->proxy.driver == DRIVER_LOCAL) {
		emit_text(m, "$bulkhead_tls_port");
	} else if (x->c->proxy.published_ssl_port != 443) {
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

/* The two listeners' redirects differ, and the scheme is told us. */
static void
write_by_scheme(struct emit *m, const struct nginx_location *l)
{
	if (l->on_plain != NULL) {
		emit_block(m, "if ($bulkhead_scheme = http)");
		write_redirect(m, l->on_plain);
		emit_close(m);
	}
	if (l->on_tls != NULL) {
		emit_block(m, "if ($bulkhead_scheme = https)");
		write_redirect(m, l->on_tls);
		emit_close(m);
	}
}

static void
write_action(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct nginx_location *l,
    enum nginx_side side, bool exact)
{
	if (x->front && l->on_plain != l->on_tls &&
	    !s->owner->labels.maintenance)
		write_by_scheme(m, l);
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
		write_redirect(m, redirect_of(x, l, side));
		return;
	case ACTION_TO_TLS:
		write_to_tls(m, x);
		return;
	case ACTION_UNAVAILABLE:
		nginx_location_unavailable(m, x);
		return;
	case ACTION_PROXY:
		nginx_proxy_write(m, x, s, l, side, exact);
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
