/* Spawning and watching the worker: see worker_child.h. */
#include "worker_child.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/lines.h"
#include "worker.h"

#define GOOD_RUN_MS 5000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 1000
#define SILENCE_MS 15000
#define LOOK_MS 1000
#define END_MS 2000

struct worker_child {
	struct worker_child_setup setup;
	uv_process_t process;
	bool running; /* the handle is in use */
	bool exited;
	struct lines *link;
	uv_timer_t timer; /* next start, or next look at the silence */
	uint64_t started_ms, heard_ms;
	struct backoff backoff;
	unsigned fails;
	bool closing;
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_timer(uv_timer_t *timer);

static void
after(struct worker_child *c, uint64_t ms)
{
	must(uv_timer_start(&c->timer, on_timer, ms, 0) == 0);
}

static void
drop(struct worker_child *c)
{
	if (--c->open > 0)
		return;
	if (c->closed != NULL)
		c->closed(c->closed_arg);
	free(c);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	drop(container_of(handle, struct worker_child, timer));
}

static void
on_process_closed(uv_handle_t *handle)
{
	struct worker_child *c =
	    container_of(handle, struct worker_child, process);
	uint64_t delay;

	c->running = false;
	if (c->closing) {
		uv_close((uv_handle_t *)&c->timer, on_timer_closed);
		drop(c);
		return;
	}
	delay = backoff_next(&c->backoff, clock_mono_ms() - c->started_ms);
	after(c, delay);
	if (c->fails > 0)
		c->setup.on_trouble(c->setup.arg, c->fails);
}

static void
on_process_end(uv_process_t *process, int64_t status, int signal_number)
{
	struct worker_child *c =
	    container_of(process, struct worker_child, process);
	uint64_t ran = clock_mono_ms() - c->started_ms;

	c->exited = true;
	lines_close(c->link, NULL, NULL);
	c->link = NULL;
	if (!c->closing) {
		c->fails = ran >= GOOD_RUN_MS ? 0 : c->fails + 1;
		log_warn("worker %d ended (%s %d) after %" PRIu64
			 " ms; starting another, traffic goes on",
		    process->pid, signal_number != 0 ? "signal" : "exit",
		    signal_number != 0 ? signal_number : (int)status, ran);
	}
	uv_close((uv_handle_t *)process, on_process_closed);
}

static void
on_line(void *arg, char *line, size_t len)
{
	struct worker_child *c = arg;
	struct link_message m;
	struct error e;

	c->heard_ms = clock_mono_ms();
	if (link_decode(line, len, &m, &e) != 0) {
		log_error("worker: %s; ending it", e.msg);
		(void)uv_process_kill(&c->process, SIGKILL);
		return;
	}
	c->setup.on_message(c->setup.arg, &m);
}

static void
on_line_end(void *arg, const struct error *e)
{
	struct worker_child *c = arg;

	(void)e;
	if (!c->closing && c->running && !c->exited)
		(void)uv_process_kill(&c->process, SIGKILL);
}

/* Our own command line, and the word that makes it the worker's. */
static char **
worker_argv(const struct agent_options *o)
{
	char **argv = xcalloc((size_t)o->argc + 5, sizeof(*argv));
	int i, n = 0;

	argv[n++] = (char *)"proxyctl";
	argv[n++] = (char *)"agent";
	for (i = 1; i < o->argc; i++)
		argv[n++] = o->argv[i];
	argv[n++] = (char *)"--worker";
	return argv;
}

static int
spawn(struct worker_child *c, int link_fd, struct error *e)
{
	uv_stdio_container_t stdio[4 + SOCKET_ROLES];
	char *env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL,
		NULL };
	char *tz _cleanup_free_ = NULL;
	char **argv _cleanup_free_ = worker_argv(c->setup.options);
	uv_process_options_t o = { 0 };
	int rc, count = 4;
	size_t i;

