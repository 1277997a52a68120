/* Upstream blocks and rate zones of a site: see nginx_location.h. */
#include "nginx_location.h"

#include <string.h>

enum {
	/* What nginx takes when nothing is said. */
	MAX_FAILS = 1,
	FAIL_TIMEOUT_MS = 10000,
	/* Shared memory for one server, twice what was seen. */
	SERVER_SIZE = 1536,
};

static void
write_server(struct emit *m, const struct upstream *u)
{
	emit_begin(m, "server ");
	emit_address(m, u->address);
	if (u->weight != 1) {
		emit_text(m, " weight=");
		emit_number(m, u->weight);
	}
	if (u->max_fails != MAX_FAILS) {
		emit_text(m, " max_fails=");
		emit_number(m, u->max_fails);
	}
	if (u->fail_timeout_ms != FAIL_TIMEOUT_MS) {
		emit_text(m, " fail_timeout=");
		emit_seconds(m, u->fail_timeout_ms);
	}
	emit_end(m);
}

void
nginx_location_zone(struct emit *m, const struct nginx_context *x, bool stream)
{
	uint64_t least =
	    stream ? x->sites->stream_servers : x->sites->http_servers;
	uint64_t size = 64 * 1024;

	if (least == 0)
		return;
	while (
	    size < least * SERVER_SIZE || size < x->c->nginx.upstream_zone_size)
		size *= 2;
	emit_block(m, "upstream bulkhead");
	emit_begin(m, "zone ");
	emit_choice(m, stream, "bulkhead_stream ", "bulkhead ");
	emit_number(m, size);
	emit_end(m);
	/* A block has a server; nobody is sent here. */
	emit_line(m, "server 127.0.0.1:9 down");
	emit_close(m);
}

/* By what clients differ.  A balancer that tells none is "unix:" otherwise. */
static void
write_client(
    struct emit *m, const struct nginx_context *x, const struct route *r)
{
	emit_choice(m, x->front_tls && r->tls != TLS_PASSTHROUGH,
	    "$bulkhead_client", "$binary_remote_addr");
}

static void
write_method(
    struct emit *m, const struct nginx_context *x, const struct route *r)
{
	const struct labels *l = &r->owner->labels;

	/* Whom a passthrough talks to, only the client's address tells. */
	if (route_is_vip(r))
		return;
	if (l->sticky_session_cookie != NULL && r->tls != TLS_PASSTHROUGH) {
		emit_begin(m, "hash $cookie_");
		emit_cookie(m, l->sticky_session_cookie);
		emit_text(m, " consistent");
		emit_end(m);
	} else if (l->ip_hash ||
	    (x->c->nginx.ip_hash && !label_given(l, LABEL_IP_HASH))) {
		emit_begin(m, "hash ");
		write_client(m, x, r);
		emit_text(m, " consistent");
		emit_end(m);
	}
}

uint32_t
nginx_location_keepalive(const struct nginx_context *x,
    const struct nginx_site *s, const struct route *r)
{
	const struct labels *l = &r->owner->labels;

	if (!x->http11)
		return 0;
	/* A connection made, and checked, for one name is no other's. */
	if (l->ssl_backend && l->ssl_backend_name == NULL &&
	    (s->hosts.len > 1 || s->hosts.at[0][0] == '*'))
		return 0;
	return route_is_vip(r) ? x->c->nginx.vip_keepalive
			       : x->c->nginx.upstream_keepalive;
}

static void
write_keepalive(struct emit *m, uint32_t n)
{
	if (n == 0)
		return;
	emit_begin(m, "keepalive ");
	emit_number(m, n);
	emit_end(m);
}

void
nginx_location_servers(
    struct emit *m, const struct nginx_context *x, const struct route *r)
{
	size_t i, j;

	/* Shared memory makes the shares exact across workers. */
	if (route_servers(r) > 1) {
		emit_begin(m, "zone ");
		emit_choice(m, r->tls == TLS_PASSTHROUGH, "bulkhead_stream",
		    "bulkhead");
		emit_end(m);
	}
	write_method(m, x, r);
	for (i = 0; i < r->members.len; i++)
		for (j = 0; j < r->members.at[i].upstreams.len; j++)
			write_server(m, &r->members.at[i].upstreams.at[j]);
}

static void
write_upstream(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct route *r)
{
	char id[NGINX_ID_SIZE];

	nginx_route_id(s, r, id);
	emit_begin(m, "upstream ");
	emit_id(m, id);
	emit_open(m);
	nginx_location_servers(m, x, r);
	write_keepalive(m, nginx_location_keepalive(x, s, r));
	emit_close(m);
}

static void
write_rate(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, const struct route *r)
{
	const struct labels *l = &r->owner->labels;
	char id[NGINX_ID_SIZE];

	if (!label_given(l, LABEL_RATE_LIMIT))
		return;
	nginx_route_id(s, r, id);
	emit_begin(m, "limit_req_zone ");
	write_client(m, x, r);
	emit_text(m, " zone=");
	emit_id(m, id);
	emit_text(m, ":1m rate=");
	emit_number(m, l->rate_limit);
	emit_choice(m, l->rate_limit_per_minute, "r/m", "r/s");
	emit_end(m);
}

void
nginx_location_upstreams(
    struct emit *m, const struct nginx_context *x, const struct nginx_site *s)
{
	size_t i;

	for (i = 0; i < s->n_routes; i++)
		if (nginx_location_proxied(s, &s->routes[i])) {
			write_upstream(m, x, s, &s->routes[i]);
			write_rate(m, x, s, &s->routes[i]);
		}
}
