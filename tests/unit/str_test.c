/* base/str */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#include <string.h>

static void
appending_grows_and_always_ends_with_nul(void **state)
{
	STR_AUTO(s, 10000);
	size_t i;

	(void)state;
	assert_string_equal(s.p, "");
	for (i = 0; i < 1000; i++)
		str_addf(&s, "%c%s", 'a', "b");
	str_addc(&s, 'c');
	str_addn(&s, "d\0e", 3);
	assert_int_equal(s.len, 2004);
	assert_memory_equal(s.p + 1999, "bcd\0e", 6);
	assert_false(s.overflow);
}

static void
past_the_maximum_nothing_changes_for_good(void **state)
{
	STR_AUTO(s, 5);

	(void)state;
	str_add(&s, "12345");
	assert_false(s.overflow);
	str_addc(&s, '6');
	assert_true(s.overflow);
	assert_string_equal(s.p, "12345");
	str_trim(&s, 1);
	str_add(&s, "x");
	assert_string_equal(s.p, "1");
	str_clear(&s);
	assert_false(s.overflow);
	str_addf(&s, "%d", 123456);
	assert_true(s.overflow);
	assert_string_equal(s.p, "");
}

static void
cutting_dropping_and_taking(void **state)
{
	STR_AUTO(s, 100);
	char *p;

	(void)state;
	str_trim(&s, 0);
	str_drop(&s, 0);
	p = str_take(&s);
	assert_string_equal(p, "");
	free(p);
	str_add(&s, "abcdef");
	str_drop(&s, 2);
	assert_string_equal(s.p, "cdef");
	str_trim(&s, 3);
	assert_string_equal(s.p, "cde");
	str_drop(&s, 3);
	assert_string_equal(s.p, "");
	str_add(&s, "x");
	p = str_take(&s);
	assert_string_equal(p, "x");
	assert_int_equal(s.len, 0);
	free(p);
	str_add(&s, "again");
	assert_string_equal(s.p, "again");
}

static void
json_strings_are_escaped_and_valid(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ "", 0, "\"\"" },
		{ "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
		{ "\n\0\x7f", 3, "\"\\u000a\\u0000\\u007f\"" },
		{ "\xc3\xbc", 2, "\"\\u00fc\"" },
		{ "\xf0\x9f\x98\x80", 4, "\"\\ud83d\\ude00\"" },
		{ "\xc3", 1, "\"\\ufffd\"" },
		{ "\xc0\xaf", 2, "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xff"
		  "a",
		    2, "\"\\ufffda\"" },
		{ "\xf4\x8f\xbf\xbf", 4, "\"\\udbff\\udfff\"" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		STR_AUTO(s, 100);

		str_add_json(&s, rows[i].in, rows[i].len);
		assert_string_equal(s.p, rows[i].want);
	}
}

static void
foreign_bytes_are_quoted_for_messages(void **state)
{
	STR_AUTO(s, 100);

	(void)state;
	str_add_quoted(&s, "a\"\\\n\xff", 5, 80);
	assert_string_equal(s.p, "\"a\\x22\\x5c\\x0a\\xff\"");
	str_clear(&s);
	str_add_quoted(&s, "abcdef", 6, 3);
	assert_string_equal(s.p, "\"abc...\"");
	str_clear(&s);
	str_add_quoted(&s, "abc", 3, 3);
	assert_string_equal(s.p, "\"abc\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appending_grows_and_always_ends_with_nul),
		cmocka_unit_test(past_the_maximum_nothing_changes_for_good),
		cmocka_unit_test(cutting_dropping_and_taking),
		cmocka_unit_test(json_strings_are_escaped_and_valid),
		cmocka_unit_test(foreign_bytes_are_quoted_for_messages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