	if (getenv("TZ") != NULL)
		env[1] = tz = xasprintf("TZ=%s", getenv("TZ"));
	stdio[0].flags = UV_IGNORE;
	stdio[1].flags = stdio[2].flags = stdio[3].flags = UV_INHERIT_FD;
	stdio[1].data.fd = c->setup.out_fd;
	stdio[2].data.fd = c->setup.err_fd;
	stdio[3].data.fd = link_fd;
	for (i = 0; i < SOCKET_ROLES; i++) {
		if (c->setup.sockets->at[i].fd < 0)
			continue;
		stdio[count].flags = UV_INHERIT_FD;
		stdio[count++].data.fd = c->setup.sockets->at[i].fd;
	}
	o.file = "/proc/self/exe";
	o.args = argv;
	o.env = env;
	o.stdio = stdio;
	o.stdio_count = count;
	o.flags = UV_PROCESS_DETACHED;
	o.exit_cb = on_process_end;
	rc = uv_spawn(c->setup.loop, &c->process, &o);
	c->running = true;
	if (rc != 0) {
		c->exited = true;
		uv_close((uv_handle_t *)&c->process, on_process_closed);
		return error_set(e, -rc, "%s", uv_strerror(rc));
	}
	c->exited = false;
	return 0;
}

static void
start(struct worker_child *c)
{
	struct error e;
	int ends[2];

	c->started_ms = c->heard_ms = clock_mono_ms();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		log_error("worker: socketpair: %s; again", strerror(errno));
		after(c, backoff_next(&c->backoff, 0));
		return;
	}
	if (spawn(c, ends[1], &e) != 0) {
		log_error("worker: cannot be started: %s; again", e.msg);
		(void)close(ends[0]);
		(void)close(ends[1]);
		return;
	}
	(void)close(ends[1]);
	c->link =
	    lines_new(c->setup.loop, ends[0], on_line, on_line_end, c, &e);
	if (c->link == NULL) {
		log_error("worker: %s", e.msg);
		(void)uv_process_kill(&c->process, SIGKILL);
		return;
	}
	after(c, LOOK_MS);
	c->setup.on_start(c->setup.arg);
}

static void
on_timer(uv_timer_t *timer)
{
	struct worker_child *c =
	    container_of(timer, struct worker_child, timer);

	if (c->closing) {
		if (c->running && !c->exited)
			(void)uv_process_kill(&c->process, SIGKILL);
		return;
	}
	if (!c->running) {
		start(c);
		return;
	}
	if (clock_mono_ms() - c->heard_ms > SILENCE_MS) {
		log_error("worker %d is silent for %d s: ending it",
		    c->process.pid, SILENCE_MS / 1000);
		(void)uv_process_kill(&c->process, SIGKILL);
	}
	after(c, LOOK_MS);
}

struct worker_child *
worker_child_new(const struct worker_child_setup *setup)
{
	struct worker_child *c = xcalloc(1, sizeof(*c));

	c->setup = *setup;
	c->backoff = (struct backoff)BACKOFF_INIT(
	    BACKOFF_MIN_MS, BACKOFF_MAX_MS, GOOD_RUN_MS);
	must(uv_timer_init(setup->loop, &c->timer) == 0);
	after(c, 0);
	return c;
}

void
worker_child_send(struct worker_child *c, const struct link_message *m)
{
	STR_AUTO(line, 1024);

	if (c->link == NULL)
		return;
	link_encode(m, &line);
	(void)lines_send(c->link, line.p, line.len);
}

void
worker_child_close(struct worker_child *c, void (*closed)(void *arg), void *arg)
{
	if (c->closing)
		return;
	c->closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	c->open = 1;
	lines_close(c->link, NULL, NULL);
	c->link = NULL;
	if (!c->running) {
		uv_close((uv_handle_t *)&c->timer, on_timer_closed);
		return;
	}
	c->open++;
	after(c, END_MS);
}
