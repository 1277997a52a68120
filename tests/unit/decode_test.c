/* docker/decode: one object at a time */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "docker/decode.h"

#include <string.h>

#define CREATED "\"CreatedAt\":\"2026-01-31T10:00:00.000000001Z\""
#define HEAD "{\"ID\":\"s1\"," CREATED ","

static struct service *
service(const char *json)
{
	struct error e;
	struct service *s = docker_decode_service(json, strlen(json), &e);

	if (s == NULL)
		fail_msg("%s: %s", json, e.msg);
	return s;
}

static void
a_whole_service_is_read(void **state)
{
	struct service *s = service(
	    "{\"ID\":\"abc_-9Z\",\"Version\":{\"Index\":9007199254740991}"
	    "," CREATED ",\"Spec\":{\"Name\":\"web\",\"Labels\":{"
	    "\"com.docker.lb.port\":\"80\\u00000\","
	    "\"com.docker.lb.hosts\":\"a.example\","
	    "\"com.docker.ucp.mesh.http\":\"x\","
	    "\"com.docker.ucp.mesh.http.1\":\"y\","
	    "\"com.docker.ucp.mesh.httpx\":\"y\","
	    "\"com.docker.stack.namespace\":\"st\","
	    "\"com.docker.lbx\":\"y\",\"other\":7},"
	    "\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":["
	    "{\"SecretName\":\"cert\",\"SecretID\":\"x\"}]},"
	    "\"Networks\":[{\"Target\":\"n1\"},{\"Target\":\"n2\"},"
	    "{\"Target\":\"n1\"}]},"
	    "\"Networks\":[{\"Target\":\"old\"}],"
	    "\"UpdateConfig\":{\"Parallelism\":18446744073709551615},"
	    "\"Mode\":{\"Replicated\":{\"Replicas\":3}},"
	    "\"EndpointSpec\":{\"Mode\":\"vip\"}},"
	    "\"Endpoint\":{\"Spec\":{},\"Ports\":[{\"Protocol\":\"tcp\","
	    "\"TargetPort\":80,\"PublishedPort\":8080,\"PublishMode\":\"host\"}"
	    ","
	    "{\"Protocol\":\"udp\",\"TargetPort\":53}],"
	    "\"VirtualIPs\":[{\"NetworkID\":\"n1\",\"Addr\":\"10.0.1.2/24\"},"
	    "{\"NetworkID\":\"n2\"},{\"NetworkID\":\"n3\",\"Addr\":\"\"},"
	    "{\"NetworkID\":\"n4\",\"Addr\":\"FD00::2/64\"}]}}");

	(void)state;
	assert_string_equal(s->id, "abc_-9Z");
	assert_string_equal(s->name, "web");
	assert_string_equal(s->stack, "st");
	assert_int_equal(s->version, 9007199254740991);
	assert_int_equal(s->created_ns, 1769853600000000001);
	assert_int_equal(s->labels.len, 4);
	assert_string_equal(s->labels.at[0].key, "com.docker.lb.hosts");
	assert_string_equal(s->labels.at[1].key, "com.docker.lb.port");
	assert_int_equal(s->labels.at[1].value_len, 4);
	assert_memory_equal(s->labels.at[1].value,
	    "80\0"
	    "0",
	    5);
	assert_string_equal(s->labels.at[3].key, "com.docker.ucp.mesh.http.1");
	assert_int_equal(s->mode, SERVICE_REPLICATED);
	assert_int_equal(s->replicas, 3);
	assert_int_equal(s->endpoint_mode, ENDPOINT_VIP);
	assert_int_equal(s->networks.len, 2);
	assert_string_equal(s->networks.at[1], "n2");
	assert_int_equal(s->secrets.len, 1);
	assert_string_equal(s->secrets.at[0], "cert");
	assert_int_equal(s->ports.len, 2);
	assert_true(s->ports.at[0].host_mode && !s->ports.at[0].udp);
	assert_int_equal(s->ports.at[0].published, 8080);
	assert_true(s->ports.at[1].udp && !s->ports.at[1].host_mode);
	assert_int_equal(s->vips.len, 2);
	assert_string_equal(s->vips.at[0].network_id, "n1");
	assert_string_equal(s->vips.at[0].address, "10.0.1.2");
	assert_string_equal(s->vips.at[1].address, "fd00::2");
	service_free(s);
}

static void
what_the_engine_leaves_out_or_writes_as_null_is_absent(void **state)
{
	struct service *s = service(HEAD "\"Spec\":{\"Name\":\"a\"}}");

	(void)state;
	assert_int_equal(s->labels.len, 0);
	assert_int_equal(s->replicas, 1);
	assert_int_equal(s->mode, SERVICE_REPLICATED);
	assert_int_equal(s->endpoint_mode, ENDPOINT_VIP);
	assert_int_equal(s->version, 0);
	service_free(s);
	s = service(HEAD "\"Version\":null,\"Endpoint\":null,"
			 "\"Spec\":{\"Name\":\"a\",\"Labels\":null,"
			 "\"TaskTemplate\":{\"ContainerSpec\":null,"
			 "\"Networks\":null},\"Networks\":[{\"Target\":\"o\"}],"
			 "\"Mode\":{\"Replicated\":{}},"
			 "\"EndpointSpec\":null}}");
	assert_int_equal(s->replicas, 1);
	assert_int_equal(s->networks.len, 1);
	assert_string_equal(s->networks.at[0], "o");
	service_free(s);
}

static void
modes_are_told_apart(void **state)
{
	static const struct {
		const char *json;
		enum service_mode mode;
		uint64_t replicas;
	} rows[] = {
		{ "{}", SERVICE_REPLICATED, 1 },
		{ "{\"Replicated\":{\"Replicas\":0}}", SERVICE_REPLICATED, 0 },
		{ "{\"Global\":{}}", SERVICE_GLOBAL, 0 },
		{ "{\"ReplicatedJob\":{\"MaxConcurrent\":1}}",
		    SERVICE_REPLICATED_JOB, 0 },
		{ "{\"GlobalJob\":{}}", SERVICE_GLOBAL_JOB, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		char *json _cleanup_free_ =
		    xasprintf(HEAD "\"Spec\":{\"Name\":\"a\",\"Mode\":%s}}",
			rows[i].json);
		struct service *s = service(json);

		assert_int_equal(s->mode, rows[i].mode);
		assert_int_equal(s->replicas, rows[i].replicas);
		service_free(s);
	}
}

static void
odd_services_are_refused_with_the_path(void **state)
{
#define SPEC(x) HEAD "\"Spec\":{\"Name\":\"a\"," x "}}"
#define ENDPOINT(x) HEAD "\"Spec\":{\"Name\":\"a\"},\"Endpoint\":{" x "}}"
	static const char *const rows[][2] = {
		{ "", "not JSON we take: " },
		{ "7", "not JSON we take: " },
		{ "[]", "not an object" },
		{ "{\"ID\":\"a\"", "not JSON we take: " },
		{ "{\"ID\":\"a\",\"ID\":\"b\"}",
		    "not JSON we take: duplicate object key" },
		{ "{\"a\\u0000b\":1}", "not JSON we take: NUL" },
		{ "{}", "ID: missing" },
		{ "{\"ID\":7}", "ID: not a string" },
		{ "{\"ID\":\"\"}", "ID: not an ID" },
		{ "{\"ID\":\"a/b\"}", "ID: not an ID" },
		{ "{\"ID\":\"a\\u0000\"}", "ID: a NUL in the text" },
		{ "{\"ID\":\"s1\"," CREATED "}", "Spec: missing" },
		{ HEAD "\"Spec\":[]}", "Spec: not an object" },
		{ HEAD "\"Spec\":{}}", "Spec.Name: missing" },
		{ HEAD "\"Spec\":{\"Name\":\"a b\"}}",
		    "Spec.Name: not a name" },
		{ HEAD "\"Spec\":{\"Name\":\"a\\n\"}}",
		    "Spec.Name: not a name" },
		{ "{\"ID\":\"a\",\"Spec\":{\"Name\":\"a\"}}",
		    "CreatedAt: missing" },
		{ "{\"ID\":\"a\",\"Spec\":{\"Name\":\"a\"},"
		  "\"CreatedAt\":\"yesterday\"}",
		    "CreatedAt: not a time" },
		{ "{\"ID\":\"a\",\"Spec\":{\"Name\":\"a\"},"
		  "\"CreatedAt\":\"1970-01-01T00:00:00+10:00\"}",
		    "CreatedAt: out of range" },
		{ "{\"ID\":\"a\",\"Version\":{\"Index\":\"7\"},"
		  "\"Spec\":{\"Name\":\"a\"}}",
		    "Version.Index: not a number" },
		{ "{\"ID\":\"a\",\"Version\":{\"Index\":18446744073709551616},"
		  "\"Spec\":{\"Name\":\"a\"}}",
		    "Version.Index: not a whole number from 0 to "
		    "9007199254740992" },
		{ SPEC("\"Labels\":[]"), "Spec.Labels: not an object" },
		{ SPEC("\"Labels\":{\"com.docker.lb.port\":80}"),
		    "Spec.Labels.com.docker.lb.port: not a string" },
		{ SPEC("\"Labels\":{\"com.docker.lb.\\\" \\n\":80}"),
		    "Spec.Labels.com.docker.lb.???: not a string" },
		{ SPEC("\"Mode\":{\"Replicated\":7}"),
		    "Spec.Mode.Replicated: not an object" },
		{ SPEC("\"Mode\":{\"Replicated\":{\"Replicas\":-1}}"),
		    "Spec.Mode.Replicated.Replicas: not a whole number" },
		{ SPEC("\"Mode\":{\"Replicated\":{\"Replicas\":1.5}}"),
		    "Spec.Mode.Replicated.Replicas: not a whole number" },
		{ SPEC("\"Mode\":{\"Replicated\":"
		       "{\"Replicas\":18446744073709551615}}"),
		    "Spec.Mode.Replicated.Replicas: not a whole number" },
		{ SPEC("\"EndpointSpec\":{\"Mode\":\"other\"}"),
		    "Spec.EndpointSpec.Mode: neither" },
		{ SPEC("\"TaskTemplate\":{\"Networks\":{}}"),
		    "Spec.TaskTemplate.Networks: not a list" },
		{ SPEC("\"TaskTemplate\":{\"Networks\":[7]}"),
		    "Spec.TaskTemplate.Networks[0]: not an object" },
		{ SPEC("\"TaskTemplate\":{\"Networks\":[{\"Target\":\"n\"},{}]"
		       "}"),
		    "Spec.TaskTemplate.Networks[1].Target: missing" },
		{ SPEC("\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":"
		       "[{\"SecretName\":\"../x y\"}]}}"),
		    "Spec.TaskTemplate.ContainerSpec.Secrets[0].SecretName: "
		    "not a name" },
		{ ENDPOINT("\"VirtualIPs\":[{\"NetworkID\":\"n\","
			   "\"Addr\":\"10.0.0\"}]"),
		    "Endpoint.VirtualIPs[0].Addr: not an IP address" },
		{ ENDPOINT("\"VirtualIPs\":[{\"Addr\":\"10.0.0.1\"}]"),
		    "Endpoint.VirtualIPs[0].NetworkID: missing" },
		{ ENDPOINT("\"VirtualIPs\":[{\"NetworkID\":\"n\","
			   "\"Addr\":\"169.254.169.254/16\"}]"),
		    "Endpoint.VirtualIPs[0].Addr: an address that nothing" },
		{ ENDPOINT("\"Ports\":[{\"TargetPort\":65536}]"),
		    "Endpoint.Ports[0].TargetPort: not a whole number" },
	};
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		e.msg[0] = '\0';
		if (docker_decode_service(rows[i][0], strlen(rows[i][0]), &e) !=
		    NULL)
			fail_msg("taken: %s", rows[i][0]);
		if (strncmp(e.msg, rows[i][1], strlen(rows[i][1])) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i][0], e.msg,
			    rows[i][1]);
	}
}

