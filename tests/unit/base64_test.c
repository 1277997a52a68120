/* Base64 both ways. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX 4096

static void
the_examples_of_the_rfc_go_both_ways(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		STR_AUTO(text, MAX);
		STR_AUTO(bytes, MAX);

		base64_encode(&text, pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(text.p, pairs[i][1]);
		assert_int_equal(
		    base64_decode(&bytes, text.p, text.len, &e), 0);
		assert_string_equal(bytes.p, pairs[i][0]);
	}
}

static void
every_byte_survives(void **state)
{
	unsigned char all[256];
	STR_AUTO(text, MAX);
	STR_AUTO(bytes, MAX);
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	base64_encode(&text, all, sizeof(all));
	assert_int_equal(base64_decode(&bytes, text.p, text.len, &e), 0);
	assert_int_equal(bytes.len, sizeof(all));
	assert_memory_equal(bytes.p, all, sizeof(all));
}

static void
what_is_no_base64_is_refused(void **state)
{
	static const char *const bad[] = { "Z",
		"Zg=", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm 9",
		"Zh==", "Zm9=", "Zg-_" };
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		STR_AUTO(bytes, MAX);

		assert_int_equal(
		    base64_decode(&bytes, bad[i], strlen(bad[i]), &e), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc_go_both_ways),
		cmocka_unit_test(every_byte_survives),
		cmocka_unit_test(what_is_no_base64_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
