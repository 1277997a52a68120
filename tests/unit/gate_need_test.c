/* supervisor/gate_need: what an extension may have of what it asks for */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../supervisor/gate_granted.h"
#include "../../supervisor/gate_need.h"
#include "base/mem.h"
#include "docker/decode.h"

#include <string.h>

#define SERVICE(id, network, secret)                                           \
	"{\"ID\":\"" id "\",\"Version\":{\"Index\":1},\"CreatedAt\":"          \
	"\"2026-01-01T00:00:00Z\",\"Spec\":{\"Name\":\"" id "\",\"Labels\":{"  \
	"\"com.docker.lb.hosts\":\"" id ".example\","                          \
	"\"com.docker.lb.ssl_backend_ca\":\"c" secret "\","                    \
	"\"com.docker.lb.ssl_backend\":\"true\","                              \
	"\"com.docker.lb.ssl_cert\":\"" secret "\"},"                          \
	"\"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"i\"},"               \
	"\"Networks\":[{\"Target\":\"" network "\"}]},"                        \
	"\"Mode\":{\"Replicated\":{\"Replicas\":1}}}}"
#define NETWORK(id, driver)                                                    \
	"{\"Id\":\"" id "\",\"Name\":\"name-" id "\",\"Driver\":\"" driver     \
	"\",\"Scope\":\"swarm\",\"Ingress\":false}"
#define SECRET(name, labels)                                                   \
	"{\"ID\":\"id-" name "\",\"Version\":{\"Index\":1},\"Spec\":{"         \
	"\"Name\":\"" name "\",\"Labels\":{" labels "}}}"

static const char world[] =
    "{\"version\":1,\"services\":[" SERVICE("ours", "n1", "s1") "," SERVICE(
	"theirs", "n2", "s2") "],\"networks\":[" NETWORK("n1",
	"overlay") "," NETWORK("n2", "overlay") "],\"secrets\":[" SECRET("s1",
	"") "," SECRET("s2", "") "],\"configs\":[" SECRET("cs1",
	"") "," SECRET("cs2", "") "," SECRET("s1", "") "]}";

/* "NETWORKS|SECRETS|CONFIGS|refused" of a need of everything. */
static char *
ask_again(const char *ini, const char *granted)
{
	static const char body[] = "{\"networks\":[\"n1\",\"n2\",\"none\"],"
				   "\"secrets\":[\"s1\",\"s2\",\"none\"],"
				   "\"configs\":[\"cs1\",\"cs2\",\"s1\","
				   "\"none\"]}";
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse("blue.ini", ini, strlen(ini), &errors);
	struct error e;
	struct model *m = docker_decode_snapshot(world, strlen(world), &e);
	struct gate_wish w = { .config = c, .granted = granted };
	struct gate_need n = { 0 };
	struct map services = { 0 };
	STR_AUTO(out, 4096);
	STR_AUTO(refused, 4096);

	assert_non_null(c);
	assert_non_null(m);
	assert_int_equal(gate_need_parse(body, strlen(body), &n, &e), 0);
	(void)map_set(&services, "ours", m);
	gate_need_allow(&n, m, &services, &w, &refused);
	gate_need_sort(&w);
	for (size_t i = 0; i < w.networks.len; i++)
		str_addf(&out, "%s ", w.networks.at[i].id);
	str_addc(&out, '|');
	for (size_t i = 0; i < w.secrets.len; i++)
		str_addf(&out, "%s ", w.secrets.at[i].id);
	str_addc(&out, '|');
	for (size_t i = 0; i < w.configs.len; i++)
		str_addf(&out, "%s ", w.configs.at[i].id);
	str_addf(&out, "|%s", refused.p);
	vec_fini(&w.networks);
	vec_fini(&w.secrets);
	vec_fini(&w.configs);
	map_fini(&services);
	gate_need_fini(&n);
	model_free(m);
	cluster_config_free(c);
	config_errors_fini(&errors);
	return str_take(&out);
}

static char *
ask(const char *ini)
{
	return ask_again(ini, NULL);
}

