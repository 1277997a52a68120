/* The list of what we write: see readback_grammar.h. */
#include "readback_grammar.h"

#include <errno.h>
#include <string.h>

#define BIT(context) (1u << (context))
#define MAIN BIT(IN_MAIN)
#define EVENTS BIT(IN_EVENTS)
#define HTTP BIT(IN_HTTP)
#define SERVER BIT(IN_SERVER)
#define LOCATION BIT(IN_LOCATION)
#define IF BIT(IN_IF)
#define UPSTREAM BIT(IN_UPSTREAM)
#define STREAM BIT(IN_STREAM)
#define SSERVER BIT(IN_STREAM_SERVER)
#define SUPSTREAM BIT(IN_STREAM_UPSTREAM)
#define NAMES BIT(IN_NAMES)

enum {
	PLAIN = 0,
	QUOTES = 1,    /* words may stand in quotes */
	VARIABLES = 2, /* the known ones */
	OPERATOR = 4,  /* any variable: the operator's text */
	BLOCK = 8,
};

struct directive {
	const char *name;
	unsigned contexts;
	unsigned min; /* arguments */
	unsigned max;
	unsigned flags;
	enum grammar_context inside;
};

/* By name, bytewise. */
static const struct directive directives[] = {
	{ "access_log", HTTP, 1, 2, QUOTES, 0 },
	{ "access_log", SERVER, 1, 1, PLAIN, 0 },
	{ "add_header", HTTP | SERVER | LOCATION, 3, 3, QUOTES | VARIABLES, 0 },
	{ "allow", LOCATION, 1, 1, PLAIN, 0 },
	{ "auth_basic", LOCATION, 1, 1, QUOTES, 0 },
	{ "auth_basic_user_file", LOCATION, 1, 1, QUOTES, 0 },
	{ "client_body_buffer_size", HTTP, 1, 1, PLAIN, 0 },
	{ "client_body_temp_path", HTTP, 1, 1, PLAIN, 0 },
	{ "client_body_timeout", HTTP, 1, 1, PLAIN, 0 },
	{ "client_header_buffer_size", HTTP, 1, 1, PLAIN, 0 },
	{ "client_max_body_size", HTTP | LOCATION, 1, 1, PLAIN, 0 },
	{ "default_type", HTTP, 1, 1, PLAIN, 0 },
	{ "deny", LOCATION, 1, 1, PLAIN, 0 },
	{ "error_log", MAIN, 1, 1, PLAIN, 0 },
	{ "error_page", SERVER, 2, 2, PLAIN, 0 },
	{ "error_page", LOCATION, 2, 4, PLAIN, 0 },
	{ "events", MAIN, 0, 0, BLOCK, IN_EVENTS },
	{ "fastcgi_temp_path", HTTP, 1, 1, PLAIN, 0 },
	{ "geo", HTTP | STREAM, 2, 2, BLOCK | VARIABLES, IN_GEO },
	{ "grpc_connect_timeout", HTTP | LOCATION, 1, 1, PLAIN, 0 },
	{ "grpc_hide_header", HTTP, 1, 1, PLAIN, 0 },
	{ "grpc_ignore_headers", HTTP, 1, 1, PLAIN, 0 },
	{ "grpc_next_upstream", HTTP, 2, 2, PLAIN, 0 },
	{ "grpc_pass", LOCATION, 1, 1, PLAIN, 0 },
	{ "grpc_read_timeout", HTTP | LOCATION, 1, 1, PLAIN, 0 },
	{ "grpc_send_timeout", HTTP | LOCATION, 1, 1, PLAIN, 0 },
	{ "grpc_set_header", LOCATION, 2, 2, VARIABLES, 0 },
	{ "grpc_ssl_name", LOCATION, 1, 1, VARIABLES, 0 },
	{ "grpc_ssl_server_name", LOCATION, 1, 1, PLAIN, 0 },
	{ "grpc_ssl_trusted_certificate", LOCATION, 1, 1, QUOTES, 0 },
	{ "grpc_ssl_verify", LOCATION, 1, 1, PLAIN, 0 },
	{ "grpc_ssl_verify_depth", LOCATION, 1, 1, PLAIN, 0 },
	{ "hash", UPSTREAM | SUPSTREAM, 2, 2, VARIABLES, 0 },
	{ "http", MAIN, 0, 0, BLOCK, IN_HTTP },
	{ "if", LOCATION, 3, 3, BLOCK | VARIABLES, IN_IF },
	{ "include", MAIN | HTTP | SERVER | LOCATION | STREAM | SSERVER | NAMES,
	    1, 1, PLAIN, 0 },
	{ "internal", LOCATION, 0, 0, PLAIN, 0 },
	{ "keepalive", UPSTREAM, 1, 1, PLAIN, 0 },
	{ "keepalive_timeout", HTTP, 1, 1, PLAIN, 0 },
	{ "large_client_header_buffers", HTTP, 2, 2, PLAIN, 0 },
	{ "limit_req", LOCATION, 1, 3, PLAIN, 0 },
	{ "limit_req_status", HTTP, 1, 1, PLAIN, 0 },
	{ "limit_req_zone", HTTP, 3, 3, VARIABLES, 0 },
	{ "listen", SERVER | SSERVER, 1, 5, PLAIN, 0 },
	{ "load_module", MAIN, 1, 1, PLAIN, 0 },
	{ "location", SERVER, 1, 2, BLOCK, IN_LOCATION },
	{ "log_format", HTTP, 2, 2, QUOTES | OPERATOR, 0 },
	{ "map", HTTP | STREAM, 2, 2, BLOCK | VARIABLES, IN_MAP },
	{ "map_hash_bucket_size", STREAM, 1, 1, PLAIN, 0 },
	{ "map_hash_max_size", STREAM, 1, 1, PLAIN, 0 },
	{ "pcre_jit", MAIN, 1, 1, PLAIN, 0 },
	{ "pid", MAIN, 1, 1, PLAIN, 0 },
	{ "proxy_connect_timeout", HTTP | LOCATION | STREAM, 1, 1, PLAIN, 0 },
	{ "proxy_headers_hash_bucket_size", HTTP, 1, 1, PLAIN, 0 },
	{ "proxy_headers_hash_max_size", HTTP, 1, 1, PLAIN, 0 },
	{ "proxy_hide_header", HTTP, 1, 1, PLAIN, 0 },
	{ "proxy_http_version", HTTP | LOCATION, 1, 1, PLAIN, 0 },
	{ "proxy_ignore_headers", HTTP, 2, 2, PLAIN, 0 },
	{ "proxy_next_upstream", HTTP, 2, 2, PLAIN, 0 },
	{ "proxy_pass", LOCATION, 1, 1, PLAIN, 0 },
	{ "proxy_pass", SSERVER, 1, 1, VARIABLES, 0 },
	{ "proxy_protocol", SSERVER, 1, 1, PLAIN, 0 },
	{ "proxy_read_timeout", HTTP | LOCATION, 1, 1, PLAIN, 0 },
	{ "proxy_redirect", HTTP, 1, 1, PLAIN, 0 },
	{ "proxy_send_timeout", HTTP | LOCATION, 1, 1, PLAIN, 0 },
	{ "proxy_set_header", HTTP | LOCATION, 2, 2, QUOTES | VARIABLES, 0 },
	{ "proxy_ssl_name", LOCATION, 1, 1, VARIABLES, 0 },
	{ "proxy_ssl_server_name", LOCATION, 1, 1, PLAIN, 0 },
	{ "proxy_ssl_trusted_certificate", LOCATION, 1, 1, QUOTES, 0 },
	{ "proxy_ssl_verify", LOCATION, 1, 1, PLAIN, 0 },
	{ "proxy_ssl_verify_depth", LOCATION, 1, 1, PLAIN, 0 },
	{ "proxy_temp_path", HTTP, 1, 1, PLAIN, 0 },
	{ "proxy_timeout", STREAM, 1, 1, PLAIN, 0 },
	{ "real_ip_header", HTTP | SERVER, 1, 1, PLAIN, 0 },
	{ "real_ip_recursive", HTTP, 1, 1, PLAIN, 0 },
	{ "request_pool_size", HTTP, 1, 1, PLAIN, 0 },
	{ "return", LOCATION | IF, 1, 2, QUOTES | VARIABLES, 0 },
	{ "root", LOCATION, 1, 1, QUOTES, 0 },
	{ "scgi_temp_path", HTTP, 1, 1, PLAIN, 0 },
	{ "server", HTTP, 0, 0, BLOCK, IN_SERVER },
	{ "server", STREAM, 0, 0, BLOCK, IN_STREAM_SERVER },
	{ "server", UPSTREAM, 1, 4, PLAIN, 0 },
	{ "server", SUPSTREAM, 1, 4, PLAIN, 0 },
	{ "server_name", SERVER, 1, 65536, PLAIN, 0 },
	{ "server_names_hash_bucket_size", HTTP, 1, 1, PLAIN, 0 },
	{ "server_names_hash_max_size", HTTP, 1, 1, PLAIN, 0 },
	{ "server_tokens", HTTP, 1, 1, PLAIN, 0 },
	{ "set_real_ip_from", HTTP | SERVER | SSERVER, 1, 1, PLAIN, 0 },
	{ "ssl_certificate", SERVER, 1, 1, QUOTES, 0 },
	{ "ssl_certificate_key", SERVER, 1, 1, QUOTES, 0 },
	{ "ssl_ciphers", HTTP, 1, 1, QUOTES, 0 },
	{ "ssl_dhparam", HTTP, 1, 1, QUOTES, 0 },
	{ "ssl_preread", SSERVER, 1, 1, PLAIN, 0 },
	{ "ssl_protocols", HTTP, 1, 8, PLAIN, 0 },
	{ "ssl_reject_handshake", SERVER, 1, 1, PLAIN, 0 },
	{ "ssl_session_cache", HTTP, 1, 1, PLAIN, 0 },
	{ "stream", MAIN, 0, 0, BLOCK, IN_STREAM },
	{ "stub_status", LOCATION, 0, 0, PLAIN, 0 },
	{ "try_files", LOCATION, 2, 2, PLAIN, 0 },
	{ "types", HTTP, 0, 0, BLOCK, IN_TYPES },
	{ "underscores_in_headers", HTTP, 1, 1, PLAIN, 0 },
	{ "upstream", HTTP, 1, 1, BLOCK, IN_UPSTREAM },
	{ "upstream", STREAM, 1, 1, BLOCK, IN_STREAM_UPSTREAM },
	{ "user", MAIN, 1, 1, PLAIN, 0 },
	{ "uwsgi_temp_path", HTTP, 1, 1, PLAIN, 0 },
	{ "variables_hash_max_size", HTTP, 1, 1, PLAIN, 0 },
	{ "worker_connections", EVENTS, 1, 1, PLAIN, 0 },
	{ "worker_processes", MAIN, 1, 1, PLAIN, 0 },
	{ "worker_rlimit_nofile", MAIN, 1, 1, PLAIN, 0 },
	{ "worker_shutdown_timeout", MAIN, 1, 1, PLAIN, 0 },
	{ "zone", UPSTREAM | SUPSTREAM, 1, 2, PLAIN, 0 },
};

