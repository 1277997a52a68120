/*
 * A routing that is kept, and its files, against the same made from nothing:
 * after each of many random changes they are equal byte for byte.
 * router_test [SEED [STEPS]]: the seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/random.h>

#include "../../extension/render.h"
#include "../../extension/router.h"
#include "base/str.h"
#include "routes.h"

enum { SLOTS = 20, TEXT_MAX = 64 * 1024 * 1024 };

static uint64_t seed;
static size_t accepted, rejected[REJECT_IGNORED + 1];
static unsigned int steps = 500; /* of each configuration */

/* xorshift64* (Vigna, 2014): the same run for the same seed. */
static unsigned int
draw(unsigned int below)
{
	static uint64_t x;

	if (x == 0)
		x = seed | 1;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return (unsigned int)((x * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

#define PICK(list) (list)[draw(countof(list))]

static const char *const settings[] = {
	"[cluster]\nhosts_allow = *.example, a.wild.example, *.wild.example\n",
	"[cluster]\nshare_host = any\n",
	"[cluster]\nshare_host = never\nhosts_reserved = x.example\n",
	"[cluster]\nmax_hosts = 9\nshare_host = any\n",
	"[cluster]\nmax_hosts = 72\n"
	"hosts_allow = *.wild.example, b.a.wild.example, *.example\n",
	"[cluster]\nnetworks = front\nsecrets = granted\n",
	"[nginx]\nreal_ip_from = 192.0.2.0/24\n[cluster]\nshare_host = any\n"
	"max_hosts = 200\n",
	"[nginx]\naccept_proxy_protocol = true\n[cluster]\nshare_host = any\n"
	"hosts_allow = *.example\n",
};

static const char *const hosts[] = { "a.example", "b.example", "c.example",
	"x.example", "*.wild.example", "a.wild.example", "b.a.wild.example",
	"*.a.wild.example", "default", "d.example,a.example",
	"e.example,f.example,*.f.example", "g.f.example,a.wild.example",
	"not a host" };
static const char *const roots[] = { "/", "/app", "/app/x", "/app,/b", "/b" };
/* From the service's first host. */
static const char *const targets[] = { "https://b.example", "http://c.example",
	"http://a.example", "http://x.example/app", "http://new.example",
	"https://a.example/b" };

/* Further labels, each of them now and then. */
static const struct {
	const char *key;
	const char *values[4];
} more[] = {
	{ "weight", { "1", "7", "100", "0" } },
	{ "drain", { "true", "false", "true", "x" } },
	{ "network", { "front", "back", "n-front", "nowhere" } },
	{ "default_backend", { "true", "true", "true", "false" } },
	{ "ssl_cert", { "c1", "c2", "c3", "c1" } },
	{ "ssl_only", { "true", "false", "true", "true" } },
	{ "ssl_passthrough", { "true", "true", "false", "true" } },
	{ "ssl_backend", { "true", "false", "true", "true" } },
	{ "hsts", { "31536000", "300", "1", "2" } },
	{ "backend_mode", { "vip", "task", "vip", "vip" } },
	{ "sticky_session_cookie", { "SID", "OTHER", "SID", "S" } },
	{ "ip_hash", { "true", "false", "true", "true" } },
	{ "websocket_endpoints", { "/ws", "/app/ws", "/", "/b" } },
	{ "context_root_rewrite", { "true", "false", "true", "true" } },
	{ "max_fails", { "2", "3", "x", "5" } },
	{ "maintenance", { "true", "false", "true", "true" } },
	{ "rate_limit", { "10r/s", "5r/m", "1r/s", "2r/s" } },
	{ "basic_auth", { "c1", "c2", "p1", "p1" } },
	{ "grpc", { "true", "false", "true", "true" } },
	{ "service_cluster", { "default", "other", "default", "default" } },
};

struct world {
	struct cluster_config *config;
	struct model *model;
	struct router *router;
	struct renderer *renderer;
	struct map aside; /* service ID -> struct set_aside *, static */
};

static const struct render_options offline = { .live = true,
	.listen = "127.0.0.1:8080",
	.listen_ssl = "127.0.0.1:8443",
	.secrets_dir = "/run/secrets" };

/* ---- objects ---- */

static int
compare_labels(const void *a, const void *b)
{
	return strcmp(
	    ((const struct label *)a)->key, ((const struct label *)b)->key);
}

static void
add_label(struct service *s, const char *key, const char *value)
{
	struct label *l = vec_add(&s->labels);

	l->key = xasprintf("com.docker.lb.%s", key);
	l->value = xstrdup(value);
	l->value_len = strlen(value);
}

static void
add_labels(struct service *s)
{
	const char *host = PICK(hosts);
	size_t i;

	if (draw(20) == 0)
		return; /* none of ours */
	if (draw(15) != 0)
		add_label(s, "hosts", host);
	if (draw(15) != 0)
		add_label(s, "port", draw(2) == 0 ? "80" : "8080");
	if (draw(2) == 0)
		add_label(s, "context_root", PICK(roots));
	if (draw(4) == 0) {
		char *value _cleanup_free_ =
		    xasprintf("http://%.*s%s,%s", (int)strcspn(host, ","), host,
			draw(3) == 0 ? "/app" : "", PICK(targets));

		add_label(s, "redirects", value);
	}
	for (i = 0; i < countof(more); i++)
		if (draw(14) == 0)
			add_label(s, more[i].key, PICK(more[i].values));
	vec_sort(&s->labels, compare_labels);
}

static void
add_tasks(struct service *s)
{
	unsigned int i, k, n = draw(4);

	for (i = 0; i < n; i++) {
		struct task *t = xcalloc(1, sizeof(*t));

		t->id = xasprintf("t%s%u", s->id, i);
		t->service_id = xstrdup(s->id);
		t->node_id = xstrdup("node1");
		t->slot = i;
		t->state = t->desired =
		    draw(5) == 0 ? TASK_SHUTDOWN : TASK_RUNNING;
		for (k = 0; k < 2; k++) {
			struct attachment *at = vec_add(&t->addresses);

			at->network_id = xstrdup(k == 0 ? "n-front" : "n-back");
			at->address =
			    xasprintf("10.0.%u.%u", k + 1, 2 + draw(200));
		}
		vec_push(&s->tasks, t);
	}
	service_sort_tasks(s);
}

static struct service *
new_service(unsigned int slot)
{
	struct service *s = xcalloc(1, sizeof(*s));
	struct attachment *vip;

	s->id = xasprintf("s%02u", slot);
	s->name = xasprintf("name%02u", slot);
	/* Some are of one age: the ID decides. */
	s->created_ns = 1 + (int64_t)(slot * 7 % SLOTS / 2);
	s->version = 1 + draw(100000);
	s->replicas = draw(3);
	if (draw(8) != 0)
		vec_push(&s->networks, xstrdup("n-front"));
	if (draw(3) == 0)
		vec_push(&s->networks, xstrdup("n-back"));
	if (draw(3) == 0)
		vec_push(&s->secrets, xstrdup("c1"));
	vip = vec_add(&s->vips);
	vip->network_id = xstrdup("n-front");
	vip->address = xasprintf("10.0.1.%u", 210 + draw(20));
	add_labels(s);
	add_tasks(s);
	return s;
}

/* The same with other tasks. */
static struct service *
other_tasks(const struct service *old, unsigned int slot)
{
	struct service *s = new_service(slot);
	size_t i;

	for (i = 0; i < s->labels.len; i++) {
		free(s->labels.at[i].key);
		free(s->labels.at[i].value);
	}
	s->labels.len = 0;
	for (i = 0; i < old->labels.len; i++) {
		struct label *l = vec_add(&s->labels);

		l->key = xstrdup(old->labels.at[i].key);
		l->value = xstrdup(old->labels.at[i].value);
		l->value_len = old->labels.at[i].value_len;
	}
	for (i = 0; i < s->networks.len; i++)
		free(s->networks.at[i]);
	s->networks.len = 0;
	for (i = 0; i < old->networks.len; i++)
		vec_push(&s->networks, xstrdup(old->networks.at[i]));
	return s;
}

static void
put_network(struct model *m, const char *name, const char *subnet)
{
	struct network *n = xcalloc(1, sizeof(*n));

	n->id = xasprintf("n-%s", name);
	n->name = xstrdup(name);
	n->driver = xstrdup("overlay");
	n->swarm_scope = true;
	vec_push(&n->subnets, xstrdup(subnet));
	model_put_network(m, n);
}

static void
put_secret(struct model *m, const char *name)
{
	struct secret *s = xcalloc(1, sizeof(*s));

	s->id = xasprintf("id-%s", name);
	s->name = xstrdup(name);
	model_put_secret(m, s);
}

/* ---- the oracle ---- */

static void
add_uses(struct str *out, const struct routing *r)
{
	size_t i, k;

	for (i = 0; i < r->uses.len; i++) {
		const struct routing_secret *u = &r->uses.at[i];

		str_addf(out, "%s %d", u->id, (int)u->used);
		for (k = 0; k < u->services.len; k++)
			str_addf(out, " %s", u->services.at[k]);
		str_addc(out, '\n');
	}
}

static bool
same_files(const struct rendered *x, const struct rendered *y)
{
	size_t i;

	if (x == NULL || y == NULL)
		return x == y;
	for (i = 0; i < x->files.len && i < y->files.len; i++) {
		const struct rendered_file *a = x->files.at[i];
		const struct rendered_file *b = y->files.at[i];

		if (strcmp(a->path, b->path) == 0 &&
		    strcmp(a->text, b->text) == 0)
			continue;
		printf("# kept %s:\n%s\n# from nothing %s:\n%s\n", a->path,
		    a->text, b->path, b->text);
		return false;
	}
	return x->files.len == y->files.len &&
	    strcmp(x->config, y->config) == 0;
}

static void
compare(struct world *w, unsigned int step)
{
	const struct routing_options o = { .set_aside = &w->aside };
	struct routing *kept =
	    router_update(w->router, w->config, w->model, &o);
	struct routing *anew = routing_build(w->config, w->model, &o);
	struct error e = { 0 }, f = { 0 };
	struct rendered *x, *y;
	size_t i;
	STR_AUTO(a, TEXT_MAX);
	STR_AUTO(b, TEXT_MAX);

	routing_report(&a, kept);
	routing_report(&b, anew);
	add_uses(&a, kept);
	add_uses(&b, anew);
	if (strcmp(a.p, b.p) != 0) {
		printf("# seed %llu step %u\n", (unsigned long long)seed, step);
		assert_string_equal(a.p, b.p);
	}
	accepted += kept->accepted.len;
	for (i = 0; i < kept->rejected.len; i++)
		rejected[kept->rejected.at[i].finding.code]++;
	x = renderer_render(w->renderer, w->config, kept, &offline, &e);
	y = render(w->config, anew, &offline, &f);
	if (!same_files(x, y) || x == NULL) {
		printf("# seed %llu step %u: %s; %s\n",
		    (unsigned long long)seed, step, e.msg, f.msg);
		fail();
	}
	rendered_free(x);
	rendered_free(y);
	routing_free(anew);
}

/* ---- changes ---- */

static void
change_service(struct world *w)
{
	unsigned int slot = draw(SLOTS);
	char *id _cleanup_free_ = xasprintf("s%02u", slot);
	const struct service *old = map_get(&w->model->services, id);
	struct service *new;

	router_touch(w->router, id);
	if (old != NULL && draw(4) == 0) {
		(void)model_remove_service(w->model, id);
		return;
	}
	new = old != NULL &&draw(3) == 0 ? other_tasks(old, slot)
					 : new_service(slot);
	if (draw(30) == 0)
		new->created_ns = draw(20); /* removed and made anew */
	model_put_service(w->model, new);
}

static void
change_surroundings(struct world *w)
{
	static struct set_aside out;
	char *id _cleanup_free_ = xasprintf("s%02u", draw(SLOTS));

	router_reset(w->router);
	switch (draw(5)) {
	case 0:
		(void)model_remove_network(w->model, "n-back");
		break;
	case 1:
		put_network(w->model, "back", "10.0.2.0/24");
		break;
	case 2:
		put_secret(w->model, PICK(more[4].values));
		break;
	case 3:
		(void)model_remove_secret(w->model, PICK(more[4].values));
		break;
	default:
		if (out.finding.reason == NULL)
			(void)finding_set(&out.finding, REJECT_ENGINE_REFUSED,
			    NULL, -1, NULL, "refused");
		if (map_remove(&w->aside, id) == NULL)
			(void)map_set(&w->aside, id, &out);
	}
}

static void
run(const char *ini)
{
	struct world w = { .config = routes_config(ini),
		.model = model_new(),
		.router = router_new(),
		.renderer = renderer_new() };
	unsigned int i, n;

	w.config->cluster.is_default = DEFAULT_YES;
	put_network(w.model, "front", "10.0.1.0/24");
	put_network(w.model, "back", "10.0.2.0/24");
	w.model->secrets_listed = true;
	put_secret(w.model, "c1");
	put_secret(w.model, "c2");
	put_secret(w.model, "p1");
	for (i = 0; i < steps; i++) {
		if (draw(40) == 0)
			change_surroundings(&w);
		for (n = 1 + draw(2); n > 0; n--)
			change_service(&w);
		compare(&w, i);
	}
	renderer_free(w.renderer);
	router_free(w.router);
	model_free(w.model);
	map_fini(&w.aside);
	cluster_config_free(w.config);
}

static void
what_is_kept_is_what_is_made_from_nothing(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < countof(settings); i++)
		run(settings[i]);
	printf("# accepted %zu", accepted);
	for (i = 0; i < countof(rejected); i++)
		if (rejected[i] > 0)
			printf(", %s %zu",
			    reject_code_name((enum reject_code)i), rejected[i]);
	printf("\n");
	/* What decides between services must have been met. */
	assert_true(accepted > 0);
	assert_true(rejected[REJECT_HOST_TAKEN] > 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_what_is_made_from_nothing),
	};

	must(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
	if (argc > 1)
		seed = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		steps = (unsigned int)strtoul(argv[2], NULL, 10);
	printf("# seed %llu\n", (unsigned long long)seed);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tests", tests, NULL, NULL);
}
