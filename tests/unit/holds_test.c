/* claim_hold: for whom a host is kept, how long, and what a restart knows. */
#include "swarm_text.h"

#include <stdlib.h>
#include <unistd.h>

#include "../../extension/explain.h"
#include "../../extension/holds.h"

#define HOLD_MS 60000
#define NOON_US (1705320000ULL * 1000 * 1000) /* 2024-01-15 12:00 UTC */

struct world {
	struct holds holds;
	struct holds_time now;
	struct cluster_config *config;
	struct model *model;
	struct routing *routing;
};

static void
world_init(struct world *x, const char *ini)
{
	*x = (struct world){ .holds = { .hold_ms = HOLD_MS },
		.now = { 1000000, NOON_US },
		.config = swarm_config(ini) };
}

static void
world_clear(struct world *x)
{
	routing_free(x->routing);
	model_free(x->model);
	x->routing = NULL;
	x->model = NULL;
}

static void
world_fini(struct world *x)
{
	world_clear(x);
	holds_fini(&x->holds);
	cluster_config_free(x->config);
}

/* As live.c does it. */
static void
settle(struct world *x, struct swarm *w)
{
	struct routing_options o = { .holds = &x->holds };

	world_clear(x);
	x->model = swarm_model(w);
	x->routing = routing_build(x->config, x->model, &o);
	if (holds_learn(&x->holds, x->routing, &x->now)) {
		routing_free(x->routing);
		x->routing = routing_build(x->config, x->model, &o);
		assert_false(holds_learn(&x->holds, x->routing, &x->now));
	}
	swarm_fini(w);
	swarm_init(w);
}

static void
pass(struct world *x, uint64_t ms)
{
	x->now.mono_ms += ms;
	x->now.wall_us += ms * 1000;
	(void)holds_expire(&x->holds, x->now.mono_ms);
}

/* 'name' is refused a.example, which is held or kept for 'owner'. */
static void
assert_taken(const struct world *x, const char *name, const char *owner,
    const char *words)
{
	const struct rejected *r = routing_rejected(x->routing, name);

	assert_non_null(r);
	assert_int_equal(r->finding.code, REJECT_HOST_TAKEN);
	assert_string_equal(r->finding.owner, owner);
	if (strstr(r->finding.reason, words) == NULL)
		fail_msg("no \"%s\" in %s", words, r->finding.reason);
}

static void
a_removed_services_host_is_held_for_its_name(void **state)
{
	struct world x;
	struct swarm w;

	(void)state;
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "web", 5, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "other", 3, "n-back", "hosts=b.example|port=80");
	settle(&x, &w);
	assert_int_equal(x.routing->rejected.len, 0);
	swarm_service(
	    &w, "other", 3, "n-back", "hosts=b.example,a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "other", "web",
	    "a.example is held until 2024-01-15 12:01:00 UTC for service web");
	pass(&x, HOLD_MS - 1);
	swarm_service(
	    &w, "other", 3, "n-back", "hosts=b.example,a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "other", "web", "held until 2024-01-15 12:01:00");
	pass(&x, 1);
	swarm_service(
	    &w, "other", 3, "n-back", "hosts=b.example,a.example|port=80");
	settle(&x, &w);
	assert_non_null(routing_accepted(x.routing, "other"));
	assert_int_equal(x.routing->routes.len, 2);
	swarm_fini(&w);
	world_fini(&x);
}