/* A service with 'n' labels whose keys begin with 'prefix'. */
static void
add_labelled(struct str *out, const char *prefix, unsigned n)
{
	unsigned i;

	str_add(out, HEAD "\"Spec\":{\"Name\":\"a\",\"Labels\":{");
	for (i = 0; i < n; i++)
		str_addf(out, "%s\"%s%u\":\"x\"", i == 0 ? "" : ",", prefix, i);
	str_add(out, "}}}");
}

static void
many_labels_are_taken_unless_too_many_are_ours(void **state)
{
	STR_AUTO(json, 1 << 20);
	struct service *s;
	struct error e;

	(void)state;
	add_labelled(&json, "other.", 5000);
	s = service(json.p);
	assert_int_equal(s->labels.len, 0);
	service_free(s);
	str_clear(&json);
	add_labelled(&json, "com.docker.lb.", 1000);
	s = service(json.p);
	assert_int_equal(s->labels.len, 1000);
	service_free(s);
	str_clear(&json);
	add_labelled(&json, "com.docker.lb.", 1001);
	assert_null(docker_decode_service(json.p, json.len, &e));
	assert_string_equal(
	    e.msg, "Spec.Labels: more than 1000 labels that are ours");
}

static void
no_more_of_a_long_value_is_kept_than_refuses_it(void **state)
{
	STR_AUTO(json, 4 << 20);
	struct service *s;
	size_t i;

	(void)state;
	str_add(&json,
	    HEAD "\"Spec\":{\"Name\":\"a\",\"Labels\":{"
		 "\"com.docker.lb.hosts\":\"a");
	for (i = 0; i < 1 << 19; i++)
		str_add(&json, "\xc3\xbc");
	str_add(&json, "\"}}}");
	s = service(json.p);
	assert_int_equal(s->labels.at[0].value_len, 4099);
	assert_int_equal((unsigned char)s->labels.at[0].value[4098], 0xbc);
	service_free(s);
}

