/* base/json_cut */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json_cut.h"
#include "base/mem.h"

#include <string.h>

#define MAX_ELEMENT 2000

static void
on_element(void *arg, const char *json, size_t len)
{
	str_addf(arg, "<%.*s>", (int)len, json);
}

static void
on_skipped(void *arg, const char *json, size_t len)
{
	str_addf(arg, "skip(%.*s)", (int)(len < 8 ? len : 8), json);
}

/* Feeds 'text' in pieces of 'step' bytes; what was cut, or "error". */
static char *
cut(const char *text, size_t len, size_t step, size_t max)
{
	STR_AUTO(out, 1 << 20);
	struct json_cut *c = json_cut_new(max, on_element, on_skipped, &out);
	struct error e;
	size_t i;
	int r = 0;

	for (i = 0; i < len && r == 0; i += step)
		r = json_cut_feed(
		    c, text + i, len - i < step ? len - i : step, &e);
	if (r == 0)
		r = json_cut_end(c, &e);
	json_cut_free(c);
	if (r != 0)
		return xstrdup("error");
	return str_take(&out);
}

static void
check_len(const char *text, size_t len, size_t max, const char *want)
{
	size_t step;

	for (step = 1; step <= len + 1; step++) {
		char *got = cut(text, len, step, max);

		assert_string_equal(got, want);
		free(got);
		if (step > 40)
			step += len / 3;
	}
}

static void
check(const char *text, const char *want)
{
	check_len(text, strlen(text), MAX_ELEMENT, want);
}

static void
lists_are_cut_into_their_elements_however_they_arrive(void **state)
{
	(void)state;
	check("[]", "");
	check(" \n[\t]\r\n ", "");
	check("[{}]", "<{}>");
	check("[{\"a\":1},{\"b\":[1,{\"c\":\"]}\"}]}]",
	    "<{\"a\":1}><{\"b\":[1,{\"c\":\"]}\"}]}>");
	check("[ 1 , true,null ,\"x\",[] , {} ]",
	    "<1><true><null><\"x\"><[]><{}>");
	check("[-1.5e3]", "<-1.5e3>");
	check("[\"\\\"\\\\\",\"\\u0000\"]", "<\"\\\"\\\\\"><\"\\u0000\">");
	check("[{\"\\\"}\":\"{\"}]", "<{\"\\\"}\":\"{\"}>");
	check("[{\"a\" : \"b\" , \"c\":[ ]}]", "<{\"a\" : \"b\" , \"c\":[ ]}>");
}

static void
broken_lists_are_errors(void **state)
{
	static const char *const texts[] = { "", " ", "{}", "\"[]\"", "1", "[",
		"[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] x", "[] []",
		"[{]", "[{}", "[}]", "[{\"a\"}]", "[{\"a\":}]", "[{\"a\":1,}]",
		"[{,}]", "[{1:2}]", "[{\"a\":1 \"b\":2}]", "[\"", "[\"\\",
		"[\"\\\"]", "[[1}]", "[{\"a\":1]]", "[:]", "[1:2]",
		"[{\"a\":1:2}]", "<html>[]", "[a{}]", "[a\"b\"]",
		"[{\"a\"\"b\"}]", "[\"a\"\"b\"]", "[{}{}]" };
	size_t i;

	(void)state;
	for (i = 0; i < countof(texts); i++)
		check(texts[i], "error");
}

static void
a_list_cut_at_any_byte_is_an_error(void **state)
{
	static const char text[] =
	    "[{\"a\":[1,{\"b\":\"\\\"x\"}]}, {\"c\" : null},7,\"s\"]";
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(text) - 1; len++)
		check_len(text, len, MAX_ELEMENT, "error");
}

static void
an_error_is_final_and_names_the_byte(void **state)
{
	STR_AUTO(out, 100);
	struct json_cut *c = json_cut_new(100, on_element, NULL, &out);
	struct error e;

	(void)state;
	assert_int_equal(json_cut_feed(c, "[{},", 4, &e), 0);
	assert_int_equal(json_cut_feed(c, " }", 2, &e), -1);
	assert_string_equal(
	    e.msg, "not a JSON list: an unexpected character at byte 5");
	assert_int_equal(json_cut_feed(c, "{}]", 3, &e), -1);
	assert_int_equal(json_cut_end(c, &e), -1);
	assert_string_equal(out.p, "<{}>");
	json_cut_free(c);
	json_cut_free(NULL);
}

