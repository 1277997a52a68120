/* report.json, byte for byte. */
#include "swarm_text.h"

static void
a_report_has_every_member(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	struct model *m;
	struct routing *r;
	STR_AUTO(out, TEXT_MAX);

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 9, "n-front",
	    "hosts=b.example,a.example|port=80|default_backend=true|"
	    "hots=x|ssl_cert=pem");
	swarm_tasks(&w, "web", 1, 10);
	swarm_service(&w, "vip", 8, "n-front",
	    "hosts=a.example|port=81|backend_mode=vip|ip_hash=1");
	swarm_service(&w, "bad", 7, "n-back", "hosts=a.example|port=80");
	swarm_service(&w, "worse", 6, "n-back",
	    "hosts=c.example|port=80|network=nowhere");
	vec_push(&w.services.list, xstrdup("{\"ID\":\"s-odd\"}"));
	vec_push(&w.services.list, xstrdup("{\"Spec\":{\"Name\":\"named\"}}"));
	vec_push(&w.services.list, xstrdup("{}"));
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	routing_report(&out, r);
	assert_string_equal(out.p,
	    "{\"version\":1,\"cluster\":\"main\",\n"
	    "\"accepted\":[\n"
	    " {\"service\":\"web\",\"service_id\":\"s-web\","
	    "\"mode\":\"task\",\"network\":\"front\",\n"
	    "  \"routes\":[{\"host\":\"*\",\"path\":\"/\","
	    "\"tls\":\"terminate\",\"upstreams\":[{\"address\":"
	    "\"10.0.1.10:80\",\"task\":\"t-web-1\",\"weight\":1}],"
	    "\"shared_with\":[]},\n"
	    "   {\"host\":\"a.example\",\"path\":\"/\","
	    "\"tls\":\"terminate\",\"upstreams\":[{\"address\":"
	    "\"10.0.1.10:80\",\"task\":\"t-web-1\",\"weight\":1}],"
	    "\"shared_with\":[\"vip\"]},\n"
	    "   {\"host\":\"b.example\",\"path\":\"/\","
	    "\"tls\":\"terminate\",\"upstreams\":[{\"address\":"
	    "\"10.0.1.10:80\",\"task\":\"t-web-1\",\"weight\":1}],"
	    "\"shared_with\":[]}],\n"
	    "  \"remarks\":[{\"label\":\"com.docker.lb.hots\","
	    "\"code\":\"unknown-label\",\"offset\":null,\"reason\":"
	    "\"no label of ours; did you mean com.docker.lb.hosts?\"}]},\n"
	    " {\"service\":\"vip\",\"service_id\":\"s-vip\","
	    "\"mode\":\"vip\",\"network\":\"front\",\n"
	    "  \"routes\":[{\"host\":\"a.example\",\"path\":\"/\","
	    "\"tls\":\"terminate\",\"upstreams\":[{\"address\":"
	    "\"10.0.1.13:81\",\"task\":null,\"weight\":1}],"
	    "\"shared_with\":[\"web\"]}],\n"
	    "  \"remarks\":[{\"label\":\"com.docker.lb.ip_hash\","
	    "\"code\":\"not-in-vip-mode\",\"offset\":0,\"reason\":"
	    "\"in VIP mode Swarm chooses the task: ip_hash has no "
	    "effect\"}]}],\n"
	    "\"rejected\":[\n"
	    " {\"service\":\"bad\",\"service_id\":\"s-bad\","
	    "\"label\":\"com.docker.lb.hosts\",\"code\":\"host-taken\","
	    "\"offset\":0,\"reason\":\"a.example belongs to older service "
	    "web; only services on the same network may share it\","
	    "\"owner\":\"web\"},\n"
	    " {\"service\":\"worse\",\"service_id\":\"s-worse\","
	    "\"label\":\"com.docker.lb.network\","
	    "\"code\":\"no-such-network\",\"offset\":0,\"reason\":"
	    "\"there is no overlay network nowhere; in a stack its name has "
	    "the stack's name and _ in front\"},\n"
	    " {\"service\":\"s-odd\",\"service_id\":\"s-odd\","
	    "\"label\":null,\"code\":\"bad-object\",\"offset\":null,"
	    "\"reason\":\"this service is set aside: Spec: missing\"},\n"
	    " {\"service\":\"named\",\"service_id\":null,"
	    "\"label\":null,\"code\":\"bad-object\",\"offset\":null,"
	    "\"reason\":\"this service is set aside: ID: missing\"},\n"
	    " {\"service\":\"6\",\"service_id\":null,"
	    "\"label\":null,\"code\":\"bad-object\",\"offset\":null,"
	    "\"reason\":\"this service is set aside: ID: missing\"}],\n"
	    "\"needs\":{\"networks\":[{\"id\":\"n-front\",\"name\":"
	    "\"front\"}],\"secrets\":[\"pem\"],\"configs\":[]}}\n");
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

static void
objects_that_do_not_decode_are_told_by_the_default_cluster(void **state)
{
	struct cluster_config *other =
	    swarm_config("[cluster]\ndefault = false\n");
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	struct model *m;
	struct routing *r;

	(void)state;
	swarm_init(&w);
	vec_push(&w.tasks.list, xstrdup("{\"ID\":\"t-odd\"}"));
	m = swarm_model(&w);
	r = routing_build(other, m, NULL);
	assert_int_equal(r->rejected.len, 0);
	routing_free(r);
	r = routing_build(c, m, NULL);
	assert_int_equal(r->rejected.len, 1);
	assert_string_equal(r->rejected.at[0].service, "t-odd");
	assert_null(r->rejected.at[0].service_id);
	assert_non_null(strstr(r->rejected.at[0].finding.reason, "task"));
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
	cluster_config_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_has_every_member),
		cmocka_unit_test(
		    objects_that_do_not_decode_are_told_by_the_default_cluster),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