static void
deep_nesting_is_refused_without_harm(void **state)
{
	STR_AUTO(json, 1 << 20);
	struct error e;
	size_t i;

	(void)state;
	str_add(&json, HEAD "\"x\":");
	for (i = 0; i < 10000; i++)
		str_addc(&json, '[');
	for (i = 0; i < 10000; i++)
		str_addc(&json, ']');
	str_addc(&json, '}');
	assert_null(docker_decode_service(json.p, json.len, &e));
	assert_string_equal(
	    e.msg, "not JSON we take: maximum parsing depth reached");
}

static void
a_task_is_read(void **state)
{
	static const char json[] =
	    "{\"ID\":\"t1\",\"ServiceID\":\"s1\",\"NodeID\":\"n1\",\"Slot\":3,"
	    "\"Version\":{\"Index\":7},\"DesiredState\":\"running\","
	    "\"Status\":{\"State\":\"starting\",\"PortStatus\":{\"Ports\":["
	    "{\"Protocol\":\"tcp\",\"TargetPort\":80,\"PublishedPort\":30000,"
	    "\"PublishMode\":\"host\"}]}},\"NetworksAttachments\":["
	    "{\"Network\":{\"ID\":\"net\"},\"Addresses\":[\"10.0.1.3/24\","
	    "\"fd00::3/64\"]},{\"Network\":{\"ID\":\"net2\"},"
	    "\"Addresses\":null}]}";
	struct error e;
	struct task *t = docker_decode_task(json, strlen(json), &e);

	(void)state;
	assert_non_null(t);
	assert_string_equal(t->service_id, "s1");
	assert_string_equal(t->node_id, "n1");
	assert_int_equal(t->slot, 3);
	assert_int_equal(t->version, 7);
	assert_int_equal(t->state, TASK_STARTING);
	assert_int_equal(t->desired, TASK_RUNNING);
	assert_int_equal(t->addresses.len, 2);
	assert_string_equal(t->addresses.at[0].address, "10.0.1.3");
	assert_string_equal(t->addresses.at[1].network_id, "net");
	assert_int_equal(t->ports.len, 1);
	assert_int_equal(t->ports.at[0].published, 30000);
	task_free(t);
}

