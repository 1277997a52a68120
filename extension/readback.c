/* Our files against the routes they were made from: see readback.h. */
#include "readback.h"

#include "base/map.h"
#include "base/parse.h"
#include "readback_grammar.h"

#include <errno.h>
#include <string.h>

enum { SERVERS_MAX = 64 * 1024 * 1024, DEPTH_MAX = 8 };

struct location {
	char *path;   /* owned; without the slash that a prefix ends in */
	char *target; /* owned; what it passes to, NULL: it returns */
	bool exact;
};

struct server {
	VEC(char *) names; /* owned */
	VEC(struct location) locations;
	bool fallback; /* of sites/default.conf */
};

/* A map or upstream entry that outlives its file. */
struct reading {
	VEC(struct server *) servers; /* owned */
	struct map upstreams; /* name -> lines "ADDRESS WEIGHT", owned */
	struct map targets;   /* host -> name of a stream upstream, owned */
	struct str lines;     /* of the upstream that is being read */
	char *upstream;	      /* its name, owned */
};

static void
server_free(struct server *s)
{
	size_t i;

	for (i = 0; i < s->names.len; i++)
		free(s->names.at[i]);
	for (i = 0; i < s->locations.len; i++) {
		free(s->locations.at[i].path);
		free(s->locations.at[i].target);
	}
	vec_fini(&s->names);
	vec_fini(&s->locations);
	free(s);
}

static void
free_values(struct map *m)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(m, &i)) != NULL;)
		free(e->value);
	map_fini(m);
}

static void
reading_fini(struct reading *r)
{
	size_t i;

	for (i = 0; i < r->servers.len; i++)
		server_free(r->servers.at[i]);
	vec_fini(&r->servers);
	free_values(&r->upstreams);
	free_values(&r->targets);
	str_fini(&r->lines);
	free(r->upstream);
}

/* location [=] PATH */
static int
open_location(struct reading *r, const struct token_reader *t, struct error *e)
{
	struct server *s = r->servers.at[r->servers.len - 1];
	struct location *l = vec_add(&s->locations);
	const char *path = token_word(t, t->words.len - 1);
	size_t len = strlen(path);

	l->exact = t->words.len == 3;
	if (l->exact && strcmp(token_word(t, 1), "=") != 0)
		return error_set(e, EPROTO, "location of another kind");
	if (!l->exact && path[0] != '@' && path[len - 1] != '/')
		return error_set(e, EPROTO, "location without a slash");
	if (!l->exact && len > 1 && path[len - 1] == '/')
		len--;
	l->path = xmemdup0(path, len);
	return 0;
}

static int
open_block(struct reading *r, const struct token_reader *t,
    enum grammar_context inside, struct error *e)
{
	switch (inside) {
	case IN_SERVER:
		vec_push(&r->servers, xcalloc(1, sizeof(struct server)));
		return 0;
	case IN_LOCATION:
		return open_location(r, t, e);
	case IN_UPSTREAM:
	case IN_STREAM_UPSTREAM:
		free(r->upstream);
		/* The two kinds have their names apart. */
		r->upstream = xasprintf("%s%s",
		    inside == IN_STREAM_UPSTREAM ? "stream " : "",
		    token_word(t, 1));
		str_clear(&r->lines);
		return 0;
	default:
		return 0;
	}
}

/* server ADDRESS [weight=N] ...: kept as "ADDRESS N\n". */
static int
add_upstream_server(
    struct reading *r, const struct token_reader *t, struct error *e)
{
	uint32_t weight = 1;
	size_t i;

	for (i = 2; i < t->words.len; i++) {
		const char *word = token_word(t, i);

		if (strncmp(word, "weight=", 7) == 0) {
			if (parse_u32(word + 7, strlen(word + 7), 1, UINT32_MAX,
				&weight, e) != 0)
				return -1;
		} else if (strcmp(word, "down") == 0) {
			return 0;
		} else if (strncmp(word, "max_fails=", 10) != 0 &&
		    strncmp(word, "fail_timeout=", 13) != 0) {
			return error_set(e, EPROTO, "server with %.60s", word);
		}
	}
	str_addf(&r->lines, "%s %u\n", token_word(t, 1), weight);
	return 0;
}