/* Statements of the fixed maps, word for word; the patterns are among them. */
static const char *const map_lines[] = {
	" $request_id",
	"default $request_id",
	"~^[A-Za-z0-9._-]{1,64}$ $http_x_request_id",
	"default $http_host",
	("~^[A-Z_-]+ +[A-Za-z][A-Za-z0-9+.-]*://"
	 "(?<bulkhead_authority>[^/? ]+) $bulkhead_authority"),
	"default ",
	"websocket websocket",
	"websocket upgrade",
	"default close",
	"default $hostname",
	"default $scheme",
	"1http http",
	"1https https",
	"default $proxy_add_x_forwarded_for",
	"1 $realip_remote_addr",
	"~^1 $http_x_forwarded_for, $realip_remote_addr",
	"1 $bulkhead_peer",
	"~^1 $http_x_forwarded_for, $bulkhead_peer",
	"default $realip_remote_addr",
	"default $remote_addr",
	"unix: $proxy_protocol_addr",
	"1tls front",
	"~^[01]t- pass",
	"default $bulkhead_target",
	"~^t- pass",
};

static const char *const variables[] = {
	"binary_remote_addr",
	"bulkhead_client",
	"bulkhead_connection_close",
	"bulkhead_connection_keep",
	"bulkhead_first",
	"bulkhead_forwarded_for",
	"bulkhead_front",
	"bulkhead_host",
	"bulkhead_peer",
	"bulkhead_proxy_id",
	"bulkhead_request_id",
	"bulkhead_scheme",
	"bulkhead_server_info",
	"bulkhead_target",
	"bulkhead_tls_port",
	"bulkhead_unavailable",
	"bulkhead_upgrade",
	"host",
	"hostname",
	"http_upgrade",
	"http_x_forwarded_for",
	"http_x_forwarded_proto",
	"http_x_request_id",
	"nginx_version",
	"proxy_add_x_forwarded_for",
	"realip_remote_addr",
	"remote_addr",
	"request",
	"request_uri",
	"scheme",
	"ssl_preread_server_name",
	"upstream_addr",
	"upstream_header_time",
};