static void
removal_and_another_claim_in_one_step_hold_too(void **state)
{
	struct world x;
	struct swarm w;

	(void)state;
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "web", 5, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	swarm_service(&w, "thief", 1, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "last", 0, "n-front", "hosts=b.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "thief", "web", "held until");
	assert_non_null(routing_accepted(x.routing, "last"));
	assert_int_equal(x.routing->routes.len, 1);
	swarm_fini(&w);
	world_fini(&x);
}

static void
the_name_that_comes_back_keeps_it_from_older_ones(void **state)
{
	struct world x;
	struct swarm w;
	int i;

	(void)state;
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "old", 7, "n-back", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "old", "web", "belongs to older service web");
	swarm_service(&w, "old", 7, "n-back", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "old", "web", "held until");
	for (i = 0; i < 2; i++) {
		swarm_service(
		    &w, "old", 7, "n-back", "hosts=a.example|port=80");
		swarm_service(
		    &w, "web", 1, "n-front", "hosts=a.example|port=80");
		settle(&x, &w);
		assert_taken(&x, "old", "web", "which is back");
		assert_non_null(routing_accepted(x.routing, "web"));
		pass(&x, 2 * HOLD_MS);
	}
	/* Gone once more: the time starts anew. */
	swarm_service(&w, "old", 7, "n-back", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "old", "web", "held until");
	pass(&x, HOLD_MS);
	swarm_service(&w, "old", 7, "n-back", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_non_null(routing_accepted(x.routing, "old"));
	swarm_fini(&w);
	world_fini(&x);
}

static void
who_may_share_joins_the_one_that_is_back(void **state)
{
	struct world x;
	struct swarm w;

	(void)state;
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	swarm_service(&w, "canary", 5, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "canary", "web", "held until");
	swarm_service(&w, "web", 1, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	swarm_service(&w, "canary", 5, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "web", 1, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_int_equal(x.routing->rejected.len, 0);
	assert_int_equal(x.routing->routes.at[0].members.len, 2);
	swarm_fini(&w);
	world_fini(&x);
}

static void
a_shared_host_goes_to_those_that_share_it(void **state)
{
	struct world x;
	struct swarm w;

	(void)state;
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "canary", 5, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	swarm_service(&w, "canary", 5, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_non_null(routing_accepted(x.routing, "canary"));
	/* It is the owner now, for whom the host is held. */
	settle(&x, &w);
	swarm_service(&w, "web", 1, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "web", "canary", "held until");
	swarm_fini(&w);
	world_fini(&x);
}

static void
an_older_service_takes_what_it_may_from_a_younger_one(void **state)
{
	struct world x;
	struct swarm w;

	(void)state;
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "old", 9, "n-back", "hosts=b.example|port=80");
	swarm_service(&w, "web", 5, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	swarm_service(
	    &w, "old", 9, "n-back", "hosts=b.example,a.example|port=80");
	swarm_service(&w, "web", 5, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "web", "old", "belongs to older service old");
	swarm_fini(&w);
	world_fini(&x);
}

static void
wildcards_and_the_default_backend_are_held_as_well(void **state)
{
	struct world x;
	struct swarm w;

	(void)state;
	world_init(&x, "[cluster]\nhosts_allow = *.example\n");
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front",
	    "hosts=*.w.example|port=80|default_backend=true");
	settle(&x, &w);
	assert_int_equal(x.routing->rejected.len, 0);
	swarm_service(&w, "exact", 5, "n-front", "hosts=x.w.example|port=80");
	swarm_service(&w, "rest", 4, "n-front", "default_backend=1|port=80");
	settle(&x, &w);
	assert_taken(&x, "exact", "web", "covered by *.w.example");
	assert_taken(&x, "rest", "web", "the default backend is held until");
	swarm_fini(&w);
	world_fini(&x);
}

static void
explain_tells_of_a_held_host(void **state)
{
	struct world x;
	struct swarm w;
	STR_AUTO(out, TEXT_MAX);

	(void)state;
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	settle(&x, &w);
	assert_int_equal(
	    explain(&out, x.config, x.model, x.routing, "a.example/x", true),
	    EXPLAIN_NOT);
	assert_non_null(strstr(out.p, "held until 2024-01-15 12:01:00 UTC"));
	assert_non_null(strstr(out.p, "\"status\":503,\"owner\":\"web\""));
	swarm_fini(&w);
	world_fini(&x);
}

static void
without_claim_hold_a_host_is_free_at_once(void **state)
{
	struct world x;
	struct swarm w;

	(void)state;
	world_init(&x, "");
	x.holds.hold_ms = 0;
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front", "hosts=a.example|port=80");
	settle(&x, &w);
	swarm_service(&w, "other", 1, "n-back", "hosts=a.example|port=80");
	settle(&x, &w);
	assert_non_null(routing_accepted(x.routing, "other"));
	assert_int_equal(x.holds.hosts.len, 0);
	swarm_fini(&w);
	world_fini(&x);
}

/* Stores, forgets, and loads 'away_ms' later. */
static void
restart(struct world *x, const char *path, uint64_t away_ms)
{
	struct error e;

	assert_int_equal(holds_store(&x->holds, path, x->now.mono_ms, &e), 0);
	holds_fini(&x->holds);
	x->holds = (struct holds){ .hold_ms = HOLD_MS };
	x->now.mono_ms += away_ms;
	x->now.wall_us += away_ms * 1000;
	holds_load(&x->holds, path, &x->now);
}

static void
a_restart_knows_owners_and_ends(void **state)
{
	char path[] = "/tmp/holds-XXXXXX";
	int fd = mkstemp(path);
	struct world x;
	struct swarm w;

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	world_init(&x, "");
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "two", 8, "n-front", "hosts=b.example|port=80");
	settle(&x, &w);
	swarm_service(&w, "two", 8, "n-front", "hosts=b.example|port=80");
	settle(&x, &w);
	/* While nobody looks, "two" goes as well. */
	restart(&x, path, HOLD_MS / 2);
	swarm_service(&w, "other", 1, "n-back", "hosts=a.example|port=80");
	swarm_service(&w, "next", 0, "n-back", "hosts=b.example|port=80");
	settle(&x, &w);
	assert_taken(&x, "other", "web", "until 2024-01-15 12:01:00 UTC");
	assert_taken(&x, "next", "two", "until 2024-01-15 12:01:30 UTC");
	restart(&x, path, HOLD_MS / 2);
	pass(&x, 0);
	swarm_service(&w, "other", 1, "n-back", "hosts=a.example|port=80");
	swarm_service(&w, "next", 0, "n-back", "hosts=b.example|port=80");
	settle(&x, &w);
	assert_non_null(routing_accepted(x.routing, "other"));
	assert_taken(&x, "next", "two", "until 2024-01-15 12:01:30 UTC");
	swarm_fini(&w);
	world_fini(&x);
	assert_int_equal(unlink(path), 0);
}

static void
after_a_reboot_what_was_left_counts_on(void **state)
{
	char path[] = "/tmp/holds-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] =
	    "{\"boot\":\"another\",\"stored_ms\":900000000,\"hosts\":["
	    "{\"host\":\"a.example\",\"name\":\"web\",\"state\":\"held\","
	    "\"network\":null,\"left_ms\":5000,\"others\":[]},"
	    "{\"host\":\"b.example\",\"name\":\"web\",\"state\":\"held\","
	    "\"network\":null,\"left_ms\":500000000,\"others\":[]},"
	    "{\"host\":\"c.example\",\"state\":\"held\"},7]}";
	struct world x;

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	(void)close(fd);
	world_init(&x, "");
	holds_load(&x.holds, path, &x.now);
	assert_int_equal(x.holds.hosts.len, 2);
	assert_string_equal(holds_held(&x.holds, "a.example")->until,
	    "2024-01-15 12:00:05 UTC");
	/* claim_hold is shorter now. */
	assert_string_equal(holds_held(&x.holds, "b.example")->until,
	    "2024-01-15 12:01:00 UTC");
	world_fini(&x);
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_removed_services_host_is_held_for_its_name),
		cmocka_unit_test(
		    removal_and_another_claim_in_one_step_hold_too),
		cmocka_unit_test(
		    the_name_that_comes_back_keeps_it_from_older_ones),
		cmocka_unit_test(who_may_share_joins_the_one_that_is_back),
		cmocka_unit_test(a_shared_host_goes_to_those_that_share_it),
		cmocka_unit_test(
		    an_older_service_takes_what_it_may_from_a_younger_one),
		cmocka_unit_test(
		    wildcards_and_the_default_backend_are_held_as_well),
		cmocka_unit_test(explain_tells_of_a_held_host),
		cmocka_unit_test(without_claim_hold_a_host_is_free_at_once),
		cmocka_unit_test(a_restart_knows_owners_and_ends),
		cmocka_unit_test(after_a_reboot_what_was_left_counts_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
