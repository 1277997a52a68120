/* The cluster's own part of the configuration: see nginx_conf.h. */
#include "nginx_conf.h"

#include "nginx_location.h"
#include "nginx_server.h"
#include "nginx_stream.h"

#include <string.h>

#define MAIN_FORMAT                                                            \
	"$remote_addr - $remote_user [$time_local] \"$request\" $status "      \
	"$body_bytes_sent \"$http_referer\" \"$http_user_agent\" "             \
	"\"$http_x_forwarded_for\""
#define TRACE_FORMAT                                                           \
	MAIN_FORMAT " $bulkhead_request_id $msec $request_time "               \
		    "$upstream_connect_time $upstream_header_time "            \
		    "$upstream_response_time"

enum {
	/* One name of 253 bytes with what nginx keeps beside it. */
	NAMES_BUCKET = 512,
	NAMES_LEAST = 1024,
};

/* "WORDS NUMBER;" */
static void
line_number(struct emit *m, const char *words, uint64_t n)
{
	emit_begin_literal(m, words);
	emit_text(m, " ");
	emit_number(m, n);
	emit_end(m);
}

static void
line_ms(struct emit *m, const char *words, uint64_t ms)
{
	emit_begin_literal(m, words);
	emit_text(m, " ");
	emit_ms(m, ms);
	emit_end(m);
}

static void
line_switch(struct emit *m, const char *words, bool on)
{
	emit_begin_literal(m, words);
	emit_choice(m, on, " on", " off");
	emit_end(m);
}

/* nginx takes a directive once: the operator's own is the one. */
static bool
is_named(const char *raw, const char *directive)
{
	return raw != NULL && strstr(raw, directive) != NULL;
}

static void
write_main(struct emit *m, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;
	uint32_t workers = c->nginx.worker_processes > 0
	    ? c->nginx.worker_processes
	    : x->o->workers;
	uint64_t nofile = c->nginx.rlimit_nofile;

	if (x->o->live) {
		emit_line(m, "include agent/main.conf");
	} else {
		if (workers > 0)
			line_number(m, "worker_processes", workers);
		else
			emit_line(m, "worker_processes auto");
		emit_line(m, "pid nginx.pid");
		emit_line(m, "error_log stderr");
		if (x->o->nofile_max > 0 && x->o->nofile_max < nofile)
			nofile = x->o->nofile_max;
		line_number(m, "worker_rlimit_nofile", nofile);
	}
	if (c->nginx.user != NULL) {
		emit_begin(m, "user ");
		emit_word(m, c->nginx.user);
		emit_end(m);
	}
	line_ms(
	    m, "worker_shutdown_timeout", c->nginx.worker_shutdown_timeout_ms);
	/* Each request meets a pattern or two: see write_maps(). */
	if (!is_named(c->nginx.global_options, "pcre_jit"))
		emit_line(m, "pcre_jit on");
	if (x->stream)
		emit_line(m,
		    "load_module /usr/lib/nginx/modules/ngx_stream_module.so");
	if (c->nginx.global_options != NULL)
		emit_line(m, "include sites/main.raw");
	nginx_template(m, x, TEMPLATE_MAIN);
	emit_block(m, "events");
	line_number(m, "worker_connections", c->nginx.max_connections);
	emit_close(m);
}

/*
 * What every answer and every forwarded request draws on.  The patterns are
 * ours and fixed; read-back knows them by heart.
 */
