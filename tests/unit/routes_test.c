/* Pools, shares, addresses; what one service can and cannot change. */
#include "swarm_text.h"

#include "base/clock.h"

#define REPLICAS(n) ",\"Mode\":{\"Replicated\":{\"Replicas\":" #n "}}"

/* Builds the Swarm's routes; 'text' gets them, 'report' the report. */
static void
build(const struct swarm *w, const char *ini, struct str *text,
    struct str *report)
{
	struct cluster_config *c = swarm_config(ini);
	struct model *m = swarm_model(w);
	struct routing *r = routing_build(c, m, NULL);

	if (text != NULL)
		routing_text(text, r);
	if (report != NULL)
		routing_report(report, r);
	routing_free(r);
	model_free(m);
	cluster_config_free(c);
}

static void
expect(const struct swarm *w, const char *ini, const char *wanted)
{
	STR_AUTO(text, TEXT_MAX);

	build(w, ini, &text, NULL);
	assert_string_equal(text.p, wanted);
}

static void
running_tasks_are_behind_a_route(void **state)
{
	struct swarm w;

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 3, "n-front",
	    "hosts=b.example,a.example|port=8080|context_root=/app,/");
	swarm_tasks(&w, "web", 2, 3);
	swarm_task_in(
	    &w, "web", 3, "n-front", "10.0.1.5/24", "starting", "running");
	swarm_task_in(
	    &w, "web", 4, "n-front", "10.0.1.6/24", "running", "shutdown");
	expect(&w, "",
	    "a.example/ web[10.0.1.3:8080*1 10.0.1.4:8080*1]\n"
	    "a.example/app web[10.0.1.3:8080*1 10.0.1.4:8080*1]\n"
	    "b.example/ web[10.0.1.3:8080*1 10.0.1.4:8080*1]\n"
	    "b.example/app web[10.0.1.3:8080*1 10.0.1.4:8080*1]\n");
	swarm_fini(&w);
}

static void
addresses_of_ipv6_stand_in_brackets(void **state)
{
	struct swarm w;

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 3, "n-six", "hosts=a.example|port=80");
	swarm_task(&w, "web", 1, "n-six", "fd00:1::0003/64");
	expect(&w, "", "a.example/ web[[fd00:1::3]:80*1]\n");
	swarm_fini(&w);
}

static void
an_address_outside_its_network_is_left_out_and_told(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	struct model *m;
	struct routing *r;
	const struct accepted *a;
	STR_AUTO(text, TEXT_MAX);

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 3, "n-front", "hosts=a.example|port=80");
	swarm_task(&w, "web", 1, "n-front", "10.0.2.3/24");
	swarm_task(&w, "web", 2, "n-front", "10.0.10.3/24");
	swarm_task(&w, "web", 3, "n-front", "10.0.1.3/24");
	swarm_task(&w, "web", 4, "n-back", "10.0.2.9/24");
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	routing_text(&text, r);
	assert_string_equal(text.p, "a.example/ web[10.0.1.3:80*1]\n");
	a = routing_accepted(r, "web");
	assert_int_equal(a->remarks.list.len, 3);
	assert_int_equal(a->remarks.list.at[0].code, REJECT_BAD_OBJECT);
	assert_non_null(strstr(a->remarks.list.at[0].reason, "t-web-1"));
	assert_non_null(strstr(a->remarks.list.at[1].reason, "t-web-2"));
	assert_int_equal(a->remarks.list.at[2].code, REJECT_NO_ADDRESS);
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

static void
a_network_without_subnets_is_a_remark(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	struct model *m;
	struct routing *r;
	STR_AUTO(text, TEXT_MAX);

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 3, "n-bare", "hosts=a.example|port=80");
	swarm_task(&w, "web", 1, "n-bare", "10.9.9.9/24");
	swarm_task(&w, "web", 2, "n-bare", "169.254.169.254/16");
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	routing_text(&text, r);
	assert_string_equal(text.p, "a.example/ web[10.9.9.9:80*1]\n");
	assert_int_equal(routing_accepted(r, "web")->remarks.list.at[0].code,
	    REJECT_IGNORED);
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