/* "http://ID/...": what is between the slashes. */
static int
add_target(struct reading *r, const struct token_reader *t, struct error *e)
{
	struct server *s = r->servers.at[r->servers.len - 1];
	struct location *l = &s->locations.at[s->locations.len - 1];
	const char *p = strstr(token_word(t, 1), "://");

	if (p == NULL || l->target != NULL)
		return error_set(e, EPROTO, "second or odd target");
	p += 3;
	l->target = xmemdup0(p, strcspn(p, "/"));
	return 0;
}

static int
add_line(struct reading *r, const struct token_reader *t,
    enum grammar_context in, struct error *e)
{
	const char *name = token_word(t, 0);
	size_t i;

	if (in == IN_UPSTREAM || in == IN_STREAM_UPSTREAM)
		return strcmp(name, "server") == 0
		    ? add_upstream_server(r, t, e)
		    : 0;
	if (in == IN_LOCATION &&
	    (strcmp(name, "proxy_pass") == 0 || strcmp(name, "grpc_pass") == 0))
		return add_target(r, t, e);
	if (in == IN_SERVER && strcmp(name, "server_name") == 0) {
		struct server *s = r->servers.at[r->servers.len - 1];

		if (s->names.len > 0)
			return error_set(e, EPROTO, "two server_name");
		for (i = 1; i < t->words.len; i++)
			vec_push(&s->names, xstrdup(token_word(t, i)));
	}
	if (in == IN_NAMES && t->words.len == 2 &&
	    strcmp(name, "include") != 0) {
		char *old =
		    map_set(&r->targets, name, xstrdup(token_word(t, 1)));

		free(old);
		if (old != NULL)
			return error_set(e, EPROTO, "name twice: %.60s", name);
	}
	return 0;
}

static int
close_block(struct reading *r, enum grammar_context inside, struct error *e)
{
	char *old;

	if (inside != IN_UPSTREAM && inside != IN_STREAM_UPSTREAM)
		return 0;
	if (r->lines.overflow)
		return error_set(e, EPROTO, "upstream too large");
	old = map_set(&r->upstreams, r->upstream, xstrdup(r->lines.p));
	free(old);
	return old == NULL ? 0 : error_set(e, EPROTO, "upstream twice");
}

static int
read_statements(struct reading *r, struct token_reader *t,
    enum grammar_context in, struct error *e)
{
	enum grammar_context stack[DEPTH_MAX] = { in }, inside;
	enum token_kind kind;
	size_t depth = 0;

	for (;;) {
		if (token_next(t, &kind, e) != 0)
			return -1;
		if (kind == TOKEN_END)
			return depth == 0 ? 0
					  : error_set(e, EPROTO, "open block");
		if (kind == TOKEN_CLOSE) {
			if (depth == 0)
				return error_set(e, EPROTO, "brace too many");
			if (close_block(r, stack[depth--], e) != 0)
				return -1;
			continue;
		}
		if (grammar_check(t, kind, stack[depth], &inside, e) != 0)
			return -1;
		if (kind == TOKEN_LINE) {
			if (add_line(r, t, stack[depth], e) != 0)
				return -1;
			continue;
		}
		if (open_block(r, t, inside, e) != 0)
			return -1;
		if (depth + 1 == DEPTH_MAX)
			return error_set(e, EPROTO, "too deep");
		stack[++depth] = inside;
	}
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t len = strlen(s), n = strlen(tail);

	return len >= n && strcmp(s + len - n, tail) == 0;
}

