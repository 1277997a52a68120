/* model/label_host: names of hosts, and the label "hosts" */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "label_fixture.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static char *
hosts_verdict(struct verdict *v, const char *value, size_t len)
{
	struct service *s = fixture_service();

	fixture_label(s, "port", "80", 2);
	fixture_label(s, "hosts", value, len);
	fixture_parse(v, s);
	return verdict_line(v);
}

static void
good_lists_come_out_folded(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "a.example", "a.example@0 " },
		{ "A.Example", "a.example@0 " },
		{ "a.example.", "a.example@0 " },
		{ " a.example\t", "a.example@1 " },
		{ "a.example,b.example", "a.example@0 b.example@10 " },
		{ "a.example , b.example", "a.example@0 b.example@12 " },
		{ ",, a.example,,", "a.example@3 " },
		{ "a.example,A.EXAMPLE,a.example.", "a.example@0 " },
		{ "intranet", "intranet@0 " },
		{ "a_b.example", "a_b.example@0 " },
		{ "_dmarc.a-b.example", "_dmarc.a-b.example@0 " },
		{ "1.example", "1.example@0 " },
		{ "1.2.3.4.example", "1.2.3.4.example@0 " },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example@0 " },
		{ "*.apps.example", "*.apps.example@0 " },
		{ "*.Apps.Example.", "*.apps.example@0 " },
		{ L63 ".example", L63 ".example@0 " },
		{ "a.0y", "a.0y@0 " },
		{ "a.12b", "a.12b@0 " },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		struct verdict v;
		char *line _cleanup_free_ =
		    hosts_verdict(&v, rows[i].value, strlen(rows[i].value));
		STR_AUTO(got, 1000);

		if (v.rc != 0)
			fail_msg(
			    "%s: %s: %s", rows[i].value, line, v.error.reason);
		for (k = 0; k < v.labels.hosts.len; k++)
			str_addf(&got, "%s@%u ", v.labels.hosts.at[k].text,
			    v.labels.hosts.at[k].offset);
		assert_string_equal(got.p, rows[i].want);
		assert_string_equal(
		    v.labels.hosts.at[0].key, LABEL_PREFIX "hosts");
		verdict_fini(&v);
	}
}

