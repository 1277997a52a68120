/*
 * The keeper's loop: see keeper.h.
 *
 * Stopping goes through phases, one timer for all: serve on while health
 * checks say 503, let nginx finish, then end what is left.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "agent_socket.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "become.h"
#include "engine_nginx.h"
#include "link.h"
#include "nginx_child.h"
#include "relay.h"
#include "worker_child.h"

#define BIND_RETRY_MS 100
#define BIND_FOR_MS 3000
#define BEFORE_END_MS 1000 /* SIGTERM to nginx so long before the end */
#define KILL_AFTER_MS 2000
#define START_ANYWAY_FAILS 3

enum phase {
	PHASE_SOCKETS, /* not yet all ours */
	PHASE_RUN,
	PHASE_DRAIN, /* serves on */
	PHASE_QUIT,  /* nginx finishes its requests */
	PHASE_TERM,
	PHASE_KILL,
	PHASE_CLOSE
};

struct keeper {
	struct agent_options *options;
	struct sockets *sockets;
	uv_loop_t loop;
	enum phase phase;
	struct relay *out, *err;
	struct nginx_child *nginx;
	struct worker_child *worker;
	struct agent_socket *socket;
	uv_timer_t timer;
	uv_signal_t sigterm, sigint, sigquit;
	uint64_t began_ms, stop_ms;
	bool hurry; /* no drain delay */
	int exit_code;
};

static void on_timer(uv_timer_t *timer);
static void close_all(struct keeper *k);

static void
after(struct keeper *k, uint64_t ms)
{
	must(uv_timer_start(&k->timer, on_timer, ms, 0) == 0);
}

static void
tell_worker(struct keeper *k)
{
	struct nginx_child_status s;

	if (k->worker == NULL)
		return;
	nginx_child_status(k->nginx, &s);
	worker_child_send(k->worker,
	    &(struct link_message){ .type = LINK_NGINX,
		.pid = s.pid,
		.up = s.up,
		.fails = s.fails,
		.reloads = s.reloads });
}

static void
on_nginx_change(void *arg)
{
	tell_worker(arg);
}

static void
on_nginx_stopped(void *arg)
{
	struct keeper *k = arg;

	if (k->phase >= PHASE_QUIT && k->phase < PHASE_CLOSE)
		close_all(k);
}

static void
on_worker_start(void *arg)
{
	struct keeper *k = arg;

	tell_worker(k);
	if (k->phase == PHASE_DRAIN)
		worker_child_send(
		    k->worker, &(struct link_message){ .type = LINK_DRAIN });
}

static void
on_reload_wanted(struct keeper *k)
{
	struct error e;
	bool ok = nginx_child_reload(k->nginx, &e) == 0;

	if (!ok)
		log_warn("nginx: reload: %s", e.msg);
	worker_child_send(k->worker,
	    &(struct link_message){ .type = LINK_RELOADED, .ok = ok });
}

static void
on_worker_message(void *arg, const struct link_message *m)
{
	struct keeper *k = arg;

	if (k->phase >= PHASE_QUIT)
		return;
	switch (m->type) {
	case LINK_START:
		nginx_child_start(k->nginx);
		break;
	case LINK_RELOAD:
		on_reload_wanted(k);
		break;
	case LINK_SETTINGS:
		k->options->stop_grace_ms += m->drain_delay_ms;
		k->options->stop_grace_ms -= k->options->drain_delay_ms;
		k->options->drain_delay_ms = m->drain_delay_ms;
		break;
	case LINK_BEAT:
		nginx_child_take_sockets(k->nginx);
		break;
	case LINK_NGINX:
	case LINK_RELOADED:
	case LINK_DRAIN:
	case LINK_TYPE_COUNT:
		break;
	}
}

/* Without a worker that says the disk is sound, what is there must do. */
static void
on_worker_trouble(void *arg, unsigned fails)
{
	struct keeper *k = arg;

	if (fails >= START_ANYWAY_FAILS && access("nginx.conf", F_OK) == 0 &&
	    k->phase < PHASE_QUIT)
		nginx_child_start(k->nginx);
}

