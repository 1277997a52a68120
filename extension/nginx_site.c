/* Sites: see nginx_site.h. */
#include "nginx_site.h"

#include "base/map.h"
#include "base/sha256.h"

#include <inttypes.h>
#include <string.h>

enum { SIGNATURE_MAX = 16 * 1024 * 1024 };

size_t
route_servers(const struct route *r)
{
	size_t i, n = 0;

	for (i = 0; i < r->members.len; i++)
		n += r->members.at[i].upstreams.len;
	return n;
}

bool
route_is_vip(const struct route *r)
{
	return r->owner->labels.backend_mode == BACKEND_VIP;
}

bool
path_covers(const char *root, const char *path)
{
	size_t len = strlen(root);

	if (len == 1)
		return true;
	return strncmp(root, path, len) == 0 &&
	    (path[len] == '\0' || path[len] == '/');
}

static void
make_id(const char *const *parts, size_t n, char ret[NGINX_ID_SIZE])
{
	char hex[SHA256_HEX_SIZE];
	STR_AUTO(text, 64 * 1024);
	size_t i;

	for (i = 0; i < n; i++) {
		str_add(&text, parts[i]);
		str_addc(&text, '\n');
	}
	must(!text.overflow);
	sha256_hex(text.p, text.len, hex);
	memcpy(ret, hex, NGINX_ID_SIZE - 1);
	ret[NGINX_ID_SIZE - 1] = '\0';
}

void
nginx_route_id(
    const struct nginx_site *s, const struct route *r, char ret[NGINX_ID_SIZE])
{
	const char *parts[] = { s->owner->service->id, s->hosts.at[0],
		r->path };

	make_id(parts, countof(parts), ret);
}

static const char *
source_path(const struct redirect *r)
{
	return r->source_path[0] == '\0' ? "/" : r->source_path;
}

/* Of the host's redirects, the one that the path falls under, or NULL. */
static const struct redirect *
redirect_over(
    const struct labels *l, const char *host, const char *path, bool tls)
{
	const struct redirect *best = NULL;
	size_t i;

	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *r = &l->redirects.at[i];

		if (!(tls ? r->on_tls : r->on_plain) ||
		    strcmp(r->source, host) != 0 ||
		    !path_covers(source_path(r), path))
			continue;
		if (best == NULL ||
		    strlen(r->source_path) > strlen(best->source_path))
			best = r;
	}
	return best;
}

/* Everything by which two hosts of one owner can differ in their files. */
static void
add_signature(struct str *out, const struct route *routes, size_t n)
{
	const struct labels *l = &routes->host_owner->labels;
	size_t i, j, k;

	str_add(out, routes->host_owner->service->id);
	for (i = 0; i < n; i++) {
		const struct route *r = &routes[i];

		str_addf(out, "\n%s %d %s", r->path, (int)r->tls,
		    r->owner->service->id);
		for (j = 0; j < r->members.len; j++) {
			const struct pool_member *p = &r->members.at[j];

			str_addf(out, " %s", p->service->service->id);
			for (k = 0; k < p->upstreams.len; k++) {
				const struct upstream *u = &p->upstreams.at[k];

				str_addf(
				    out, ",%s/%" PRIu32, u->address, u->weight);
			}
		}
	}
	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *r = &l->redirects.at[i];

		if (strcmp(r->source, routes->host) == 0)
			str_addf(out, "\n%s>%d%d%d%s", r->source_path,
			    r->on_plain, r->on_tls, r->target_https, r->target);
	}
	must(!out->overflow);
}

static struct nginx_location *
find_location(struct nginx_site *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->locations.len; i++)
		if (strcmp(s->locations.at[i].path, path) == 0)
			return &s->locations.at[i];
	return NULL;
}

static void
add_redirects(struct nginx_site *s)
{
	const struct labels *l = &s->owner->labels;
	size_t i;

	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *r = &l->redirects.at[i];
		const char *path = source_path(r);
		struct nginx_location *at;

		if (strcmp(r->source, s->hosts.at[0]) != 0)
			continue;
		at = find_location(s, path);
		if (at == NULL) {
			at = vec_add(&s->locations);
			at->path = path;
		}
		at->on_plain = r->on_plain ? r : at->on_plain;
		at->on_tls = r->on_tls ? r : at->on_tls;
	}
}

/* What the path's requests fall under where no redirect takes them. */
static const struct route *
route_over(const struct nginx_site *s, const char *path)
{
	const struct route *best = NULL;
	size_t i;

	for (i = 0; i < s->n_routes; i++)
		if (path_covers(s->routes[i].path, path) &&
		    (best == NULL ||
			strlen(s->routes[i].path) > strlen(best->path)))
			best = &s->routes[i];
	return best;
}

/* A redirect of one listener leaves the other what would be there. */
static void
fill_redirects(struct nginx_site *s)
{
	const struct labels *l = &s->owner->labels;
	size_t i;

	for (i = 0; i < s->locations.len; i++) {
		struct nginx_location *at = &s->locations.at[i];
		bool tls = at->on_tls == NULL;
		const struct redirect *over;
		const struct route *r;

		if (at->on_plain != NULL && at->on_tls != NULL)
			continue;
		r = route_over(s, at->path);
		over = redirect_over(l, s->hosts.at[0], at->path, tls);
		if (over != NULL &&
		    (r == NULL || r->owner == s->owner ||
			strlen(source_path(over)) >= strlen(r->path)))
			*(tls ? &at->on_tls : &at->on_plain) = over;
		else
			at->route = r;
	}
}

/*
 * A redirect takes the paths below it from its own service; what another
 * service has there stays that one's.
 */