/* reliability.md 3 and more; the hint must contain the text. */
static void
bad_lists_are_refused_at_the_byte_with_a_hint(void **state)
{
#define ROW(value, want, hint)                                                 \
	{                                                                      \
		value, sizeof(value) - 1, want, hint                           \
	}
	static const struct {
		const char *value;
		size_t len;
		const char *want, *hint;
	} rows[] = {
		ROW("a.example; return 302 http://evil/; "
		    "server_name b.example",
		    "bad-value hosts 9", "separated by commas"),
		ROW("a.example victim.example", "bad-value hosts 9",
		    "separated by commas"),
		ROW("a.example\tb.example", "bad-value hosts 9", "blank"),
		ROW("a.example\nb.example", "bad-value hosts 9", "0x0a"),
		ROW("a.example\r\nb.example", "bad-value hosts 9", "0x0d"),
		ROW("a.example\n", "bad-value hosts 9", "0x0a"),
		ROW("\"a.example", "bad-value hosts 0", "'\"'"),
		ROW("a.example\\", "bad-value hosts 9", "'\\'"),
		ROW("a.example; #", "bad-value hosts 9", "';'"),
		ROW("a.example#", "bad-value hosts 9", "'#'"),
		ROW("~.", "bad-value hosts 0", "patterns"),
		ROW("~^(a+)+$", "bad-value hosts 0", "patterns"),
		ROW("*", "bad-value hosts 0", "*.apps.example"),
		ROW("*.", "bad-value hosts 0", "*.apps.example"),
		ROW("*.com", "bad-value hosts 0", "two labels"),
		ROW("*.com.", "bad-value hosts 0", "two labels"),
		ROW("*a.example", "bad-value hosts 0", "wildcard"),
		ROW("**.a.example", "bad-value hosts 0", "wildcard"),
		ROW("*.*.example", "bad-value hosts 2", "wildcard"),
		ROW("tail.*", "bad-value hosts 5", "wildcard"),
		ROW("a.*.com", "bad-value hosts 2", "wildcard"),
		ROW(".example.com", "bad-value hosts 0", "before the dot"),
		ROW("a..example", "bad-value hosts 2", "before the dot"),
		ROW("a.example..", "bad-value hosts 10", "before the dot"),
		ROW(".", "bad-value hosts 0", "before the dot"),
		ROW("$host", "bad-value hosts 0", "variables"),
		ROW("_", "bad-value hosts 0", "letter or digit"),
		ROW("_._", "bad-value hosts 0", "letter or digit"),
		ROW("-a.example", "bad-value hosts 0", "starts with -"),
		ROW("a-.example", "bad-value hosts 1", "ends with -"),
		ROW("a.example-", "bad-value hosts 9", "ends with -"),
		ROW("a.-b.example", "bad-value hosts 2", "starts with -"),
		ROW("127.0.0.1", "bad-value hosts 0", "IP address"),
		ROW("127.0.0.1.", "bad-value hosts 0", "IP address"),
		ROW("[::1]", "bad-value hosts 0", "IP address"),
		ROW("::1", "bad-value hosts 0", "IP address"),
		ROW("fd00::1", "bad-value hosts 4", "IP address"),
		ROW("2130706433", "bad-value hosts 0", "IP address"),
		ROW("0x7f000001", "bad-value hosts 0", "IP address"),
		ROW("a.0X1", "bad-value hosts 0", "IP address"),
		ROW("a.example:8080", "bad-value hosts 9", "drop the port"),
		ROW("a.example:", "bad-value hosts 9", "drop the port"),
		ROW("a.example:x", "bad-value hosts 9", "':'"),
		ROW("http://a.example/", "bad-value hosts 4", "scheme"),
		ROW("a.example/app", "bad-value hosts 9", "context_root"),
		ROW("b\xc3\xbc"
		    "cher.example",
		    "bad-value hosts 1", "xn--bcher-kva.example"),
		ROW("ok.example, B\xc3\x9c"
		    "CHER.example",
		    "bad-value hosts 13", "xn--bcher-kva.example"),
		ROW("p\xd0\xb0ypal.example", "bad-value hosts 1",
		    "xn--pypal-4ve.example"),
		ROW("a\xe3\x80\x82"
		    "example",
		    "bad-value hosts 1", "only ASCII"),
		ROW("a\xe2\x80\x8b"
		    "b.example",
		    "bad-value hosts 1", "only ASCII"),
		ROW("a\xff"
		    "b.example",
		    "bad-value hosts 1", "only ASCII"),
		ROW("a\0b.example", "bad-value hosts 1", "0x00"),
		ROW("a.example,\0", "bad-value hosts 10", "0x00"),
		ROW("a\x7f.example", "bad-value hosts 1", "0x7f"),
		ROW("good.example,bad;", "bad-value hosts 16", "';'"),
		ROW(" ,good.example , -bad", "bad-value hosts 17", "-"),
		ROW(L63 "g.example", "too-long hosts 0", "63"),
		ROW("ok.example," L63 "g.example", "too-long hosts 11", "63"),
		ROW(L63 "." L63 "." L63 "."
			"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffff"
			"fffffgg.",
		    "ok", ""),
		ROW(L63 "." L63 "." L63 "."
			"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffff"
			"fffffggg",
		    "too-long hosts 0", "253"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		struct verdict v;
		char *line = hosts_verdict(&v, rows[i].value, rows[i].len);

		if (strcmp(line, rows[i].want) != 0)
			fail_msg("%s: %s, not %s (%s)", rows[i].value, line,
			    rows[i].want, v.rc == 0 ? "" : v.error.reason);
		if (v.rc != 0 && strstr(v.error.reason, rows[i].hint) == NULL)
			fail_msg("%s: no \"%s\" in \"%s\"", rows[i].value,
			    rows[i].hint, v.error.reason);
		free(line);
		verdict_fini(&v);
	}
}

static void
sixty_four_hosts_are_taken_and_no_more(void **state)
{
	STR_AUTO(value, LABEL_VALUE_MAX);
	struct verdict v;
	char *line;
	size_t i;

	(void)state;
	for (i = 0; i < 64; i++)
		str_addf(&value, "h%zu.example,", 10 + i);
	line = hosts_verdict(&v, value.p, value.len);
	assert_string_equal(line, "ok");
	assert_int_equal(v.labels.hosts.len, 64);
	free(line);
	verdict_fini(&v);
	/* One that is there already is no further one. */
	str_add(&value, "H10.example, ");
	line = hosts_verdict(&v, value.p, value.len);
	assert_string_equal(line, "ok");
	free(line);
	verdict_fini(&v);
	str_add(&value, "one.more.example");
	line = hosts_verdict(&v, value.p, value.len);
	assert_string_equal(line, "too-many hosts 781");
	free(line);
	verdict_fini(&v);
}

static void
a_value_of_more_than_4096_bytes_is_too_long(void **state)
{
	char value[LABEL_VALUE_MAX + 1];
	struct verdict v;
	char *line;

	(void)state;
	memset(value, ',', sizeof(value));
	memcpy(value, "a.example", 9);
	line = hosts_verdict(&v, value, sizeof(value) - 1);
	assert_string_equal(line, "ok");
	free(line);
	verdict_fini(&v);
	line = hosts_verdict(&v, value, sizeof(value));
	assert_string_equal(line, "too-long hosts 0");
	free(line);
	verdict_fini(&v);
}

static void
every_single_byte_outside_the_allow_list_is_refused(void **state)
{
	char host[] = "a?b.example";
	size_t offset;
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		bool want = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';

		host[1] = (char)c;
		if ((label_check_host(host, sizeof(host) - 1, true, &offset,
			 NULL) == 0) != want)
			fail_msg("byte %d", c);
		if (!want)
			assert_int_equal(offset, 1);
	}
}

static void
wildcards_are_refused_where_they_may_not_be(void **state)
{
	struct error e;
	size_t offset;

	(void)state;
	assert_int_equal(
	    label_check_host("*.a.example", 11, true, &offset, &e), 0);
	assert_int_equal(
	    label_check_host("*.a.example", 11, false, &offset, &e), -1);
	assert_non_null(strstr(e.msg, "no wildcard"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lists_come_out_folded),
		cmocka_unit_test(bad_lists_are_refused_at_the_byte_with_a_hint),
		cmocka_unit_test(sixty_four_hosts_are_taken_and_no_more),
		cmocka_unit_test(a_value_of_more_than_4096_bytes_is_too_long),
		cmocka_unit_test(
		    every_single_byte_outside_the_allow_list_is_refused),
		cmocka_unit_test(wildcards_are_refused_where_they_may_not_be),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("label_host", tests, NULL, NULL);
}
