/*
 * The label "redirects": http://old,http://new;... (see label_reader.h).  The
 * target gets the request's own path and query behind it.
 */
#include "model/label_reader.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "base/str.h"
#include "model/label_text.h"

/* An http or https URL in its parts. */
struct url {
	bool https;
	struct label_span host;
	struct label_span port; /* digits, or empty */
	struct label_span path; /* from its slash, or empty */
};

static int
fail(struct label_reader *r, const struct label_span *s, size_t offset,
    const char *what)
{
	STR_AUTO(text, 200);

	str_add_quoted(&text, s->p, s->len, 60);
	return label_reader_fail(r, REJECT_BAD_VALUE, (int64_t)(s->at + offset),
	    "%s: %s", text.p, what);
}

static int
split_url(struct label_reader *r, const struct label_span *s, struct url *ret)
{
	static const char *const schemes[] = { "http://", "https://" };
	size_t start = 0, end, colon, i;
	struct error e;
	uint32_t port;

	for (i = 0; i < countof(schemes); i++) {
		size_t n = strlen(schemes[i]);

		if (s->len >= n && strncasecmp(s->p, schemes[i], n) == 0) {
			ret->https = i == 1;
			start = n;
		}
	}
	if (start == 0 || start == s->len)
		return fail(r, s, 0, "write http:// or https:// and a host");
	for (end = start; end < s->len && s->p[end] != '/'; end++) {
		if (s->p[end] < 0x21 || s->p[end] > 0x7e || s->p[end] == '\\')
			break; /* what no host has comes first */
		if (s->p[end] == '@')
			return fail(r, s, end, "no user is allowed in a URL");
	}
	while (end < s->len && s->p[end] != '/')
		end++;
	for (colon = end; colon > start && s->p[colon - 1] != ':'; colon--)
		;
	ret->path = label_span_part(s, end, s->len);
	ret->port = label_span_part(s, end, end);
	ret->host = label_span_part(s, start, end);
	if (colon == start || s->p[start] == '[')
		return 0;
	ret->port = label_span_part(s, colon, end);
	ret->host = label_span_part(s, start, colon - 1);
	/* A wrong host comes before a wrong port. */
	if (label_check_host(ret->host.p, ret->host.len, false, &i, &e) != 0)
		return label_reader_fail_check(r, &ret->host, i, &e);
	for (i = 0; i < ret->port.len; i++) {
		if (ret->port.p[i] < '0' || ret->port.p[i] > '9')
			return fail(r, s, colon + i, "not a port");
	}
	if (parse_u32(ret->port.p, ret->port.len, 1, 65535, &port, NULL) != 0)
		return fail(r, s, colon - (ret->port.len == 0),
		    "a port is a number from 1 to 65535");
	return 0;
}

static int
check_host(struct label_reader *r, const struct label_span *s)
{
	struct error e = { .code = 0 };
	size_t offset;

	if (label_check_host(s->p, s->len, false, &offset, &e) != 0)
		return label_reader_fail_check(r, s, offset, &e);
	return 0;
}

static int
check_path(struct label_reader *r, const struct label_span *s, text_check *f)
{
	struct error e;
	size_t offset;

	if (s->len > 0 && f(s->p, s->len, &offset, &e) != 0)
		return label_reader_fail_check(r, s, offset, &e);
	return 0;
}

/* Length of a path without a final slash. */
static size_t
path_len(const struct label_span *path)
{
	return path->len > 0 && path->p[path->len - 1] == '/' ? path->len - 1
							      : path->len;
}

static int
read_source(
    struct label_reader *r, const struct label_span *s, struct redirect *ret)
{
	struct url url;

	if (split_url(r, s, &url) != 0 || check_host(r, &url.host) != 0)
		return -1;
	if (url.port.len > 0)
		return fail(r, &url.port, 0,
		    "drop the port of the source: a host is matched on every "
		    "port");
	if (check_path(r, &url.path, label_check_path) != 0)
		return -1;
	ret->source = label_fold_host(url.host.p, url.host.len);
	ret->source_path = xmemdup0(url.path.p, path_len(&url.path));
	ret->on_plain = !url.https;
	ret->on_tls = url.https;
	ret->offset = (uint32_t)s->at;
	return 0;
}

static bool
span_is(const struct label_span *s, const char *text)
{
	return s->len == strlen(text) && memcmp(s->p, text, s->len) == 0;
}

static int
read_target(
    struct label_reader *r, const struct label_span *s, struct redirect *ret)
{
	char *host _cleanup_free_ = NULL;
	STR_AUTO(target, LABEL_VALUE_MAX);
	struct url url;

