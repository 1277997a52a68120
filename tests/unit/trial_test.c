/* Work tried in a fork. */
#include "../../extension/trial.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

struct fixture {
	uv_loop_t loop;
	int fds;
	unsigned done;
	bool survived;
	char how[64];
};

static int
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	must(d != NULL);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	must(uv_loop_init(&f->loop) == 0);
	f->fds = count_fds();
	*state = f;
	return 0;
}

/* Nothing is left: no handle, no descriptor, no child. */
static int
tear_down(void **state)
{
	struct fixture *f = *state;

	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	must(count_fds() == f->fds);
	must(uv_loop_close(&f->loop) == 0);
	must(waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOHANG) != 0 &&
	    errno == ECHILD);
	free(f);
	return 0;
}

static void
on_done(void *arg, bool survived, const char *how)
{
	struct fixture *f = arg;

	f->done++;
	f->survived = survived;
	must(strlen(how) < sizeof(f->how));
	memcpy(f->how, how, strlen(how) + 1);
}

static struct trial *
start(struct fixture *f, void (*work)(void *arg), uint64_t deadline_ms)
{
	struct error e;
	struct trial *t =
	    trial_start(&f->loop, work, deadline_ms, on_done, f, &e);

	if (t == NULL)
		fail_msg("%s", e.msg);
	return t;
}

static void
do_nothing(void *arg)
{
	struct fixture *f = arg;

	f->how[0] = 'x'; /* in the child's copy */
}

static void
do_abort(void *arg)
{
	(void)arg;
	(void)signal(SIGABRT, SIG_DFL);
	abort();
}

static void
do_exit(void *arg)
{
	(void)arg;
	_exit(7);
}

static void
do_hang(void *arg)
{
	volatile bool forever = true;

	(void)arg;
	while (forever)
		(void)pause();
}

static void
who_comes_to_an_end_survives(void **state)
{
	struct fixture *f = *state;

	(void)start(f, do_nothing, 60000);
	assert_int_equal(f->done, 0);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 1);
	assert_true(f->survived);
}

static void
who_crashes_or_exits_does_not_and_it_is_told_how(void **state)
{
	struct fixture *f = *state;

	(void)start(f, do_abort, 60000);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 1);
	assert_false(f->survived);
	assert_string_equal(f->how, "Aborted");
	(void)start(f, do_exit, 60000);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 2);
	assert_false(f->survived);
	assert_string_equal(f->how, "exit code 7");
}

static void
who_hangs_is_killed_at_the_deadline(void **state)
{
	struct fixture *f = *state;

	(void)start(f, do_hang, 20);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 1);
	assert_false(f->survived);
	assert_string_equal(f->how, "did not end");
}

static void
one_that_is_cancelled_tells_nothing(void **state)
{
	struct fixture *f = *state;

	trial_cancel(NULL);
	trial_cancel(start(f, do_hang, 60000));
	trial_cancel(start(f, do_nothing, 60000));
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 0);
}

static void
several_run_beside_each_other(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++)
		(void)start(f, i % 2 ? do_nothing : do_exit, 60000);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->done, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(who_comes_to_an_end_survives),
		T(who_crashes_or_exits_does_not_and_it_is_told_how),
		T(who_hangs_is_killed_at_the_deadline),
		T(one_that_is_cancelled_tells_nothing),
		T(several_run_beside_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