static void
a_task_without_node_service_and_network_is_read(void **state)
{
	static const char json[] =
	    "{\"ID\":\"t1\",\"DesiredState\":\"remove\","
	    "\"Status\":{\"State\":\"new\"},\"NetworksAttachments\":null}";
	struct error e;
	struct task *t = docker_decode_task(json, strlen(json), &e);

	(void)state;
	assert_non_null(t);
	assert_string_equal(t->service_id, "");
	assert_string_equal(t->node_id, "");
	assert_int_equal(t->state, TASK_NEW);
	task_free(t);
}

static void
odd_tasks_are_refused_with_the_path(void **state)
{
#define TASK(x)                                                                \
	"{\"ID\":\"t\",\"DesiredState\":\"running\","                          \
	"\"Status\":{\"State\":\"running\"}," x "}"
	static const char *const rows[][2] = {
		{ "{\"DesiredState\":\"running\"}", "ID: missing" },
		{ "{\"ID\":\"t\"}", "DesiredState: missing" },
		{ "{\"ID\":\"t\",\"DesiredState\":\"flying\"}",
		    "DesiredState: no task state" },
		{ "{\"ID\":\"t\",\"DesiredState\":\"running\"}",
		    "Status: missing" },
		{ "{\"ID\":\"t\",\"DesiredState\":\"running\",\"Status\":{}}",
		    "Status.State: missing" },
		{ TASK("\"ServiceID\":\"a b\""), "ServiceID: not an ID" },
		{ TASK("\"Slot\":4294967296"), "Slot: not a whole number" },
		{ TASK("\"NetworksAttachments\":{}"),
		    "NetworksAttachments: not a list" },
		{ TASK("\"NetworksAttachments\":[{\"Network\":{\"ID\":\"n\"},"
		       "\"Addresses\":[\"10.0.0.1\",\"10.0.0.1/33\"]}]"),
		    "NetworksAttachments[0].Addresses[1]: not a prefix" },
		{ TASK("\"NetworksAttachments\":[{\"Network\":{\"ID\":\"n\"},"
		       "\"Addresses\":[7]}]"),
		    "NetworksAttachments[0].Addresses[0]: not a string" },
		{ TASK("\"NetworksAttachments\":[{\"Addresses\":"
		       "[\"10.0.0.1\"]}]"),
		    "NetworksAttachments[0].Network.ID: missing" },
		{ TASK("\"NetworksAttachments\":[{\"Network\":{\"ID\":\"n\"},"
		       "\"Addresses\":[\"::ffff:169.254.169.254\"]}]"),
		    "NetworksAttachments[0].Addresses[0]: an IPv4 address" },
	};
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		if (docker_decode_task(rows[i][0], strlen(rows[i][0]), &e) !=
		    NULL)
			fail_msg("taken: %s", rows[i][0]);
		if (strncmp(e.msg, rows[i][1], strlen(rows[i][1])) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i][0], e.msg,
			    rows[i][1]);
	}
}

