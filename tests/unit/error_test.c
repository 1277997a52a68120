/* base/error */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"

#include <errno.h>
#include <string.h>

static void
an_error_has_a_code_and_a_message(void **state)
{
	struct error e;

	(void)state;
	assert_int_equal(error_set(&e, EPROTO, "task %s: %d", "t1", 7), -1);
	assert_int_equal(e.code, EPROTO);
	assert_string_equal(e.msg, "task t1: 7");
	assert_int_equal(error_errno(&e, ENOENT, "%s", "/x"), -1);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.msg, "/x: No such file or directory");
	assert_int_equal(error_wrap(&e, "cluster %s", "blue"), -1);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(
	    e.msg, "cluster blue: /x: No such file or directory");
}

static void
nobody_may_want_it(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, EPROTO, "x"), -1);
	assert_int_equal(error_errno(NULL, EPROTO, "x"), -1);
	assert_int_equal(error_wrap(NULL, "x"), -1);
}

static void
what_does_not_fit_is_cut(void **state)
{
	char text[2000];
	struct error e;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&e, EPROTO, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	error_wrap(&e, "front");
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_memory_equal(e.msg, "front: xxx", 10);
	error_wrap(&e, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	error_errno(&e, ENOENT, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_has_a_code_and_a_message),
		cmocka_unit_test(nobody_may_want_it),
		cmocka_unit_test(what_does_not_fit_is_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
