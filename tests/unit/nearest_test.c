/* base/nearest */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/nearest.h"

static const char *const names[] = { "hosts", "port", "network", "context_root",
	"context_root_rewrite", "ssl_cert", "ssl_key", "ip_hash" };

static const char *
near(const char *s)
{
	return nearest_name(s, names, countof(names));
}

static void
mistyped_names_find_what_was_meant(void **state)
{
	(void)state;
	assert_string_equal(near("host"), "hosts");
	assert_string_equal(near("hsots"), "hosts");
	assert_string_equal(near("Hosts"), "hosts");
	assert_string_equal(near("prot"), "port");
	assert_string_equal(near("ports"), "port");
	assert_string_equal(near("networks"), "network");
	assert_string_equal(near("context-root"), "context_root");
	assert_string_equal(near("contextroot"), "context_root");
	assert_string_equal(
	    near("context_root_rewrit"), "context_root_rewrite");
	assert_string_equal(near("ssl_keys"), "ssl_key");
	assert_string_equal(near("iphash"), "ip_hash");
}

static void
far_empty_and_endless_names_find_nothing(void **state)
{
	char *longer = xcalloc(1, 100001);

	(void)state;
	memset(longer, 'h', 100000);
	assert_null(near(longer));
	free(longer);
	assert_null(near(""));
	assert_null(near("x"));
	assert_null(near("completely_else"));
	assert_null(nearest_name("hosts", NULL, 0));
}

static void
the_fewest_errors_win_then_the_first(void **state)
{
	static const char *const both[] = { "abcd", "abce", "abcef" };

	(void)state;
	assert_string_equal(nearest_name("abcx", both, 3), "abcd");
	assert_string_equal(nearest_name("abceg", both, 3), "abce");
	assert_string_equal(nearest_name("abcef", both, 3), "abcef");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistyped_names_find_what_was_meant),
		cmocka_unit_test(far_empty_and_endless_names_find_nothing),
		cmocka_unit_test(the_fewest_errors_win_then_the_first),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