static const char *const includes[] = {
	"agent/main.conf",
	"agent/http.conf",
	"agent/listen_http.conf",
	"agent/listen_https.conf",
	"agent/default_http.conf",
	"agent/default_https.conf",
	"agent/listen_status.conf",
	"sites/*.conf",
	"sites/*.stream",
	"sites/*.sni",
	"sites/https.inc",
	"sites/https_front.inc",
	"sites/main.raw",
	"sites/http.raw",
	"sites/stream.raw",
	"sites/template_main.raw",
	"sites/template_http.raw",
	"sites/template_server.raw",
	"sites/template_location.raw",
};

static bool
is_one_of(const char *s, size_t len, const char *const *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], s, len) == 0)
			return true;
	return false;
}

/* True if every "$name" in the word is one that we use. */
static bool
knows_variables(const char *word)
{
	const char *p;

	for (p = word; (p = strchr(p, '$')) != NULL;) {
		size_t len = strspn(++p,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "0123456789_");

		if (strncmp(p, "cookie_", 7) == 0 && len > 7)
			continue;
		if (!is_one_of(p, len, variables, countof(variables)))
			return false;
	}
	return true;
}

static int
refuse(const struct token_reader *t, const char *why, struct error *e)
{
	STR_AUTO(shown, 600);
	size_t i;

	for (i = 0; i < t->words.len && i < 4; i++) {
		const char *word = token_word(t, i);

		str_addc(&shown, ' ');
		str_add_quoted(&shown, word, strlen(word), 60);
	}
	return error_set(e, EPROTO, "%s:%s", why, shown.p);
}