static void
without_an_overlay_the_node_and_its_published_port_serve(void **state)
{
	struct swarm w;

	(void)state;
	swarm_init(&w);
	vec_push(&w.services.list,
	    xstrdup("{\"ID\":\"s-web\",\"Version\":{\"Index\":7},\"CreatedAt\":"
		    "\"2024-01-01T00:00:00Z\",\"Spec\":{\"Name\":\"web\","
		    "\"Labels\":"
		    "{\"com.docker.lb.hosts\":\"a.example\","
		    "\"com.docker.lb.port\":\"80\"}},\"Endpoint\":{\"Ports\":["
		    "{\"Protocol\":\"tcp\",\"TargetPort\":80,"
		    "\"PublishMode\":\"host\"}]}}"));
	vec_push(&w.tasks.list,
	    xstrdup("{\"ID\":\"t1\",\"ServiceID\":\"s-web\",\"Slot\":1,"
		    "\"NodeID\":\"node1\",\"Status\":{\"State\":\"running\","
		    "\"PortStatus\":{\"Ports\":[{\"Protocol\":\"tcp\","
		    "\"TargetPort\":80,\"PublishedPort\":32768,"
		    "\"PublishMode\":\"host\"}]}},"
		    "\"DesiredState\":\"running\"}"));
	vec_push(&w.tasks.list,
	    xstrdup("{\"ID\":\"t2\",\"ServiceID\":\"s-web\",\"Slot\":2,"
		    "\"NodeID\":\"node2\",\"Status\":{\"State\":\"running\"},"
		    "\"DesiredState\":\"running\"}"));
	expect(&w, "", "a.example/ web[192.0.2.1:32768*1]\n");
	swarm_fini(&w);
}

static void
a_canary_has_the_share_of_its_tasks(void **state)
{
	struct swarm w;

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 3, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "new", 2, "n-front", "hosts=a.example|port=81");
	swarm_tasks(&w, "web", 4, 10);
	swarm_tasks(&w, "new", 1, 20);
	expect(&w, "",
	    "a.example/ web[10.0.1.10:80*1 10.0.1.11:80*1 10.0.1.12:80*1 "
	    "10.0.1.13:80*1] new[10.0.1.20:81*1]\n");
	swarm_fini(&w);
}

static void
vip_services_count_one_each(void **state)
{
	struct swarm w;

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 4, "n-front",
	    "hosts=a.example|port=80|backend_mode=vip");
	swarm_service(&w, "new", 3, "n-front",
	    "hosts=a.example|port=80|backend_mode=VIP");
	swarm_service(&w, "task", 2, "n-front", "hosts=a.example|port=80");
	swarm_service_with(&w, "none", 1, "n-front",
	    "hosts=a.example|port=80|backend_mode=vip", REPLICAS(0));
	swarm_tasks(&w, "web", 3, 30);
	swarm_tasks(&w, "task", 2, 40);
	expect(&w, "",
	    "a.example/ web[10.0.1.12:80*1] new[10.0.1.13:80*1] "
	    "task[10.0.1.40:80*1 10.0.1.41:80*1] none[]\n");
	swarm_fini(&w);
}

struct weights {
	int tasks[3];
	const char *labels[3];
	const char *routes;
};

