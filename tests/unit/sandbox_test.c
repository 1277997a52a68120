/* What our processes cannot do any more: tried in children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sandbox.h"

#define NOBODY 65534

static char folder[64], inside[80], outside[80], docker[96];

/* The errno of 'attempt' in a child within the sandbox; 0: it went well. */
static int
in_child(enum sandbox_kind kind, bool fence, bool nobody, int (*attempt)(void))
{
	const char *const writable[] = { inside };
	struct error e;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (nobody && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
			_exit(200);
		if (fence && sandbox_fence(writable, 1, &e) != 0)
			_exit(e.code == ENOSYS || e.code == EOPNOTSUPP ? 203
								       : 201);
		if (sandbox_filter(kind, &e) != 0)
			_exit(202);
		_exit(attempt() == 0 ? 0 : errno);
	}
	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)pid, &info, WEXITED) == 0) {
			assert_int_equal(info.si_code, CLD_EXITED);
			status = info.si_status;
			break;
		}
	}
	return status;
}

static int
run_true(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return execv("/bin/true", argv);
}

static int
connect_to_docker(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", docker);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static int
send_by_udp(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 ? -1 : 0;
}

static int
connect_by_fast_open(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&a,
		   sizeof(a)) < 0
	    ? -1
	    : 0;
}

static int
new_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int
mount_something(void)
{
	return mount("none", inside, "tmpfs", 0, NULL);
}

static int
write_file(const char *where)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file", where);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	return write(fd, "x", 1) == 1 && unlink(path) == 0 ? 0 : -1;
}

static int
write_inside(void)
{
	return write_file(inside);
}

static int
write_outside(void)
{
	return write_file(outside);
}

static int
remove_outside(void)
{
	return rmdir(outside);
}

static int
listen_and_accept(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", inside);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, 1) != 0 || unlink(a.sun_path) != 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	return send(pair[0], "x", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int
fork_and_wait(void)
{
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitid(P_PID, (id_t)pid, &info, WEXITED);
}

static void *
in_thread(void *arg)
{
	return arg;
}

static int
start_thread(void)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, in_thread, NULL);

	errno = rc;
	return rc == 0 && pthread_join(t, NULL) == 0 ? 0 : -1;
}

static void
an_extension_runs_nothing_and_calls_nobody(void **state)
{
	(void)state;
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, run_true), EPERM);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, connect_to_docker),
	    EPERM);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, send_by_udp), EPERM);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, connect_by_fast_open),
	    EPERM);
}

static void
an_extension_does_its_work(void **state)
{
	(void)state;
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, listen_and_accept), 0);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, fork_and_wait), 0);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, start_thread), 0);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, false, false, write_inside), 0);
}

static void
nobody_of_ours_mounts_or_makes_namespaces(void **state)
{
	static const enum sandbox_kind kinds[] = { SANDBOX_EXTENSION,
		SANDBOX_READER, SANDBOX_AGENT };
	size_t i;

	(void)state;
	for (i = 0; i < countof(kinds); i++) {
		assert_int_equal(
		    in_child(kinds[i], false, false, new_namespace), EPERM);
		assert_int_equal(
		    in_child(kinds[i], false, false, mount_something), EPERM);
	}
}

static void
a_reader_connects_and_runs_nothing(void **state)
{
	(void)state;
	assert_int_equal(
	    in_child(SANDBOX_READER, false, false, connect_to_docker), 0);
	assert_int_equal(
	    in_child(SANDBOX_READER, false, false, run_true), EPERM);
}

static void
an_agent_runs_its_engine(void **state)
{
	(void)state;
	assert_int_equal(in_child(SANDBOX_AGENT, false, false, run_true), 0);
}

static void
behind_the_fence_only_its_folder_is_written(void **state)
{
	int rc = in_child(SANDBOX_EXTENSION, true, false, write_inside);

	(void)state;
	if (rc == 203) {
		puts("# no Landlock in this kernel");
		skip();
	}
	assert_int_equal(rc, 0);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, true, false, listen_and_accept), 0);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, true, false, write_outside), EACCES);
	assert_int_equal(
	    in_child(SANDBOX_EXTENSION, true, false, remove_outside), EACCES);
	/* The fence alone keeps programs away too. */
	assert_int_equal(
	    in_child(SANDBOX_AGENT, true, false, run_true), EACCES);
}

static void
without_root_dockers_socket_is_closed(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(
	    in_child(SANDBOX_READER, false, true, connect_to_docker), EACCES);
	assert_int_equal(
	    in_child(SANDBOX_READER, false, true, write_outside), EACCES);
}

static int
give_away(void)
{
	struct error e;

	if (sandbox_drop_capabilities(&e) != 0)
		return -1;
	return chown(outside, NOBODY, NOBODY);
}

static int
drop_and_connect(void)
{
	struct error e;

	if (sandbox_drop_capabilities(&e) != 0)
		return -1;
	return connect_to_docker();
}

static void
a_reader_keeps_roots_files_and_none_of_its_powers(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(
	    in_child(SANDBOX_READER, false, false, give_away), EPERM);
	assert_int_equal(
	    in_child(SANDBOX_READER, false, false, drop_and_connect), 0);
}

static int
make_folders(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/bh-sandbox-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(inside, sizeof(inside), "%s/in", folder);
	(void)snprintf(outside, sizeof(outside), "%s/out", folder);
	(void)snprintf(docker, sizeof(docker), "%s/docker.sock", folder);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", docker);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (chmod(folder, 0755) != 0 || mkdir(inside, 0755) != 0 ||
	    mkdir(outside, 0755) != 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return -1;
	return chmod(docker, 0660) == 0 && listen(fd, 64) == 0 ? 0 : -1;
}

static int
remove_folders(void **state)
{
	(void)state;
	(void)unlink(docker);
	(void)rmdir(inside);
	(void)rmdir(outside);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_extension_runs_nothing_and_calls_nobody),
		cmocka_unit_test(an_extension_does_its_work),
		cmocka_unit_test(nobody_of_ours_mounts_or_makes_namespaces),
		cmocka_unit_test(a_reader_connects_and_runs_nothing),
		cmocka_unit_test(an_agent_runs_its_engine),
		cmocka_unit_test(behind_the_fence_only_its_folder_is_written),
		cmocka_unit_test(without_root_dockers_socket_is_closed),
		cmocka_unit_test(
		    a_reader_keeps_roots_files_and_none_of_its_powers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
