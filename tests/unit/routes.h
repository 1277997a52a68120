/* Hand-made routings for the tests of the renderer. */
#ifndef TESTS_UNIT_ROUTES_H
#define TESTS_UNIT_ROUTES_H

#include "../../extension/routing.h"
#include "config/config.h"

#include <stdio.h>
#include <string.h>

struct fixture {
	struct cluster_config *config;
	struct routing routing;
};

static inline struct cluster_config *
routes_config(const char *ini)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse("t.ini", ini, strlen(ini), &errors);

	if (c == NULL && errors.lines.len > 0)
		fprintf(stderr, "# %s\n", errors.lines.at[0]);
	must(c != NULL);
	config_errors_fini(&errors);
	return c;
}

static inline struct accepted *
routes_service(struct fixture *f, const char *id)
{
	struct service *s = xcalloc(1, sizeof(*s));
	struct accepted *a = xcalloc(1, sizeof(*a));

	s->id = xstrdup(id);
	s->name = xstrdup(id);
	a->service = s;
	a->labels.port = 80;
	vec_push(&f->routing.accepted, a);
	return a;
}

/* A route of its own; add them ordered by host and path. */
static inline struct route *
routes_add(struct fixture *f, struct accepted *a, const char *host,
    const char *path, enum route_tls tls)
{
	struct route *r = vec_add(&f->routing.routes);

	r->host = host;
	r->path = path;
	r->tls = tls;
	r->owner = r->host_owner = a;
	return r;
}

/* The service's addresses behind the route; 'n' from 'address' on. */
static inline void
routes_pool(
    struct route *r, struct accepted *a, int net, int n, uint32_t weight)
{
	struct pool_member *m = vec_add(&r->members);
	int i;

	m->service = a;
	for (i = 0; i < n; i++) {
		struct upstream *u = vec_add(&m->upstreams);

		u->address =
		    xasprintf("10.%d.%d.%d:8080", net / 250, net % 250, i + 1);
		u->weight = weight;
		u->max_fails = 1;
		u->fail_timeout_ms = 10000;
	}
}

static inline void
routes_fini(struct fixture *f)
{
	struct routing *t = &f->routing;
	size_t i, j, k;

	for (i = 0; i < t->routes.len; i++) {
		struct route *r = &t->routes.at[i];

		for (j = 0; j < r->members.len; j++) {
			struct pool_member *m = &r->members.at[j];

			for (k = 0; k < m->upstreams.len; k++)
				free(m->upstreams.at[k].address);
			vec_fini(&m->upstreams);
		}
		vec_fini(&r->members);
	}
	vec_fini(&t->routes);
	for (i = 0; i < t->accepted.len; i++) {
		struct labels *l = &t->accepted.at[i]->labels;

		vec_fini(&l->redirects);
		vec_fini(&l->websocket_endpoints);
		service_free((void *)(uintptr_t)t->accepted.at[i]->service);
		free(t->accepted.at[i]);
	}
	vec_fini(&t->accepted);
	cluster_config_free(f->config);
	memset(f, 0, sizeof(*f));
}

#endif
