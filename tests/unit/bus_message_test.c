/* bus/message and bus/order */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bus/message.h"
#include "bus/order.h"

#include <errno.h>
#include <string.h>

static void
headers_survive_the_way_there_and_back(void **state)
{
	struct bus_message m = { .type = BUS_REMOVE,
		.cluster = "blue-1",
		.epoch = "0123456789abcdef",
		.seq = INT64_MAX,
		.stamps = { 1, 2, 3 } },
			   back;
	struct error e;

	(void)state;
	STR_AUTO(s, 4096);
	bus_encode_header(&s, &m);
	str_add(&s, "body\nof two lines");
	assert_int_equal(bus_decode(s.p, s.len, &back, &e), 0);
	assert_int_equal(back.type, BUS_REMOVE);
	assert_string_equal(back.cluster, "blue-1");
	assert_string_equal(back.epoch, "0123456789abcdef");
	assert_true(back.seq == INT64_MAX);
	assert_memory_equal(&back.stamps, &m.stamps, sizeof(m.stamps));
	assert_int_equal(back.body_len, strlen("body\nof two lines"));
	assert_memory_equal(back.body, "body\nof two lines", back.body_len);
}

#define STAMPS "\"stamps\":{\"commit_us\":0,\"read_us\":0,\"sent_us\":0}"
#define GOOD                                                                   \
	"{\"v\":1,\"type\":\"beacon\",\"cluster\":\"a\",\"epoch\":\"ab\","     \
	"\"seq\":1," STAMPS "}\n"

static void
what_is_not_ours_is_refused(void **state)
{
	static const char *const texts[] = { "", "\n", "x", "{}\n", "[]\n",
		"null\n", "{\"v\":\"1\"}\n", "{\"v\":1}\n", GOOD "body",
		"{\"v\":1,\"type\":\"other\",\"cluster\":\"a\",\"epoch\":\"\","
		"\"seq\":1," STAMPS "}\n",
		"{\"v\":1,\"type\":\"update\",\"cluster\":\"\",\"epoch\":\"\","
		"\"seq\":1," STAMPS "}\n",
		"{\"v\":1,\"type\":\"update\",\"cluster\":\"a/b\","
		"\"epoch\":\"\",\"seq\":1," STAMPS "}\n",
		"{\"v\":1,\"type\":\"update\",\"cluster\":\"a\","
		"\"epoch\":\"XY\",\"seq\":1," STAMPS "}\n",
		"{\"v\":1,\"type\":\"update\",\"cluster\":\"a\","
		"\"epoch\":\"\",\"seq\":-1," STAMPS "}\n",
		"{\"v\":1,\"type\":\"update\",\"cluster\":\"a\","
		"\"epoch\":\"\",\"seq\":1.5," STAMPS "}\n",
		"{\"v\":1,\"type\":\"update\",\"cluster\":\"a\","
		"\"epoch\":\"\",\"seq\":1,\"seq\":2," STAMPS "}\n",
		"{\"v\":1,\"type\":\"update\",\"cluster\":\"a\","
		"\"epoch\":\"\",\"seq\":1,\"more\":2," STAMPS "}\n",
		("{\"v\":1,\"type\":\"update\",\"cluster\":\"a\","
		 "\"epoch\":\"\",\"seq\":1,\"stamps\":{}}\n") };
	struct bus_message m;
	struct error e;
	size_t i;

	(void)state;
	assert_int_equal(bus_decode(GOOD, strlen(GOOD), &m, &e), 0);
	for (i = 0; i < countof(texts); i++) {
		e.code = 0;
		if (bus_decode(texts[i], strlen(texts[i]), &m, &e) == 0)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(e.code, EPROTO);
	}
	for (i = 0; i < strlen(GOOD); i++)
		assert_int_equal(bus_decode(GOOD, i, &m, &e), -1);
}

static void
another_version_is_told_apart(void **state)
{
	static const char text[] = "{\"v\":2,\"what\":[\"ever\"]}\nbody";
	struct bus_message m;
	struct error e;

	(void)state;
	assert_int_equal(bus_decode(text, strlen(text), &m, &e), -1);
	assert_int_equal(e.code, EPROTONOSUPPORT);
}

static void
a_header_without_end_is_refused_whatever_its_length(void **state)
{
	size_t len = 1024 * 1024;
	char *p = xmalloc(len);
	struct bus_message m;

	(void)state;
	memset(p, '{', len);
	assert_int_equal(bus_decode(p, len, &m, NULL), -1);
	free(p);
}

