/* Output of children, line by line, to standard error. */
#include "../../supervisor/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

struct fixture {
	uv_loop_t loop;
	struct relay *relay;
	int child; /* the writing end */
	int said;  /* a file in place of standard error */
	int stderr_fd;
	unsigned ended;
	struct str text;
};

static void
on_ended(void *arg)
{
	((struct fixture *)arg)->ended++;
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	FILE *file = tmpfile();
	int fds[2];

	must(file != NULL);
	f->said = dup(fileno(file));
	must(fclose(file) == 0);
	must(uv_loop_init(&f->loop) == 0);
	must(pipe2(fds, O_CLOEXEC) == 0);
	f->child = fds[1];
	f->relay = relay_new(&f->loop, fds[0], "child", on_ended, f);
	str_init(&f->text, 16U * 1024 * 1024);
	f->stderr_fd = dup(STDERR_FILENO);
	must(f->said >= 0 && f->stderr_fd >= 0);
	must(dup2(f->said, STDERR_FILENO) >= 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	must(dup2(f->stderr_fd, STDERR_FILENO) >= 0);
	must(uv_loop_close(&f->loop) == 0);
	(void)close(f->said);
	(void)close(f->stderr_fd);
	str_fini(&f->text);
	free(f);
	return 0;
}

static void
child_says(struct fixture *f, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t n = len > 4096 ? 4096 : len;

		must(write(f->child, bytes, n) == (ssize_t)n);
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
		bytes += n;
		len -= n;
	}
}

/* The child ends; what all of it became. */
static const char *
end(struct fixture *f)
{
	char buf[65536];
	ssize_t n;

	(void)close(f->child);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	must(lseek(f->said, 0, SEEK_SET) == 0);
	while ((n = read(f->said, buf, sizeof(buf))) > 0)
		str_addn(&f->text, buf, (size_t)n);
	/* So that a failed assertion is seen. */
	must(dup2(f->stderr_fd, STDERR_FILENO) >= 0);
	assert_int_equal(f->ended, 1);
	return f->text.p;
}

static void
lines_come_whole_and_the_last_one_too(void **state)
{
	struct fixture *f = *state;

	child_says(f, "one\ntw", 6);
	child_says(f, "o\n\nlast wo", 10);
	child_says(f, "rds", 3);
	assert_string_equal(end(f), "one\ntwo\n\nlast words\n");
}

static void
a_long_line_is_cut_and_the_next_one_whole(void **state)
{
	struct fixture *f = *state;
	size_t len = 300000;
	char *line = xmalloc(len);
	const char *text;

	memset(line, 'x', len);
	child_says(f, line, len);
	child_says(f, "\nnext\n", 6);
	text = end(f);
	assert_int_equal(strcspn(text, "\n"), 16384);
	assert_string_equal(text + 16384, "\nnext\n");
	free(line);
}

static void
one_that_shouts_is_held_and_it_is_told(void **state)
{
	struct fixture *f = *state;
	const char *text;
	size_t lines = 0;

	for (int i = 0; i < 20000; i++)
		child_says(f, "shout\n", 6);
	text = end(f);
	for (const char *p = text; (p = strstr(p, "shout\n")) != NULL; p++)
		lines++;
	assert_true(lines >= 200 && lines < 20000);
	assert_non_null(strstr(text, "lines of its output dropped"));
}

static void
closing_early_says_what_was_begun(void **state)
{
	struct fixture *f = *state;

	child_says(f, "begun", 5);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	relay_close(f->relay);
	relay_close(f->relay);
	assert_string_equal(end(f), "begun\n");
}

static void
bytes_pass_as_they_are(void **state)
{
	struct fixture *f = *state;

	child_says(f, "a\0b\xff\n", 5);
	(void)end(f);
	assert_int_equal(f->text.len, 5);
	assert_memory_equal(f->text.p, "a\0b\xff\n", 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(lines_come_whole_and_the_last_one_too),
		T(a_long_line_is_cut_and_the_next_one_whole),
		T(one_that_shouts_is_held_and_it_is_told),
		T(closing_early_says_what_was_begun),
		T(bytes_pass_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