	if (split_url(r, s, &url) != 0 || check_host(r, &url.host) != 0 ||
	    check_path(r, &url.path, label_check_url_path) != 0)
		return -1;
	host = label_fold_host(url.host.p, url.host.len);
	str_add(&target, host);
	if (url.port.len > 0 && !span_is(&url.port, url.https ? "443" : "80")) {
		str_addc(&target, ':');
		str_addn(&target, url.port.p, url.port.len);
	}
	str_addn(&target, url.path.p, path_len(&url.path));
	ret->target_https = url.https;
	ret->target = str_take(&target);
	if (strcmp(host, ret->source) != 0)
		ret->on_plain = ret->on_tls = true;
	return 0;
}

static int
read_pair(struct label_reader *r, struct label_span pair, struct redirect *ret)
{
	struct label_span whole = pair, source, target, more;

	if (!label_span_next(&pair, ',', &source) ||
	    read_source(r, &source, ret) != 0)
		return -1;
	if (!label_span_next(&pair, ',', &target))
		return fail(r, &whole, 0,
		    "a redirect without target: write "
		    "http://old.example,http://new.example");
	if (read_target(r, &target, ret) != 0)
		return -1;
	if (label_span_next(&pair, ',', &more))
		return fail(r, &more, 0,
		    "a third member: pairs are separated by semicolons");
	return 0;
}

static bool
is_given(const struct labels *l, const struct redirect *redirect)
{
	size_t i;

	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *other = &l->redirects.at[i];

		if (other != redirect &&
		    strcmp(other->source, redirect->source) == 0 &&
		    strcmp(other->source_path, redirect->source_path) == 0 &&
		    ((other->on_plain && redirect->on_plain) ||
			(other->on_tls && redirect->on_tls)))
			return true;
	}
	return false;
}

int
label_read_redirects(struct label_reader *r, struct label_span v)
{
	struct label_span pair, member, rest;
	struct redirect *redirect;

	while (label_span_next(&v, ';', &pair)) {
		rest = pair;
		if (!label_span_next(&rest, ',', &member))
			continue;
		if (r->ret->redirects.len == LABEL_ITEMS_MAX)
			return label_reader_fail(r, REJECT_TOO_MANY,
			    (int64_t)pair.at, "more than %d redirects",
			    LABEL_ITEMS_MAX);
		redirect = vec_add(&r->ret->redirects);
		if (read_pair(r, pair, redirect) != 0)
			return -1;
		if (is_given(r->ret, redirect))
			return fail(r, &pair, 0,
			    "another redirect has the same source");
	}
	if (r->ret->redirects.len == 0)
		label_reader_absent(r);
	return 0;
}

/* True if one path begins with the other, by whole segments. */
static bool
paths_meet(const char *a, const char *b)
{
	size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

	if (strncmp(a, b, n) != 0)
		return false;
	return (a[n] == '\0' || a[n] == '/') && (b[n] == '\0' || b[n] == '/');
}

bool
redirect_leads_to(const struct redirect *a, const struct redirect *b)
{
	size_t host_len = strcspn(a->target, "/");
	STR_AUTO(path, LABEL_VALUE_MAX * 2);

	if (!(a->target_https ? b->on_tls : b->on_plain) ||
	    strlen(b->source) != host_len ||
	    memcmp(a->target, b->source, host_len) != 0)
		return false;
	str_add(&path, a->target + host_len);
	str_add(&path, a->source_path);
	return paths_meet(path.p, b->source_path);
}

/*
 * True if a walk from 'from' comes back to it.  'seen' marks what was tried;
 * at most LABEL_ITEMS_MAX deep.
 */
static bool
comes_back(const struct labels *l, size_t from, size_t at, uint64_t *seen)
{
	size_t i;

	for (i = 0; i < l->redirects.len; i++) {
		if (!redirect_leads_to(
			&l->redirects.at[at], &l->redirects.at[i]))
			continue;
		if (i == from)
			return true;
		if ((*seen >> i & 1) != 0)
			continue;
		*seen |= 1ULL << i;
		if (comes_back(l, from, i, seen))
			return true;
	}
	return false;
}

int
label_check_redirects(struct label_reader *r)
{
	const struct labels *l = r->ret;
	size_t i, k;

	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *redirect = &l->redirects.at[i];
		uint64_t seen = 0;

		for (k = 0; k < l->hosts.len; k++) {
			if (strcmp(l->hosts.at[k].text, redirect->source) == 0)
				break;
		}
		if (k == l->hosts.len)
			return label_reader_fail(r, REJECT_BAD_VALUE,
			    redirect->offset,
			    "%s is not among the service's hosts: name it "
			    "there too",
			    redirect->source);
		if (comes_back(l, i, i, &seen))
			return label_reader_fail(r, REJECT_REDIRECT_LOOP,
			    redirect->offset,
			    "%s%s comes back to itself: a client would be "
			    "sent in circles",
			    redirect->source, redirect->source_path);
	}
	return 0;
}