static const struct weights weight_table[] = {
	/* 90 to 10, over 3 and 2 tasks: 30 to 5 each. */
	{ { 3, 2, 0 }, { "weight=90", "weight=10", NULL },
	    "s0[10.0.1.10:80*6 10.0.1.11:80*6 10.0.1.12:80*6] "
	    "s1[10.0.1.20:80*1 10.0.1.21:80*1]" },
	/* Missing is 100. */
	{ { 1, 1, 0 }, { "drain=false", "weight=50", NULL },
	    "s0[10.0.1.10:80*2] s1[10.0.1.20:80*1]" },
	/* 0 is none. */
	{ { 1, 2, 0 }, { "weight=0", "weight=1", NULL },
	    "s0[] s1[10.0.1.20:80*1 10.0.1.21:80*1]" },
	/* drain is 0. */
	{ { 1, 1, 0 }, { "drain=true", "port=80", NULL },
	    "s0[] s1[10.0.1.20:80*1]" },
	/* All at 0. */
	{ { 1, 1, 0 }, { "weight=0", "weight=0", NULL }, "s0[] s1[]" },
	/* One with no upstream drops out. */
	{ { 0, 2, 1 }, { "weight=90", "weight=10", "weight=20" },
	    "s0[] s1[10.0.1.20:80*1 10.0.1.21:80*1] s2[10.0.1.30:80*4]" },
	/* Mixed: one VIP against three tasks. */
	{ { 1, 3, 0 }, { "backend_mode=vip|weight=50", "weight=50", NULL },
	    "s0[10.0.1.12:80*3] s1[10.0.1.20:80*1 10.0.1.21:80*1 "
	    "10.0.1.22:80*1]" },
};

static void
weights_are_exact(void **state)
{
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < countof(weight_table); i++) {
		const struct weights *t = &weight_table[i];
		struct swarm w;
		STR_AUTO(wanted, TEXT_MAX);

		swarm_init(&w);
		for (k = 0; k < 3 && t->labels[k] != NULL; k++) {
			char name[32];
			char *labels = xasprintf("hosts=a.example%s|%s",
			    strncmp(t->labels[k], "port", 4) == 0 ? ""
								  : "|port=80",
			    t->labels[k]);

			(void)snprintf(name, sizeof(name), "s%d", k);
			swarm_service(&w, name, 9 - k, "n-front", labels);
			swarm_tasks(&w, name, t->tasks[k], 10 * (k + 1));
			free(labels);
		}
		str_addf(&wanted, "a.example/ %s\n", t->routes);
		expect(&w, "", wanted.p);
		swarm_fini(&w);
	}
}

/* The share of the first service, in millionths. */
static uint64_t
first_share(const struct route *r)
{
	uint64_t first = 0, all = 0;
	size_t i, k;

	for (i = 0; i < r->members.len; i++) {
		for (k = 0; k < r->members.at[i].upstreams.len; k++) {
			uint32_t weight =
			    r->members.at[i].upstreams.at[k].weight;

			assert_true(weight >= 1);
			all += weight;
			first += i == 0 ? weight : 0;
		}
	}
	assert_true(all <= ROUTE_WEIGHT_MAX + ROUTE_WEIGHT_MAX / 100);
	return first * 1000000 / all;
}

static void
odd_numbers_of_tasks_are_rounded_within_bounds(void **state)
{
	static const int primes[] = { 97, 89, 83, 79, 73, 71, 67, 61 };
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	struct model *m;
	struct routing *r;
	uint64_t share;
	size_t i;

	(void)state;
	swarm_init(&w);
	for (i = 0; i < countof(primes); i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "s%zu", i);
		swarm_service(&w, name, 20 - (int)i, "n-front",
		    "hosts=a.example|port=80|weight=25");
		swarm_tasks(&w, name, primes[i], 2);
	}
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	share = first_share(&r->routes.at[0]);
	assert_in_range(share, 124000, 126000);
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

static void
the_default_backend_is_a_pool_and_comes_last(void **state)
{
	struct swarm w;

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "one", 4, "n-front",
	    "default_backend=true|port=80|hosts=z.example");
	swarm_service(&w, "two", 3, "n-front", "default_backend=true|port=80");
	swarm_tasks(&w, "one", 1, 10);
	swarm_tasks(&w, "two", 1, 20);
	expect(&w, "",
	    "z.example/ one[10.0.1.10:80*1]\n"
	    "*/ one[10.0.1.10:80*1] two[10.0.1.20:80*1]\n");
	swarm_fini(&w);
}