static void
write_maps(struct emit *m, const struct nginx_context *x)
{
	emit_block(m, "map $http_x_request_id $bulkhead_request_id");
	/* Most clients send none: found without trying the pattern. */
	emit_line(m, "\"\" $request_id");
	emit_line(m, "default $request_id");
	emit_line(m, "\"~^[A-Za-z0-9._-]{1,64}$\" $http_x_request_id");
	emit_close(m);
	/* An absolute request line overrules Host, as RFC 9112 says. */
	emit_block(m, "map $request $bulkhead_host");
	emit_line(m, "default $http_host");
	emit_line(m,
	    "\"~^[A-Z_-]+ +[A-Za-z][A-Za-z0-9+.-]*://"
	    "(?<bulkhead_authority>[^/? ]+)\" $bulkhead_authority");
	emit_close(m);
	emit_block(m, "map $http_upgrade $bulkhead_upgrade");
	emit_line(m, "default \"\"");
	emit_line(m, "websocket websocket");
	emit_close(m);
	emit_block(m, "map $bulkhead_upgrade $bulkhead_connection_keep");
	emit_line(m, "default \"\"");
	emit_line(m, "websocket upgrade");
	emit_close(m);
	emit_block(m, "map $bulkhead_upgrade $bulkhead_connection_close");
	emit_line(m, "default close");
	emit_line(m, "websocket upgrade");
	emit_close(m);
	/* For the operator's fragments; in our header it stands itself. */
	emit_block(m, "map $nginx_version $bulkhead_server_info");
	emit_line(m, "default \"" NGINX_SERVER_INFO "\"");
	emit_close(m);
	emit_block(m, "map $nginx_version $bulkhead_unavailable");
	emit_line(m,
	    "default \"<!doctype html><title>503</title>"
	    "<h1>503 Service Unavailable</h1>"
	    "<p>Nothing here can answer this request now.</p>\"");
	emit_close(m);
	if (x->o->live)
		return;
	emit_block(m, "map $nginx_version $bulkhead_proxy_id");
	emit_line(m, "default $hostname");
	emit_close(m);
}

void
nginx_conf_trusted(struct emit *m, const struct nginx_context *x)
{
	const struct config_list *from = &x->c->nginx.real_ip_from;
	size_t i;

	for (i = 0; i < from->items.len; i++) {
		emit_begin(m, "set_real_ip_from ");
		emit_cidr(m, from->items.at[i]);
		emit_end(m);
	}
	/* Nobody gets in without a PROXY header: all are balancers. */
	if (from->items.len == 0) {
		emit_line(m, "set_real_ip_from 0.0.0.0/0");
		emit_line(m, "set_real_ip_from ::/0");
	}
}

void
nginx_conf_front(
    struct emit *m, const struct nginx_context *x, const char *address)
{
	const struct config_list *from = &x->c->nginx.real_ip_from;
	size_t i;

	emit_begin(m, "geo ");
	emit_literal(m, address);
	emit_text(m, " $bulkhead_front");
	emit_open(m);
	emit_line(m, "default 0");
	for (i = 0; i < from->items.len; i++) {
		emit_begin(m, "");
		emit_cidr(m, from->items.at[i]);
		emit_text(m, " 1");
		emit_end(m);
	}
	emit_close(m);
}

/* Client address and scheme, which a trusted balancer may tell. */
static void
write_front(struct emit *m, const struct nginx_context *x)
{
	if (x->front || x->c->nginx.accept_proxy_protocol) {
		nginx_conf_trusted(m, x);
		emit_begin(m, "real_ip_header ");
		emit_choice(m, x->c->nginx.accept_proxy_protocol,
		    "proxy_protocol", "X-Forwarded-For");
		emit_end(m);
		if (!x->c->nginx.accept_proxy_protocol)
			emit_line(m, "real_ip_recursive on");
	}
	if (x->front_tls) {
		/* Over the sockets of a passthrough PROXY protocol tells. */
		emit_block(m, "map $realip_remote_addr $bulkhead_peer");
		emit_line(m, "default $realip_remote_addr");
		emit_line(m, "unix: $proxy_protocol_addr");
		emit_close(m);
		emit_block(m, "map $remote_addr $bulkhead_client");
		emit_line(m, "default $remote_addr");
		emit_line(m, "unix: $proxy_protocol_addr");
		emit_close(m);
		nginx_conf_front(m, x, "$bulkhead_peer");
	} else {
		nginx_conf_front(m, x, "$realip_remote_addr");
	}
	emit_block(
	    m, "map $bulkhead_front$http_x_forwarded_proto $bulkhead_scheme");
	emit_line(m, "default $scheme");
	emit_line(m, "1http http");
	emit_line(m, "1https https");
	emit_close(m);
	/* What a balancer appended is the client already. */
	if (x->front && !x->c->nginx.accept_proxy_protocol) {
		/* One that tells no client is the client. */
		emit_block(m,
		    "map $bulkhead_front$http_x_forwarded_for "
		    "$bulkhead_forwarded_for");
		if (x->front_tls) {
			emit_line(m, "1 $bulkhead_peer");
			emit_line(
			    m, "~^1 \"$http_x_forwarded_for, $bulkhead_peer\"");
		} else {
			emit_line(m, "1 $realip_remote_addr");
			emit_line(m,
			    "~^1 \"$http_x_forwarded_for, "
			    "$realip_remote_addr\"");
		}
	} else {
		emit_block(m, "map $bulkhead_front $bulkhead_forwarded_for");
	}
	emit_line(m, "default $proxy_add_x_forwarded_for");
	emit_close(m);
}

