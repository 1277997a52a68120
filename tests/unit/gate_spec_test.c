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
		cmocka_unit_test(a_service_that_is_not_replicated_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