static void
networks_nodes_and_secrets_are_read(void **state)
{
	static const char network[] =
	    "{\"Id\":\"n1\",\"Name\":\"web_default\",\"Driver\":\"overlay\","
	    "\"Scope\":\"swarm\",\"Ingress\":true,\"IPAM\":{\"Config\":["
	    "{\"Subnet\":\"10.0.1.9/24\"},{\"Subnet\":\"\"},{}]},"
	    "\"Labels\":{\"com.docker.stack.namespace\":\"web\"}}";
	static const char node[] =
	    "{\"ID\":\"x\",\"Description\":{\"Hostname\":\"box-1\"},"
	    "\"Status\":{\"Addr\":\"192.168.0.7\"}}";
	static const char young[] = "{\"ID\":\"x\",\"Status\":"
				    "{\"Addr\":\"0.0.0.0\"}}";
	static const char secret[] =
	    "{\"ID\":\"x\",\"Spec\":{\"Name\":\"cert\","
	    "\"Labels\":{\"com.docker.lb.allow\":\"stack:web\"}}}";
	struct error e;
	struct network *n = docker_decode_network(network, strlen(network), &e);
	struct node *d = docker_decode_node(node, strlen(node), &e);
	struct node *y = docker_decode_node(young, strlen(young), &e);
	struct secret *s = docker_decode_secret(secret, strlen(secret), &e);

	(void)state;
	assert_true(n->swarm_scope && n->ingress);
	assert_int_equal(n->subnets.len, 1);
	assert_string_equal(n->subnets.at[0], "10.0.1.0/24");
	assert_string_equal(n->namespace_label, "web");
	assert_string_equal(d->hostname, "box-1");
	assert_string_equal(d->address, "192.168.0.7");
	assert_string_equal(y->address, "");
	assert_string_equal(s->name, "cert");
	assert_string_equal(s->allow, "stack:web");
	network_free(n);
	node_free(d);
	node_free(y);
	secret_free(s);
}

