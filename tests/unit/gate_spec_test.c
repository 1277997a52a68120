/* supervisor/gate_spec: the INI laid over what the service has */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../supervisor/gate_spec.h"
#include "base/mem.h"

#include <jansson.h>
#include <string.h>

#define BASE                                                                   \
	"[proxy]\ndriver = swarm\n%s[control]\nlisten = 0.0.0.0:9000\n"        \
	"url = https://control:9000\ntoken_file = /t\n"                        \
	"agent_secrets = x-ca-1, x-cert-1, x-key-1\nnetwork = control\n%s"

static struct cluster_config *
config(const char *proxy, const char *more)
{
	struct config_errors errors = { 0 };
	char *text = xasprintf(BASE, proxy, more);
	struct cluster_config *c =
	    cluster_config_parse("blue.ini", text, strlen(text), &errors);

	if (c == NULL)
		fail_msg("%s", errors.lines.at[0]);
	config_errors_fini(&errors);
	free(text);
	return c;
}

static struct gate_wish
wish(const struct cluster_config *c)
{
	return (struct gate_wish){
		.config = c,
		.owner = "me",
		.stack = "shop",
	};
}

/* The merged spec, or NULL for nothing to do. */
static json_t *
merge(const struct gate_wish *w, const json_t *current, bool *ret_repaired)
{
	char *text = current == NULL ? NULL : json_dumps(current, 0);
	struct gate_change c;
	struct error e;
	json_t *spec = NULL;

	if (gate_spec_merge(w, text, &c, &e) != 0)
		fail_msg("%s", e.msg);
	if (c.spec != NULL)
		spec = json_loads(c.spec, 0, NULL);
	if (ret_repaired != NULL)
		*ret_repaired = c.repaired;
	gate_change_fini(&c);
	free(text);
	return spec;
}

static json_t *
at(json_t *o, const char *path)
{
	char *copy = xstrdup(path), *save = NULL;

	for (char *p = strtok_r(copy, ".", &save); p != NULL;
	     p = strtok_r(NULL, ".", &save))
		o = json_object_get(o, p);
	free(copy);
	return o;
}

static void
the_agents_folder_is_memory_that_everybody_may_write(void **state)
{
	struct cluster_config *c = config("", "");
	struct gate_wish w = wish(c);
	json_t *spec = merge(&w, NULL, NULL), *mount;

	(void)state;
	mount =
	    json_array_get(at(spec, "TaskTemplate.ContainerSpec.Mounts"), 0);
	assert_string_equal(json_string_value(at(mount, "Type")), "tmpfs");
	assert_string_equal(
	    json_string_value(at(mount, "Target")), GATE_AGENT_DIR);
	assert_int_equal(
	    json_integer_value(at(mount, "TmpfsOptions.Mode")), 01777);
	json_decref(spec);
	cluster_config_free(c);
}

static void
a_merged_spec_needs_nothing_more(void **state)
{
	struct cluster_config *c = config(
	    "constraints = node.role==worker\nmemory_limit = 64m\n"
	    "cpu_limit = 0.5\nplacement_preferences = spread=node.labels.z\n",
	    "[proxy.labels]\na = b\n[proxy.env]\nE = 1\n");
	struct gate_wish w = wish(c);
	struct gate_ref n = { "nid", "net" }, s = { "sid", "cert" };
	json_t *spec;

	(void)state;
	vec_push(&w.networks, n);
	vec_push(&w.secrets, s);
	spec = merge(&w, NULL, NULL);
	assert_non_null(spec);
	assert_null(merge(&w, spec, NULL));
	assert_string_equal(json_string_value(json_object_get(
				at(spec, "Labels"), GATE_LABEL_STACK)),
	    "shop");
	json_decref(spec);
	vec_fini(&w.networks);
	vec_fini(&w.secrets);
	cluster_config_free(c);
}

