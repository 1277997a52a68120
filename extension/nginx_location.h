/* What a path of a site does: locations, and the upstreams they pass to. */
#ifndef EXTENSION_NGINX_LOCATION_H
#define EXTENSION_NGINX_LOCATION_H

#include "nginx_context.h"

/* Which listener the server is for. */
enum nginx_side { SIDE_BOTH, SIDE_PLAIN, SIDE_TLS };

/* Upstreams and rate limits of the site, before its servers. */
void nginx_location_upstreams(
    struct emit *m, const struct nginx_context *x, const struct nginx_site *s);
/* zone, method and server lines of the upstream of a route. */
void nginx_location_servers(
    struct emit *m, const struct nginx_context *x, const struct route *r);
/*
 * The upstream that gives the zone of all others its size.  One zone, not one
 * each: nginx compares zones pairwise when it reads its configuration.
 */
void
nginx_location_zone(struct emit *m, const struct nginx_context *x, bool stream);
/* All locations of the site, those of its error pages included. */
void nginx_location_all(struct emit *m, const struct nginx_context *x,
    const struct nginx_site *s, enum nginx_side side);
/* "return 503", with our page or the operator's. */
void nginx_location_unavailable(struct emit *m, const struct nginx_context *x);
/* error_page and its locations, where the operator has pages. */
void nginx_location_pages(struct emit *m, const struct nginx_context *x);
/* Only the error_page lines; 'vip': what we ourselves fail with is 503. */
void nginx_location_error_pages(struct emit *m, bool vip);
/* add_header for what a client is told on each answer. */
void nginx_location_info(struct emit *m, const struct nginx_context *x);
/* proxy_set_header of everything but Connection and Upgrade. */
void nginx_location_forward(
    struct emit *m, const struct nginx_context *x, bool grpc);
/* Strict-Transport-Security, where the site's owner wants it. */
void nginx_location_hsts(struct emit *m, const struct nginx_site *s);

/* Connections that are kept behind the route, 0 = none. */
uint32_t nginx_location_keepalive(const struct nginx_context *x,
    const struct nginx_site *s, const struct route *r);
/* True if plain HTTP and TLS have different redirects in this site. */
bool nginx_location_by_listener(
    const struct nginx_context *x, const struct nginx_site *s);
/* True if the route's requests are passed on somewhere in this site. */
bool nginx_location_proxied(const struct nginx_site *s, const struct route *r);

#endif