static void
odd_networks_nodes_and_secrets_are_refused(void **state)
{
	static const char network[] = "{\"Id\":\"n\",\"Name\":\"a\","
				      "\"Driver\":\"o\",\"IPAM\":{\"Config\":"
				      "[{\"Subnet\":\"x\"}]}}";
	static const char node[] =
	    "{\"ID\":\"x\",\"Status\":{\"Addr\":\"box\"}}";
	static const char secret[] = "{\"ID\":\"x\",\"Spec\":{\"Name\":\"a\","
				     "\"Labels\":{\"com.docker.lb.allow\":7}}}";
	struct error e;

	(void)state;
	assert_null(docker_decode_network(network, strlen(network), &e));
	assert_string_equal(e.msg, "IPAM.Config[0].Subnet: not an IP address");
	assert_null(docker_decode_node(node, strlen(node), &e));
	assert_string_equal(e.msg, "Status.Addr: not an IP address");
	assert_null(docker_decode_secret(secret, strlen(secret), &e));
	assert_string_equal(
	    e.msg, "Spec.Labels.com.docker.lb.allow: not a string");
}

static void
check_identity(const char *json, const char *id, const char *name)
{
	char *got_id _cleanup_free_ = NULL, *got_name _cleanup_free_ = NULL;

	docker_scan_identity(json, strlen(json), &got_id, &got_name);
	assert_string_equal(got_id == NULL ? "-" : got_id, id);
	assert_string_equal(got_name == NULL ? "-" : got_name, name);
}

static void
identity_is_found_in_what_does_not_decode(void **state)
{
	(void)state;
	check_identity("{\"ID\":\"s1\",\"Spec\":{\"Labels\":{\"a\\u0000\":1},"
		       "\"Name\":\"web\"}}",
	    "s1", "web");
	check_identity("{\"Name\":\"net\",\"Id\":\"n1\"}", "n1", "net");
	check_identity("{\"ID\":\"s1\",\"Spec\":{\"Name\":\"we", "s1", "-");
	check_identity("{\"ID\":\"s1\",\"ID\":\"s2\"}", "s1", "-");
	check_identity(
	    "{\"Spec\":{\"Name\":\"a b\"},\"ID\":\"a/b\"}", "-", "-");
	check_identity("{\"x\":{\"ID\":\"s1\",\"Name\":\"n\"}}", "-", "-");
	check_identity("{\"ID\":7,\"Spec\":[\"Name\",\"x\"]}", "-", "-");
	check_identity("", "-", "-");
	check_identity("[]", "-", "-");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_service_is_read),
		cmocka_unit_test(
		    what_the_engine_leaves_out_or_writes_as_null_is_absent),
		cmocka_unit_test(modes_are_told_apart),
		cmocka_unit_test(odd_services_are_refused_with_the_path),
		cmocka_unit_test(
		    many_labels_are_taken_unless_too_many_are_ours),
		cmocka_unit_test(
		    no_more_of_a_long_value_is_kept_than_refuses_it),
		cmocka_unit_test(deep_nesting_is_refused_without_harm),
		cmocka_unit_test(a_task_is_read),
		cmocka_unit_test(
		    a_task_without_node_service_and_network_is_read),
		cmocka_unit_test(odd_tasks_are_refused_with_the_path),
		cmocka_unit_test(networks_nodes_and_secrets_are_read),
		cmocka_unit_test(odd_networks_nodes_and_secrets_are_refused),
		cmocka_unit_test(identity_is_found_in_what_does_not_decode),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
