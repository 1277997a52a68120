/* The simulator's request parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fake/sim_http_parse.h"

struct fixture {
	struct sim_http_parse parse;
	struct sim_http_request req;
	struct str in;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	sim_http_parse_init(&f->parse);
	str_init(&f->in, SIM_HTTP_HEAD_MAX + SIM_HTTP_BODY_MAX);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	sim_http_parse_fini(&f->parse);
	str_fini(&f->in);
	vec_fini(&f->req.headers);
	free(f);
	return 0;
}

static int
feed(struct fixture *f, const char *text)
{
	struct error e;

	str_add(&f->in, text);
	return sim_http_parse_next(&f->parse, &f->in, &f->req, &e);
}

static void
header_is(const struct fixture *f, const char *name, const char *value)
{
	for (size_t i = 0; i < f->req.headers.len; i++) {
		if (strcmp(f->req.headers.at[i].name, name) == 0) {
			assert_string_equal(f->req.headers.at[i].value, value);
			return;
		}
	}
	fail_msg("no header %s", name);
}

static void
a_request_is_taken_whole(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    feed(f, "GET /a%2fb?c HTTP/1.1\r\nHost: h\r\nX-Odd:v\r\n\r\n"), 1);
	assert_string_equal(f->req.method, "GET");
	assert_string_equal(f->req.target, "/a%2fb?c");
	header_is(f, "host", "h");
	header_is(f, "x-odd", "v");
	assert_int_equal(f->req.body_len, 0);
	assert_true(f->parse.keep);
	assert_int_equal(f->in.len, 0);
}

static void
a_request_may_come_byte_by_byte(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\nContent-Length: 3\r\n"
				   "\r\nabc";
	struct fixture *f = *state;
	char one[2] = { 0 };

	for (size_t i = 0; i + 1 < sizeof(text) - 1; i++) {
		one[0] = text[i];
		assert_int_equal(feed(f, one), 0);
	}
	one[0] = text[sizeof(text) - 2];
	assert_int_equal(feed(f, one), 1);
	assert_string_equal(f->req.body, "abc");
}

static void
two_requests_in_one_piece_come_one_after_the_other(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(feed(f,
			     "POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n"
			     "xyGET /2 HTTP/1.0\r\n\r\n"),
	    1);
	assert_string_equal(f->req.target, "/1");
	assert_string_equal(f->req.body, "xy");
	assert_int_equal(feed(f, ""), 1);
	assert_string_equal(f->req.target, "/2");
	assert_int_equal(f->req.body_len, 0);
	assert_false(f->parse.keep);
	assert_int_equal(feed(f, ""), 0);
}

static void
chunks_become_one_body(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    feed(f,
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n"
		"abc\r\n"),
	    0);
	assert_int_equal(feed(f, "2;x=y\r\nde\r\n0\r\n\r\n"), 1);
	assert_string_equal(f->req.body, "abcde");
	assert_int_equal(f->in.len, 0);
}

static void
a_client_that_asks_first_is_known(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(feed(f,
			     "POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: "
			     "100-continue\r\n\r\n"),
	    0);
	assert_true(f->parse.want_continue);
}

static void
what_is_no_request_is_refused(void **state)
{
	static const char *const bad[] = {
		"GET\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / FTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nno colon\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	};

	for (size_t i = 0; i < countof(bad); i++) {
		void *inner;

		(void)setup(&inner);
		if (feed(inner, bad[i]) != -1)
			fail_msg("taken: %s", bad[i]);
		(void)teardown(&inner);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_request_is_taken_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_request_may_come_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    two_requests_in_one_piece_come_one_after_the_other, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    chunks_become_one_body, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_client_that_asks_first_is_known, setup, teardown),
		cmocka_unit_test(what_is_no_request_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
