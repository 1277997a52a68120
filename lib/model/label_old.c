/*
 * The labels of the older HTTP Routing Mesh, read as if they were ours:
 *	com.docker.ucp.mesh.http[.N] =
 *	    external_route=http://a.example,internal_port=80,
 *	    sticky_sessions=COOKIE,redirect=http://b.example
 * They are rewritten as our labels and go through the same parsers; faults
 * are told at the place in the old label.  See label_reader.h.
 */
#include "model/label_reader.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

#define OLD_KEY "com.docker.ucp.mesh.http"

/* The parts of one old label. */
struct old_parts {
	struct label_span host, port, cookie, redirect, scheme;
};

bool
label_old_is_key(const char *key)
{
	size_t n = strlen(OLD_KEY);

	return strncmp(key, OLD_KEY, n) == 0 &&
	    (key[n] == '\0' || key[n] == '.');
}

void
label_old_fini(struct label_old *o)
{
	size_t i;

	for (i = 0; i < LABEL_COUNT; i++)
		free(o->made[i].value);
	vec_fini(&o->origins);
}

static bool
is_name(const struct label_span *s, const char *name)
{
	return s->len == strlen(name) && strncasecmp(s->p, name, s->len) == 0;
}

/* "http://a.example:80/" as its host; a path other than / is a fault. */
static int
read_route(
    struct label_reader *r, const struct label_span *v, struct old_parts *ret)
{
	static const char *const schemes[] = { "http://", "https://",
		"sni://" };
	size_t i, n, end;

	for (i = 0; i < countof(schemes); i++) {
		n = strlen(schemes[i]);
		if (v->len >= n && strncasecmp(v->p, schemes[i], n) == 0)
			break;
	}
	if (i == countof(schemes))
		return label_reader_fail(r, REJECT_BAD_VALUE, (int64_t)v->at,
		    "external_route starts with http://, https:// or sni://");
	for (end = n; end < v->len && v->p[end] != ':' && v->p[end] != '/';)
		end++;
	ret->scheme = label_span_part(v, 0, n);
	ret->host = label_span_part(v, n, end);
	if (end < v->len && v->p[end] == ':') {
		for (end++;
		     end < v->len && v->p[end] >= '0' && v->p[end] <= '9';)
			end++;
	}
	if (end < v->len && v->p[end] == '/')
		end++;
	if (end < v->len)
		return label_reader_fail(r, REJECT_BAD_VALUE,
		    (int64_t)(v->at + end),
		    "external_route is a scheme and a host: for a path "
		    "use " LABEL_PREFIX "context_root");
	return 0;
}

static int
read_parts(struct label_reader *r, struct old_parts *ret)
{
	struct label_span rest = { r->label->value, r->label->value_len, 0 };
	struct label_span item, name, value;
	const char *equals;
	size_t n;

	while (label_span_next(&rest, ',', &item)) {
		equals = memchr(item.p, '=', item.len);
		n = equals == NULL ? item.len : (size_t)(equals - item.p);
		name = label_span_trim(label_span_part(&item, 0, n));
		value = label_span_part(
		    &item, equals == NULL ? n : n + 1, item.len);
		value = label_span_trim(value);
		if (value.len == 0)
			continue;
		if (is_name(&name, "external_route")) {
			if (read_route(r, &value, ret) != 0)
				return -1;
		} else if (is_name(&name, "internal_port")) {
			ret->port = value;
		} else if (is_name(&name, "sticky_sessions")) {
			ret->cookie = value;
		} else if (is_name(&name, "redirect")) {
			ret->redirect = value;
		} else {
			STR_AUTO(text, 100);

			str_add_quoted(&text, name.p, name.len, 40);
			label_reader_remark(r, REJECT_IGNORED, r->label->key,
			    "option %s of this old label is not read", text.p);
		}
	}
	return 0;
}

/* Adds 'v' to the value that is made up for 'id'. */
static void
add_piece(struct label_reader *r, enum label_id id, struct str *made,
    const struct label_span *v)
{
	struct label_origin *o;

	if (v->len == 0)
		return;
	o = vec_add(&r->old.origins);
	*o = (struct label_origin){ id, made->len, v->len, r->label, v->at };
	str_addn(made, v->p, v->len);
}

