/* nginx in /proc: counting generations, naming a process for sure. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../proxyctl/agent/procs.h"

static void
add(struct procs *p, int pid, int ppid, uint64_t start, enum proc_role role)
{
	*vec_add(&p->list) = (struct proc){
		.pid = pid, .ppid = ppid, .start = start, .role = role
	};
}

static void
leaving_workers_that_started_together_are_one_generation(void **state)
{
	struct procs p = { 0 };

	(void)state;
	assert_int_equal(procs_generations(&p), 0);
	add(&p, 1, 9, 1000, PROC_LEAVING);
	add(&p, 2, 9, 1002, PROC_LEAVING);
	add(&p, 3, 9, 500, PROC_LEAVING);
	add(&p, 4, 9, 2000, PROC_WORKER);
	add(&p, 5, 9, 1500, PROC_LEAVING);
	add(&p, 9, 1, 100, PROC_MASTER);
	assert_int_equal(procs_generations(&p), 3);
	procs_fini(&p);
}

static void
only_a_worker_of_its_own_makes_a_master_serve(void **state)
{
	struct procs p = { 0 };

	(void)state;
	add(&p, 9, 1, 100, PROC_MASTER);
	add(&p, 1, 8, 100, PROC_WORKER);
	add(&p, 2, 9, 100, PROC_LEAVING);
	assert_false(procs_serves(&p, 9));
	add(&p, 3, 9, 100, PROC_WORKER);
	assert_true(procs_serves(&p, 9));
	procs_fini(&p);
}

static void
a_process_is_known_by_pid_and_start(void **state)
{
	struct proc self;
	struct error e;

	(void)state;
	assert_true(procs_stat(getpid(), &self));
	assert_int_equal(self.ppid, getppid());
	assert_int_equal(procs_role(&self), PROC_OTHER);
	assert_int_equal(procs_signal(&self, 0, &e), 0);
	/* The same pid with another start is another process. */
	self.start++;
	assert_int_equal(procs_role(&self), PROC_GONE);
	assert_int_equal(procs_signal(&self, SIGKILL, &e), -1);
	assert_int_equal(e.code, ESRCH);
}

static void
pids_of_children_tell_that_one_came_and_went(void **state)
{
	STR_AUTO(before, PROCS_PIDS_MAX);
	STR_AUTO(with, PROCS_PIDS_MAX);
	STR_AUTO(after, PROCS_PIDS_MAX);
	siginfo_t gone;
	pid_t child;

	(void)state;
	if (procs_children_pids(getpid(), &before, NULL) != 0)
		skip(); /* a kernel that does not tell */
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	assert_int_equal(procs_children_pids(getpid(), &with, NULL), 0);
	assert_string_not_equal(with.p, before.p);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &gone, WEXITED), 0);
	assert_int_equal(procs_children_pids(getpid(), &after, NULL), 0);
	assert_string_equal(after.p, before.p);
	assert_int_equal(procs_children_pids(0, &after, NULL), -1);
	assert_string_equal(after.p, "");
}

static void
a_folder_without_nginx_has_none(void **state)
{
	struct procs p = { 0 };

	(void)state;
	add(&p, 1, 1, 1, PROC_WORKER);
	assert_int_equal(procs_scan("/proc/self/fdinfo", &p, NULL), 0);
	assert_int_equal(p.list.len, 0);
	assert_int_equal(procs_scan("/no/such", &p, NULL), -1);
	procs_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    leaving_workers_that_started_together_are_one_generation),
		cmocka_unit_test(only_a_worker_of_its_own_makes_a_master_serve),
		cmocka_unit_test(a_process_is_known_by_pid_and_start),
		cmocka_unit_test(a_folder_without_nginx_has_none),
		cmocka_unit_test(pids_of_children_tell_that_one_came_and_went),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