static void
write_logs(struct emit *m, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;
	bool trace = c->nginx.log_format == LOG_FORMAT_TRACE;

	emit_begin(m, "log_format ");
	emit_choice(m, trace, "trace ", "main ");
	if (trace)
		emit_quoted(m,
		    c->nginx.trace_log_format != NULL
			? c->nginx.trace_log_format
			: TRACE_FORMAT);
	else
		emit_quoted(m,
		    c->nginx.main_log_format != NULL ? c->nginx.main_log_format
						     : MAIN_FORMAT);
	emit_end(m);
	emit_begin(m, "access_log ");
	if (strcmp(c->nginx.access_log, "off") == 0) {
		emit_text(m, "off");
	} else {
		emit_filename(m, c->nginx.access_log);
		emit_choice(m, trace, " trace", " main");
	}
	emit_end(m);
}

/* server_names_hash and the like, from what is there. */
static void
write_hashes(struct emit *m, const struct nginx_context *x)
{
	uint64_t names = NAMES_LEAST;

	while (names < x->sites->n_hosts)
		names *= 2;
	line_number(m, "server_names_hash_bucket_size", NAMES_BUCKET);
	line_number(m, "server_names_hash_max_size", names);
	emit_line(m, "variables_hash_max_size 2048");
	emit_line(m, "proxy_headers_hash_max_size 1024");
	emit_line(m, "proxy_headers_hash_bucket_size 128");
}

static void
write_client(struct emit *m, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;

	line_ms(m, "keepalive_timeout", c->nginx.keepalive_timeout_ms);
	line_number(m, "client_max_body_size", c->nginx.client_max_body_size);
	line_number(
	    m, "client_body_buffer_size", c->nginx.client_body_buffer_size);
	line_number(
	    m, "client_header_buffer_size", c->nginx.client_header_buffer_size);
	emit_begin(m, "large_client_header_buffers ");
	emit_number(m, c->nginx.large_client_header_buffers);
	emit_text(m, " ");
	emit_number(m, c->nginx.large_client_header_buffer_size);
	emit_end(m);
	line_ms(m, "client_body_timeout", c->nginx.client_body_timeout_ms);
	line_switch(
	    m, "underscores_in_headers", c->nginx.underscores_in_headers);
}

static void
write_tls(struct emit *m, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;
	size_t i;

	if (!x->tls)
		return;
	emit_begin(m, "ssl_protocols");
	for (i = 0; i < c->nginx.ssl_protocols.items.len; i++) {
		emit_text(m, " ");
		emit_word(m, c->nginx.ssl_protocols.items.at[i]);
	}
	emit_end(m);
	if (c->nginx.ssl_ciphers != NULL) {
		emit_begin(m, "ssl_ciphers ");
		emit_quoted(m, c->nginx.ssl_ciphers);
		emit_end(m);
	}
	if (c->nginx.ssl_default_dh_param_path != NULL) {
		emit_begin(m, "ssl_dhparam ");
		emit_filename(m, c->nginx.ssl_default_dh_param_path);
		emit_end(m);
	}
	emit_line(m, "ssl_session_cache shared:bulkhead_tls:10m");
}