static void
a_passthrough_is_the_whole_host(void **state)
{
	struct swarm w;

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 4, "n-front",
	    "hosts=a.example|port=443|ssl_passthrough=true");
	swarm_tasks(&w, "web", 1, 10);
	expect(&w, "", "a.example/ web[10.0.1.10:443*1]\n");
	swarm_fini(&w);
}

/* Each is a service that ought to be rejected beside "a" and "b". */
static const char *const hostile[][2] = {
	{ "n-front", "hosts=a.example; return 302 http://evil/|port=80" },
	{ "n-front", "hosts=a.example victim.example|port=80" },
	{ "n-front", "hosts=~^(a+)+$|port=80" },
	{ "n-front", "hosts=*|port=80" },
	{ "n-front", "hosts=*.com|port=80" },
	{ "n-front", "hosts=*.example|port=80" },
	{ "n-front", "hosts=$host|port=80" },
	{ "n-front", "hosts=127.0.0.1|port=80" },
	{ "n-front",
	    "hosts=b\xc3\xbc"
	    "cher.example|port=80" },
	{ "n-front", "hosts=x.example|port=0" },
	{ "n-front", "hosts=x.example|port=80,81" },
	{ "n-front", "hosts=x.example|port=80|context_root=/a;b" },
	{ "n-front", "hosts=x.example|port=80|context_root=/../b" },
	{ "n-front", "hosts=x.example|port=80|network=ingress" },
	{ "n-front", "hosts=x.example|port=80|network=twin" },
	{ "n-six", "hosts=x.example,A.EXAMPLE.|port=80" },
	{ "n-six", "hosts=b.example|port=80" },
	{ "n-six", "default_backend=true|port=80" },
	{ "n-front,n-back", "hosts=x.example|port=80" },
	{ "n-front", "hosts=a.example|port=80|ssl_backend=true" },
	{ "n-front", "hosts=a.example|port=80|ssl_passthrough=true" },
	{ "n-front", "hosts=x.example|port=80|backend_mode=both" },
	{ "n-front", "hosts=x.example" },
	{ "n-front", "port=80" },
};

static void
base_swarm(struct swarm *w)
{
	swarm_init(w);
	swarm_service(w, "a", 8, "n-front",
	    "hosts=a.example,www.a.example|port=80|context_root=/x,/");
	swarm_service(w, "a2", 7, "n-front", "hosts=a.example|port=81");
	swarm_service(
	    w, "b", 6, "n-back", "hosts=b.example|port=80|backend_mode=vip");
	swarm_service(
	    w, "d", 5, "n-front", "default_backend=true|port=80|weight=3");
	swarm_tasks(w, "a", 3, 10);
	swarm_tasks(w, "a2", 2, 20);
	swarm_tasks(w, "d", 2, 30);
}

static void
a_hostile_service_changes_nothing_but_its_own_record(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < countof(hostile); i++) {
		struct swarm w;
		const char *end;
		STR_AUTO(before, TEXT_MAX);
		STR_AUTO(after, TEXT_MAX);

		base_swarm(&w);
		build(&w, "", NULL, &before);
		swarm_service(&w, "hostile", 1, hostile[i][0], hostile[i][1]);
		swarm_tasks(&w, "hostile", 2, 40);
		build(&w, "", NULL, &after);
		if (strstr(after.p, "\"rejected\":[]") != NULL)
			fail_msg("accepted: %s", hostile[i][1]);
		end = strstr(after.p, "\"rejected\":");
		if (memcmp(before.p, after.p, (size_t)(end - after.p)) != 0 ||
		    strcmp(strstr(before.p, "\"needs\":"),
			strstr(after.p, "\"needs\":")) != 0)
			fail_msg("changed others: %s\n%s\n%s", hostile[i][1],
			    before.p, after.p);
		swarm_fini(&w);
	}
}

