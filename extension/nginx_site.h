/*
 * Routes to sites: what becomes one file of servers, and which locations its
 * servers have.  No text is made here; nginx_server and nginx_stream write
 * it.
 *
 * A site is the set of hosts with one owner whose routes are equal in all
 * that shows.  Its ID depends on the owner and on its own hosts only, so a
 * change of another service renames nothing.
 */
#ifndef EXTENSION_NGINX_SITE_H
#define EXTENSION_NGINX_SITE_H

#include "nginx_emit.h"
#include "routing.h"

/* What one path of a site does; an exact and a prefix location. */
struct nginx_location {
	const char *path;	   /* borrowed; "/" or "/app" */
	const struct route *route; /* NULL: all redirected, or nobody's path */
	/* Of requests that came in plain HTTP, and over TLS; mostly the same.
	 */
	const struct redirect *on_plain;
	const struct redirect *on_tls;
	bool websocket;
};

struct nginx_site {
	char id[NGINX_ID_SIZE];
	const struct accepted *owner; /* of the hosts */
	VEC(const char *) hosts;      /* ascending */
	const struct route *routes;   /* of the first host, by path */
	size_t n_routes;
	VEC(struct nginx_location) locations; /* by path */
	enum route_tls tls;
};

struct nginx_sites {
	VEC(struct nginx_site *) list; /* by first host */
	struct nginx_site *fallback;   /* "*", or NULL; in the list too */
	VEC(const char *) held;	       /* nginx_held.h; of a whole only */
	size_t n_hosts;
	size_t http_servers; /* addresses in all upstreams */
	size_t stream_servers;
	bool terminate;
	bool passthrough;
};

struct nginx_sites *nginx_sites_new(const struct routing *r);
/* Only those of the hosts whose first routes are at 'places', ascending. */
struct nginx_sites *
nginx_sites_at(const struct routing *r, const size_t *places, size_t n);
void nginx_sites_free(struct nginx_sites *s);

/* The name of what stands for a route of a site: its upstream, its zone. */
void nginx_route_id(
    const struct nginx_site *s, const struct route *r, char ret[NGINX_ID_SIZE]);

/* Addresses behind the route, of all members. */
size_t route_servers(const struct route *r);
/* True if the route's errors and connections are those of a VIP. */
bool route_is_vip(const struct route *r);
/* True if 'path' is 'root' or below it. */
bool path_covers(const char *root, const char *path);

#endif