static void
write_upstream_defaults(struct emit *m, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;

	emit_begin(m, "proxy_http_version ");
	emit_choice(m, x->http11, "1.1", "1.0");
	emit_end(m);
	line_ms(m, "proxy_connect_timeout", c->nginx.connect_timeout_ms);
	line_ms(m, "proxy_send_timeout", c->nginx.send_timeout_ms);
	line_ms(m, "proxy_read_timeout", c->nginx.read_timeout_ms);
	line_ms(m, "grpc_connect_timeout", c->nginx.connect_timeout_ms);
	line_ms(m, "grpc_send_timeout", c->nginx.send_timeout_ms);
	line_ms(m, "grpc_read_timeout", c->nginx.read_timeout_ms);
	emit_line(m, "proxy_next_upstream error timeout");
	emit_line(m, "grpc_next_upstream error timeout");
	emit_line(m, "proxy_redirect off");
	/* An application must not pick a location of its host. */
	emit_line(m, "proxy_ignore_headers X-Accel-Redirect X-Accel-Expires");
	emit_line(m, "grpc_ignore_headers X-Accel-Redirect");
	nginx_location_forward(m, x, false);
	emit_begin(m, "proxy_set_header Connection ");
	emit_choice(m, x->keepalive, "\"\"", "close");
	emit_end(m);
	if (c->nginx.hide_info_headers)
		return;
	emit_line(m, "proxy_hide_header x-request-id");
	emit_line(m, "proxy_hide_header x-proxy-id");
	emit_line(m, "proxy_hide_header x-server-info");
	emit_line(m, "proxy_hide_header x-upstream-addr");
	emit_line(m, "proxy_hide_header x-upstream-response-time");
	emit_line(m, "grpc_hide_header x-request-id");
	emit_line(m, "grpc_hide_header x-proxy-id");
	emit_line(m, "grpc_hide_header x-server-info");
	emit_line(m, "grpc_hide_header x-upstream-addr");
	emit_line(m, "grpc_hide_header x-upstream-response-time");
}

static void
write_http(struct emit *m, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;

	emit_block(m, "http");
	if (x->o->live) {
		emit_line(m, "include agent/http.conf");
	} else {
		emit_line(m, "client_body_temp_path body.tmp");
		emit_line(m, "proxy_temp_path proxy.tmp");
		emit_line(m, "fastcgi_temp_path fastcgi.tmp");
		emit_line(m, "uwsgi_temp_path uwsgi.tmp");
		emit_line(m, "scgi_temp_path scgi.tmp");
	}
	emit_line(m, "server_tokens off");
	/* With 4k the headers that we add take a second piece of memory. */
	if (!is_named(c->nginx.http_options, "request_pool_size"))
		emit_line(m, "request_pool_size 8k");
	emit_block(m, "types");
	emit_close(m);
	emit_line(m, "default_type text/html");
	emit_line(m, "limit_req_status 429");
	write_hashes(m, x);
	write_client(m, x);
	write_maps(m, x);
	write_front(m, x);
	write_logs(m, x);
	write_tls(m, x);
	write_upstream_defaults(m, x);
	nginx_location_info(m, x);
	if (c->nginx.http_options != NULL || c->nginx.ssl_options != NULL)
		emit_line(m, "include sites/http.raw");
	nginx_template(m, x, TEMPLATE_HTTP);
	nginx_location_zone(m, x, false);
	nginx_server_status(m, x);
	emit_line(m, "include sites/*.conf");
	emit_close(m);
}

void
nginx_conf_main(struct emit *m, const struct nginx_context *x)
{
	emit_text(m, "# Written by Bulkhead; do not edit.\n");
	write_main(m, x);
	write_http(m, x);
	nginx_stream_block(m, x);
}
