/* The note on what is being decoded, and what it sets aside. */
#include "docker/decode_guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "docker/decode.h"

#define GOOD "{\"ID\":\"a\",\"Description\":{\"Hostname\":\"h\"}}"
#define EVIL "{\"ID\":\"b\",\"Description\":{\"Hostname\":\"h\"}}"
#define CHANGED "{\"ID\":\"b\",\"Description\":{\"Hostname\":\"i\"}}"

struct fixture {
	char folder[40];
	char *path;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	memcpy(f->folder, "/tmp/bulkhead-test-XXXXXX", 26);
	must(mkdtemp(f->folder) != NULL);
	f->path = xasprintf("%s/note", f->folder);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	decode_guard_close();
	must(fs_remove_tree(f->folder, NULL) == 0);
	free(f->path);
	free(f);
	return 0;
}

/* A run that is ended by a signal while it reads 'json'. */
static void
die_reading(struct fixture *f, const char *json, int signal_number)
{
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		(void)decode_guard_open(f->path);
		(void)signal(signal_number, SIG_DFL);
		if (decode_guard_enter(json, strlen(json), NULL) != 0)
			_exit(2);
		(void)raise(signal_number);
	}
	must(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
	assert_int_equal(info.si_status, signal_number);
}

static bool
reads(const char *json, struct error *e)
{
	struct node *n = docker_decode_node(json, strlen(json), e);
	bool good = n != NULL;

	if (good)
		node_free(n);
	return good;
}

static void
an_object_that_ended_two_runs_is_left_out_until_it_changes(void **state)
{
	struct error e = { 0 };

	die_reading(*state, EVIL, SIGKILL);
	die_reading(*state, EVIL, SIGTERM);
	assert_true(decode_guard_open(((struct fixture *)*state)->path));
	assert_false(reads(EVIL, &e));
	assert_non_null(strstr(e.msg, "until it changes"));
	assert_true(reads(GOOD, &e));
	assert_true(reads(CHANGED, &e));
	/* It stays so over a restart, which is told once. */
	assert_false(decode_guard_open(((struct fixture *)*state)->path));
	assert_false(reads(EVIL, &e));
}

static void
one_death_is_not_enough(void **state)
{
	struct error e;

	die_reading(*state, EVIL, SIGKILL);
	assert_false(decode_guard_open(((struct fixture *)*state)->path));
	assert_true(reads(EVIL, &e));
	/* It was read in between: the deaths were not two in a row. */
	die_reading(*state, EVIL, SIGKILL);
	assert_false(decode_guard_open(((struct fixture *)*state)->path));
	assert_true(reads(EVIL, &e));
}

static void
an_object_that_does_not_decode_is_no_suspect(void **state)
{
	static const char *const odd[] = { "", "[]", "{\"ID\":", "{\"ID\":7}" };
	struct fixture *f = *state;
	struct error e;
	size_t i, round;

	for (round = 0; round < 3; round++) {
		assert_false(decode_guard_open(f->path));
		for (i = 0; i < countof(odd); i++) {
			e.msg[0] = '\0';
			assert_false(reads(odd[i], &e));
			assert_null(strstr(e.msg, "until it changes"));
		}
	}
}

static void
a_run_that_was_ended_elsewhere_suspects_nobody(void **state)
{
	struct fixture *f = *state;
	struct error e;

	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)decode_guard_open(f->path);
			if (!reads(EVIL, NULL))
				_exit(1);
			(void)raise(SIGKILL);
		}
		must(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED) == 0);
	}
	assert_false(decode_guard_open(f->path));
	assert_true(reads(EVIL, &e));
}

static void
many_suspects_are_remembered_and_the_oldest_forgotten(void **state)
{
	struct fixture *f = *state;
	char first[] = "{\"ID\":\"0\"}", other[] = "{\"ID\":\"0\"}";
	struct error e;
	int i;

	for (i = 0; i < 40; i++) {
		other[7] = (char)('0' + i);
		die_reading(f, other, SIGKILL);
		die_reading(f, other, SIGKILL);
	}
	(void)decode_guard_open(f->path);
	assert_false(reads(other, &e));
	assert_true(reads(first, &e));
}

static void
a_damaged_note_is_none(void **state)
{
	struct fixture *f = *state;
	struct error e;
	char noise[2000];

	memset(noise, 0xa5, sizeof(noise));
	for (size_t len = 0; len < sizeof(noise); len += 199) {
		must(fs_write(f->path, noise, len, 0600, &e) == 0);
		assert_false(decode_guard_open(f->path));
		assert_true(reads(EVIL, &e));
	}
	decode_guard_close();
	must(unlink(f->path) == 0 && mkdir(f->path, 0700) == 0);
	assert_false(decode_guard_open(f->path));
	assert_true(reads(EVIL, &e));
}

static void
what_another_version_left_does_not_count(void **state)
{
	struct fixture *f = *state;
	STR_AUTO(text, 65536);
	struct error e;

	die_reading(f, EVIL, SIGKILL);
	die_reading(f, EVIL, SIGKILL);
	must(fs_read(f->path, &text, &e) == 0);
	text.p[8] ^= 1; /* the version's first byte */
	must(fs_write(f->path, text.p, text.len, 0600, &e) == 0);
	assert_false(decode_guard_open(f->path));
	assert_true(reads(EVIL, &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(an_object_that_ended_two_runs_is_left_out_until_it_changes),
		T(one_death_is_not_enough),
		T(an_object_that_does_not_decode_is_no_suspect),
		T(a_run_that_was_ended_elsewhere_suspects_nobody),
		T(many_suspects_are_remembered_and_the_oldest_forgotten),
		T(a_damaged_note_is_none),
		T(what_another_version_left_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