static int
check_map(const struct token_reader *t, struct error *e)
{
	STR_AUTO(line, 4096);

	if (t->words.len != 2)
		return refuse(t, "map", e);
	str_add(&line, token_word(t, 0));
	str_addc(&line, ' ');
	str_add(&line, token_word(t, 1));
	if (strncmp(line.p, "default bulkhead/", 17) == 0 ||
	    strncmp(line.p, "default <!doctype html>", 23) == 0)
		return knows_variables(token_word(t, 1)) ? 0
							 : refuse(t, "map", e);
	return is_one_of(line.p, line.len, map_lines, countof(map_lines))
	    ? 0
	    : refuse(t, "map", e);
}

static int
check_geo(const struct token_reader *t, struct error *e)
{
	const char *key = token_word(t, 0);

	if (t->words.len != 2 || t->quoted > 0)
		return refuse(t, "geo", e);
	if (strcmp(key, "default") == 0)
		return strcmp(token_word(t, 1), "0") == 0 ? 0
							  : refuse(t, "geo", e);
	if (key[strspn(key, "0123456789abcdefABCDEF.:/")] != '\0' ||
	    strcmp(token_word(t, 1), "1") != 0)
		return refuse(t, "geo", e);
	return 0;
}

/*
 * "hostnames", "default tls", "HOST TARGET", of which HOST is quoted behind a
 * backslash where it would be a word; read-back compares the hosts.
 */
static int
check_names(const struct token_reader *t, struct error *e)
{
	const char *host = token_word(t, 0);
	bool escaped =
	    strcmp(host, "\\default") == 0 || strcmp(host, "\\include") == 0;

	if (t->quoted != (escaped ? 1 : 0))
		return refuse(t, "quotes", e);
	if (t->words.len == 2 && escaped)
		return 0;
	if (t->words.len == 1 && strcmp(host, "hostnames") == 0)
		return 0;
	if (t->words.len != 2 ||
	    host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789._-*")] !=
		'\0')
		return refuse(t, "name", e);
	return 0;
}