static void
removals_survive_the_way_there_and_back(void **state)
{
	char *ids[] = { (char *)"id1", (char *)"id2" };
	char *names[] = { (char *)"a \"secret\"" };
	struct bus_removal r = { .services = ids,
		.services_len = 2,
		.secrets = names,
		.secrets_len = 1 },
			   back;
	struct error e;

	(void)state;
	STR_AUTO(s, 4096);
	bus_encode_removal(&s, &r);
	assert_int_equal(bus_decode_removal(s.p, s.len, &back, &e), 0);
	assert_int_equal(back.services_len, 2);
	assert_string_equal(back.services[1], "id2");
	assert_string_equal(back.secrets[0], "a \"secret\"");
	assert_int_equal(back.nodes_len, 0);
	bus_removal_fini(&back);
}

static void
odd_removals_are_refused(void **state)
{
	static const char *const texts[] = { "", "[]", "{\"services\":{}}",
		"{\"services\":[1]}", "{\"services\":[\"\"]}", "{\"more\":[]}",
		"{\"nodes\":[],\"nodes\":[]}", "{\"nodes\":[\"a\\u0000b\"]}",
		"{\"nodes\":[\"a\"],\"services\":[\"b\",null]}" };
	struct bus_removal r;
	size_t i;

	(void)state;
	for (i = 0; i < countof(texts); i++)
		if (bus_decode_removal(texts[i], strlen(texts[i]), &r, NULL) ==
		    0)
			fail_msg("accepted: %s", texts[i]);
}

static enum bus_verdict
next(struct bus_order *o, enum bus_type type, const char *epoch, uint64_t seq)
{
	struct bus_message m = { .type = type, .seq = seq };

	snprintf(m.epoch, sizeof(m.epoch), "%s", epoch);
	return bus_order_next(o, &m);
}

static void
nothing_follows_on_before_a_snapshot(void **state)
{
	struct bus_order o = { 0 };

	(void)state;
	assert_int_equal(next(&o, BUS_UPDATE, "a", 1), BUS_AHEAD);
	assert_int_equal(next(&o, BUS_BEACON, "a", 1), BUS_OLD);
	assert_int_equal(next(&o, BUS_SNAPSHOT, "a", 7), BUS_APPLY);
	assert_true(o.synced);
	assert_int_equal(next(&o, BUS_UPDATE, "a", 7), BUS_OLD);
	assert_int_equal(next(&o, BUS_UPDATE, "a", 8), BUS_APPLY);
	assert_int_equal(next(&o, BUS_BEACON, "a", 8), BUS_OLD);
	assert_true(o.synced);
}

static void
a_gap_shows_at_the_next_message_or_beacon(void **state)
{
	struct bus_order o = { 0 };

	(void)state;
	(void)next(&o, BUS_SNAPSHOT, "a", 1);
	assert_int_equal(next(&o, BUS_UPDATE, "a", 3), BUS_AHEAD);
	assert_false(o.synced);
	(void)next(&o, BUS_SNAPSHOT, "a", 3);
	assert_int_equal(next(&o, BUS_BEACON, "a", 4), BUS_AHEAD);
	assert_false(o.synced);
}

static void
a_new_epoch_is_a_gap_though_its_seq_fits(void **state)
{
	struct bus_order o = { 0 };

	(void)state;
	(void)next(&o, BUS_SNAPSHOT, "a", 1);
	assert_int_equal(next(&o, BUS_UPDATE, "b", 2), BUS_AHEAD);
	(void)next(&o, BUS_SNAPSHOT, "a", 9);
	assert_int_equal(next(&o, BUS_BEACON, "b", 0), BUS_AHEAD);
	assert_false(o.synced);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_survive_the_way_there_and_back),
		cmocka_unit_test(what_is_not_ours_is_refused),
		cmocka_unit_test(another_version_is_told_apart),
		cmocka_unit_test(
		    a_header_without_end_is_refused_whatever_its_length),
		cmocka_unit_test(removals_survive_the_way_there_and_back),
		cmocka_unit_test(odd_removals_are_refused),
		cmocka_unit_test(nothing_follows_on_before_a_snapshot),
		cmocka_unit_test(a_gap_shows_at_the_next_message_or_beacon),
		cmocka_unit_test(a_new_epoch_is_a_gap_though_its_seq_fits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