static void
phase_quit(struct keeper *k)
{
	uint64_t spent = clock_mono_ms() - k->stop_ms;
	uint64_t end = k->options->stop_grace_ms;

	k->phase = PHASE_QUIT;
	log_info("stopping: nginx finishes its requests");
	/* Nobody may go on listening where nobody accepts. */
	worker_child_close(k->worker, NULL, NULL);
	k->worker = NULL;
	sockets_close(k->sockets);
	end = end > spent + BEFORE_END_MS ? end - spent - BEFORE_END_MS : 0;
	after(k, end);
	nginx_child_stop(k->nginx, SIGQUIT);
}

static void
begin_stop(struct keeper *k, const char *why, bool hurry)
{
	int fd;

	if (k->phase == PHASE_SOCKETS) {
		close_all(k);
		return;
	}
	if (k->phase == PHASE_DRAIN && hurry) {
		phase_quit(k);
		return;
	}
	if (k->phase != PHASE_RUN)
		return;
	k->phase = PHASE_DRAIN;
	k->stop_ms = clock_mono_ms();
	log_info("stopping (%s): serving on for %" PRIu64 " ms", why,
	    hurry ? 0 : k->options->drain_delay_ms);
	fd = open(ENGINE_DRAINING_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)close(fd);
	worker_child_send(
	    k->worker, &(struct link_message){ .type = LINK_DRAIN });
	after(k, hurry ? 0 : k->options->drain_delay_ms);
}

static void
on_sigterm(uv_signal_t *handle, int number)
{
	struct keeper *k = handle->data;

	begin_stop(k, number == SIGQUIT ? "SIGQUIT" : "SIGTERM", false);
}

static void
on_sigint(uv_signal_t *handle, int number)
{
	(void)number;
	begin_stop(handle->data, "SIGINT", true);
}

static void
on_drain(void *arg)
{
	begin_stop(arg, "asked to", false);
}

static void
start_parts(struct keeper *k)
{
	struct worker_child_setup setup = {
		.loop = &k->loop,
		.options = k->options,
		.sockets = k->sockets,
		.out_fd = relay_fd(k->out),
		.err_fd = relay_fd(k->err),
		.on_start = on_worker_start,
		.on_message = on_worker_message,
		.on_trouble = on_worker_trouble,
		.arg = k,
	};
	struct error e;

	k->phase = PHASE_RUN;
	k->socket = agent_socket_new(&k->loop, k->options, on_drain, k, &e);
	if (k->socket == NULL)
		log_warn("%s: the supervisor cannot reach us", e.msg);
	k->worker = worker_child_new(&setup);
	log_info("agent %s of %s, version " BULKHEAD_VERSION ", serves %s",
	    k->options->id, k->options->cluster, k->options->listen);
}

/*
 * Sockets: those of a running nginx, else our own.  A busy port is tried for
 * a moment: an nginx that is just starting cannot be recognised yet.
 */
static void
get_sockets(struct keeper *k)
{
	struct error e;
	bool adopted = nginx_child_adopt(k->nginx);

	/* What an adopted nginx does not hold it will bind by itself. */
	if (!adopted && sockets_bind(k->sockets, &e) != 0) {
		if (e.code == EADDRINUSE &&
		    clock_mono_ms() - k->began_ms < BIND_FOR_MS) {
			after(k, BIND_RETRY_MS);
			return;
		}
		log_error("%s", e.msg);
		k->exit_code = 1;
		close_all(k);
		return;
	}
	if (become_user(k->options, &e) != 0) {
		log_error("%s", e.msg);
		k->exit_code = 1;
		close_all(k);
		return;
	}
	start_parts(k);
}

