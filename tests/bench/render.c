/*
 * Time of one rendering, read-back included: services with two routes and two
 * tasks each.
 */
#include "../../extension/render.h"
#include "../unit/routes.h"
#include "base/clock.h"

enum { ROUNDS = 9 };

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
measure(int services)
{
	const struct render_options options = { .live = true };
	struct fixture f = { .config = routes_config("") };
	VEC(char *) hosts = { 0 };
	int64_t took[ROUNDS];
	struct error e = { 0 };
	size_t bytes = 0, j;
	int i;

	for (i = 0; i < services; i++) {
		char *host = xasprintf("h%06d.example.com", i);
		struct accepted *a = routes_service(&f, host);

		vec_push(&hosts, host);
		routes_pool(routes_add(&f, a, host, "/", TLS_NONE), a, i, 2, 1);
		routes_pool(
		    routes_add(&f, a, host, "/app", TLS_NONE), a, i, 2, 1);
	}
	for (i = 0; i < ROUNDS; i++) {
		int64_t start = (int64_t)clock_mono_us();
		struct rendered *r = render(f.config, &f.routing, &options, &e);

		took[i] = (int64_t)clock_mono_us() - start;
		must(r != NULL);
		for (bytes = j = 0; j < r->files.len; j++)
			bytes += r->files.at[j]->len;
		rendered_free(r);
	}
	qsort(took, ROUNDS, sizeof(took[0]), compare);
	printf("render %6d services: %.1f ms (%.1f to %.1f), %zu bytes\n",
	    services, (double)took[ROUNDS / 2] / 1000, (double)took[0] / 1000,
	    (double)took[ROUNDS - 1] / 1000, bytes);
	for (j = 0; j < hosts.len; j++)
		free(hosts.at[j]);
	vec_fini(&hosts);
	routes_fini(&f);
}

int
main(void)
{
	measure(100);
	measure(1000);
	measure(10000);
	return 0;
}