static void
limits_and_times_are_in_the_engines_units(void **state)
{
	struct cluster_config *c = config(
	    "memory_limit = 64m\ncpu_limit = 0.5\ndrain_delay = 3s\n", "");
	struct gate_wish w = wish(c);
	json_t *spec = merge(&w, NULL, NULL);

	(void)state;
	assert_int_equal(json_integer_value(at(spec,
			     "TaskTemplate.Resources.Limits.MemoryBytes")),
	    64 * 1024 * 1024);
	assert_int_equal(json_integer_value(at(
			     spec, "TaskTemplate.Resources.Limits.NanoCPUs")),
	    500000000);
	assert_int_equal(json_integer_value(at(spec,
			     "TaskTemplate.ContainerSpec.StopGracePeriod")),
	    18000000000);
	json_decref(spec);
	cluster_config_free(c);
}

static void
replicas_follow_the_ini_only_when_its_number_changes(void **state)
{
	struct cluster_config *two = config("replicas = 2\n", "");
	struct cluster_config *three = config("replicas = 3\n", "");
	struct gate_wish w = wish(two);
	json_t *spec = merge(&w, NULL, NULL), *next;

	(void)state;
	json_object_set_new(
	    at(spec, "Mode.Replicated"), "Replicas", json_integer(7));
	assert_null(merge(&w, spec, NULL));
	w.config = three;
	next = merge(&w, spec, NULL);
	assert_int_equal(
	    json_integer_value(at(next, "Mode.Replicated.Replicas")), 3);
	json_decref(next);
	w.scale = true;
	w.replicas = 0;
	next = merge(&w, spec, NULL);
	assert_int_equal(
	    json_integer_value(at(next, "Mode.Replicated.Replicas")), 0);
	json_decref(next);
	json_decref(spec);
	cluster_config_free(two);
	cluster_config_free(three);
}

static void
another_hand_is_kept_where_the_ini_is_silent(void **state)
{
	struct cluster_config *silent = config("", "");
	struct cluster_config *speaks =
	    config("image = ours:2\n", "[proxy.labels]\na = b\n");
	struct gate_wish w = wish(silent);
	json_t *spec = merge(&w, NULL, NULL), *next, *back;
	bool repaired;

	(void)state;
	json_object_set_new(at(spec, "TaskTemplate.ContainerSpec"), "Image",
	    json_string("theirs"));
	json_object_set_new(at(spec, "Labels"), "foreign", json_string("x"));
	assert_null(merge(&w, spec, NULL));
	json_object_set_new(
	    at(spec, "TaskTemplate.ContainerSpec"), "ReadOnly", json_false());
	next = merge(&w, spec, &repaired);
	assert_true(repaired);
	json_decref(next);
	w.config = speaks;
	next = merge(&w, spec, &repaired);
	assert_false(repaired);
	assert_string_equal(
	    json_string_value(at(next, "TaskTemplate.ContainerSpec.Image")),
	    "ours:2");
	assert_string_equal(json_string_value(at(next, "Labels.a")), "b");
	/* Silent again: the default, and the label goes. */
	w.config = silent;
	back = merge(&w, next, NULL);
	assert_string_equal(
	    json_string_value(at(back, "TaskTemplate.ContainerSpec.Image")),
	    "bulkhead-proxy");
	assert_null(at(back, "Labels.a"));
	assert_string_equal(json_string_value(at(back, "Labels.foreign")), "x");
	json_decref(back);
	json_decref(next);
	json_decref(spec);
	cluster_config_free(silent);
	cluster_config_free(speaks);
}

