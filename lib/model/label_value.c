/*
 * Values of single labels: one small parser per kind of value, and the row
 * that says which label is of which kind.  See label_reader.h.
 */
#include "model/label_reader.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/inet.h"
#include "base/parse.h"
#include "base/str.h"
#include "model/label_text.h"

/* A number of more digits is at fault itself, whatever its unit. */
#define DIGITS_MAX 11
#define YEAR_SECONDS (365ULL * 24 * 3600)

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

struct label_span
label_span_part(const struct label_span *s, size_t from, size_t to)
{
	must(from <= to && to <= s->len);
	return (struct label_span){ s->p + from, to - from, s->at + from };
}

struct label_span
label_span_trim(struct label_span s)
{
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_blank(s.p[0]))
		s = label_span_part(&s, 1, s.len);
	return s;
}

bool
label_span_next(struct label_span *rest, char separator, struct label_span *ret)
{
	while (rest->len > 0) {
		const char *end = memchr(rest->p, separator, rest->len);
		size_t n = end == NULL ? rest->len : (size_t)(end - rest->p);
		struct label_span item = label_span_part(rest, 0, n);

		*rest =
		    label_span_part(rest, end == NULL ? n : n + 1, rest->len);
		item = label_span_trim(item);
		if (item.len > 0) {
			*ret = item;
			return true;
		}
	}
	return false;
}

char *
label_fold_host(const char *s, size_t len)
{
	char *p, *folded;

	if (len > 0 && s[len - 1] == '.')
		len--;
	folded = xmemdup0(s, len);
	for (p = folded; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
	}
	return folded;
}

/*
 * A value that is none of the known words is at fault as a whole; one with a
 * byte that no value may have, at that byte.
 */
static size_t
fault_of(const struct label_span *v)
{
	size_t i;

	for (i = 0; i < v->len; i++) {
		if (v->p[i] < 0x21 || v->p[i] > 0x7e)
			return i;
	}
	return 0;
}

static int
fail_word(
    struct label_reader *r, const struct label_span *v, const char *expected)
{
	STR_AUTO(text, 200);

	str_add_quoted(&text, v->p, v->len, 40);
	return label_reader_fail(r, REJECT_BAD_VALUE,
	    (int64_t)(v->at + fault_of(v)), "%s: %s", text.p, expected);
}

static bool
is_word(const struct label_span *v, const char *word)
{
	return v->len == strlen(word) && strncasecmp(v->p, word, v->len) == 0;
}

static int
read_bool(struct label_reader *r, struct label_span v, bool *ret)
{
	*ret = is_word(&v, "true") || is_word(&v, "1");
	if (*ret || is_word(&v, "false") || is_word(&v, "0"))
		return 0;
	return fail_word(r, &v, "write true or false");
}

/* Decimal digits without a leading zero, 'min' to 'max'. */
static int
read_number(struct label_reader *r, struct label_span v, uint32_t min,
    uint32_t max, uint32_t *ret)
{
	STR_AUTO(text, 200);
	size_t i = 0;

	while (i < v.len && is_digit(v.p[i]))
		i++;
	if (i == v.len) {
		if (parse_u32(v.p, v.len, min, max, ret, NULL) == 0)
			return 0;
		i = 0;
	}
	str_add_quoted(&text, v.p, v.len, 40);
	return label_reader_fail(r, REJECT_BAD_VALUE, (int64_t)(v.at + i),
	    "%s: write a whole number from %u to %u, without sign, leading "
	    "zero or anything behind it",
	    text.p, min, max);
}

/*
 * What parse.h does not take: the fault is the first byte behind what could
 * have been good, or the whole.  'units' are of one letter.
 */
static int
fail_unit(struct label_reader *r, const struct label_span *v, const char *units,
    const struct error *e)
{
	STR_AUTO(text, 200);
	size_t i = 0;

	while (e->code != ERANGE && i < v->len && is_digit(v->p[i]))
		i++;
	if (i > 0 && i < v->len && v->p[i] != '\0' &&
	    strchr(units, v->p[i]) != NULL) {
		i++;
		/* The only unit of two letters. */
		if (i < v->len && v->p[i - 1] == 'm' && v->p[i] == 's')
			i++;
	}
	if (i == v->len || i > DIGITS_MAX)
		i = 0;
	str_add_quoted(&text, v->p, v->len, 40);
	return label_reader_fail(r, REJECT_BAD_VALUE, (int64_t)(v->at + i),
	    "%s: %s", text.p, e->msg);
}

