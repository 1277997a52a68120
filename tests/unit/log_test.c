/* base/log: standard error is a pipe while a test runs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int reader = -1, saved = -1;

static int
setup(void **state)
{
	int fd[2];

	(void)state;
	if (pipe2(fd, O_CLOEXEC) != 0)
		return -1;
	saved = dup(STDERR_FILENO);
	(void)dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	reader = fd[0];
	(void)fcntl(reader, F_SETFL, O_NONBLOCK);
	log_init("test", "blue");
	log_set_level(LOG_INFO);
	log_set_json(false);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
	return 0;
}

static void
drain(struct str *out)
{
	char buf[4096];
	ssize_t n;

	str_clear(out);
	while ((n = read(reader, buf, sizeof(buf))) > 0)
		str_addn(out, buf, (size_t)n);
}

static void
a_line_has_time_level_program_and_message(void **state)
{
	STR_AUTO(out, 100000);

	(void)state;
	errno = EAGAIN;
	log_warn("bus: %s", "no beacon");
	assert_int_equal(errno, EAGAIN);
	drain(&out);
	assert_int_equal(out.p[10], 'T');
	assert_int_equal(out.p[23], 'Z');
	assert_string_equal(out.p + 24, " warn test[blue] bus: no beacon\n");
}

static void
json_lines_are_json(void **state)
{
	STR_AUTO(out, 100000);

	(void)state;
	log_set_json(true);
	log_error("a \"b\"");
	drain(&out);
	assert_memory_equal(out.p, "{\"time\":\"", 9);
	assert_non_null(strstr(out.p,
	    "\"level\":\"error\",\"program\":\"test\",\"cluster\":\"blue\","
	    "\"message\":\"a \\\"b\\\"\"}\n"));
}

static void
levels_above_the_set_one_are_silent(void **state)
{
	STR_AUTO(out, 100000);

	(void)state;
	log_debug("unseen");
	log_write(LOG_DEBUG, "unseen");
	drain(&out);
	assert_string_equal(out.p, "");
	log_set_level(LOG_DEBUG);
	log_debug("seen");
	drain(&out);
	assert_non_null(strstr(out.p, " debug test[blue] seen\n"));
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
	assert_int_equal(log_level_parse("DEBUG"), -1);
	assert_string_equal(log_level_name(LOG_ERROR), "error");
}

static void
one_event_is_one_line_whatever_it_holds(void **state)
{
	STR_AUTO(out, 100000);
	STR_AUTO(longer, 20000);
	size_t i;

	(void)state;
	log_info("a\nb\x1b[31m");
	drain(&out);
	assert_non_null(strstr(out.p, " a b [31m\n"));
	for (i = 0; i < 15000; i++)
		str_addc(&longer, 'x');
	log_info("%s", longer.p);
	drain(&out);
	assert_ptr_equal(strchr(out.p, '\n'), out.p + out.len - 1);
}

static void
a_full_pipe_drops_and_tells_how_many(void **state)
{
	STR_AUTO(out, 1 << 22);
	int i;

	(void)state;
	for (i = 0; i < 5000; i++)
		log_info("line %d of many, long enough to fill a pipe", i);
	drain(&out);
	assert_true(out.len > 0);
	log_info("after");
	drain(&out);
	assert_non_null(strstr(out.p, "lines dropped\n"));
	assert_non_null(strstr(out.p, " after\n"));
}

static void
limited_lines_are_held_back_and_counted(void **state)
{
	struct log_limit limit = LOG_LIMIT_INIT(2, 3600000);
	STR_AUTO(out, 100000);
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		log_limited(&limit, LOG_WARN, "line %d", i);
	drain(&out);
	assert_non_null(strstr(out.p, "line 1\n"));
	assert_null(strstr(out.p, "line 2\n"));
	limit.since_ms -= 3600000;
	log_limited(&limit, LOG_WARN, "line 9");
	drain(&out);
	assert_non_null(strstr(out.p, "3 more lines"));
	assert_non_null(strstr(out.p, "line 9\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_line_has_time_level_program_and_message, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    json_lines_are_json, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    levels_above_the_set_one_are_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    one_event_is_one_line_whatever_it_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_full_pipe_drops_and_tells_how_many, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    limited_lines_are_held_back_and_counted, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
