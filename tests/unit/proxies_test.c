/* extension/proxies: what is told of what agents said */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../extension/proxies.h"

#define OLD                                                                    \
	"11111111111111111111111111111111"                                     \
	"11111111111111111111111111111111"
#define NEW                                                                    \
	"22222222222222222222222222222222"                                     \
	"22222222222222222222222222222222"

static int
setup(void **state)
{
	static struct proxies p;

	memset(&p, 0, sizeof(p));
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	proxies_fini(*state);
	return 0;
}

static void
report(struct proxies *p, const char *id, int applied, const char *config)
{
	struct proxy_news news;
	struct error e;
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "{\"version\":1,\"cluster\":\"blue\",\"proxy\":\"%s\","
	    "\"alive\":true,\"state\":\"applied\",\"applied\":%d,"
	    "\"applied_config\":\"%s\"}",
	    id, applied, config);
	assert_int_equal(
	    proxies_report(p, "blue", text, strlen(text), 1, &news, &e), 0);
}

/* What the proxy of that place is said to have applied. */
static int
told(const struct proxies *p, size_t place, int generation, const char *config)
{
	STR_AUTO(out, 4096);
	json_t *all, *one;
	int applied;

	proxies_json(p, "blue", (uint64_t)generation, config, &out);
	all = json_loads(out.p, 0, NULL);
	one = json_array_get(all, place);
	assert_int_equal(
	    json_integer_value(json_object_get(one, "generation")), generation);
	applied = (int)json_integer_value(json_object_get(one, "applied"));
	json_decref(all);
	return applied;
}

/*
 * A change and its taking back while one of two is busy: both have the newest
 * bytes, and only one was told of their number.
 */
static void
who_has_the_newest_bytes_serves_the_newest_generation(void **state)
{
	struct proxies *p = *state;

	report(p, "blue.0", 13, NEW);
	report(p, "blue.1", 2, NEW);
	assert_int_equal(told(p, 0, 13, NEW), 13);
	assert_int_equal(told(p, 1, 13, NEW), 13);
	assert_int_equal(told(p, 1, 15, NEW), 15);
}

static void
who_has_other_bytes_serves_what_it_says(void **state)
{
	struct proxies *p = *state;

	report(p, "blue.0", 13, OLD);
	assert_int_equal(told(p, 0, 14, NEW), 13);
	/* A restart without a state counts from the beginning. */
	assert_int_equal(told(p, 0, 1, NEW), 13);
}

static void
what_a_lacking_proxy_serves_with_is_taken(void **state)
{
	static const char text[] =
	    "{\"version\":1,\"cluster\":\"blue\",\"proxy\":\"blue.1\","
	    "\"state\":\"lacking\",\"serving\":["
	    "{\"service\":\"s1\",\"kind\":\"certificate\",\"name\":\"c\","
	    "\"key\":\"k\"},"
	    "{\"service\":\"s1\",\"kind\":\"riddles\",\"name\":\"c\"},"
	    "{\"service\":\"s1\",\"kind\":\"passwords\",\"name\":\"../c\"},"
	    "{\"kind\":\"passwords\",\"name\":\"c\"},7,"
	    "{\"service\":\"s2\",\"kind\":\"passwords\",\"name\":\"p\","
	    "\"key\":null}]}";
	static const char later[] =
	    "{\"version\":1,\"cluster\":\"blue\",\"proxy\":\"blue.1\"}";
	struct proxies *p = *state;
	const struct secret_serving *s;
	struct proxy_news news;

	assert_int_equal(
	    proxies_report(p, "blue", text, sizeof(text) - 1, 1, &news, NULL),
	    0);
	s = &news.proxy->serving;
	assert_int_equal(s->list.len, 2);
	assert_string_equal(s->list.at[0].service, "s1");
	assert_string_equal(s->list.at[0].use.name, "c");
	assert_string_equal(s->list.at[0].use.key, "k");
	assert_string_equal(s->list.at[1].service, "s2");
	assert_int_equal(s->list.at[1].use.kind, SECRET_PASSWORDS);
	assert_null(s->list.at[1].use.key);
	assert_int_equal(
	    proxies_report(p, "blue", later, sizeof(later) - 1, 2, &news, NULL),
	    0);
	assert_int_equal(news.proxy->serving.list.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    who_has_the_newest_bytes_serves_the_newest_generation,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_has_other_bytes_serves_what_it_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_a_lacking_proxy_serves_with_is_taken, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("proxies", tests, NULL, NULL);
}