static void
on_timer(uv_timer_t *timer)
{
	struct keeper *k = container_of(timer, struct keeper, timer);

	switch (k->phase) {
	case PHASE_SOCKETS:
		get_sockets(k);
		break;
	case PHASE_DRAIN:
		phase_quit(k);
		break;
	case PHASE_QUIT:
		k->phase = PHASE_TERM;
		log_warn("stopping: the time is over, ending nginx");
		after(k, KILL_AFTER_MS);
		nginx_child_stop(k->nginx, SIGTERM);
		break;
	case PHASE_TERM:
		k->phase = PHASE_KILL;
		log_error("stopping: nginx does not end, killing it");
		nginx_child_stop(k->nginx, SIGKILL);
		break;
	case PHASE_RUN:
	case PHASE_KILL:
	case PHASE_CLOSE:
		break;
	}
}

static void
on_handle_closed(uv_handle_t *handle)
{
	(void)handle;
}

static void
on_nginx_closed(void *arg)
{
	struct keeper *k = arg;

	/* Last: what it wrote at its end is still passed on. */
	relay_close(k->out, NULL, NULL);
	relay_close(k->err, NULL, NULL);
}

static void
close_all(struct keeper *k)
{
	k->phase = PHASE_CLOSE;
	if (k->worker != NULL)
		worker_child_close(k->worker, NULL, NULL);
	k->worker = NULL;
	if (k->socket != NULL)
		agent_socket_close(k->socket, NULL, NULL);
	uv_close((uv_handle_t *)&k->timer, on_handle_closed);
	uv_close((uv_handle_t *)&k->sigterm, on_handle_closed);
	uv_close((uv_handle_t *)&k->sigint, on_handle_closed);
	uv_close((uv_handle_t *)&k->sigquit, on_handle_closed);
	sockets_close(k->sockets);
	nginx_child_close(k->nginx, on_nginx_closed, k);
}

static void
watch_signal(struct keeper *k, uv_signal_t *handle, uv_signal_cb cb, int number)
{
	must(uv_signal_init(&k->loop, handle) == 0);
	handle->data = k;
	must(uv_signal_start(handle, cb, number) == 0);
}

static int
open_parts(struct keeper *k, struct error *e)
{
	/* Another user could not open our log file again (/dev/stdout). */
	bool direct = k->options->user == NULL;
	struct nginx_child_setup setup = {
		.loop = &k->loop,
		.options = k->options,
		.sockets = k->sockets,
		.on_change = on_nginx_change,
		.on_stopped = on_nginx_stopped,
		.arg = k,
	};

	k->out = relay_new(&k->loop, STDOUT_FILENO, direct, e);
	if (k->out == NULL)
		return -1;
	k->err = relay_new(&k->loop, STDERR_FILENO, direct, e);
	if (k->err == NULL)
		return -1;
	if (become_owner_of_pipes(
		k->options, relay_fd(k->out), relay_fd(k->err), e) != 0)
		return -1;
	setup.out_fd = relay_fd(k->out);
	setup.err_fd = relay_fd(k->err);
	k->nginx = nginx_child_new(&setup);
	return 0;
}

int
keeper_main(struct agent_options *o, struct sockets *sockets)
{
	struct keeper k = { .options = o, .sockets = sockets };
	struct error e;

	(void)unlink(ENGINE_DRAINING_FILE);
	must(uv_loop_init(&k.loop) == 0);
	if (open_parts(&k, &e) != 0) {
		log_error("%s", e.msg);
		relay_close(k.out, NULL, NULL);
		relay_close(k.err, NULL, NULL);
		(void)uv_run(&k.loop, UV_RUN_DEFAULT);
		must(uv_loop_close(&k.loop) == 0);
		return 1;
	}
	k.began_ms = clock_mono_ms();
	must(uv_timer_init(&k.loop, &k.timer) == 0);
	watch_signal(&k, &k.sigterm, on_sigterm, SIGTERM);
	watch_signal(&k, &k.sigquit, on_sigterm, SIGQUIT);
	watch_signal(&k, &k.sigint, on_sigint, SIGINT);
	after(&k, 0);
	(void)uv_run(&k.loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&k.loop) == 0);
	log_info("stopped");
	return k.exit_code;
}
