/*
 * A child as a real process (see process.h): what child.c decides is carried
 * out here.  Each start is a 'run' with handles of its own, so that the next
 * start never waits for the last one's to close.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "loop/child_abi.h"
#include "loop/lines.h"
#include "relay.h"

#define ANSWER_MAX (256U * 1024 * 1024)
#define QUERY_TICK_MS 100

struct query {
	uint64_t id;
	uint64_t deadline_ms;
	struct str body;
	process_answer_fn *answer;
	void *arg;
};

/* One incarnation of the child. */
struct run {
	struct process *process; /* NULL once it is no longer the current */
	uv_process_t handle;
	uv_poll_t ready; /* waits for the ready byte */
	int fd;		 /* ours of fd 3, until 'lines' takes it; -1 */
	struct lines *lines;
	struct relay *relay;
	int open; /* handles that still have to close */
	bool exited;
	bool closing;
};

struct process {
	struct child child;
	uv_loop_t *loop;
	char *name;
	char **argv;
	uid_t uid;
	gid_t gid;
	uv_timer_t timer; /* the child's */
	uv_timer_t query_timer;
	struct run *run;
	VEC(struct query *) queries;
	uint64_t last_query;
	struct process_handlers handlers;
	void *arg;
	uint64_t turn_us; /* its longest turn, as its last pong says */
	bool closing;
	int open;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- the end of a run ---- */

static void
process_maybe_free(struct process *p)
{
	size_t i;

	if (!p->closing || p->open > 0 || p->run != NULL)
		return;
	if (p->closed != NULL)
		p->closed(p->closed_arg);
	for (i = 0; p->argv[i] != NULL; i++)
		free(p->argv[i]);
	free(p->argv);
	free(p->name);
	vec_fini(&p->queries);
	free(p);
}

static void
run_maybe_free(struct run *r)
{
	struct process *p = r->process;

	if (r->open > 0 || !r->exited)
		return;
	if (p != NULL && p->run == r)
		p->run = NULL;
	free(r);
	if (p != NULL)
		process_maybe_free(p);
}

static void
on_run_part_closed(void *arg)
{
	struct run *r = arg;

	r->open--;
	run_maybe_free(r);
}

static void
on_process_closed(uv_handle_t *handle)
{
	on_run_part_closed(container_of(handle, struct run, handle));
}

static void
on_ready_closed(uv_handle_t *handle)
{
	struct run *r = container_of(handle, struct run, ready);

	if (r->fd >= 0)
		(void)close(r->fd);
	r->fd = -1;
	on_run_part_closed(r);
}

/* Closes the line to the child: fd 3 before or after it was ready. */
static void
run_close_line(struct run *r)
{
	if (r->lines != NULL)
		lines_close(r->lines, on_run_part_closed, r);
	else if (!uv_is_closing((uv_handle_t *)&r->ready))
		uv_close((uv_handle_t *)&r->ready, on_ready_closed);
	r->lines = NULL;
}

static void
run_close(struct run *r)
{
	if (r->closing)
		return;
	r->closing = true;
	run_close_line(r);
	/* The relay goes on to the pipe's end: last words are kept. */
	uv_close((uv_handle_t *)&r->handle, on_process_closed);
}

/* ---- queries ---- */

static void
query_end(struct process *p, size_t i, unsigned status)
{
	struct query *q = p->queries.at[i];

	vec_remove(&p->queries, i);
	if (p->queries.len == 0)
		(void)uv_timer_stop(&p->query_timer);
	q->answer(q->arg, status, q->body.p, q->body.len);
	str_fini(&q->body);
	free(q);
}

static void
queries_end_all(struct process *p)
{
	while (p->queries.len > 0) {
		str_clear(&p->queries.at[0]->body);
		query_end(p, 0, 503);
	}
}

static void
on_query_tick(uv_timer_t *timer)
{
	struct process *p = container_of(timer, struct process, query_timer);
	uint64_t now = clock_mono_ms();
	size_t i = 0;

	while (i < p->queries.len) {
		if (p->queries.at[i]->deadline_ms > now) {
			i++;
			continue;
		}
		str_clear(&p->queries.at[i]->body);
		query_end(p, i, 504);
		i = 0;
	}
}

void
process_query(struct process *p, const char *what, const char *args,
    uint64_t timeout_ms, process_answer_fn *answer, void *arg)
{
	struct query *q = xcalloc(1, sizeof(*q));
	STR_AUTO(line, LINES_MAX);
	bool sent = false;

	q->id = ++p->last_query;
	q->deadline_ms = clock_mono_ms() + timeout_ms;
	q->answer = answer;
	q->arg = arg;
	str_init(&q->body, ANSWER_MAX);
	str_addf(&line, "{\"type\":\"query\",\"id\":%llu,\"what\":",
	    (unsigned long long)q->id);
	str_add_json(&line, what, strlen(what));
	str_addf(&line, ",\"args\":%s}", args == NULL ? "{}" : args);
	if (p->child.state == CHILD_READY && p->run != NULL &&
	    p->run->lines != NULL && !line.overflow)
		sent = lines_send(p->run->lines, line.p, line.len);
	if (!sent)
		q->deadline_ms = 0; /* told at the next tick, not from here */
	vec_push(&p->queries, q);
	if (!uv_is_active((uv_handle_t *)&p->query_timer))
		must(uv_timer_start(&p->query_timer, on_query_tick,
			 sent ? QUERY_TICK_MS : 0, QUERY_TICK_MS) == 0);
}

static void
take_answer(struct process *p, json_t *line)
{
	json_t *data = json_object_get(line, "data");
	uint64_t id = (uint64_t)json_integer_value(json_object_get(line, "id"));
	size_t i;

	for (i = 0; i < p->queries.len; i++) {
		if (p->queries.at[i]->id == id)
			break;
	}
	if (i == p->queries.len)
		return; /* came too late */
	str_addn(&p->queries.at[i]->body, json_string_value(data),
	    json_string_length(data));
	if (json_is_true(json_object_get(line, "more")))
		return;
	query_end(p, i,
	    (unsigned)json_integer_value(json_object_get(line, "status")));
}

/* ---- what the child says ---- */

static void
lost(struct process *p, const char *what)
{
	log_warn("%s: %s on its line", p->name, what);
	child_on_lost(&p->child);
}

static void
on_line(void *arg, char *text, size_t len)
{
	struct run *r = arg;
	struct process *p = r->process;
	json_auto_t *line = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *type = json_string_value(json_object_get(line, "type"));

	if (p == NULL || p->closing)
		return;
	if (type == NULL) {
		lost(p, "something that is no message");
	} else if (strcmp(type, "pong") == 0) {
		p->turn_us = (uint64_t)json_integer_value(
		    json_object_get(line, "turn_us"));
		child_on_pong(&p->child,
		    (uint64_t)json_integer_value(json_object_get(line, "id")));
	} else if (strcmp(type, "answer") == 0) {
		take_answer(p, line);
	} else if (strcmp(type, "status") == 0 || strcmp(type, "event") == 0) {
		p->handlers.on_push(p->arg, p, text, len);
	} else if (p->handlers.on_config != NULL &&
	    (strcmp(type, "config") == 0 || strcmp(type, "configs") == 0)) {
		p->handlers.on_config(p->arg, p, text, len);
	} else {
		lost(p, "an unknown message");
	}
}

static void
on_line_end(void *arg, const struct error *e)
{
	struct run *r = arg;

	if (r->process == NULL || r->process->closing || r->closing)
		return;
	if (e != NULL)
		log_warn("%s: its line: %s", r->process->name, e->msg);
	child_on_lost(&r->process->child);
}

/* The ready byte, or the end of the line before it. */
static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct run *r = container_of(poll, struct run, ready);
	struct process *p = r->process;
	struct error e;
	char byte;
	ssize_t n;

