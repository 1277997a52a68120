/*
 * The nginx master under the keeper: see nginx_child.h.
 *
 * One timer drives it: while a master starts it looks every few milliseconds
 * whether workers accept, while none runs it waits for the next start.
 */
#include "nginx_child.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine_nginx.h"
#include "procs.h"

#define LOOK_MS 10
#define GOOD_RUN_MS 1000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
#define CRASH_MAX_MS 1000 /* for one that served: connections are queued */

#define STATES(X)                                                              \
	X(DOWN, "down")                                                        \
	X(STARTING, "starting")                                                \
	X(UP, "up")                                                            \
	X(STOPPING, "stopping")

enum state {
#define X(name, text) NGINX_##name,
	STATES(X)
#undef X
};

static const char *const state_names[] = {
#define X(name, text) text,
	STATES(X)
#undef X
};

struct nginx_child {
	struct nginx_child_setup setup;
	enum state state;
	bool wanted;
	struct proc master; /* pid 0: none */
	bool is_child;	    /* of this keeper; else watched by a pidfd */
	uv_process_t process;
	uv_poll_t watch;
	int pidfd; /* -1 unless adopted */
	uv_timer_t timer;
	uint64_t started_ms;
	struct backoff backoff; /* of starts that failed */
	struct backoff crashes; /* of masters that served only briefly */
	unsigned fails;
	uint64_t reloads;
	bool closing;
	unsigned open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_timer(uv_timer_t *timer);
static void start(struct nginx_child *n);

static void
set_state(struct nginx_child *n, enum state state)
{
	if (n->state == state)
		return;
	log_debug("nginx: %s -> %s", state_names[n->state], state_names[state]);
	n->state = state;
	n->setup.on_change(n->setup.arg);
}

static void
after(struct nginx_child *n, uint64_t delay_ms)
{
	must(uv_timer_start(&n->timer, on_timer, delay_ms, 0) == 0);
}

/* Signals every nginx in our folder that is not the master or its own. */
static void
retire_others(struct nginx_child *n, int signal_number)
{
	struct procs found = { 0 };
	struct error e;
	unsigned told = 0;
	size_t i;

	if (procs_scan(n->setup.options->dir, &found, &e) != 0) {
		log_warn("nginx: looking for old workers: %s", e.msg);
		return;
	}
	for (i = 0; i < found.list.len; i++) {
		const struct proc *p = &found.list.at[i];

		if (p->pid == n->master.pid)
			continue;
		/* Workers follow their master, but for a kill. */
		if (p->ppid == n->master.pid && signal_number != SIGKILL)
			continue;
		if (p->role == PROC_LEAVING && signal_number == SIGQUIT)
			continue;
		if (procs_signal(p, signal_number, &e) == 0)
			told++;
		else if (e.code != ESRCH)
			log_warn("nginx: old worker: %s", e.msg);
	}
	procs_fini(&found);
	if (told > 0)
		log_info("nginx: %u processes of an earlier master told to "
			 "finish",
		    told);
}

/* The master is gone; 'how' says what became of it. */
static void
on_gone(struct nginx_child *n, const char *how, int code)
{
	uint64_t ran = clock_mono_ms() - n->started_ms, delay = 0;
	bool stopping = n->state == NGINX_STOPPING;

	if (stopping)
		log_info(
		    "nginx: master %d ended (%s %d)", n->master.pid, how, code);
	else if (n->state == NGINX_UP)
		log_warn("nginx: master %d ended (%s %d) after %" PRIu64
			 " ms; starting another",
		    n->master.pid, how, code, ran);
	if (n->state == NGINX_STARTING) {
		n->fails++;
		log_error("nginx: did not start (%s %d)", how, code);
	}
	n->master = (struct proc){ 0 };
	(void)uv_timer_stop(&n->timer);
	if (n->state != NGINX_UP)
		delay = backoff_next(&n->backoff, 0);
	else if (ran < GOOD_RUN_MS)
		delay = backoff_next(&n->crashes, ran);
	else
		n->crashes.next_ms = 0;
	set_state(n, NGINX_DOWN);
	if (stopping)
		n->setup.on_stopped(n->setup.arg);
	else if (n->wanted)
		after(n, delay);
}

static void
drop_handle(struct nginx_child *n)
{
	if (--n->open_handles > 0)
		return;
	if (n->closed != NULL)
		n->closed(n->closed_arg);
	free(n);
}

static void
on_process_closed(uv_handle_t *handle)
{
	struct nginx_child *n =
	    container_of(handle, struct nginx_child, process);

	n->is_child = false;
	if (n->closing)
		drop_handle(n);
}

static void
on_end(uv_process_t *process, int64_t status, int signal_number)
{
	struct nginx_child *n =
	    container_of(process, struct nginx_child, process);

	if (n->closing)
		return;
	uv_close((uv_handle_t *)process, on_process_closed);
	on_gone(n, signal_number != 0 ? "signal" : "exit",
	    signal_number != 0 ? signal_number : (int)status);
}

static void
on_watch_closed(uv_handle_t *handle)
{
	struct nginx_child *n = container_of(handle, struct nginx_child, watch);

	(void)close(n->pidfd);
	n->pidfd = -1;
	if (n->closing)
		drop_handle(n);
}

static void
on_pidfd(uv_poll_t *watch, int status, int events)
{
	struct nginx_child *n = container_of(watch, struct nginx_child, watch);

	(void)status;
	(void)events;
	if (n->closing)
		return;
	uv_close((uv_handle_t *)watch, on_watch_closed);
	on_gone(n, "not our child, status", 0);
}

/* True when workers of the master accept. */
static bool
look(struct nginx_child *n)
{
	struct procs children = { 0 };
	bool serves;

	/* Signal handlers stand once nginx has written its pid. */
	if (n->pidfd < 0 &&
	    engine_nginx_pid_file(n->setup.options->dir) != n->master.pid)
		return false;
	procs_children(n->master.pid, &children);
	serves = procs_serves(&children, n->master.pid);
	procs_fini(&children);
	return serves;
}

static void
on_timer(uv_timer_t *timer)
{
	struct nginx_child *n = container_of(timer, struct nginx_child, timer);

	if (n->closing)
		return;
	if (n->state == NGINX_DOWN) {
		if (n->is_child || n->pidfd >= 0)
			after(n, 1); /* the old handle closes first */
		else if (n->wanted)
			start(n);
	} else if (n->state == NGINX_STARTING) {
		if (!look(n)) {
			after(n, LOOK_MS);
			return;
		}
		n->fails = 0;
		n->backoff.next_ms = 0;
		log_info("nginx: master %d serves", n->master.pid);
		set_state(n, NGINX_UP);
		retire_others(n, SIGQUIT);
	} else if (n->state == NGINX_STOPPING && n->master.pid == 0) {
		set_state(n, NGINX_DOWN);
		n->setup.on_stopped(n->setup.arg);
	}
}

static int
spawn(struct nginx_child *n, struct error *e)
{
	uv_stdio_container_t stdio[3 + SOCKET_ROLES];
	struct engine_command *c;
	uv_process_options_t o = { 0 };
	int rc, count = 3;
	size_t i;

	stdio[0].flags = UV_IGNORE;
	stdio[1].flags = stdio[2].flags = UV_INHERIT_FD;
	stdio[1].data.fd = n->setup.out_fd;
	stdio[2].data.fd = n->setup.err_fd;
	for (i = 0; i < SOCKET_ROLES; i++) {
		if (n->setup.sockets->at[i].fd < 0)
			continue;
		stdio[count].flags = UV_INHERIT_FD;
		stdio[count++].data.fd = n->setup.sockets->at[i].fd;
	}
	c = engine_nginx_run_command(n->setup.options, count - 3);
	o.file = c->argv[0];
	o.args = c->argv;
	o.env = c->env;
	o.cwd = n->setup.options->dir;
	o.stdio = stdio;
	o.stdio_count = count;
	/* A session of its own: it outlives us and our terminal. */
	o.flags = UV_PROCESS_DETACHED;
	o.exit_cb = on_end;
	rc = uv_spawn(n->setup.loop, &n->process, &o);
	engine_command_free(c);
	/* Also a spawn that failed leaves a handle to close. */
	n->is_child = true;
	if (rc != 0) {
		uv_close((uv_handle_t *)&n->process, on_process_closed);
		return error_set(e, -rc, "starting nginx: %s", uv_strerror(rc));
	}
	return 0;
}

/* Sockets of a process that runs; what cannot be had is told. */
static void
take_sockets(struct nginx_child *n, int pid)
{
	struct error e;

	if (sockets_recover(n->setup.sockets, pid, &e) < 0)
		log_warn("nginx: its sockets stay with it: %s", e.msg);
}

void
nginx_child_take_sockets(struct nginx_child *n)
{
	struct procs found = { 0 };
	size_t i;

	if (sockets_complete(n->setup.sockets) ||
	    procs_scan(n->setup.options->dir, &found, NULL) != 0)
		return;
	for (i = 0; i < found.list.len; i++) {
		if (found.list.at[i].role != PROC_LEAVING &&
		    !sockets_complete(n->setup.sockets))
			take_sockets(n, found.list.at[i].pid);
	}
	procs_fini(&found);
}

static void
start(struct nginx_child *n)
{
	struct error e;

	n->started_ms = clock_mono_ms();
	engine_nginx_clear_stale(n->setup.options->dir);
	/* Workers of a dead master may hold what we do not. */
	nginx_child_take_sockets(n);
	if (sockets_bind(n->setup.sockets, &e) != 0 ||
	    sockets_listen(n->setup.sockets, &e) != 0 || spawn(n, &e) != 0) {
		uint64_t delay = backoff_next(&n->backoff, 0);

		n->fails++;
		log_error("nginx: %s; again in %" PRIu64 " ms", e.msg, delay);
		n->setup.on_change(n->setup.arg);
		after(n, delay);
		return;
	}
	if (!procs_stat(n->process.pid, &n->master))
		n->master = (struct proc){ .pid = n->process.pid };
	set_state(n, NGINX_STARTING);
	after(n, LOOK_MS);
}

struct nginx_child *
nginx_child_new(const struct nginx_child_setup *setup)
{
	struct nginx_child *n = xcalloc(1, sizeof(*n));

	n->setup = *setup;
	n->pidfd = -1;
	n->backoff = (struct backoff)BACKOFF_INIT(
	    BACKOFF_MIN_MS, BACKOFF_MAX_MS, GOOD_RUN_MS);
	n->crashes = (struct backoff)BACKOFF_INIT(
	    BACKOFF_MIN_MS, CRASH_MAX_MS, GOOD_RUN_MS);
	must(uv_timer_init(setup->loop, &n->timer) == 0);
	return n;
}

/* The master to adopt: the one in nginx.pid, else any. */
static const struct proc *
pick_master(const struct nginx_child *n, const struct procs *found)
{
	int told = engine_nginx_pid_file(n->setup.options->dir);
	const struct proc *best = NULL;
	size_t i;

	for (i = 0; i < found->list.len; i++) {
		const struct proc *p = &found->list.at[i];

		if (p->role == PROC_MASTER && (best == NULL || p->pid == told))
			best = p;
	}
	return best;
}

static bool
watch_master(struct nginx_child *n, const struct proc *p)
{
	int fd = pidfd_open(p->pid, 0);

	if (fd < 0)
		return false;
	n->pidfd = fd;
	must(uv_poll_init(n->setup.loop, &n->watch, fd) == 0);
	must(uv_poll_start(&n->watch, UV_READABLE, on_pidfd) == 0);
	n->master = *p;
	n->wanted = true;
	/* It runs for longer than we know. */
	n->started_ms = clock_mono_ms() - GOOD_RUN_MS;
	return true;
}

bool
nginx_child_adopt(struct nginx_child *n)
{
	struct procs found = { 0 };
	const struct proc *master;
	struct error e;
	bool adopted = false;
	size_t i;

	if (procs_scan(n->setup.options->dir, &found, &e) != 0) {
		log_warn("nginx: looking for a running one: %s", e.msg);
		return false;
	}
	master = pick_master(n, &found);
	if (master != NULL) {
		take_sockets(n, master->pid);
		adopted = watch_master(n, master);
	}
	/* Workers whose master died with the last keeper have them, too. */
	for (i = 0; i < found.list.len && !adopted; i++) {
		if (found.list.at[i].role == PROC_WORKER)
			take_sockets(n, found.list.at[i].pid);
	}
	procs_fini(&found);
	if (adopted) {
		log_info("nginx: master %d adopted", n->master.pid);
		set_state(n, NGINX_STARTING);
		on_timer(&n->timer);
	}
	return adopted;
}

void
nginx_child_start(struct nginx_child *n)
{
	if (n->wanted)
		return;
	n->wanted = true;
	if (n->state == NGINX_DOWN)
		start(n);
}

int
nginx_child_reload(struct nginx_child *n, struct error *e)
{
	/* Before it is up, the signal would end it. */
	if (n->state != NGINX_UP)
		return error_set(
		    e, EAGAIN, "nginx is %s", state_names[n->state]);
	if (procs_signal(&n->master, SIGHUP, e) != 0)
		return -1;
	n->reloads++;
	n->setup.on_change(n->setup.arg);
	return 0;
}

void
nginx_child_stop(struct nginx_child *n, int signal_number)
{
	n->wanted = false;
	(void)uv_timer_stop(&n->timer);
	retire_others(n, signal_number);
	set_state(n, NGINX_STOPPING);
	if (n->master.pid == 0)
		after(n, 0);
	else
		(void)procs_signal(&n->master, signal_number, NULL);
}

void
nginx_child_status(const struct nginx_child *n, struct nginx_child_status *ret)
{
	*ret = (struct nginx_child_status){
		.pid = n->master.pid,
		.up = n->state == NGINX_UP,
		.fails = n->fails,
		.reloads = n->reloads,
	};
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct nginx_child *n = container_of(handle, struct nginx_child, timer);

	drop_handle(n);
}

void
nginx_child_close(struct nginx_child *n, void (*closed)(void *arg), void *arg)
{
	if (n->closing)
		return;
	n->closing = true;
	n->closed = closed;
	n->closed_arg = arg;
	n->open_handles = 1;
	uv_close((uv_handle_t *)&n->timer, on_timer_closed);
	if (n->is_child) {
		n->open_handles++;
		if (!uv_is_closing((uv_handle_t *)&n->process))
			uv_close((uv_handle_t *)&n->process, on_process_closed);
	}
	if (n->pidfd >= 0) {
		n->open_handles++;
		if (!uv_is_closing((uv_handle_t *)&n->watch))
			uv_close((uv_handle_t *)&n->watch, on_watch_closed);
	}
}