/* Our page, nobody's path, or to another place with the URI kept. */
static int
check_return(const struct token_reader *t, struct error *e)
{
	const char *code = token_word(t, 1);
	const char *text = t->words.len > 2 ? token_word(t, 2) : "";
	const char *tail = strstr(text, "$request_uri");
	bool moves = strcmp(code, "302") == 0 || strcmp(code, "308") == 0;

	if (!moves && strcmp(code, "503") != 0 && strcmp(code, "404") != 0)
		return refuse(t, "code", e);
	if (!moves)
		return *text == '\0' ||
			strcmp(text, "$bulkhead_unavailable") == 0
		    ? 0
		    : refuse(t, "text", e);
	if (tail == NULL || strcmp(tail, "$request_uri") != 0)
		return refuse(t, "URI", e);
	if (strcmp(code, "308") == 0 &&
	    strncmp(text, "https://$host", strlen("https://$host")) != 0)
		return refuse(t, "place", e);
	return 0;
}

static int
check_words(
    const struct token_reader *t, const struct directive *d, struct error *e)
{
	size_t i;

	if (t->quoted > 0 && (d->flags & QUOTES) == 0)
		return refuse(t, "quotes", e);
	for (i = 0; i < t->words.len; i++) {
		const char *word = token_word(t, i);

		if ((d->flags & OPERATOR) != 0)
			continue;
		if (strchr(word, '$') != NULL &&
		    ((d->flags & VARIABLES) == 0 || !knows_variables(word)))
			return refuse(t, "variable", e);
	}
	if (strcmp(d->name, "include") == 0 &&
	    !is_one_of(token_word(t, 1), strlen(token_word(t, 1)), includes,
		countof(includes)))
		return refuse(t, "include", e);
	if (strcmp(d->name, "return") == 0)
		return check_return(t, e);
	/* The one condition there is: by what scheme the request came. */
	if (strcmp(d->name, "if") == 0 &&
	    (strcmp(token_word(t, 1), "($bulkhead_scheme") != 0 ||
		strcmp(token_word(t, 2), "=") != 0 ||
		(strcmp(token_word(t, 3), "http)") != 0 &&
		    strcmp(token_word(t, 3), "https)") != 0)))
		return refuse(t, "if", e);
	return 0;
}

/* The first entry of that name, or the end. */
static size_t
find_name(const char *name)
{
	size_t low = 0, high = countof(directives);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(directives[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
grammar_check(const struct token_reader *t, enum token_kind kind,
    enum grammar_context in, enum grammar_context *ret_inside, struct error *e)
{
	const char *name = token_word(t, 0);
	size_t i;

	must(kind == TOKEN_LINE || kind == TOKEN_BLOCK);
	if (in == IN_MAP && kind == TOKEN_LINE)
		return check_map(t, e);
	if (in == IN_GEO && kind == TOKEN_LINE)
		return check_geo(t, e);
	if (in == IN_NAMES && kind == TOKEN_LINE &&
	    strcmp(name, "include") != 0)
		return check_names(t, e);
	for (i = find_name(name);
	     i < countof(directives) && strcmp(directives[i].name, name) == 0;
	     i++) {
		const struct directive *d = &directives[i];

		if ((d->contexts & BIT(in)) == 0 ||
		    ((d->flags & BLOCK) != 0) != (kind == TOKEN_BLOCK))
			continue;
		if (t->words.len - 1 < d->min || t->words.len - 1 > d->max)
			return refuse(t, "number of arguments", e);
		if (check_words(t, d, e) != 0)
			return -1;
		*ret_inside = d->inside;
		/* The stream block's first map is that of the names. */
		if (d->inside == IN_MAP &&
		    strcmp(token_word(t, 1), "$ssl_preread_server_name") == 0)
			*ret_inside = IN_NAMES;
		return 0;
	}
	return refuse(t, "not on the list here", e);
}

bool
grammar_is_sorted(void)
{
	size_t i;

	for (i = 1; i < countof(directives); i++)
		if (strcmp(directives[i - 1].name, directives[i].name) > 0)
			return false;
	return true;
}
