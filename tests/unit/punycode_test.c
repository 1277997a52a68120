/* base/punycode */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/punycode.h"

#include <string.h>

static void
hosts_get_the_form_that_browsers_ask_for(void **state)
{
	static const char *const rows[][2] = {
		{ "b\xc3\xbc"
		  "cher.example",
		    "xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.Example",
		    "xn--bcher-kva.example" },
		{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80."
		  "\xd1\x80\xd1\x84",
		    "xn--e1afmkfd.xn--p1ai" },
		{ "\xd0\xb0.example", "xn--80a.example" },
		{ "\xe4\xbe\x8b\xe3\x81\x88."
		  "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",
		    "xn--r8jz45g.xn--zckzah" },
		{ "stra\xc3\x9f"
		  "e.example",
		    "xn--strae-oqa.example" },
		{ "\xc5\x82\xc3\xb3"
		  "d\xc5\xba.example",
		    "xn--d-uga0v4h.example" },
		{ "plain.example", "plain.example" },
	};
	char out[256];
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		assert_true(punycode_host(
		    rows[i][0], strlen(rows[i][0]), out, sizeof(out)));
		assert_string_equal(out, rows[i][1]);
	}
}

static void
where_there_is_none_for_certain_there_is_none(void **state)
{
	static const char *const hosts[] = {
		"",
		"a..b",
		".a",
		"a.",
		"a\xe3\x80\x82"
		"b", /* U+3002, another full stop */
		"a\xe2\x80\x8b"
		"b",		    /* zero-width space */
		"u\xcc\x88.x",	    /* combining mark */
		"\xc5\x81.x",	    /* capital of Latin Extended-A */
		"\xff.x",	    /* no UTF-8 */
		"\xc3",		    /* cut */
		"\xc0\xaf",	    /* not shortest form */
		"\xed\xa0\x80",	    /* a surrogate */
		"\xef\xbd\x81.x",   /* full-width */
		"\xf0\x9f\x98\x80", /* an emoji */
		"a b\xc3\xbc",
		"a;\xc3\xbc",
	};
	char out[256];
	size_t i;

	(void)state;
	for (i = 0; i < countof(hosts); i++) {
		if (punycode_host(hosts[i], strlen(hosts[i]), out, sizeof(out)))
			fail_msg("%zu: %s", i, out);
	}
	assert_false(punycode_host("plain", 5, out, 5));
}

static void
labels_too_long_have_none(void **state)
{
	char host[200], out[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(host); i += 2)
		memcpy(host + i, "\xc3\xbc", 2);
	assert_false(punycode_host(host, sizeof(host), out, sizeof(out)));
	assert_true(punycode_host(host, 60, out, sizeof(out)));
	memset(host, 'a', sizeof(host));
	assert_true(punycode_host(host, 63, out, sizeof(out)));
	assert_false(punycode_host(host, 64, out, sizeof(out)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_get_the_form_that_browsers_ask_for),
		cmocka_unit_test(where_there_is_none_for_certain_there_is_none),
		cmocka_unit_test(labels_too_long_have_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("punycode", tests, NULL, NULL);
}
