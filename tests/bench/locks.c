/*
 * What the three locks cost for each service: labels to typed values, values
 * to quoted text, and the text read back.
 */
#include "../../extension/readback.h"
#include "../../extension/render.h"
#include "../unit/label_fixture.h"
#include "../unit/routes.h"
#include "base/clock.h"

enum { SERVICES = 1000, ROUNDS = 15 };

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Microseconds for each service: the median of the rounds. */
static double
per_service(int64_t *took)
{
	qsort(took, ROUNDS, sizeof(took[0]), compare);
	return (double)took[ROUNDS / 2] / SERVICES;
}

static struct service *
labelled_service(void)
{
	static const char *const labels[][2] = {
		{ "hosts", "shop.example.com, www.shop.example.com" },
		{ "port", "8080" }, { "network", "front" },
		{ "service_cluster", "blue" }, { "context_root", "/app" },
		{ "context_root_rewrite", "true" }, { "weight", "90" },
		{ "read_timeout", "30s" },
		{ "redirects",
		    "http://www.shop.example.com,http://shop.example.com" },
		{ "allow", "10.0.0.0/8, 192.168.0.0/16" }
	};
	struct service *s = fixture_service();

	for (size_t i = 0; i < countof(labels); i++)
		fixture_label(
		    s, labels[i][0], labels[i][1], strlen(labels[i][1]));
	return s;
}

static double
parsing(void)
{
	struct service *s = labelled_service();
	int64_t took[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int64_t start = (int64_t)clock_mono_us();

		for (int j = 0; j < SERVICES; j++) {
			struct labels l = { 0 };
			struct findings remarks = { 0 };
			struct finding error = { 0 };

			must(labels_parse(s, &l, &remarks, &error) == 0);
			labels_fini(&l);
			findings_fini(&remarks);
		}
		took[i] = (int64_t)clock_mono_us() - start;
	}
	service_free(s);
	return per_service(took);
}

static void
add_services(struct fixture *f, char **hosts)
{
	for (int i = 0; i < SERVICES; i++) {
		char *host = xasprintf("h%06d.example.com", i);
		struct accepted *a = routes_service(f, host);

		hosts[i] = host;
		routes_pool(routes_add(f, a, host, "/", TLS_NONE), a, i, 2, 1);
		routes_pool(
		    routes_add(f, a, host, "/app", TLS_NONE), a, i, 2, 1);
	}
}

int
main(void)
{
	const struct render_options options = { .live = true };
	struct fixture f = { .config = routes_config("") };
	static char *hosts[SERVICES];
	int64_t whole[ROUNDS], back[ROUNDS];
	struct error e = { 0 };
	double emit, check;

	add_services(&f, hosts);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t start = (int64_t)clock_mono_us(), middle;
		struct rendered *r = render(f.config, &f.routing, &options, &e);

		must(r != NULL);
		middle = (int64_t)clock_mono_us();
		must(readback_check(r, &f.routing, &e) == 0);
		back[i] = (int64_t)clock_mono_us() - middle;
		whole[i] = middle - start;
		rendered_free(r);
	}
	check = per_service(back);
	emit = per_service(whole) - check;
	printf("three locks, us per service    parse=%.1f  emit=%.1f  "
	       "read_back=%.1f\n",
	    parsing(), emit, check);
	for (int i = 0; i < SERVICES; i++)
		free(hosts[i]);
	routes_fini(&f);
	return 0;
}
