/* Passthrough: see nginx_stream.h. */
#include "nginx_stream.h"

#include "nginx_conf.h"
#include "nginx_location.h"
#include "nginx_server.h"

#include <string.h>

/* A passthrough has one route, "/". */
static const struct route *
only_route(const struct nginx_site *s)
{
	return &s->routes[0];
}

/* "p-ID" wants the PROXY header, "t-ID" does not. */
static void
write_target(struct emit *m, const struct nginx_site *s)
{
	char id[NGINX_ID_SIZE];

	nginx_route_id(s, only_route(s), id);
	emit_choice(m, s->owner->labels.proxy_protocol, "p-", "t-");
	emit_id(m, id);
}

/*
 * A host as the key of a map.  Two names would be words of nginx there: behind
 * a backslash they are names.
 */
static void
write_name(struct emit *m, const char *host)
{
	bool word =
	    strcmp(host, "default") == 0 || strcmp(host, "include") == 0;

	if (word)
		emit_text(m, "\"\\\\");
	emit_host(m, host);
	if (word)
		emit_text(m, "\"");
}

void
nginx_stream_names(struct emit *m, const struct nginx_site *s)
{
	size_t i;

	for (i = 0; i < s->hosts.len; i++) {
		emit_begin(m, "");
		write_name(m, s->hosts.at[i]);
		emit_text(m, " ");
		write_target(m, s);
		emit_end(m);
	}
}

void
nginx_stream_site(
    struct emit *m, const struct nginx_context *x, const struct nginx_site *s)
{
	emit_begin(m, "upstream ");
	write_target(m, s);
	emit_open(m);
	/* An upstream has at least one server; this one ends connections. */
	if (route_servers(only_route(s)) == 0 ||
	    only_route(s)->owner->labels.maintenance)
		emit_line(m, "server 127.0.0.1:9 down");
	else
		nginx_location_servers(m, x, only_route(s));
	emit_close(m);
}

/* True if a passthrough's wildcard covers 'host'. */
static bool
is_covered(const struct nginx_sites *all, const char *host)
{
	size_t i, j, len = strlen(host);

	for (i = 0; i < all->list.len; i++) {
		const struct nginx_site *s = all->list.at[i];

		for (j = 0; s->tls == TLS_PASSTHROUGH && j < s->hosts.len;
		     j++) {
			const char *w = s->hosts.at[j];
			size_t n = strlen(w);

			if (w[0] == '*' && len >= n &&
			    strcmp(host + len - (n - 1), w + 1) == 0)
				return true;
		}
	}
	return false;
}

static void
write_map(struct emit *m, const struct nginx_context *x)
{
	const struct nginx_sites *all = x->sites;
	size_t i, j;

	emit_block(m, "map $ssl_preread_server_name $bulkhead_target");
	emit_line(m, "hostnames");
	emit_line(m, "default tls");
	for (i = 0; i < all->list.len; i++) {
		const struct nginx_site *s = all->list.at[i];

		if (s->tls != TLS_TERMINATE || s == all->fallback)
			continue;
		for (j = 0; j < s->hosts.len; j++)
			if (is_covered(all, s->hosts.at[j])) {
				emit_begin(m, "");
				write_name(m, s->hosts.at[j]);
				emit_text(m, " tls");
				emit_end(m);
			}
	}
	for (i = 0; i < all->held.len; i++) {
		if (!is_covered(all, all->held.at[i]))
			continue;
		emit_begin(m, "");
		write_name(m, all->held.at[i]);
		emit_text(m, " tls");
		emit_end(m);
	}
	emit_line(m, "include sites/*.sni");
	emit_close(m);
	if (x->front_tls) {
		nginx_conf_front(m, x, "$remote_addr");
		emit_block(
		    m, "map $bulkhead_front$bulkhead_target $bulkhead_first");
		emit_line(m, "1tls front");
		emit_line(m, "~^[01]t- pass");
	} else {
		emit_block(m, "map $bulkhead_target $bulkhead_first");
		emit_line(m, "~^t- pass");
	}
	emit_line(m, "default $bulkhead_target");
	emit_close(m);
}

static void
write_socket_upstream(struct emit *m, const struct nginx_context *x,
    const char *name, const char *socket)
{
	emit_begin(m, "upstream ");
	emit_literal(m, name);
	emit_open(m);
	emit_begin(m, "server ");
	nginx_server_socket(m, x, socket);
	emit_end(m);
	emit_close(m);
}

static void
write_stages(struct emit *m, const struct nginx_context *x)
{
	emit_block(m, "server");
	if (x->o->live) {
		emit_line(m, "include agent/default_https.conf");
	} else {
		emit_begin(m, "listen ");
		emit_listen(m, x->o->listen_ssl);
		if (x->c->nginx.accept_proxy_protocol)
			emit_text(m, " proxy_protocol");
		emit_end(m);
	}
	if (x->c->nginx.accept_proxy_protocol)
		nginx_conf_trusted(m, x);
	emit_line(m, "ssl_preread on");
	emit_line(m, "proxy_pass $bulkhead_first");
	emit_line(m, "proxy_protocol on");
	emit_close(m);
	emit_block(m, "server");
	emit_begin(m, "listen ");
	nginx_server_socket(m, x, NGINX_PASS_SOCKET);
	emit_text(m, " proxy_protocol");
	emit_end(m);
	emit_line(m, "ssl_preread on");
	emit_line(m, "proxy_pass $bulkhead_target");
	emit_close(m);
}

void
nginx_stream_block(struct emit *m, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;

	if (!x->stream)
		return;
	emit_block(m, "stream");
	if (c->nginx.stream_options != NULL)
		emit_line(m, "include sites/stream.raw");
	if (x->sites->passthrough) {
		emit_line(m, "map_hash_bucket_size 512");
		emit_line(m, "map_hash_max_size 16384");
		emit_begin(m, "proxy_connect_timeout ");
		emit_ms(m, c->nginx.connect_timeout_ms);
		emit_end(m);
		emit_begin(m, "proxy_timeout ");
		emit_ms(m, c->nginx.read_timeout_ms);
		emit_end(m);
		write_map(m, x);
		write_socket_upstream(m, x, "tls", NGINX_TLS_SOCKET);
		write_socket_upstream(m, x, "pass", NGINX_PASS_SOCKET);
		if (x->front_tls)
			write_socket_upstream(
			    m, x, "front", NGINX_FRONT_SOCKET);
		write_stages(m, x);
		nginx_location_zone(m, x, true);
		emit_line(m, "include sites/*.stream");
	}
	emit_close(m);
}