static void
the_order_of_the_lists_does_not_matter(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	size_t i, turn;
	STR_AUTO(first, TEXT_MAX);

	(void)state;
	base_swarm(&w);
	for (i = 0; i < countof(hostile); i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "h%zu", i);
		swarm_service(&w, name, 3, hostile[i][0], hostile[i][1]);
	}
	build(&w, "", NULL, &first);
	for (turn = 0; turn < 12; turn++) {
		struct model *m = swarm_model_turned(&w, turn, turn % 2 == 1);
		struct routing *r = routing_build(c, m, NULL);
		STR_AUTO(other, TEXT_MAX);

		routing_report(&other, r);
		assert_string_equal(other.p, first.p);
		routing_free(r);
		model_free(m);
	}
	swarm_fini(&w);
	cluster_config_free(c);
}

static void
needs_are_what_accepted_services_use(void **state)
{
	struct swarm w;
	STR_AUTO(report, TEXT_MAX);
	STR_AUTO(listed, TEXT_MAX);

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 4, "n-front",
	    "hosts=a.example|port=80|ssl_cert=zeta|ssl_key=alpha");
	swarm_service(&w, "bad", 3, "n-back", "hosts=a.example|port=80");
	build(&w, "", NULL, &report);
	assert_non_null(strstr(report.p,
	    "\"needs\":{\"networks\":[{\"id\":\"n-front\","
	    "\"name\":\"front\"}],\"secrets\":[\"alpha\",\"zeta\"],"
	    "\"configs\":[]}"));
	build(&w, "[cluster]\nnetworks = front, six, nowhere\n", NULL, &listed);
	assert_non_null(strstr(listed.p,
	    "\"needs\":{\"networks\":[{\"id\":\"n-front\","
	    "\"name\":\"front\"},{\"id\":\"n-six\",\"name\":\"six\"}]"));
	swarm_fini(&w);
}

/* A generous bound that a quadratic step would pass by far. */
static void
ten_thousand_services_take_no_time(void **state)
{
	struct cluster_config *c = swarm_config("[cluster]\nmax_hosts=20000\n");
	struct swarm w;
	struct model *m;
	struct routing *r;
	uint64_t start;
	int i;
	STR_AUTO(report, TEXT_MAX);

	(void)state;
	swarm_init(&w);
	for (i = 0; i < 10000; i++) {
		char name[32], labels[96];

		(void)snprintf(name, sizeof(name), "s%d", i);
		(void)snprintf(labels, sizeof(labels),
		    "hosts=h%d.example|port=80|context_root=/x,/", i);
		swarm_service(&w, name, 1 + i % 30, "n-front", labels);
		swarm_tasks(&w, name, 1, 2 + i % 200);
	}
	m = swarm_model(&w);
	start = clock_mono_ms();
	r = routing_build(c, m, NULL);
	routing_report(&report, r);
	assert_in_range(clock_mono_ms() - start, 0, 6000);
	assert_int_equal(r->routes.len, 20000);
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(running_tasks_are_behind_a_route),
		cmocka_unit_test(addresses_of_ipv6_stand_in_brackets),
		cmocka_unit_test(
		    an_address_outside_its_network_is_left_out_and_told),
		cmocka_unit_test(a_network_without_subnets_is_a_remark),
		cmocka_unit_test(
		    without_an_overlay_the_node_and_its_published_port_serve),
		cmocka_unit_test(a_canary_has_the_share_of_its_tasks),
		cmocka_unit_test(vip_services_count_one_each),
		cmocka_unit_test(weights_are_exact),
		cmocka_unit_test(
		    odd_numbers_of_tasks_are_rounded_within_bounds),
		cmocka_unit_test(the_default_backend_is_a_pool_and_comes_last),
		cmocka_unit_test(a_passthrough_is_the_whole_host),
		cmocka_unit_test(
		    a_hostile_service_changes_nothing_but_its_own_record),
		cmocka_unit_test(the_order_of_the_lists_does_not_matter),
		cmocka_unit_test(needs_are_what_accepted_services_use),
		cmocka_unit_test(ten_thousand_services_take_no_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