static int
read_file(struct reading *r, const struct rendered_file *f, struct error *e)
{
	size_t first = r->servers.len, i;
	enum grammar_context in;
	struct token_reader t;
	int result;

	if (strcmp(f->path, "nginx.conf") == 0)
		in = IN_MAIN;
	else if (ends_with(f->path, ".conf"))
		in = IN_HTTP;
	else if (ends_with(f->path, ".stream"))
		in = IN_STREAM;
	else if (ends_with(f->path, ".sni"))
		in = IN_NAMES;
	else if (strcmp(f->path, "sites/https.inc") == 0)
		in = IN_SERVER;
	else if (ends_with(f->path, ".raw"))
		return 0;
	else
		return error_set(e, EPROTO, "%s: not ours", f->path);
	token_init(&t, f->text, f->len);
	result = read_statements(r, &t, in, e);
	token_fini(&t);
	if (result != 0)
		return error_wrap(e, "%s", f->path);
	for (i = first; i < r->servers.len; i++)
		r->servers.at[i]->fallback =
		    strcmp(f->path, "sites/default.conf") == 0;
	return 0;
}

/* The routes of one host, and how many servers have its name. */
struct host_routes {
	const struct route *first;
	size_t n;
	size_t servers;
};

static const struct route *
longest_route(const struct host_routes *h, const char *path)
{
	const struct route *best = NULL;
	size_t i;

	for (i = 0; i < h->n; i++) {
		const char *root = h->first[i].path;
		size_t len = strlen(root);

		if (len > 1 &&
		    (strncmp(root, path, len) != 0 ||
			(path[len] != '\0' && path[len] != '/')))
			continue;
		if (best == NULL || len > strlen(best->path))
			best = &h->first[i];
	}
	return best;
}

/* The servers of a route as read_upstream_server() writes them. */
static void
expected_servers(const struct route *r, struct str *out)
{
	size_t i, j;

	str_clear(out);
	for (i = 0; i < r->members.len; i++)
		for (j = 0; j < r->members.at[i].upstreams.len; j++)
			str_addf(out, "%s %u\n",
			    r->members.at[i].upstreams.at[j].address,
			    r->members.at[i].upstreams.at[j].weight);
}

static int
check_target(const struct reading *r, bool stream, const char *target,
    const struct route *route, struct error *e)
{
	_cleanup_free_ char *name =
	    xasprintf("%s%s", stream ? "stream " : "", target);
	const char *lines = map_get(&r->upstreams, name);
	STR_AUTO(expected, SERVERS_MAX);

	if (lines == NULL)
		return error_set(e, EPROTO, "no upstream %.60s", target);
	expected_servers(route, &expected);
	if (strcmp(lines, expected.p) != 0)
		return error_set(e, EPROTO,
		    "other servers than the route's behind %s%s", route->host,
		    route->path);
	return 0;
}

/* True if requests for the route may be answered without passing them on. */
static bool
may_return(const struct route *r)
{
	size_t i;

	if (r->tls == TLS_PASSTHROUGH || r->owner->labels.maintenance ||
	    r->host_owner->labels.ssl_only ||
	    r->host_owner->labels.redirects.len > 0)
		return true;
	for (i = 0; i < r->members.len; i++)
		if (r->members.at[i].upstreams.len > 0)
			return false;
	return true;
}

static int
check_location(const struct reading *r, const struct host_routes *h,
    const struct location *l, struct error *e)
{
	const struct route *route = longest_route(h, l->path);

	if (l->target == NULL)
		return route == NULL || may_return(route)
		    ? 0
		    : error_set(e, EPROTO, "%s%s answers itself", route->host,
			  l->path);
	if (route == NULL || route->tls == TLS_PASSTHROUGH)
		return error_set(e, EPROTO, "%s is passed on", l->path);
	return check_target(r, false, l->target, route, e);
}

/* Every route has its two locations, every location its route. */
static int
check_host(const struct reading *r, const struct server *s,
    const struct host_routes *h, struct error *e)
{
	size_t i, j, found;

	for (i = 0; i < s->locations.len; i++)
		if (s->locations.at[i].path[0] != '@' &&
		    strncmp(s->locations.at[i].path, "/@", 2) != 0 &&
		    check_location(r, h, &s->locations.at[i], e) != 0)
			return -1;
	for (i = 0; i < h->n; i++) {
		const struct route *route = &h->first[i];

		for (j = found = 0; j < s->locations.len; j++)
			found +=
			    strcmp(s->locations.at[j].path, route->path) == 0;
		if (found != (strcmp(route->path, "/") == 0 ? 1u : 2u) &&
		    route->host_owner->labels.redirects.len == 0)
			return error_set(e, EPROTO, "%s%s has %zu locations",
			    route->host, route->path, found);
	}
	return 0;
}