static int
read_duration(struct label_reader *r, struct label_span v, uint64_t *ret)
{
	struct error e;

	if (parse_duration_ms(v.p, v.len, LABEL_DURATION_MAX, ret, &e) != 0)
		return fail_unit(r, &v, "smhd", &e);
	if (*ret > 0)
		return 0;
	return label_reader_fail(r, REJECT_BAD_VALUE, (int64_t)v.at,
	    "a duration of 0: write 1ms to 24h");
}

typedef int
text_check(const char *s, size_t len, size_t *ret_offset, struct error *e);

static int
read_text(
    struct label_reader *r, struct label_span v, text_check *check, char **ret)
{
	struct error e;
	size_t offset;

	if (check(v.p, v.len, &offset, &e) != 0)
		return label_reader_fail_check(r, &v, offset, &e);
	*ret = xmemdup0(v.p, v.len);
	return 0;
}

struct items {
	VEC(struct label_item) list;
};

/* Takes 'text'; equal ones are one, the first. */
static int
add_item(struct label_reader *r, struct items *items, char *text,
    const struct label_span *item, size_t max, const char *what)
{
	struct label_item *added;
	int64_t at;
	size_t i;

	for (i = 0; i < items->list.len; i++) {
		if (strcmp(items->list.at[i].text, text) == 0) {
			free(text);
			return 0;
		}
	}
	if (items->list.len == max) {
		free(text);
		return label_reader_fail(r, REJECT_TOO_MANY, (int64_t)item->at,
		    "more than %zu %s: spread them over several services", max,
		    what);
	}
	added = vec_add(&items->list);
	added->text = text;
	added->key = label_reader_origin(r, (int64_t)item->at, &at);
	added->offset = (uint32_t)at;
	return 0;
}

static int
read_host_items(
    struct label_reader *r, struct label_span v, struct items *items)
{
	struct label_span item;
	struct error e;
	size_t offset;

	while (label_span_next(&v, ',', &item)) {
		if (label_check_host(item.p, item.len, true, &offset, &e) != 0)
			return label_reader_fail_check(r, &item, offset, &e);
		if (add_item(r, items, label_fold_host(item.p, item.len), &item,
			LABEL_HOSTS_MAX, "hosts") != 0)
			return -1;
	}
	return 0;
}

static int
read_path_items(
    struct label_reader *r, struct label_span v, struct items *items)
{
	struct label_span item;
	struct error e;
	size_t offset, len;

	while (label_span_next(&v, ',', &item)) {
		len = item.len;
		if (len > 2 && item.p[len - 1] == '/' && item.p[len - 2] != '/')
			len--;
		if (label_check_path(item.p, len, &offset, &e) != 0)
			return label_reader_fail_check(r, &item, offset, &e);
		if (add_item(r, items, xmemdup0(item.p, len), &item,
			LABEL_ITEMS_MAX, "paths") != 0)
			return -1;
	}
	return 0;
}

static int
read_cidr_items(
    struct label_reader *r, struct label_span v, struct items *items)
{
	struct label_span item;
	char text[INET_TEXT_SIZE];
	struct inet a;
	struct error e;
	size_t i;

	while (label_span_next(&v, ',', &item)) {
		for (i = 0; i < item.len; i++) {
			if (item.p[i] == '\0' ||
			    strchr("0123456789abcdefABCDEF.:/", item.p[i]) ==
				NULL)
				break;
		}
		if (inet_parse(item.p, item.len, &a, &e) != 0)
			return label_reader_fail(r, REJECT_BAD_VALUE,
			    (int64_t)(item.at + (i < item.len ? i : 0)),
			    "%s: write networks like 10.0.0.0/8 or fd00::/8",
			    e.msg);
		if (!inet_is_network(&a)) {
			inet_mask(&a);
			inet_format_network(&a, text);
			return label_reader_fail(r, REJECT_BAD_VALUE,
			    (int64_t)item.at,
			    "bits are set behind the prefix: write %s if you "
			    "mean the whole network",
			    text);
		}
		inet_format_network(&a, text);
		if (add_item(r, items, xstrdup(text), &item, LABEL_CIDRS_MAX,
			"networks") != 0)
			return -1;
	}
	return 0;
}

/* The lists of struct labels are types of their own: move by member. */
#define READ_LIST(name, read, member)                                          \
	static int read_##name(struct label_reader *r, struct label_span v)    \
	{                                                                      \
		struct items items = { { NULL, 0, 0 } };                       \
		int rc = read(r, v, &items);                                   \
                                                                               \
		r->ret->member.at = items.list.at;                             \
		r->ret->member.len = items.list.len;                           \
		r->ret->member.room = items.list.room;                         \
		if (rc == 0 && items.list.len == 0)                            \
			label_reader_absent(r);                                \
		return rc;                                                     \
	}