static bool
same(const struct label_span *a, const struct label_span *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* What is gathered from all old labels of the service. */
struct old_values {
	struct str hosts, redirects, port, cookie, passthrough;
	struct label_span first_port, first_cookie;
};

static int
add_parts(
    struct label_reader *r, const struct old_parts *p, struct old_values *v)
{
	static const struct label_span scheme = { "http://", 7, 0 };

	if (p->host.len > 0) {
		add_piece(r, LABEL_HOSTS, &v->hosts, &p->host);
		str_addc(&v->hosts, ',');
	}
	if (p->scheme.len > 0 && (p->scheme.p[0] | 0x20) == 's' &&
	    v->passthrough.len == 0)
		str_add(&v->passthrough, "true");
	if (p->port.len > 0 && v->first_port.len == 0) {
		v->first_port = p->port;
		add_piece(r, LABEL_PORT, &v->port, &p->port);
	} else if (p->port.len > 0 && !same(&p->port, &v->first_port)) {
		return label_reader_fail(r, REJECT_BAD_VALUE,
		    (int64_t)p->port.at,
		    "another internal_port than in the label before: a "
		    "service has one port");
	}
	if (p->cookie.len > 0 && v->first_cookie.len == 0) {
		v->first_cookie = p->cookie;
		add_piece(
		    r, LABEL_STICKY_SESSION_COOKIE, &v->cookie, &p->cookie);
	} else if (p->cookie.len > 0 && !same(&p->cookie, &v->first_cookie)) {
		return label_reader_fail(r, REJECT_BAD_VALUE,
		    (int64_t)p->cookie.at,
		    "another cookie than in the label before: a service has "
		    "one");
	}
	if (p->redirect.len > 0 && p->host.len > 0) {
		str_addn(&v->redirects, scheme.p, scheme.len);
		add_piece(r, LABEL_REDIRECTS, &v->redirects, &p->host);
		str_addc(&v->redirects, ',');
		add_piece(r, LABEL_REDIRECTS, &v->redirects, &p->redirect);
		str_addc(&v->redirects, ';');
	}
	return 0;
}

static void
take(struct label_reader *r, enum label_id id, struct str *made)
{
	struct label *l = &r->old.made[id];

	if (made->len == 0)
		return;
	l->key = (char *)(uintptr_t)label_key(id);
	l->value_len = made->len;
	l->value = str_take(made);
}

int
label_old_read(struct label_reader *r)
{
	const struct service *s = r->service;
	struct old_values v = { 0 };
	size_t i;
	int rc = 0;

	str_init(&v.hosts, LABEL_VALUE_MAX * 2);
	str_init(&v.redirects, LABEL_VALUE_MAX * 2);
	str_init(&v.port, LABEL_VALUE_MAX);
	str_init(&v.cookie, LABEL_VALUE_MAX);
	str_init(&v.passthrough, 8);
	for (i = 0; i < s->labels.len && rc == 0; i++) {
		struct old_parts parts = { 0 };

		r->label = &s->labels.at[i];
		if (!label_old_is_key(r->label->key))
			continue;
		if (r->label->value_len > LABEL_VALUE_MAX)
			rc = label_reader_fail(r, REJECT_TOO_LONG, 0,
			    "the value has more than %d bytes",
			    LABEL_VALUE_MAX);
		else if (read_parts(r, &parts) != 0)
			rc = -1;
		else
			rc = add_parts(r, &parts, &v);
	}
	r->label = NULL;
	take(r, LABEL_HOSTS, &v.hosts);
	take(r, LABEL_REDIRECTS, &v.redirects);
	take(r, LABEL_PORT, &v.port);
	take(r, LABEL_STICKY_SESSION_COOKIE, &v.cookie);
	take(r, LABEL_SSL_PASSTHROUGH, &v.passthrough);
	str_fini(&v.hosts);
	str_fini(&v.redirects);
	str_fini(&v.port);
	str_fini(&v.cookie);
	str_fini(&v.passthrough);
	return rc;
}