	(void)events;
	if (r->closing || p == NULL)
		return;
	if (p->closing) {
		/* Killed already; what its last words were is the same. */
		(void)uv_poll_stop(poll);
		return;
	}
	n = status < 0 ? 0 : read(r->fd, &byte, 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	(void)uv_poll_stop(poll);
	if (n != 1 || byte != 'R') {
		child_on_lost(&p->child);
		return;
	}
	r->lines = lines_new(p->loop, r->fd, on_line, on_line_end, r, &e);
	if (r->lines == NULL) {
		log_error("%s: %s", p->name, e.msg);
		child_on_lost(&p->child);
		return;
	}
	r->fd = -1;
	r->open++;
	uv_close((uv_handle_t *)&r->ready, on_ready_closed);
	child_on_ready(&p->child);
}

static void
on_exit_cb(uv_process_t *handle, int64_t status, int signo)
{
	struct run *r = container_of(handle, struct run, handle);
	struct process *p = r->process;

	r->exited = true;
	if (p != NULL && p->run == r) {
		/* What it said last still waits in the socket: not needed. */
		p->run = NULL;
		r->process = NULL;
	}
	run_close(r);
	if (p == NULL)
		return;
	queries_end_all(p);
	if (p->closing)
		process_maybe_free(p);
	else
		child_on_exit(&p->child, status, signo);
}

/* ---- the system behind child.c ---- */

static struct process *
process_of(struct child *c)
{
	return container_of(c, struct process, child);
}

/* A failed uv_spawn leaves a handle that still has to be closed. */
static int
start_process(struct process *p, struct run *r, int theirs, int out)
{
	uv_stdio_container_t stdio[4] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = out },
		{ .flags = UV_INHERIT_FD, .data.fd = out },
		{ .flags = UV_INHERIT_FD, .data.fd = theirs },
	};
	uv_process_options_t o = {
		.file = p->argv[0],
		.args = p->argv,
		.stdio = stdio,
		.stdio_count = 4,
		.exit_cb = on_exit_cb,
	};

	if (p->uid != 0) {
		o.flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
		o.uid = p->uid;
		o.gid = p->gid;
	}
	return uv_spawn(p->loop, &r->handle, &o);
}

