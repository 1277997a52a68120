/* loop/lines */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "loop/lines.h"

struct fixture {
	uv_loop_t loop;
	struct lines *lines;
	int peer;
	VEC(char *) got;
	size_t last_len;
	unsigned ended, closed, drained;
	int end_code;
	bool close_on_line;
};

static void
on_closed(void *arg)
{
	struct fixture *f = arg;

	f->closed++;
}

static void
on_line(void *arg, char *line, size_t len)
{
	struct fixture *f = arg;

	f->last_len = len;
	vec_push(&f->got, xmemdup0(line, len));
	if (f->close_on_line) {
		lines_close(f->lines, on_closed, f);
		f->lines = NULL;
	}
}

static void
on_end(void *arg, const struct error *e)
{
	struct fixture *f = arg;

	f->ended++;
	f->end_code = e == NULL ? 0 : e->code;
}

static void
on_drained(void *arg)
{
	struct fixture *f = arg;

	f->drained++;
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error e = { 0 };
	int fds[2];

	*state = f;
	must(uv_loop_init(&f->loop) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	f->peer = fds[1];
	f->lines = lines_new(&f->loop, fds[0], on_line, on_end, f, &e);
	must(f->lines != NULL);
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	lines_close(f->lines, on_closed, f);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->closed, 1);
	must(uv_loop_close(&f->loop) == 0);
	for (size_t i = 0; i < f->got.len; i++)
		free(f->got.at[i]);
	vec_fini(&f->got);
	if (f->peer >= 0)
		(void)close(f->peer);
	free(f);
	return 0;
}

#define wait_for(f, condition)                                                 \
	do {                                                                   \
		uint64_t end_ = clock_mono_ms() + 20000;                       \
		while (!(condition) && clock_mono_ms() < end_)                 \
			(void)uv_run(&(f)->loop, UV_RUN_NOWAIT);               \
		assert_true(condition);                                        \
	} while (0)

static void
say(struct fixture *f, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(f->peer, text, len, MSG_DONTWAIT);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
}

static void
bytes_in_any_pieces_become_lines(void **state)
{
	static const char text[] = "one\n\ntwo\nthr";
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		say(f, text + i, 1);
	wait_for(f, f->got.len == 3);
	say(f, "ee\nfour\nfive\n", 13);
	wait_for(f, f->got.len == 6);
	assert_string_equal(f->got.at[0], "one");
	assert_string_equal(f->got.at[1], "");
	assert_string_equal(f->got.at[2], "two");
	assert_string_equal(f->got.at[3], "three");
	assert_string_equal(f->got.at[5], "five");
}

static void
the_longest_line_passes_and_a_longer_one_ends(void **state)
{
	struct fixture *f = *state;
	char *big = xmalloc(LINES_MAX + 200000);

	memset(big, 'x', LINES_MAX + 200000);
	say(f, big, LINES_MAX);
	assert_int_equal(f->got.len, 0);
	say(f, "\n", 1);
	wait_for(f, f->got.len == 1);
	assert_int_equal(f->last_len, LINES_MAX);
	assert_int_equal(f->ended, 0);
	(void)send(f->peer, big, LINES_MAX / 2, MSG_DONTWAIT);
	while (f->ended == 0) {
		(void)send(f->peer, big, 100000, MSG_DONTWAIT);
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(f->end_code, EMSGSIZE);
	free(big);
}

static void
the_end_is_told_once_and_half_a_line_is_dropped(void **state)
{
	struct fixture *f = *state;

	say(f, "whole\nhalf", 10);
	(void)close(f->peer);
	f->peer = -1;
	wait_for(f, f->ended == 1);
	assert_int_equal(f->end_code, 0);
	assert_int_equal(f->got.len, 1);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(f->ended, 1);
	assert_false(lines_send(f->lines, "x", 1));
}

static void
a_line_may_close_while_more_wait(void **state)
{
	struct fixture *f = *state;

	f->close_on_line = true;
	say(f, "one\ntwo\nthree\n", 14);
	wait_for(f, f->closed == 1);
	assert_int_equal(f->got.len, 1);
	assert_int_equal(f->ended, 0);
}

static void
lines_are_sent_whole_and_in_order(void **state)
{
	struct fixture *f = *state;
	char buf[64];

	assert_true(lines_send_raw(f->lines, "R", 1));
	assert_true(lines_send(f->lines, "a", 1));
	assert_true(lines_send(f->lines, "", 0));
	assert_true(lines_send(f->lines, "bc", 2));
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(recv(f->peer, buf, sizeof(buf), 0), 7);
	assert_memory_equal(buf, "Ra\n\nbc\n", 7);
}

static void
a_peer_that_does_not_read_is_told(void **state)
{
	struct fixture *f = *state;
	char *big = xcalloc(1, 65536);
	unsigned sent = 0;
	char buf[65536];

	lines_on_drained(f->lines, on_drained);
	while (lines_send(f->lines, big, 65536) && sent < 1000)
		sent++;
	assert_in_range(sent, 128, 140);
	assert_true(lines_pending(f->lines) > (size_t)LINES_MAX * 8);
	while (f->drained == 0) {
		(void)recv(f->peer, buf, sizeof(buf), MSG_DONTWAIT);
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(lines_pending(f->lines), 0);
	assert_true(lines_send(f->lines, "x", 1));
	free(big);
}

static void
a_descriptor_that_is_no_stream_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct error e = { 0 };
	int fd = dup(0);

	(void)close(fd);
	assert_null(lines_new(&f->loop, fd, on_line, on_end, f, &e));
	assert_true(strlen(e.msg) > 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(bytes_in_any_pieces_become_lines),
		T(the_longest_line_passes_and_a_longer_one_ends),
		T(the_end_is_told_once_and_half_a_line_is_dropped),
		T(a_line_may_close_while_more_wait),
		T(lines_are_sent_whole_and_in_order),
		T(a_peer_that_does_not_read_is_told),
		T(a_descriptor_that_is_no_stream_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