static void
elements_too_long_are_skipped_with_their_beginning(void **state)
{
	(void)state;
	check_len("[1,\"0123456789\",2]", 18, 8, "<1>skip(\"0123456)<2>");
	check_len("[\"0123456\"]", 11, 8, "skip(\"0123456)");
	check_len("[\"012345\"]", 10, 8, "<\"012345\">");
	check_len("[123456789]", 11, 8, "skip(12345678)");
	check_len("[12345678]", 10, 8, "<12345678>");
}

/* An element of 'depth' nested lists. */
static void
add_nested(struct str *s, size_t depth, const char *inside)
{
	size_t i;

	for (i = 0; i < depth; i++)
		str_addc(s, '[');
	str_add(s, inside);
	for (i = 0; i < depth; i++)
		str_addc(s, ']');
}

static void
elements_too_deep_are_skipped_and_the_rest_goes_on(void **state)
{
	STR_AUTO(text, 100000);
	STR_AUTO(want, 100000);

	(void)state;
	str_add(&text, "[1,");
	add_nested(&text, JSON_CUT_DEPTH, "\"x\"");
	str_addc(&text, ',');
	add_nested(&text, JSON_CUT_DEPTH + 1, "{\"]\":\"\\\"]\"}");
	str_addc(&text, ',');
	add_nested(&text, 10000, "");
	str_add(&text, ",2]");
	str_add(&want, "<1><");
	add_nested(&want, JSON_CUT_DEPTH, "\"x\"");
	str_add(&want, ">skip([[[[[[[[)skip([[[[[[[[)<2>");
	check_len(text.p, text.len, 100000, want.p);
	check_len(text.p, text.len - 1, 100000, "error");
}

static void
on_member(void *arg, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
	str_addf(arg, "%.*s=%.*s;", (int)key_len, key, (int)value_len, value);
}

static void
check_members(const char *json, int want, const char *text)
{
	STR_AUTO(out, 10000);
	struct error e;

	assert_int_equal(
	    json_cut_members(json, strlen(json), on_member, &out, &e), want);
	assert_string_equal(out.p, text);
}

static void
members_of_an_object_are_walked_as_raw_text(void **state)
{
	(void)state;
	check_members("{}", 0, "");
	check_members(" { } ", 0, "");
	check_members("{\"a\":1}", 0, "a=1;");
	check_members("{ \"a\" : 1 , \"\":\"\" }", 0, "a=1;=\"\";");
	check_members("{\"a\\\"\":{\"b\":[1,2]},\"c\":[{}],\"d\":\"}\"}", 0,
	    "a\\\"={\"b\":[1,2]};c=[{}];d=\"}\";");
	check_members("{\"a\":true,\"b\":null}", 0, "a=true;b=null;");
	check_members("{\"a\":1,\"a\":2}", 0, "a=1;a=2;");
}

static void
members_before_a_fault_are_told(void **state)
{
	(void)state;
	check_members("", -1, "");
	check_members("[]", -1, "");
	check_members("{\"a\":1,", -1, "a=1;");
	check_members("{\"a\":1,\"b\":\"x", -1, "a=1;");
	check_members("{\"a\":1}}", -1, "a=1;");
	check_members("{\"a\":1} {}", -1, "a=1;");
	check_members("{\"a\":1]", -1, "");
	check_members("{\"a\":{}]", -1, "a={};");
	check_members("{\"a\":}", -1, "");
	check_members("{a:1}", -1, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lists_are_cut_into_their_elements_however_they_arrive),
		cmocka_unit_test(broken_lists_are_errors),
		cmocka_unit_test(a_list_cut_at_any_byte_is_an_error),
		cmocka_unit_test(an_error_is_final_and_names_the_byte),
		cmocka_unit_test(
		    elements_too_long_are_skipped_with_their_beginning),
		cmocka_unit_test(
		    elements_too_deep_are_skipped_and_the_rest_goes_on),
		cmocka_unit_test(members_of_an_object_are_walked_as_raw_text),
		cmocka_unit_test(members_before_a_fault_are_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("json_cut", tests, NULL, NULL);
}
