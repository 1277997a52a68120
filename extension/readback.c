/* Our files against the routes they were made from: see readback.h. */
#include "readback.h"

#include "readback_read.h"

#include <errno.h>
#include <string.h>

enum { SERVERS_MAX = 64 * 1024 * 1024 };

/* The routes of one host, and how many servers have its name. */
struct host_routes {
	const struct route *first;
	size_t n;
	size_t servers;
};

/* What the files that are read may, and must, have. */
struct expected {
	const struct routing *routing;
	struct map hosts; /* host -> struct host_routes *, owned */
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

/* The servers of a route as readback_read writes them down. */
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

/* True if 'answer' is what a redirect of the host's owner says. */
static bool
is_redirect(const char *answer, const struct route *any)
{
	const struct labels *l = &any->host_owner->labels;
	size_t i;

	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *d = &l->redirects.at[i];
		size_t len = strlen(d->target);
		_cleanup_free_ char *wanted = NULL;

		while (len > 0 && d->target[len - 1] == '/')
			len--;
		wanted = xasprintf("302 %s%.*s$request_uri",
		    d->target_https ? "https://" : "http://", (int)len,
		    d->target);
		if (strcmp(d->source, any->host) == 0 &&
		    strcmp(answer, wanted) == 0)
			return true;
	}
	return false;
}

/* Where a location passes requests on to, less the address. */
static int
check_way(
    const struct read_location *l, const struct route *route, struct error *e)
{
	const struct labels *labels = &route->owner->labels;
	const char *wanted =
	    route->path[1] == '\0' ? l->path : l->path + strlen(route->path);
	size_t len = strlen(wanted);

	if (l->grpc != labels->grpc || l->tls != labels->ssl_backend)
		return error_set(
		    e, EPROTO, "%s is passed on otherwise", l->path);
	if (!labels->context_root_rewrite)
		return l->rest[0] == '\0'
		    ? 0
		    : error_set(e, EPROTO, "%s is rewritten", l->path);
	if (len == 0 || strcmp(wanted, "/") == 0)
		return strcmp(l->rest, "/") == 0
		    ? 0
		    : error_set(e, EPROTO, "%s is not the root", l->path);
	if (strncmp(l->rest, wanted, len) != 0 ||
	    strcmp(l->rest + len, l->exact ? "" : "/") != 0)
		return error_set(
		    e, EPROTO, "%s is rewritten otherwise", l->path);
	return 0;
}

static int
check_location(const struct reading *r, const struct host_routes *h,
    const struct read_location *l, struct error *e)
{
	const struct route *route = longest_route(h, l->path);
	size_t i;

	for (i = 0; i < l->by_scheme.len; i++)
		if (strncmp(l->by_scheme.at[i], "302", 3) == 0
			? h->n == 0 ||
			    !is_redirect(l->by_scheme.at[i], h->first)
			: h->n == 0 || !h->first->host_owner->labels.ssl_only)
			return error_set(e, EPROTO, "condition of nobody");
	if ((l->target == NULL) == (l->answer == NULL))
		return error_set(
		    e, EPROTO, "%s has no answer, or two", l->path);
	if (l->target == NULL) {
		if (strncmp(l->answer, "302", 3) == 0)
			return h->n > 0 && is_redirect(l->answer, h->first)
			    ? 0
			    : error_set(e, EPROTO, "redirect of nobody");
		return route == NULL || may_return(route)
		    ? 0
		    : error_set(e, EPROTO, "%s%s answers itself", route->host,
			  l->path);
	}
	if (route == NULL || route->tls == TLS_PASSTHROUGH)
		return error_set(e, EPROTO, "%s is passed on", l->path);
	if (check_way(l, route, e) != 0)
		return -1;
	return check_target(r, false, l->target, route, e);
}