static void
networks_keep_their_place_and_their_aliases(void **state)
{
	struct cluster_config *c = config("", "");
	struct gate_wish w = wish(c);
	struct gate_ref b = { "b", "b" }, a = { "a", "a" };
	json_t *spec, *next, *list;

	(void)state;
	vec_push(&w.networks, b);
	spec = merge(&w, NULL, NULL);
	json_object_set_new(
	    json_array_get(at(spec, "TaskTemplate.Networks"), 0), "Aliases",
	    json_pack("[s]", "front"));
	w.networks.len = 0;
	vec_push(&w.networks, a);
	vec_push(&w.networks, b);
	next = merge(&w, spec, NULL);
	list = at(next, "TaskTemplate.Networks");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(
	    json_string_value(at(json_array_get(list, 0), "Target")), "b");
	assert_non_null(at(json_array_get(list, 0), "Aliases"));
	w.networks.len = 0;
	json_decref(spec);
	spec = merge(&w, next, NULL);
	assert_null(at(spec, "TaskTemplate.Networks"));
	json_decref(spec);
	json_decref(next);
	vec_fini(&w.networks);
	cluster_config_free(c);
}

static void
agents_find_their_secrets_by_the_words_in_their_names(void **state)
{
	struct cluster_config *c = config("", "");

	(void)state;
	assert_string_equal(gate_args_secret(c, "ca"), "x-ca-1");
	assert_string_equal(gate_args_secret(c, "key"), "x-key-1");
	assert_null(gate_args_secret(c, "token"));
	cluster_config_free(c);
}

/* "PORT MODE" of each published port. */
static char *
published(const char *proxy)
{
	struct cluster_config *c = config(proxy, "");
	struct gate_wish w = wish(c);
	json_t *spec = merge(&w, NULL, NULL), *p;
	STR_AUTO(out, 1024);
	size_t i;

	json_array_foreach(at(spec, "EndpointSpec.Ports"), i, p)
	{
		assert_true(json_integer_value(
				json_object_get(p, "PublishedPort")) > 0);
		str_addf(&out, "%lld:%lld %s;",
		    json_integer_value(json_object_get(p, "PublishedPort")),
		    json_integer_value(json_object_get(p, "TargetPort")),
		    json_string_value(json_object_get(p, "PublishMode")));
	}
	json_decref(spec);
	cluster_config_free(c);
	return str_take(&out);
}

