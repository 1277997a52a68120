/* Trials in a fork: see trial.h. */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

struct trial {
	pid_t pid;
	int fd; /* what the child says before it ends well */
	uv_poll_t poll;
	uv_timer_t deadline;
	bool too_late;
	bool over;
	unsigned open;
	void (*done)(void *arg, bool survived, const char *how);
	void *arg;
};

static void
run_child(int fd, void (*work)(void *arg), void *arg)
{
	static const struct rlimit no_core = { 0, 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	work(arg);
	if (write(fd, "k", 1) != 1)
		_exit(1);
	_exit(0);
}

static void
on_closed(uv_handle_t *handle)
{
	struct trial *t = handle->data;

	if (--t->open > 0)
		return;
	(void)close(t->fd);
	free(t);
}

static void
end(struct trial *t)
{
	t->over = true;
	uv_close((uv_handle_t *)&t->poll, on_closed);
	uv_close((uv_handle_t *)&t->deadline, on_closed);
}

/* The child is ending: its pipe is closed, or it was killed. */
static void
reap(struct trial *t, char *ret_how, size_t size)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	while (
	    waitid(P_PID, (id_t)t->pid, &info, WEXITED) != 0 && errno == EINTR)
		;
	if (t->too_late)
		(void)snprintf(ret_how, size, "did not end");
	else if (info.si_code == CLD_EXITED)
		(void)snprintf(ret_how, size, "exit code %d", info.si_status);
	else
		(void)snprintf(ret_how, size, "%s", strsignal(info.si_status));
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct trial *t = poll->data;
	char byte, how[64];
	bool survived;
	ssize_t n;

	(void)status;
	(void)events;
	if (t->over)
		return;
	n = read(t->fd, &byte, 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	survived = n == 1;
	reap(t, how, sizeof(how));
	end(t);
	t->done(t->arg, survived, how);
}

static void
on_deadline(uv_timer_t *timer)
{
	struct trial *t = timer->data;

	if (t->over)
		return;
	t->too_late = true;
	(void)kill(t->pid, SIGKILL);
}

void
trial_cancel(struct trial *t)
{
	char how[64];

	if (t == NULL || t->over)
		return;
	(void)kill(t->pid, SIGKILL);
	reap(t, how, sizeof(how));
	end(t);
}

struct trial *
trial_start(uv_loop_t *loop, void (*work)(void *arg), uint64_t deadline_ms,
    void (*done)(void *arg, bool survived, const char *how), void *arg,
    struct error *e)
{
	struct trial *t;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
		(void)error_errno(e, errno, "pipe");
		return NULL;
	}
	pid = fork();
	if (pid == 0)
		run_child(fds[1], work, arg);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)error_errno(e, errno, "fork");
		(void)close(fds[0]);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->pid = pid;
	t->fd = fds[0];
	t->done = done;
	t->arg = arg;
	t->open = 2;
	t->poll.data = t->deadline.data = t;
	must(uv_poll_init(loop, &t->poll, t->fd) == 0);
	must(uv_poll_start(
		 &t->poll, UV_READABLE | UV_DISCONNECT, on_readable) == 0);
	must(uv_timer_init(loop, &t->deadline) == 0);
	must(uv_timer_start(&t->deadline, on_deadline, deadline_ms, 0) == 0);
	return t;
}