/* Every route has its two locations, every location its route. */
static int
check_host(const struct reading *r, const struct read_server *s,
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
check_server(const struct reading *r, const struct expected *x,
    const struct read_server *s, struct error *e)
{
	const struct map *hosts = &x->hosts;
	struct host_routes nobody = { 0 };
	size_t i;

	if (s->fallback) {
		struct host_routes *any = map_get(hosts, "*");

		if (s->names.len > 0)
			return error_set(e, EPROTO, "default with a name");
		if (any != NULL)
			any->servers++;
		return check_host(r, s, any != NULL ? any : &nobody, e);
	}
	if (s->own != (s->names.len == 0))
		return error_set(e, EPROTO, "server without a name");
	for (i = 0; i < s->names.len; i++) {
		struct host_routes *h = map_get(hosts, s->names.at[i]);

		/* Nobody's, held for one who had it: answers 503. */
		if (h == NULL &&
		    holds_held(x->routing->holds, s->names.at[i]) != NULL)
			h = &nobody;
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
check_names(const struct reading *r, const struct expected *x, struct error *e)
{
	struct map_entry *m;
	size_t i;

	if (r->stages != (r->targets.len > 0 ? 2u : 0u))
		return error_set(e, EPROTO, "%zu stages", r->stages);
	for (i = 0; (m = map_next(&r->targets, &i)) != NULL;) {
		const struct host_routes *h = map_get(&x->hosts, m->key);
		const struct route *any;

		if (strcmp(m->value, "tls") == 0) {
			any = routing_host(x->routing, m->key);
			if (m->key[0] != '\0' &&
			    holds_held(x->routing->holds, m->key) == NULL &&
			    (any == NULL || any->tls != TLS_TERMINATE))
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
compare(const struct reading *r, struct expected *x, struct error *e)
{
	struct map_entry *m;
	size_t i;

	for (i = 0; i < r->servers.len; i++)
		if (check_server(r, x, r->servers.at[i], e) != 0)
			return -1;
	for (i = 0; (m = map_next(&x->hosts, &i)) != NULL;) {
		const struct host_routes *h = m->value;

		if (h->servers < 1 || h->servers > 3)
			return error_set(e, EPROTO, "%s has %zu servers",
			    m->key, h->servers);
		if (h->first->tls == TLS_PASSTHROUGH &&
		    map_get(&r->targets, m->key) == NULL)
			return error_set(
			    e, EPROTO, "%s is not passed through", m->key);
	}
	return check_names(r, x, e);
}

/* Expects the host that 'first' is the first route of; returns how many. */
static size_t
expect(struct expected *x, const struct route *first)
{
	const struct routing *r = x->routing;
	const struct route *end = r->routes.at + r->routes.len;
	struct host_routes *h;
	size_t n;

	for (n = 1; first + n < end; n++)
		if (strcmp(first[n].host, first->host) != 0)
			break;
	if (map_get(&x->hosts, first->host) != NULL)
		return n;
	h = xcalloc(1, sizeof(*h));
	h->first = first;
	h->n = n;
	(void)map_set(&x->hosts, first->host, h);
	return n;
}

static int
read_back(struct expected *x, struct rendered_file *const *files, size_t n,
    struct error *e)
{
	struct reading reading;
	struct map_entry *m;
	int result = 0;
	size_t i;

	readback_read_init(&reading);
	for (i = 0; i < n && result == 0; i++)
		result = readback_read_file(&reading, files[i], e);
	if (result == 0)
		result = compare(&reading, x, e);
	for (i = 0; (m = map_next(&x->hosts, &i)) != NULL;)
		free(m->value);
	map_fini(&x->hosts);
	readback_read_fini(&reading);
	return result == 0 ? 0 : error_wrap(e, "read-back");
}

int
readback_check(
    const struct rendered *r, const struct routing *routing, struct error *e)
{
	struct expected x = { .routing = routing };
	size_t i;

	for (i = 0; i < routing->routes.len;)
		i += expect(&x, &routing->routes.at[i]);
	return read_back(&x, r->files.at, r->files.len, e);
}

int
readback_check_part(struct rendered_file *const *files, size_t n,
    const struct routing *routing, const struct nginx_sites *const *sites,
    size_t n_sites, struct error *e)
{
	struct expected x = { .routing = routing };
	const struct route *fallback = routing_host(routing, "*");
	size_t i, k, h;

	if (fallback != NULL)
		(void)expect(&x, fallback);
	for (i = 0; i < n_sites; i++) {
		for (k = 0; k < sites[i]->list.len; k++) {
			const struct nginx_site *s = sites[i]->list.at[k];

			for (h = 0; h < s->hosts.len; h++)
				(void)expect(
				    &x, routing_host(routing, s->hosts.at[h]));
		}
	}
	return read_back(&x, files, n, e);
}