static void
add_routes(struct nginx_site *s)
{
	size_t i;

	for (i = 0; i < s->n_routes; i++) {
		const struct route *r = &s->routes[i];
		const struct redirect *plain = NULL, *tls = NULL;
		struct nginx_location *at;

		if (r->owner == s->owner) {
			plain = redirect_over(
			    &s->owner->labels, s->hosts.at[0], r->path, false);
			tls = redirect_over(
			    &s->owner->labels, s->hosts.at[0], r->path, true);
		}
		if (find_location(s, r->path) != NULL ||
		    (plain != NULL && tls != NULL))
			continue;
		at = vec_add(&s->locations);
		at->path = r->path;
		at->route = r;
		at->on_plain = plain;
		at->on_tls = tls;
	}
}

/* The location that a request for 'path' would reach, or NULL. */
static struct nginx_location *
longest(struct nginx_site *s, const char *path)
{
	struct nginx_location *best = NULL;
	size_t i;

	for (i = 0; i < s->locations.len; i++) {
		struct nginx_location *at = &s->locations.at[i];

		if (path_covers(at->path, path) &&
		    (best == NULL || strlen(at->path) > strlen(best->path)))
			best = at;
	}
	return best;
}

/*
 * Endpoints are public paths.  One at or above a route of its service makes
 * the whole route one; one below gets locations of its own, unless a longer
 * route of another service has the path.
 */
static void
add_websockets(struct nginx_site *s, const struct route *r)
{
	const struct labels *l = &r->owner->labels;
	size_t i;

	for (i = 0; i < l->websocket_endpoints.len && !l->grpc; i++) {
		const char *path = l->websocket_endpoints.at[i].text;
		struct nginx_location *at = find_location(s, r->path), above;

		if (path_covers(path, r->path)) {
			if (at != NULL && at->route == r)
				at->websocket = true;
			continue;
		}
		if (!path_covers(r->path, path))
			continue;
		at = longest(s, path);
		if (at == NULL || at->route != r || strcmp(at->path, path) == 0)
			continue;
		above = *at;
		at = vec_add(&s->locations);
		*at = above;
		at->path = path;
		at->websocket = true;
	}
}

static int
compare_locations(const void *a, const void *b)
{
	const struct nginx_location *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void
fill_locations(struct nginx_site *s)
{
	size_t i;

	add_redirects(s);
	fill_redirects(s);
	add_routes(s);
	for (i = 0; i < s->n_routes; i++)
		add_websockets(s, &s->routes[i]);
	if (find_location(s, "/") == NULL)
		vec_add(&s->locations)->path = "/";
	vec_sort(&s->locations, compare_locations);
}

static void
add_host(struct nginx_sites *all, struct map *by_signature,
    const struct route *routes, size_t n)
{
	STR_AUTO(signature, SIGNATURE_MAX);
	bool fallback = strcmp(routes->host, "*") == 0;
	struct nginx_site *s;

	add_signature(&signature, routes, n);
	if (fallback)
		str_add(&signature, "\n*");
	s = map_get(by_signature, signature.p);
	if (s == NULL) {
		const char *parts[] = { routes->host_owner->service->id,
			routes->host };

		s = xcalloc(1, sizeof(*s));
		make_id(parts, countof(parts), s->id);
		s->owner = routes->host_owner;
		s->routes = routes;
		s->n_routes = n;
		s->tls = routes->tls;
		vec_push(&all->list, s);
		(void)map_set(by_signature, signature.p, s);
	}
	vec_push(&s->hosts, routes->host);
	if (fallback)
		all->fallback = s;
}

/* The routes of one host, which 'first' is the first of. */
static size_t
add_slice(struct nginx_sites *all, struct map *by_signature,
    const struct routing *r, size_t first)
{
	const struct route *routes = &r->routes.at[first];
	size_t n;

	for (n = 1; first + n < r->routes.len; n++)
		if (strcmp(routes[n].host, routes->host) != 0)
			break;
	add_host(all, by_signature, routes, n);
	all->n_hosts++;
	all->terminate |= routes->tls == TLS_TERMINATE;
	all->passthrough |= routes->tls == TLS_PASSTHROUGH;
	return n;
}

static void
fill_sites(struct nginx_sites *all)
{
	size_t i, n;

	for (i = 0; i < all->list.len; i++) {
		struct nginx_site *s = all->list.at[i];

		fill_locations(s);
		for (n = 0; n < s->n_routes; n++)
			*(s->tls == TLS_PASSTHROUGH ? &all->stream_servers
						    : &all->http_servers) +=
			    route_servers(&s->routes[n]);
	}
}

struct nginx_sites *
nginx_sites_new(const struct routing *r)
{
	struct nginx_sites *all = xcalloc(1, sizeof(*all));
	struct map by_signature = { 0 };
	size_t i;

	for (i = 0; i < r->routes.len;)
		i += add_slice(all, &by_signature, r, i);
	fill_sites(all);
	map_fini(&by_signature);
	return all;
}

struct nginx_sites *
nginx_sites_at(const struct routing *r, const size_t *places, size_t n)
{
	struct nginx_sites *all = xcalloc(1, sizeof(*all));
	struct map by_signature = { 0 };
	size_t i;

	for (i = 0; i < n; i++)
		(void)add_slice(all, &by_signature, r, places[i]);
	fill_sites(all);
	map_fini(&by_signature);
	return all;
}

void
nginx_sites_free(struct nginx_sites *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->list.len; i++) {
		vec_fini(&s->list.at[i]->hosts);
		vec_fini(&s->list.at[i]->locations);
		free(s->list.at[i]);
	}
	vec_fini(&s->list);
	vec_fini(&s->held);
	free(s);
}