static void
only_what_a_service_of_the_cluster_has_is_given(void **state)
{
	char *got = ask("[proxy]\ndriver = none\n");

	(void)state;
	assert_string_equal(got,
	    "n1 |id-s1 |id-cs1 |network name-n2, secret s2, "
	    "config cs2");
	free(got);
}

static void
a_fixed_list_is_given_whole_and_nothing_else(void **state)
{
	char *got = ask("[cluster]\nnetworks = name-n2\n[proxy]\ndriver = "
			"none\n");

	(void)state;
	assert_string_equal(got, "n2 |id-s1 |id-cs1 |secret s2, config cs2");
	free(got);
}

static void
secrets_have_to_be_granted_where_the_ini_says_so(void **state)
{
	char *got = ask("[cluster]\nsecrets = granted\n[proxy]\ndriver = "
			"none\n");

	(void)state;
	assert_string_equal(got,
	    "n1 ||id-cs1 |network name-n2, secret s1, "
	    "secret s2, config cs2");
	free(got);
}

static void
what_was_given_once_may_be_given_again(void **state)
{
	static const char once[] = "s:s s:s2 c:cs2 c:none s:none";
	char *got = ask_again("[proxy]\ndriver = none\n", once);

	(void)state;
	assert_string_equal(
	    got, "n1 |id-s1 id-s2 |id-cs1 id-cs2 |network name-n2");
	free(got);
	got = ask_again("[cluster]\nsecrets = granted\n[proxy]\ndriver = "
			"none\n",
	    once);
	assert_string_equal(
	    got, "n1 ||id-cs1 id-cs2 |network name-n2, secret s1, secret s2");
	free(got);
}

static void
the_words_of_what_was_given_grow_up_to_a_limit(void **state)
{
	struct config_errors errors = { 0 };
	static const char ini[] = "[control]\nagent_secrets = mine\n";
	struct cluster_config *c =
	    cluster_config_parse("b.ini", ini, sizeof(ini) - 1, &errors);
	struct gate_wish w = { .config = c, .granted = "s:a c:a s:b" };
	struct gate_ref a = { "id-a", "a" }, mine = { "id-mine", "mine" };
	STR_AUTO(many, 65536);
	char *words;

	(void)state;
	vec_push(&w.secrets, a);
	vec_push(&w.secrets, mine);
	words = gate_granted_words(&w);
	assert_string_equal(words, "c:a s:b s:a");
	assert_true(gate_granted_has(words, 's', "b"));
	assert_false(gate_granted_has(words, 'c', "b"));
	free(words);
	for (int i = 0; i < GATE_GRANTED_MAX; i++)
		str_addf(&many, "%ss:x%d", i == 0 ? "" : " ", i);
	w.granted = many.p;
	words = gate_granted_words(&w);
	assert_false(gate_granted_has(words, 's', "x1"));
	assert_true(gate_granted_has(words, 's', "x2"));
	assert_true(gate_granted_has(words, 's', "a"));
	free(words);
	vec_fini(&w.secrets);
	cluster_config_free(c);
}

static void
anything_but_three_lists_of_names_is_refused(void **state)
{
	static const char *const bad[] = { "", "[]", "{}",
		"{\"networks\":[1],\"secrets\":[],\"configs\":[]}",
		"{\"networks\":[\"\"],\"secrets\":[],\"configs\":[]}",
		"{\"networks\":[],\"secrets\":{},\"configs\":[]}",
		"{\"networks\":[],\"secrets\":[]}" };
	struct gate_need n;
	struct error e;

	(void)state;
	for (size_t i = 0; i < countof(bad); i++)
		assert_int_equal(
		    gate_need_parse(bad[i], strlen(bad[i]), &n, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    only_what_a_service_of_the_cluster_has_is_given),
		cmocka_unit_test(a_fixed_list_is_given_whole_and_nothing_else),
		cmocka_unit_test(
		    secrets_have_to_be_granted_where_the_ini_says_so),
		cmocka_unit_test(what_was_given_once_may_be_given_again),
		cmocka_unit_test(
		    the_words_of_what_was_given_grow_up_to_a_limit),
		cmocka_unit_test(anything_but_three_lists_of_names_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