READ_LIST(hosts, read_host_items, hosts)
READ_LIST(context_root, read_path_items, context_roots)
READ_LIST(websocket_endpoints, read_path_items, websocket_endpoints)
READ_LIST(allow, read_cidr_items, allow)
READ_LIST(deny, read_cidr_items, deny)

#define READ_BOOL(name)                                                        \
	static int read_##name(struct label_reader *r, struct label_span v)    \
	{                                                                      \
		return read_bool(r, v, &r->ret->name);                         \
	}
READ_BOOL(context_root_rewrite)
READ_BOOL(ssl_passthrough)
READ_BOOL(ssl_only)
READ_BOOL(ssl_backend)
READ_BOOL(ip_hash)
READ_BOOL(default_backend)
READ_BOOL(grpc)
READ_BOOL(proxy_protocol)
READ_BOOL(maintenance)
READ_BOOL(drain)

#define READ_NUMBER(name, min, max)                                            \
	static int read_##name(struct label_reader *r, struct label_span v)    \
	{                                                                      \
		return read_number(r, v, min, max, &r->ret->name);             \
	}
READ_NUMBER(max_fails, 0, 1000)
READ_NUMBER(weight, 0, 100)

#define READ_DURATION(name)                                                    \
	static int read_##name(struct label_reader *r, struct label_span v)    \
	{                                                                      \
		return read_duration(r, v, &r->ret->name##_ms);                \
	}
READ_DURATION(fail_timeout)
READ_DURATION(connect_timeout)
READ_DURATION(read_timeout)
READ_DURATION(send_timeout)

#define READ_TEXT(name, check)                                                 \
	static int read_##name(struct label_reader *r, struct label_span v)    \
	{                                                                      \
		return read_text(r, v, check, &r->ret->name);                  \
	}
READ_TEXT(network, label_check_network)
READ_TEXT(ssl_cert, label_check_secret)
READ_TEXT(ssl_key, label_check_secret)
READ_TEXT(ssl_backend_ca, label_check_secret)
READ_TEXT(sticky_session_cookie, label_check_cookie)
READ_TEXT(service_cluster, label_check_cluster)
READ_TEXT(basic_auth, label_check_secret)

static int
read_port(struct label_reader *r, struct label_span v)
{
	uint32_t port = 0;

	if (read_number(r, v, 1, UINT16_MAX, &port) != 0)
		return -1;
	r->ret->port = (uint16_t)port;
	return 0;
}

static int
read_ssl_backend_name(struct label_reader *r, struct label_span v)
{
	struct error e = { .code = 0 };
	size_t offset;

	if (label_check_host(v.p, v.len, false, &offset, &e) != 0)
		return label_reader_fail_check(r, &v, offset, &e);
	r->ret->ssl_backend_name = label_fold_host(v.p, v.len);
	return 0;
}

static int
read_ssl_backend_tls_verify(struct label_reader *r, struct label_span v)
{
	r->ret->ssl_backend_verify = is_word(&v, "required");
	if (r->ret->ssl_backend_verify || is_word(&v, "none"))
		return 0;
	return fail_word(r, &v, "write none or required");
}

static int
read_backend_mode(struct label_reader *r, struct label_span v)
{
	r->ret->backend_mode = is_word(&v, "vip") ? BACKEND_VIP : BACKEND_TASK;
	if (is_word(&v, "vip") || is_word(&v, "task") || is_word(&v, "default"))
		return 0;
	return fail_word(r, &v, "write task or vip");
}

static int
read_max_body_size(struct label_reader *r, struct label_span v)
{
	struct error e;

	if (parse_size(v.p, v.len, &r->ret->max_body_size, &e) != 0)
		return fail_unit(r, &v, "kKmMgG", &e);
	return 0;
}

/* "true" or seconds, then includeSubDomains and preload; "false" is none. */
static int
read_hsts(struct label_reader *r, struct label_span v)
{
	struct label_span item;
	uint32_t seconds = 0;

	if (!label_span_next(&v, ',', &item)) {
		label_reader_absent(r);
		return 0;
	}
	if (is_word(&item, "true"))
		r->ret->hsts_seconds = YEAR_SECONDS;
	else if (is_word(&item, "false"))
		label_reader_absent(r);
	else if (item.p[0] < '0' || item.p[0] > '9')
		return fail_word(r, &item,
		    "write true or a number of seconds, then "
		    "includeSubDomains and preload");
	else if (read_number(r, item, 0, 1000000000, &seconds) != 0)
		return -1;
	else
		r->ret->hsts_seconds = seconds;
	while (label_span_next(&v, ',', &item)) {
		if (is_word(&item, "includesubdomains"))
			r->ret->hsts_subdomains = true;
		else if (is_word(&item, "preload"))
			r->ret->hsts_preload = true;
		else
			return fail_word(r, &item,
			    "write includeSubDomains or preload here");
	}
	return 0;
}

/* "N/s" or "N/m" */
static int
read_rate(struct label_reader *r, const struct label_span *v)
{
	static const char expected[] = "write a rate like 10/s or 100/m";
	STR_AUTO(text, 200);
	size_t i = 0;

	while (i < v->len && is_digit(v->p[i]))
		i++;
	if (i > 0 && i + 2 == v->len && v->p[i] == '/' &&
	    (v->p[i + 1] == 's' || v->p[i + 1] == 'm')) {
		r->ret->rate_limit_per_minute = v->p[i + 1] == 'm';
		return read_number(r, label_span_part(v, 0, i), 1, 1000000,
		    &r->ret->rate_limit);
	}
	if (i > 0 && i < v->len && v->p[i] == '/')
		i++;
	if (i > 1 && i < v->len && v->p[i - 1] == '/' &&
	    (v->p[i] == 's' || v->p[i] == 'm'))
		i++;
	str_add_quoted(&text, v->p, v->len, 40);
	return label_reader_fail(r, REJECT_BAD_VALUE,
	    (int64_t)(v->at + (i < v->len ? i : 0)), "%s: %s", text.p,
	    expected);
}

static int
read_rate_limit(struct label_reader *r, struct label_span v)
{
	static const size_t n = sizeof("burst=") - 1;
	struct label_span item;
	bool burst = false;

	if (!label_span_next(&v, ',', &item)) {
		label_reader_absent(r);
		return 0;
	}
	if (read_rate(r, &item) != 0)
		return -1;
	while (label_span_next(&v, ',', &item)) {
		if (burst || item.len <= n ||
		    strncasecmp(item.p, "burst=", n) != 0)
			return fail_word(
			    r, &item, "write burst=N once behind the rate");
		burst = true;
		if (read_number(r, label_span_part(&item, n, item.len), 0,
			1000000, &r->ret->rate_limit_burst) != 0)
			return -1;
	}
	return 0;
}

label_read_fn *
label_read_function(enum label_id id)
{
	static label_read_fn *const functions[LABEL_COUNT] = {
		[LABEL_HOSTS] = read_hosts,
		[LABEL_PORT] = read_port,
		[LABEL_NETWORK] = read_network,
		[LABEL_CONTEXT_ROOT] = read_context_root,
		[LABEL_CONTEXT_ROOT_REWRITE] = read_context_root_rewrite,
		[LABEL_SSL_CERT] = read_ssl_cert,
		[LABEL_SSL_KEY] = read_ssl_key,
		[LABEL_SSL_PASSTHROUGH] = read_ssl_passthrough,
		[LABEL_SSL_ONLY] = read_ssl_only,
		[LABEL_SSL_BACKEND] = read_ssl_backend,
		[LABEL_SSL_BACKEND_TLS_VERIFY] = read_ssl_backend_tls_verify,
		[LABEL_SSL_BACKEND_CA] = read_ssl_backend_ca,
		[LABEL_SSL_BACKEND_NAME] = read_ssl_backend_name,
		[LABEL_WEBSOCKET_ENDPOINTS] = read_websocket_endpoints,
		[LABEL_STICKY_SESSION_COOKIE] = read_sticky_session_cookie,
		[LABEL_IP_HASH] = read_ip_hash,
		[LABEL_REDIRECTS] = label_read_redirects,
		[LABEL_DEFAULT_BACKEND] = read_default_backend,
		[LABEL_SERVICE_CLUSTER] = read_service_cluster,
		[LABEL_BACKEND_MODE] = read_backend_mode,
		[LABEL_MAX_FAILS] = read_max_fails,
		[LABEL_FAIL_TIMEOUT] = read_fail_timeout,
		[LABEL_WEIGHT] = read_weight,
		[LABEL_CONNECT_TIMEOUT] = read_connect_timeout,
		[LABEL_READ_TIMEOUT] = read_read_timeout,
		[LABEL_SEND_TIMEOUT] = read_send_timeout,
		[LABEL_MAX_BODY_SIZE] = read_max_body_size,
		[LABEL_HSTS] = read_hsts,
		[LABEL_GRPC] = read_grpc,
		[LABEL_PROXY_PROTOCOL] = read_proxy_protocol,
		[LABEL_RATE_LIMIT] = read_rate_limit,
		[LABEL_ALLOW] = read_allow,
		[LABEL_DENY] = read_deny,
		[LABEL_BASIC_AUTH] = read_basic_auth,
		[LABEL_MAINTENANCE] = read_maintenance,
		[LABEL_DRAIN] = read_drain,
	};

	must(functions[id] != NULL);
	return functions[id];
}
