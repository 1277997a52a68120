/* One child, its output and its end: see run.h. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "sockets.h"

#define OUTPUT_MAX (64 * 1024)
#define MEMORY_MAX (4ULL << 30)

struct run {
	uv_process_t process;
	uv_pipe_t pipe;
	uv_timer_t timer;
	struct str output;
	bool spawned;
	bool exited;
	bool output_ended;
	bool too_late;
	bool told;
	int64_t status;
	int signal_number;
	run_fn *done;
	void *arg;
	bool closing;
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
	char chunk[4096];
};

static void
tell(struct run *r)
{
	struct run_result result = {
		.too_late = r->too_late,
		.exit_code = (int)r->status,
		.signal_number = r->signal_number,
		.output = r->output.p,
		.len = r->output.len,
	};

	if (!r->exited || !r->output_ended || r->told || r->closing)
		return;
	r->told = true;
	(void)uv_timer_stop(&r->timer);
	r->done(r->arg, &result);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct run *r = container_of(handle, struct run, pipe);

	(void)suggested;
	*buf = uv_buf_init(r->chunk, sizeof(r->chunk));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct run *r = container_of(stream, struct run, pipe);

	if (r->closing || r->output_ended)
		return;
	if (n < 0) {
		r->output_ended = true;
		(void)uv_read_stop(stream);
		tell(r);
		return;
	}
	/* The first words are those that matter. */
	if ((size_t)n > r->output.max - r->output.len)
		n = (ssize_t)(r->output.max - r->output.len);
	str_addn(&r->output, buf->base, (size_t)n);
}

static void
on_end(uv_process_t *process, int64_t status, int signal_number)
{
	struct run *r = container_of(process, struct run, process);

	r->exited = true;
	r->status = status;
	r->signal_number = signal_number;
	tell(r);
}

static void
on_timer(uv_timer_t *timer)
{
	struct run *r = container_of(timer, struct run, timer);

	if (r->closing || r->told)
		return;
	r->too_late = true;
	if (!r->exited)
		(void)uv_process_kill(&r->process, SIGKILL);
	r->output_ended = true;
	tell(r);
}

static void
limit(int pid)
{
	struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
	struct rlimit core = { 0, 0 };

	(void)prlimit(pid, RLIMIT_AS, &memory, NULL);
	(void)prlimit(pid, RLIMIT_CORE, &core, NULL);
}

static int
spawn(struct run *r, uv_loop_t *loop, const struct engine_command *command,
    const char *cwd, const int *fds, int fd_count, int out, struct error *e)
{
	uv_stdio_container_t stdio[3 + SOCKET_ROLES];
	uv_process_options_t o = { 0 };
	int i, rc;

	must(fd_count <= SOCKET_ROLES);
	stdio[0].flags = UV_IGNORE;
	for (i = 1; i < 3 + fd_count; i++) {
		stdio[i].flags = UV_INHERIT_FD;
		stdio[i].data.fd = i < 3 ? out : fds[i - 3];
	}
	o.file = command->argv[0];
	o.args = (char **)command->argv;
	o.env = (char **)command->env;
	o.cwd = cwd;
	o.stdio = stdio;
	o.stdio_count = 3 + fd_count;
	o.exit_cb = on_end;
	rc = uv_spawn(loop, &r->process, &o);
	r->spawned = true;
	r->exited = rc != 0;
	if (rc != 0)
		return error_set(e, -rc, "running %s: %s", command->argv[0],
		    uv_strerror(rc));
	limit(r->process.pid);
	return 0;
}

struct run *
run_start(uv_loop_t *loop, const struct engine_command *command,
    const char *cwd, const int *fds, int fd_count, uint64_t deadline_ms,
    run_fn *done, void *arg, struct error *e)
{
	struct run *r;
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		(void)error_errno(
		    e, errno, "running %s: pipe", command->argv[0]);
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	str_init(&r->output, OUTPUT_MAX);
	r->done = done;
	r->arg = arg;
	must(uv_timer_init(loop, &r->timer) == 0);
	must(uv_pipe_init(loop, &r->pipe, 0) == 0);
	must(uv_pipe_open(&r->pipe, ends[0]) == 0);
	must(uv_read_start((uv_stream_t *)&r->pipe, on_alloc, on_read) == 0);
	must(uv_timer_start(&r->timer, on_timer, deadline_ms, 0) == 0);
	rc = spawn(r, loop, command, cwd, fds, fd_count, ends[1], e);
	(void)close(ends[1]);
	if (rc != 0) {
		run_close(r, NULL, NULL);
		return NULL;
	}
	return r;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct run *r = handle->data;

	if (--r->open > 0)
		return;
	if (r->closed != NULL)
		r->closed(r->closed_arg);
	str_fini(&r->output);
	free(r);
}

void
run_close(struct run *r, void (*closed)(void *arg), void *arg)
{
	uv_handle_t *handles[3];
	size_t i;

	if (r == NULL || r->closing)
		return;
	handles[0] = (uv_handle_t *)&r->timer;
	handles[1] = (uv_handle_t *)&r->pipe;
	handles[2] = (uv_handle_t *)&r->process;
	r->closing = true;
	r->closed = closed;
	r->closed_arg = arg;
	if (r->spawned && !r->exited)
		(void)uv_process_kill(&r->process, SIGKILL);
	for (i = 0; i < countof(handles); i++) {
		if (handles[i] == (uv_handle_t *)&r->process && !r->spawned)
			continue;
		handles[i]->data = r;
		r->open++;
		uv_close(handles[i], on_handle_closed);
	}
}