static int
check_server(const struct reading *r, struct map *hosts, const struct server *s,
    struct error *e)
{
	size_t i;

	if (s->fallback) {
		struct host_routes none = { 0 }, *any = map_get(hosts, "*");

		if (s->names.len > 0)
			return error_set(e, EPROTO, "default with a name");
		if (any != NULL)
			any->servers++;
		return check_host(r, s, any != NULL ? any : &none, e);
	}
	for (i = 0; i < s->names.len; i++) {
		struct host_routes *h = map_get(hosts, s->names.at[i]);

		if (h == NULL || strcmp(s->names.at[i], "*") == 0)
			return error_set(
			    e, EPROTO, "nobody's name %.60s", s->names.at[i]);
		h->servers++;
		if (check_host(r, s, h, e) != 0)
			return -1;
	}
	for (i = 0; s->names.len == 0 && i < s->locations.len; i++)
		if (s->locations.at[i].target != NULL)
			return error_set(e, EPROTO, "passed on without name");
	return 0;
}

/* The map from SNI to targets has the passthrough hosts and no other. */
static int
check_names(const struct reading *r, struct map *hosts, struct error *e)
{
	struct map_entry *m;
	size_t i;

	for (i = 0; (m = map_next(&r->targets, &i)) != NULL;) {
		const struct host_routes *h = map_get(hosts, m->key);

		if (strcmp(m->value, "tls") == 0) {
			if (strcmp(m->key, "default") != 0 &&
			    (h == NULL || h->first->tls != TLS_TERMINATE))
				return error_set(e, EPROTO, "TLS of nobody");
			continue;
		}
		if (h == NULL || h->first->tls != TLS_PASSTHROUGH)
			return error_set(
			    e, EPROTO, "passthrough of %.60s", m->key);
		if (!h->first->owner->labels.maintenance &&
		    check_target(r, true, m->value, h->first, e) != 0)
			return -1;
	}
	return 0;
}

static int
compare(const struct reading *r, struct map *hosts, struct error *e)
{
	struct map_entry *m;
	size_t i;

	for (i = 0; i < r->servers.len; i++)
		if (check_server(r, hosts, r->servers.at[i], e) != 0)
			return -1;
	for (i = 0; (m = map_next(hosts, &i)) != NULL;) {
		const struct host_routes *h = m->value;

		if (h->servers < 1 || h->servers > 2)
			return error_set(e, EPROTO, "%s has %zu servers",
			    m->key, h->servers);
		if (h->first->tls == TLS_PASSTHROUGH &&
		    map_get(&r->targets, m->key) == NULL)
			return error_set(
			    e, EPROTO, "%s is not passed through", m->key);
	}
	return check_names(r, hosts, e);
}

static void
index_hosts(struct map *hosts, const struct routing *routing)
{
	struct host_routes *h = NULL;
	size_t i;

	for (i = 0; i < routing->routes.len; i++) {
		const struct route *route = &routing->routes.at[i];

		if (h == NULL || strcmp(h->first->host, route->host) != 0) {
			h = xcalloc(1, sizeof(*h));
			h->first = route;
			must(map_set(hosts, route->host, h) == NULL);
		}
		h->n++;
	}
}

int
readback_check(
    const struct rendered *r, const struct routing *routing, struct error *e)
{
	struct reading reading = { 0 };
	struct map hosts = { 0 };
	int result = 0;
	size_t i;

	str_init(&reading.lines, SERVERS_MAX);
	for (i = 0; i < r->files.len && result == 0; i++)
		result = read_file(&reading, &r->files.at[i], e);
	index_hosts(&hosts, routing);
	if (result == 0)
		result = compare(&reading, &hosts, e);
	free_values(&hosts);
	reading_fini(&reading);
	return result == 0 ? 0 : error_wrap(e, "read-back");
}