static int
ops_spawn(struct child *c, int *ret_pid, struct error *e)
{
	struct process *p = process_of(c);
	struct run *r;
	int line[2], out[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0)
		return error_errno(e, errno, "socketpair");
	if (pipe2(out, O_CLOEXEC) != 0) {
		rc = errno;
		(void)close(line[0]);
		(void)close(line[1]);
		return error_errno(e, rc, "pipe");
	}
	r = xcalloc(1, sizeof(*r));
	r->process = p;
	r->fd = line[0];
	must(fcntl(line[0], F_SETFL, O_NONBLOCK) == 0);
	rc = start_process(p, r, line[1], out[1]);
	(void)close(line[1]);
	(void)close(out[1]);
	must(uv_poll_init(p->loop, &r->ready, r->fd) == 0);
	r->relay = relay_new(p->loop, out[0], p->name, on_run_part_closed, r);
	r->open = 3; /* handle, ready, relay */
	if (rc != 0) {
		r->process = NULL;
		r->exited = true;
		run_close(r);
		return error_set(e, -rc, "%s: %s", p->argv[0], uv_strerror(rc));
	}
	must(uv_poll_start(&r->ready, UV_READABLE, on_readable) == 0);
	p->run = r;
	p->turn_us = 0; /* what was said of another loop */
	*ret_pid = r->handle.pid;
	return 0;
}

static void
ops_kill(struct child *c, int signo)
{
	struct run *r = process_of(c)->run;

	if (r != NULL && !r->exited)
		(void)uv_process_kill(&r->handle, signo);
}

static void
ops_ping(struct child *c, uint64_t id)
{
	STR_AUTO(line, 64);

	str_addf(
	    &line, "{\"type\":\"ping\",\"id\":%llu}", (unsigned long long)id);
	process_send(process_of(c), line.p, line.len);
}

static uint64_t
ops_now(struct child *c)
{
	(void)c;
	return clock_mono_ms();
}

static void
on_timer(uv_timer_t *timer)
{
	struct process *p = container_of(timer, struct process, timer);

	if (!p->closing)
		child_on_timer(&p->child);
}

static void
ops_after(struct child *c, uint64_t ms)
{
	struct process *p = process_of(c);

	if (ms == 0)
		(void)uv_timer_stop(&p->timer);
	else
		must(uv_timer_start(&p->timer, on_timer, ms, 0) == 0);
}

static void
ops_changed(struct child *c)
{
	struct process *p = process_of(c);

	p->handlers.on_state(p->arg, p);
}

static int
ops_cpu(struct child *c, struct cpu_share *ret)
{
	struct error e;

	return cpu_share_read(c->pid, ret, &e);
}

static const struct child_ops ops = {
	.spawn = ops_spawn,
	.kill = ops_kill,
	.ping = ops_ping,
	.now_ms = ops_now,
	.after = ops_after,
	.changed = ops_changed,
	.cpu = ops_cpu,
};

/* ---- interface ---- */

struct process *
process_new(uv_loop_t *loop, const struct process_options *o,
    const struct process_handlers *h, void *arg)
{
	struct process *p = xcalloc(1, sizeof(*p));
	size_t n = 0, i;

	p->loop = loop;
	p->name = xstrdup(o->name);
	while (o->argv[n] != NULL)
		n++;
	p->argv = xcalloc(n + 1, sizeof(p->argv[0]));
	for (i = 0; i < n; i++)
		p->argv[i] = xstrdup(o->argv[i]);
	p->uid = o->uid;
	p->gid = o->gid;
	p->handlers = *h;
	p->arg = arg;
	child_init(&p->child, p->name, &ops);
	must(uv_timer_init(loop, &p->timer) == 0);
	must(uv_timer_init(loop, &p->query_timer) == 0);
	p->open = 2;
	return p;
}

uint64_t
process_turn_us(const struct process *p)
{
	return p->turn_us;
}

const struct child *
process_child(const struct process *p)
{
	return &p->child;
}

void
process_start(struct process *p)
{
	child_start(&p->child);
}

void
process_stop(struct process *p)
{
	child_stop(&p->child);
}

void
process_restart(struct process *p)
{
	child_restart(&p->child);
}

void
process_send(struct process *p, const char *line, size_t len)
{
	if (p->run == NULL || p->run->lines == NULL)
		return;
	if (!lines_send(p->run->lines, line, len))
		log_debug("%s: does not read its line", p->name);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct process *p = handle->data;

	p->open--;
	process_maybe_free(p);
}

void
process_close(struct process *p, void (*closed)(void *arg), void *arg)
{
	must(!p->closing);
	queries_end_all(p);
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	if (p->run != NULL)
		(void)uv_process_kill(&p->run->handle, SIGKILL);
	p->timer.data = p->query_timer.data = p;
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
	uv_close((uv_handle_t *)&p->query_timer, on_timer_closed);
}
