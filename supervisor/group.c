/* Local proxies: see group.h. */
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent_args.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "loop/lines.h"

/* How long a fresh agent may take until its socket answers. */
#define APPEAR_MS 5000
#define LOOK_MS 20
#define ARGS_MAX 65536

enum member_state {
	MEMBER_LOOKING,	 /* connects; starts an agent where there is none */
	MEMBER_STARTED,	 /* an agent was started; its socket is to appear */
	MEMBER_ALIVE,	 /* connected */
	MEMBER_DRAINING, /* connected, asked to end */
	MEMBER_GONE,
};

struct member {
	struct group *group;
	uint32_t index;
	enum member_state state;
	char *folder;
	uv_timer_t timer;
	struct lines *lines;
	uv_process_t *process; /* the agent we started; frees itself */
	struct backoff backoff;
	uint64_t since_ms; /* of the state */
	bool replace;	   /* draining for other arguments: start again */
	bool surplus;	   /* draining for good */
	bool closing;
	int open;
};

struct group {
	uv_loop_t *loop;
	char *name;
	char *run_dir;
	char *agent;
	uid_t uid;
	gid_t gid;
	struct cluster_config *config; /* own copy */
	VEC(struct member *) members;
	void (*drained)(void *arg);
	void *drained_arg;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void look(struct member *m);
static void start_again(struct member *m, uint64_t ran_ms, const char *why);

/* ---- what an agent is started with ---- */

static void
build_args(const struct member *m, struct agent_args *a)
{
	const struct group *g = m->group;
	struct agent_place place = {
		.config = g->config,
		.agent = g->agent,
		.run_dir = g->run_dir,
		.folder = m->folder,
		.index = m->index,
	};

	agent_args_build(&place, a);
}

static char *
args_path(const struct member *m)
{
	return xasprintf("%s/args", m->folder);
}

/* Whether the agent that runs was started with today's arguments. */
static bool
args_fit(const struct member *m)
{
	char *path _cleanup_free_ = args_path(m);
	STR_AUTO(was, ARGS_MAX);
	STR_AUTO(is, ARGS_MAX);
	struct agent_args a = { 0 };

	build_args(m, &a);
	agent_args_text(&a, &is);
	agent_args_fini(&a);
	return fs_read(path, &was, NULL) == 0 && strcmp(was.p, is.p) == 0;
}

/* ---- starting ---- */

static void
on_spawned_closed(uv_handle_t *handle)
{
	free(handle);
}

/*
 * That an agent ended is seen on its socket; but one that ends before it has
 * a socket has a reason, which is in its log.
 */
static void
on_agent_exit(uv_process_t *process, int64_t status, int signo)
{
	struct member *m = process->data;
	char why[64];

	uv_close((uv_handle_t *)process, on_spawned_closed);
	if (m == NULL)
		return;
	m->process = NULL;
	if (m->closing || m->state != MEMBER_STARTED)
		return;
	(void)snprintf(why, sizeof(why), "its agent ended at once, %s %lld",
	    signo != 0 ? "signal" : "exit",
	    signo != 0 ? (long long)signo : (long long)status);
	start_again(m, 0, why);
}

static void
let_go(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (handle->type == UV_PROCESS && !uv_is_closing(handle) &&
	    ((uv_process_t *)handle)->exit_cb == on_agent_exit)
		uv_close(handle, on_spawned_closed);
}

void
group_let_go(uv_loop_t *loop)
{
	uv_walk(loop, let_go, NULL);
}

static int
open_log(const struct member *m)
{
	char *folder _cleanup_free_ = xasprintf("%s/log", m->group->run_dir);
	char *path _cleanup_free_ =
	    xasprintf("%s/%s.%u.log", folder, m->group->name, m->index);

	if (fs_mkdirs(folder, 0755, NULL) != 0)
		return -1;
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static int
spawn_agent(struct member *m, struct error *e)
{
	struct agent_args a = { 0 };
	char *path _cleanup_free_ = args_path(m);
	STR_AUTO(text, ARGS_MAX);
	int rc, out _cleanup_close_ = open_log(m);
	uv_stdio_container_t stdio[3] = { { .flags = UV_IGNORE },
		{ .flags = out < 0 ? UV_IGNORE : UV_INHERIT_FD,
		    .data.fd = out },
		{ .flags = out < 0 ? UV_IGNORE : UV_INHERIT_FD,
		    .data.fd = out } };
	uv_process_options_t o = { .exit_cb = on_agent_exit,
		.stdio = stdio,
		.stdio_count = 3,
		.flags = UV_PROCESS_DETACHED };
	uv_process_t *process;

	build_args(m, &a);
	agent_args_text(&a, &text);
	if (fs_mkdirs(m->folder, 0755, e) != 0 ||
	    fs_write(path, text.p, text.len, 0644, e) != 0) {
		agent_args_fini(&a);
		return -1;
	}
	vec_push(&a.list, NULL);
	o.file = a.list.at[0];
	o.args = a.list.at;
	process = xcalloc(1, sizeof(*process));
	rc = uv_spawn(m->group->loop, process, &o);
	agent_args_fini(&a);
	if (rc != 0) {
		uv_close((uv_handle_t *)process, on_spawned_closed);
		return error_set(
		    e, -rc, "%s: %s", m->group->agent, uv_strerror(rc));
	}
	log_info("local proxy %s.%u: agent started, pid %d", m->group->name,
	    m->index, process->pid);
	uv_unref((uv_handle_t *)process);
	if (m->process != NULL)
		m->process->data = NULL;
	m->process = process;
	process->data = m;
	return 0;
}

/* ---- a member's life ---- */

static void
set_state(struct member *m, enum member_state state)
{
	m->state = state;
	m->since_ms = clock_mono_ms();
}

static void
member_part_closed(struct member *m)
{
	struct group *g = m->group;
	size_t i;

	if (--m->open > 0)
		return;
	for (i = 0; i < g->members.len; i++) {
		if (g->members.at[i] == m)
			vec_remove(&g->members, i);
	}
	if (m->process != NULL)
		m->process->data = NULL;
	free(m->folder);
	free(m);
	if (g->members.len > 0)
		return;
	if (g->drained != NULL) {
		void (*drained)(void *) = g->drained;

		g->drained = NULL;
		drained(g->drained_arg);
	}
	if (g->closing) {
		if (g->closed != NULL)
			g->closed(g->closed_arg);
		cluster_config_free(g->config);
		free(g->name);
		free(g->run_dir);
		free(g->agent);
		vec_fini(&g->members);
		free(g);
	}
}

static void
on_timer_closed(uv_handle_t *handle)
{
	member_part_closed(container_of(handle, struct member, timer));
}

static void
on_lines_closed(void *arg)
{
	member_part_closed(arg);
}

static void
member_close(struct member *m)
{
	if (m->closing)
		return;
	m->closing = true;
	m->open++; /* held until everything below was asked for */
	uv_close((uv_handle_t *)&m->timer, on_timer_closed);
	if (m->lines != NULL) {
		m->open++;
		lines_close(m->lines, on_lines_closed, m);
		m->lines = NULL;
	}
	member_part_closed(m);
}

static void
on_timer(uv_timer_t *timer)
{
	struct member *m = container_of(timer, struct member, timer);

	if (!m->closing)
		look(m);
}

static void
look_after(struct member *m, uint64_t ms)
{
	must(uv_timer_start(&m->timer, on_timer, ms, 0) == 0);
}

static void
start_again(struct member *m, uint64_t ran_ms, const char *why)
{
	uint64_t delay = backoff_next(&m->backoff, ran_ms);

	log_warn("local proxy %s.%u: %s (see %s/log/%s.%u.log); again in "
		 "%llu ms",
	    m->group->name, m->index, why, m->group->run_dir, m->group->name,
	    m->index, (unsigned long long)delay);
	set_state(m, MEMBER_LOOKING);
	look_after(m, delay);
}

/* Its end is its answer: the keeper closes agent.sock when it has drained. */
static void
ask_to_drain(struct member *m)
{
	static const char line[] = "{\"type\":\"drain\"}";

	set_state(m, MEMBER_DRAINING);
	(void)lines_send(m->lines, line, sizeof(line) - 1);
}

/*
 * Of the members that must start anew, drains the next one, as long as all
 * the others serve: never more than one proxy of a group is down.
 */
static void
replace_next(struct group *g)
{
	struct member *next = NULL;
	size_t i;

	for (i = 0; i < g->members.len; i++) {
		struct member *m = g->members.at[i];

		if (m->surplus || m->closing)
			continue;
		if (m->state != MEMBER_ALIVE)
			return;
		if (m->replace && next == NULL)
			next = m;
	}
	if (next != NULL)
		ask_to_drain(next);
}

static void
on_line(void *arg, char *line, size_t len)
{
	struct member *m = arg;

	log_debug("local proxy %s.%u: %.*s", m->group->name, m->index,
	    (int)(len > 200 ? 200 : len), line);
}

static void
on_line_end(void *arg, const struct error *e)
{
	struct member *m = arg;
	enum member_state was = m->state;
	uint64_t ran = clock_mono_ms() - m->since_ms;

	if (m->closing)
		return;
	m->open++;
	lines_close(m->lines, on_lines_closed, m);
	m->lines = NULL;
	if (was == MEMBER_DRAINING && (m->surplus || m->group->drained)) {
		log_info(
		    "local proxy %s.%u: drained", m->group->name, m->index);
		member_close(m);
	} else if (was == MEMBER_DRAINING) {
		m->replace = false;
		set_state(m, MEMBER_LOOKING);
		look_after(m, 0);
	} else {
		start_again(m, ran, e == NULL ? "its agent ended" : e->msg);
	}
}

static int
connect_agent(const struct member *m)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, n;

	n = snprintf(address.sun_path, sizeof(address.sun_path),
	    "%s/agent.sock", m->folder);
	if (n < 0 || (size_t)n >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		n = errno;
		(void)close(fd);
		errno = n;
		return -1;
	}
	return fd;
}

static void
adopt(struct member *m, int fd)
{
	struct error e;

	m->lines = lines_new(m->group->loop, fd, on_line, on_line_end, m, &e);
	if (m->lines == NULL) {
		start_again(m, 0, e.msg);
		return;
	}
	log_info("local proxy %s.%u: agent %s", m->group->name, m->index,
	    m->state == MEMBER_STARTED ? "is up" : "adopted");
	set_state(m, MEMBER_ALIVE);
	if (m->surplus || m->group->drained != NULL) {
		ask_to_drain(m);
		return;
	}
	m->replace = !args_fit(m);
	replace_next(m->group);
}

/* Connects to the agent; where there is none, starts one. */
static void
look(struct member *m)
{
	struct error e;
	int fd = connect_agent(m);

	if (fd >= 0) {
		adopt(m, fd);
		return;
	}
	if (errno == EAGAIN) { /* its backlog is full: it lives */
		look_after(m, LOOK_MS);
		return;
	}
	if (m->surplus || m->group->drained != NULL) {
		member_close(m);
		return;
	}
	if (m->state == MEMBER_STARTED) {
		if (clock_mono_ms() - m->since_ms > APPEAR_MS)
			start_again(m, 0, "its agent did not come up");
		else
			look_after(m, LOOK_MS);
		return;
	}
	if (spawn_agent(m, &e) != 0) {
		start_again(m, 0, e.msg);
		return;
	}
	set_state(m, MEMBER_STARTED);
	look_after(m, LOOK_MS);
}

/* ---- the group ---- */

static struct cluster_config *
copy_config(const struct cluster_config *c)
{
	STR_AUTO(text, CONFIG_FILE_MAX * 4);
	struct config_errors errors = { 0 };
	struct cluster_config *copy;

	cluster_config_dump(c, &text);
	copy = cluster_config_parse(c->path, text.p, text.len, &errors);
	must(copy != NULL);
	return copy;
}

static void
add_member(struct group *g, uint32_t index)
{
	struct member *m = xcalloc(1, sizeof(*m));

	m->group = g;
	m->index = index;
	m->folder = xasprintf("%s/proxies/%s.%u", g->run_dir, g->name, index);
	m->backoff = (struct backoff)BACKOFF_INIT(100, 30000, 5000);
	must(uv_timer_init(g->loop, &m->timer) == 0);
	m->open = 1;
	set_state(m, MEMBER_LOOKING);
	vec_push(&g->members, m);
	look_after(m, 0);
}

struct group *
group_new(uv_loop_t *loop, const struct cluster_config *c,
    const struct group_options *o)
{
	struct group *g = xcalloc(1, sizeof(*g));
	uint32_t i;

	g->loop = loop;
	g->name = xstrdup(c->cluster.name);
	g->run_dir = xstrdup(o->run_dir);
	g->agent = xstrdup(o->agent);
	g->uid = o->uid;
	g->gid = o->gid;
	g->config = copy_config(c);
	for (i = 0; i < c->proxy.replicas; i++)
		add_member(g, i);
	return g;
}

void
group_set(struct group *g, const struct cluster_config *c)
{
	uint32_t have = 0;
	size_t i;

	cluster_config_free(g->config);
	g->config = copy_config(c);
	for (i = 0; i < g->members.len; i++) {
		struct member *m = g->members.at[i];

		if (m->index >= have)
			have = m->index + 1;
		m->surplus = m->index >= c->proxy.replicas;
		m->replace = !m->surplus && !args_fit(m);
		if (m->state == MEMBER_ALIVE && m->surplus)
			ask_to_drain(m);
		else if (m->state == MEMBER_LOOKING)
			look_after(m, 0);
	}
	for (; have < c->proxy.replicas; have++)
		add_member(g, have);
	replace_next(g);
}

void
group_drain(struct group *g, void (*drained)(void *arg), void *arg)
{
	size_t i;

	if (g->members.len == 0) {
		drained(arg);
		return;
	}
	g->drained = drained;
	g->drained_arg = arg;
	for (i = 0; i < g->members.len; i++) {
		struct member *m = g->members.at[i];

		if (m->state == MEMBER_ALIVE)
			ask_to_drain(m);
		else if (m->state != MEMBER_DRAINING)
			look_after(m, 0);
	}
}

void
group_close(struct group *g, void (*closed)(void *arg), void *arg)
{
	size_t i;

	g->closing = true;
	g->drained = NULL;
	g->closed = closed;
	g->closed_arg = arg;
	if (g->members.len == 0) {
		add_member(g, 0); /* its closing ends the group */
		uv_timer_stop(&g->members.at[0]->timer);
	}
	for (i = g->members.len; i-- > 0;)
		member_close(g->members.at[i]);
}