static void
health_is_published_on_each_node_and_the_status_page_nowhere(void **state)
{
	static const char *const rows[][2] = {
		{ "health_listen = 0.0.0.0:8500\nstatus_listen = "
		  "0.0.0.0:8501\n",
		    "80:80 ingress;443:443 ingress;" },
		{ "publish_mode = host\nhealth_listen = 0.0.0.0:8500\n"
		  "status_listen = 0.0.0.0:8501\n",
		    "80:80 host;443:443 host;8500:8500 host;" },
		{ "publish_mode = host\nhealth_listen = 127.0.0.1:8500\n",
		    "80:80 host;443:443 host;" },
		{ "publish_mode = host\n", "80:80 host;443:443 host;" },
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		char *got = published(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
		free(got);
	}
}

static void
the_health_port_goes_when_the_ini_is_silent_again(void **state)
{
	struct cluster_config *on =
	    config("publish_mode = host\nhealth_listen = 0.0.0.0:8500\n", "");
	struct cluster_config *off = config("publish_mode = host\n", "");
	struct gate_wish w = wish(on);
	json_t *spec = merge(&w, NULL, NULL), *next;

	(void)state;
	assert_int_equal(json_array_size(at(spec, "EndpointSpec.Ports")), 3);
	w.config = off;
	next = merge(&w, spec, NULL);
	assert_int_equal(json_array_size(at(next, "EndpointSpec.Ports")), 2);
	json_decref(next);
	json_decref(spec);
	cluster_config_free(on);
	cluster_config_free(off);
}

static void
secrets_and_configs_lie_where_the_agent_looks(void **state)
{
	struct cluster_config *c = config("secrets_dir = /certs\n", "");
	struct gate_wish w = wish(c);
	struct gate_ref s = { "sid", "cert" }, k = { "kid", "ca" };
	struct gate_ref own = { "oid", "x-key-1" };
	json_t *spec, *container;

	(void)state;
	vec_push(&w.secrets, s);
	vec_push(&w.secrets, own);
	vec_push(&w.configs, k);
	spec = merge(&w, NULL, NULL);
	container = at(spec, "TaskTemplate.ContainerSpec");
	assert_string_equal(
	    json_string_value(
		at(json_array_get(at(container, "Secrets"), 0), "File.Name")),
	    "/certs/cert");
	assert_string_equal(
	    json_string_value(
		at(json_array_get(at(container, "Secrets"), 1), "File.Name")),
	    "x-key-1");
	assert_string_equal(
	    json_string_value(
		at(json_array_get(at(container, "Configs"), 0), "File.Name")),
	    "/certs/ca");
	assert_null(merge(&w, spec, NULL));
	w.configs.len = 0;
	json_decref(spec);
	vec_fini(&w.secrets);
	vec_fini(&w.configs);
	cluster_config_free(c);
}

/* The agent's argument after 'option', or NULL. */
static const char *
argument(const json_t *spec, const char *option)
{
	json_t *args = at((json_t *)(uintptr_t)spec,
		   "TaskTemplate.ContainerSpec.Args"),
	       *a;
	size_t i;

	json_array_foreach(args, i, a)
	{
		if (strcmp(json_string_value(a), option) == 0)
			return json_string_value(json_array_get(args, i + 1));
	}
	return NULL;
}

static void
agents_dial_by_tls_with_their_certificate(void **state)
{
	static const char ini[] =
	    "[proxy]\ndriver = swarm\n[control]\nlisten = 0.0.0.0:9000\n"
	    "tls_cert = /c\ntls_key = /k\ntls_ca = /a\n"
	    "agent_secrets = x-ca-1, x-cert-1, x-key-1\nnetwork = control\n";
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse("blue.ini", ini, strlen(ini), &errors);
	struct gate_wish w;
	json_t *spec;

	(void)state;
	if (c == NULL)
		fail_msg("%s", errors.lines.at[0]);
	w = wish(c);
	w.control_host = "tasks.bulkhead_supervisor";
	spec = merge(&w, NULL, NULL);
	assert_string_equal(argument(spec, "--control"),
	    "https://tasks.bulkhead_supervisor:9000");
	assert_string_equal(argument(spec, "--tls-ca"), "/run/secrets/x-ca-1");
	assert_string_equal(
	    argument(spec, "--tls-cert"), "/run/secrets/x-cert-1");
	assert_string_equal(
	    argument(spec, "--tls-key"), "/run/secrets/x-key-1");
	assert_null(argument(spec, "--token-file"));
	assert_string_equal(argument(spec, "--peer-listen"), "control:8402");
	json_decref(spec);
	config_errors_fini(&errors);
	cluster_config_free(c);
}

static void
a_service_that_is_not_replicated_is_told(void **state)
{
	struct cluster_config *c = config("", "");
	struct gate_wish w = wish(c);
	struct gate_change change;
	struct error e;

	(void)state;
	assert_int_equal(
	    gate_spec_merge(&w, "{\"Mode\":{\"Global\":{}}}", &change, &e), -1);
	assert_non_null(strstr(e.msg, "not a replicated one"));
	cluster_config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_agents_folder_is_memory_that_everybody_may_write),
		cmocka_unit_test(a_merged_spec_needs_nothing_more),
		cmocka_unit_test(limits_and_times_are_in_the_engines_units),
		cmocka_unit_test(
		    replicas_follow_the_ini_only_when_its_number_changes),
		cmocka_unit_test(another_hand_is_kept_where_the_ini_is_silent),
		cmocka_unit_test(networks_keep_their_place_and_their_aliases),
		cmocka_unit_test(
		    agents_find_their_secrets_by_the_words_in_their_names),
		cmocka_unit_test(
		    health_is_published_on_each_node_and_the_status_page_nowhere),
		cmocka_unit_test(
		    the_health_port_goes_when_the_ini_is_silent_again),
		cmocka_unit_test(secrets_and_configs_lie_where_the_agent_looks),
		cmocka_unit_test(agents_dial_by_tls_with_their_certificate),
		cmocka_unit_test(a_service_that_is_not_replicated_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
