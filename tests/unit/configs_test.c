/* supervisor/configs: what the reader tells of Docker configs. */
#include "../../supervisor/configs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool
take(struct configs *c, const char *line)
{
	struct error e = { 0 };
	bool changed = false;

	if (configs_take(c, line, strlen(line), &changed, &e) != 0)
		fail_msg("%s: %s", line, e.msg);
	return changed;
}

#define A                                                                      \
	"{\"type\":\"config\",\"id\":\"a\",\"name\":\"blue-1\","               \
	"\"cluster\":\"blue\",\"data\":\"Zm9v\"}"
#define A_RED                                                                  \
	"{\"type\":\"config\",\"id\":\"a\",\"name\":\"blue-1\","               \
	"\"cluster\":\"red\",\"data\":\"Zm9v\"}"
#define B                                                                      \
	"{\"type\":\"config\",\"id\":\"b\",\"name\":\"red-1\","                \
	"\"cluster\":\"red\",\"data\":null}"

#define BAD_DATA                                                               \
	"{\"type\":\"config\",\"id\":\"a\",\"name\":\"n\","                    \
	"\"cluster\":\"c\",\"data\":\"Zm9\"}"

static void
nothing_counts_before_the_list(void **state)
{
	struct configs c = { 0 };

	(void)state;
	assert_false(take(&c, A));
	assert_false(c.known);
	assert_int_equal(c.list.len, 0);
	assert_true(take(&c, "{\"type\":\"configs\",\"ids\":[\"a\"]}"));
	assert_true(c.known);
	assert_int_equal(c.list.len, 1);
	assert_string_equal(c.list.at[0]->text, "foo");
	configs_fini(&c);
}

static void
an_empty_list_is_news_once(void **state)
{
	struct configs c = { 0 };

	(void)state;
	assert_true(take(&c, "{\"type\":\"configs\",\"ids\":[]}"));
	assert_false(take(&c, "{\"type\":\"configs\",\"ids\":[]}"));
	configs_fini(&c);
}

static void
a_new_reader_that_tells_the_same_changes_nothing(void **state)
{
	struct configs c = { 0 };
	const struct docker_config *a;

	(void)state;
	(void)take(&c, A);
	(void)take(&c, B);
	assert_true(take(&c, "{\"type\":\"configs\",\"ids\":[\"a\",\"b\"]}"));
	a = c.list.at[0];
	assert_false(take(&c, A));
	/* It may be in use until the list comes. */
	assert_ptr_equal(c.list.at[0], a);
	assert_false(take(&c, B));
	assert_false(take(&c, "{\"type\":\"configs\",\"ids\":[\"a\",\"b\"]}"));
	assert_null(c.list.at[1]->text);
	configs_fini(&c);
}

static void
another_label_of_the_same_config_is_a_change(void **state)
{
	struct configs c = { 0 };

	(void)state;
	(void)take(&c, A);
	assert_true(take(&c, "{\"type\":\"configs\",\"ids\":[\"a\"]}"));
	(void)take(&c, A_RED);
	assert_true(take(&c, "{\"type\":\"configs\",\"ids\":[\"a\"]}"));
	assert_string_equal(c.list.at[0]->cluster, "red");
	configs_fini(&c);
}

static void
what_is_gone_is_forgotten(void **state)
{
	struct configs c = { 0 };
	struct error e;
	bool changed;

	(void)state;
	(void)take(&c, A);
	(void)take(&c, B);
	(void)take(&c, "{\"type\":\"configs\",\"ids\":[\"a\",\"b\"]}");
	assert_true(take(&c, "{\"type\":\"configs\",\"ids\":[\"b\"]}"));
	assert_int_equal(c.list.len, 1);
	assert_int_equal(
	    configs_take(
		&c, "{\"type\":\"configs\",\"ids\":[\"a\"]}", 31, &changed, &e),
	    -1);
	assert_int_equal(c.list.len, 1);
	configs_fini(&c);
}

static void
other_lines_are_refused(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"type\":\"configs\"}",
		"{\"type\":\"configs\",\"ids\":[1]}",
		"{\"type\":\"config\",\"id\":\"a\"}", BAD_DATA,
		"{\"type\":\"status\"}" };
	struct configs c = { 0 };
	struct error e;
	bool changed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    configs_take(&c, bad[i], strlen(bad[i]), &changed, &e), -1);
	assert_false(c.known);
	configs_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_counts_before_the_list),
		cmocka_unit_test(an_empty_list_is_news_once),
		cmocka_unit_test(
		    a_new_reader_that_tells_the_same_changes_nothing),
		cmocka_unit_test(another_label_of_the_same_config_is_a_change),
		cmocka_unit_test(what_is_gone_is_forgotten),
		cmocka_unit_test(other_lines_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
