/* The simulator's subnets, addresses, filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fake/sim_filter.h"
#include "../fake/sim_net.h"
#include "../fake/sim_store.h"

static struct sim *
sim_new(uint32_t pool, unsigned prefix, unsigned subnet)
{
	struct sim *s = xcalloc(1, sizeof(*s));

	s->options.pool = pool;
	s->options.pool_prefix = prefix;
	s->options.subnet_prefix = subnet;
	s->options.seed = 1;
	sim_store_init(s);
	return s;
}

static void
sim_free(struct sim *s)
{
	sim_store_fini(s);
	free(s);
}

static struct sim_network *
network(struct sim *s, uint32_t subnet, unsigned prefix)
{
	struct sim_network *n = xcalloc(1, sizeof(*n));

	n->subnet = subnet;
	n->prefix = prefix;
	if (sim_net_subnet(s, n, NULL) != 0) {
		free(n);
		return NULL;
	}
	sim_store_add(s, &n->o, SIM_NETWORK, xstrdup("n"));
	return n;
}

static void
subnets_come_from_the_pool_without_overlap(void **state)
{
	struct sim *s = sim_new(0x7f400000, 16, 24);
	struct sim_network *n;

	assert_int_equal(network(s, 0, 0)->subnet, 0x7f400000);
	assert_non_null(network(s, 0x7f400100, 23));
	/* 127.64.0.0/23 covers 127.64.1.0/24 too. */
	n = network(s, 0, 0);
	assert_int_equal(n->subnet, 0x7f400200);
	assert_int_equal(n->prefix, 24);
	sim_free(s);
	(void)state;
}

static void
the_last_subnet_of_the_pool_is_the_nodes(void **state)
{
	struct sim *s = sim_new(0x7f400000, 22, 24);

	assert_non_null(network(s, 0, 0));
	assert_non_null(network(s, 0, 0));
	assert_non_null(network(s, 0, 0));
	assert_null(network(s, 0, 0));
	assert_int_equal(sim_net_node_address(s, 0), 0x7f400301);
	sim_free(s);
	(void)state;
}

static void
addresses_are_reused_only_after_a_full_turn(void **state)
{
	struct sim *s = sim_new(0x7f400000, 16, 29);
	struct sim_network *n = network(s, 0, 0);

	/* .0 is the network, .1 the gateway, .7 the broadcast. */
	assert_int_equal(sim_net_take(n), n->subnet + 2);
	assert_int_equal(sim_net_take(n), n->subnet + 3);
	sim_net_release(n, n->subnet + 2);
	assert_int_equal(sim_net_take(n), n->subnet + 4);
	assert_int_equal(sim_net_take(n), n->subnet + 5);
	assert_int_equal(sim_net_take(n), n->subnet + 6);
	assert_int_equal(sim_net_take(n), n->subnet + 2);
	assert_int_equal(sim_net_take(n), 0);
	sim_free(s);
	(void)state;
}

static void
subnets_are_parsed_strictly(void **state)
{
	static const char *const bad[] = { "", "10.0.0.0", "10.0.0/8",
		"10.0.0.0/", "10.0.0.0/31", "10.0.0.0/08", "10.0.0.0/8x",
		"300.0.0.0/8" };
	uint32_t address;
	unsigned prefix;

	assert_int_equal(
	    sim_net_parse("10.1.2.0/24", &address, &prefix, NULL), 0);
	assert_int_equal(address, 0x0a010200);
	assert_int_equal(prefix, 24);
	for (size_t i = 0; i < countof(bad); i++)
		assert_int_equal(
		    sim_net_parse(bad[i], &address, &prefix, NULL), -1);
	(void)state;
}

static const char *const known[] = { "name", "label", NULL };

static void
filters_come_as_lists_and_as_objects(void **state)
{
	json_t *f = NULL;

	assert_int_equal(
	    sim_filter_parse("{\"name\":[\"a\",\"b\"]}", known, &f, NULL), 0);
	assert_true(sim_filter_any(f, "name", "b"));
	assert_false(sim_filter_any(f, "name", "c"));
	assert_true(sim_filter_prefix(f, "name", "bc"));
	assert_true(sim_filter_part(f, "name", "xay"));
	json_decref(f);
	assert_int_equal(
	    sim_filter_parse("{\"name\":{\"a\":true}}", known, &f, NULL), 0);
	assert_true(sim_filter_any(f, "name", "a"));
	assert_false(sim_filter_any(f, "name", "b"));
	assert_true(sim_filter_any(f, "label", "anything"));
	json_decref(f);
	(void)state;
}

static void
labels_are_matched_by_name_and_by_value(void **state)
{
	json_t *labels = json_pack("{s:s}", "a", "1"), *f = NULL;
	static const struct {
		const char *filter;
		bool matches;
	} cases[] = {
		{ "{\"label\":[\"a\"]}", true },
		{ "{\"label\":[\"a=1\"]}", true },
		{ "{\"label\":[\"a=2\"]}", false },
		{ "{\"label\":[\"b\"]}", false },
		{ "{\"label\":[\"a\",\"b\"]}", false },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		assert_int_equal(
		    sim_filter_parse(cases[i].filter, known, &f, NULL), 0);
		assert_int_equal(
		    sim_filter_labels(f, "label", labels), cases[i].matches);
		json_decref(f);
	}
	json_decref(labels);
	(void)state;
}

static void
unknown_and_broken_filters_are_refused(void **state)
{
	struct error e;
	json_t *f;

	assert_int_equal(sim_filter_parse("{\"odd\":[]}", known, &f, &e), -1);
	assert_string_equal(e.msg, "Invalid filter 'odd'");
	assert_int_equal(sim_filter_parse("bad", known, &f, &e), -1);
	assert_int_equal(sim_filter_parse("[]", known, &f, &e), -1);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subnets_come_from_the_pool_without_overlap),
		cmocka_unit_test(the_last_subnet_of_the_pool_is_the_nodes),
		cmocka_unit_test(addresses_are_reused_only_after_a_full_turn),
		cmocka_unit_test(subnets_are_parsed_strictly),
		cmocka_unit_test(filters_come_as_lists_and_as_objects),
		cmocka_unit_test(labels_are_matched_by_name_and_by_value),
		cmocka_unit_test(unknown_and_broken_filters_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
