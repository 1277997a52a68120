/* Why something is routed or not: questions and the verdicts of the answers. */
#include "swarm_text.h"

#include "../../extension/explain.h"

struct question {
	const char *query;
	enum explain_result result;
	const char *has[3]; /* parts of the text */
};

static const struct question questions[] = {
	{ "web", EXPLAIN_ROUTED,
	    { "cluster main routes it", "a.example/app", "10.0.1.10:80" } },
	{ "s-web", EXPLAIN_ROUTED, { "cluster main routes it" } },
	{ "thief", EXPLAIN_NOT,
	    { "host-taken", LABEL_PREFIX "hosts, byte 10", "owner web" } },
	{ "plain", EXPLAIN_NOT, { "carries no label" } },
	{ "blue", EXPLAIN_NOT, { "service cluster blue" } },
	{ "empty", EXPLAIN_NOT, { "it has no task" } },
	{ "down", EXPLAIN_NOT, { "none of them is running", "starting" } },
	{ "zero", EXPLAIN_NOT, { "0 replicas" } },
	{ "drained", EXPLAIN_NOT, { "share is 0" } },
	{ "a.example", EXPLAIN_ROUTED, { "these paths", "a.example/app" } },
	{ "a.example/", EXPLAIN_NOT, { "404" } },
	{ "a.example/app", EXPLAIN_ROUTED, { "service web" } },
	{ "http://A.Example.:8080/x/..//app/%61?q", EXPLAIN_ROUTED,
	    { "service web" } },
	{ "a.example/application", EXPLAIN_NOT, { "404" } },
	{ "a.example/app/deep/x", EXPLAIN_ROUTED, { "a.example/app/deep" } },
	{ "x.example", EXPLAIN_NOT, { "service thief asks for it", "503" } },
	{ "down.example", EXPLAIN_NOT, { "service down's", "503" } },
	{ "z.b.wild.example", EXPLAIN_ROUTED, { "*.wild.example" } },
	{ "nobody.example", EXPLAIN_UNKNOWN, { "is known", "503" } },
	{ "nobody", EXPLAIN_UNKNOWN, { "is known" } },
	{ "\x1b[31m", EXPLAIN_UNKNOWN, { "\\x1b[31m" } },
};

static void
make_swarm(struct swarm *w)
{
	swarm_init(w);
	swarm_service(w, "web", 9, "n-front",
	    "hosts=a.example|port=80|context_root=/app,/app/deep");
	swarm_tasks(w, "web", 1, 10);
	swarm_service(
	    w, "thief", 8, "n-back", "hosts=x.example,a.example|port=80");
	swarm_service(w, "plain", 8, "n-back", "");
	swarm_service(w, "blue", 8, "n-back",
	    "hosts=y.example|port=80|service_cluster=blue");
	swarm_service(w, "empty", 7, "n-front", "hosts=empty.example|port=80");
	swarm_service(w, "down", 6, "n-front", "hosts=down.example|port=80");
	swarm_task_in(
	    w, "down", 1, "n-front", "10.0.1.20/24", "starting", "running");
	swarm_service_with(w, "zero", 5, "n-front",
	    "hosts=zero.example|port=80|backend_mode=vip",
	    ",\"Mode\":{\"Replicated\":{\"Replicas\":0}}");
	swarm_service(w, "drained", 4, "n-front",
	    "hosts=drained.example|port=80|drain=true");
	swarm_tasks(w, "drained", 1, 30);
	swarm_service(w, "wild", 3, "n-front", "hosts=*.wild.example|port=80");
	swarm_tasks(w, "wild", 1, 40);
}

static void
each_question_gets_its_answer(void **state)
{
	struct cluster_config *c = swarm_config(
	    "[cluster]\nhosts_allow = *.wild.example, *.example, a.example, "
	    "x.example, y.example\n");
	struct swarm w;
	struct model *m;
	struct routing *r;
	size_t i, k;

	(void)state;
	make_swarm(&w);
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	for (i = 0; i < countof(questions); i++) {
		const struct question *q = &questions[i];
		enum explain_result result;
		STR_AUTO(out, TEXT_MAX);

		result = explain(&out, c, m, r, q->query, false);
		if (result != q->result)
			fail_msg("%s: %d, %s", q->query, (int)result, out.p);
		for (k = 0; k < countof(q->has) && q->has[k] != NULL; k++) {
			if (strstr(out.p, q->has[k]) == NULL)
				fail_msg("%s: no \"%s\" in %s", q->query,
				    q->has[k], out.p);
		}
		assert_null(strchr(out.p, '\x1b'));
	}
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

static void
the_default_backend_takes_unknown_hosts(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	struct model *m;
	struct routing *r;
	STR_AUTO(out, TEXT_MAX);

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "all", 9, "n-front", "default_backend=1|port=80");
	swarm_tasks(&w, "all", 1, 10);
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	assert_int_equal(
	    explain(&out, c, m, r, "any.example/x", true), EXPLAIN_ROUTED);
	assert_non_null(strstr(out.p, "\"state\":\"routed\""));
	assert_non_null(strstr(out.p, "\"service\":\"all\""));
	assert_non_null(strstr(out.p, "\"path\":\"/x\""));
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_question_gets_its_answer),
		cmocka_unit_test(the_default_backend_takes_unknown_hosts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
