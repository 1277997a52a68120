/*
 * The worker's life beside the keeper: the disk made sound, nginx as it is
 * told of, the parts opened and closed.  See worker.h.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "disk.h"
#include "engine_nginx.h"
#include "loop/lines.h"
#include "worker_object.h"

#define LOCK_RETRY_MS 20
#define UP_MS 5000 /* nginx may take so long before we ask anyway */
#define FALL_BACK_FAILS 3

static void stop(struct worker *w);

void
worker_tell_keeper(struct worker *w, const struct link_message *m)
{
	STR_AUTO(line, 1024);

	link_encode(m, &line);
	(void)lines_send(w->link, line.p, line.len);
}

static void
request_reload(void *arg)
{
	struct worker *w = arg;

	w->reloaded_ms = clock_mono_ms();
	worker_tell_keeper(w, &(struct link_message){ .type = LINK_RELOAD });
}

/* A reload of what is on disk, as if it had just been switched to. */
static void
reload_at_start(struct worker *w)
{
	log_info("nginx serves something else than what is on disk: reload");
	/* The result hands the manifest back. */
	apply_reload(w->apply, steal(&w->in_force));
	w->in_force =
	    manifest_builtin(w->options->cluster, engine_nginx_builtin);
	reporter_set_in_force(w->reporter, w->in_force);
}

static void
on_startup(void *arg, bool same)
{
	struct worker *w = arg;

	if (!same) {
		reload_at_start(w);
		return;
	}
	/* The extension may have missed the last report. */
	reporter_send(w->reporter);
	worker_poll_next(w);
}

static void
on_up_timer(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, poll_timer);

	if (!w->closing && !startup_asking(&w->startup))
		worker_poll_next(w);
}

/* nginx does not start with what is on disk, though it was accepted once. */
static void
fall_back(struct worker *w)
{
	struct error e;
	struct manifest *m = disk_fall_back(&w->folder, w->options, &e);

	if (m == NULL) {
		log_error("nginx does not start, and nothing else can be put "
			  "in its place: %s",
		    e.msg);
		return;
	}
	log_error("nginx does not start with what is on disk: %s instead",
	    m->builtin ? "the built-in 503" : "an earlier configuration");
	worker_set_in_force(w, m);
}

static void
on_nginx(struct worker *w, const struct link_message *m)
{
	bool was_up = w->nginx.up;

	w->nginx = *m;
	reporter_set_nginx(w->reporter, m);
	apply_on_nginx(w->apply, m->pid, m->up);
	if (w->in_force == NULL)
		return;
	if (m->up && !was_up && !w->polling && !startup_asking(&w->startup)) {
		(void)uv_timer_stop(&w->poll_timer);
		startup_ask(&w->startup, w->proof, w->options, &w->folder,
		    w->in_force, m->pid, on_startup, w);
	}
	if (!m->up && m->pid == 0 && m->fails > 0 &&
	    m->fails % FALL_BACK_FAILS == 0 && !w->in_force->builtin &&
	    !apply_busy(w->apply))
		fall_back(w);
}

static void
on_link_line(void *arg, char *line, size_t len)
{
	struct worker *w = arg;
	struct link_message m;
	struct error e;

	if (w->closing)
		return;
	if (link_decode(line, len, &m, &e) != 0) {
		log_error("keeper: %s", e.msg);
		stop(w);
		return;
	}
	switch (m.type) {
	case LINK_NGINX:
		on_nginx(w, &m);
		break;
	case LINK_RELOADED:
		apply_on_reloaded(w->apply, m.ok);
		break;
	case LINK_DRAIN:
		reporter_set_draining(w->reporter);
		reporter_send(w->reporter);
		break;
	case LINK_START:
	case LINK_RELOAD:
	case LINK_SETTINGS:
	case LINK_BEAT:
	case LINK_TYPE_COUNT:
		break;
	}
}

static void
on_link_end(void *arg, const struct error *e)
{
	(void)e;
	stop(arg);
}

static void
on_beat(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, beat_timer);

	if (!w->closing)
		worker_tell_keeper(
		    w, &(struct link_message){ .type = LINK_BEAT });
}

/* The disk is ours: make it sound, let nginx start, begin to ask. */
static void
begin(struct worker *w)
{
	struct manifest *m;
	struct error e;

	m = disk_settle(&w->folder, w->options, &e);
	if (m == NULL) {
		log_error(
		    "disk: %s: cannot write a first configuration", e.msg);
		stop(w);
		return;
	}
	worker_set_in_force(w, m);
	worker_learn_pin(w, m);
	secrets_want(w->secrets, m);
	reporter_set_attempt(
	    w->reporter, APPLY_APPLIED, m, "", &(struct apply_timing){ 0 });
	worker_tell_keeper(w, &(struct link_message){ .type = LINK_START });
	worker_peers_start(w);
	must(uv_timer_start(&w->poll_timer, on_up_timer, UP_MS, 0) == 0);
	if (w->nginx.up) {
		w->nginx.up = false;
		on_nginx(w,
		    &(struct link_message){ .type = LINK_NGINX,
			.pid = w->nginx.pid,
			.up = true,
			.reloads = w->nginx.reloads });
	}
}

/* A worker of a killed keeper may still be at it for a moment. */
static void
on_lock_timer(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, poll_timer);

	if (w->closing)
		return;
	if (w->lock_fd >= 0 && flock(w->lock_fd, LOCK_EX | LOCK_NB) != 0 &&
	    errno == EWOULDBLOCK) {
		must(uv_timer_start(timer, on_lock_timer, LOCK_RETRY_MS, 0) ==
		    0);
		return;
	}
	begin(w);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	(void)handle;
}

/* The keeper is gone or wants us gone. */
static void
stop(struct worker *w)
{
	uv_timer_t *timers[] = { &w->poll_timer, &w->retry_timer,
		&w->beat_timer, &w->peers_timer };
	size_t i;

	if (w->closing)
		return;
	w->closing = true;
	for (i = 0; i < countof(timers); i++)
		uv_close((uv_handle_t *)timers[i], on_timer_closed);
	reporter_close(w->reporter, NULL, NULL);
	secrets_close(w->secrets, NULL, NULL);
	apply_close(w->apply, NULL, NULL);
	proof_close(w->proof, NULL, NULL);
	peers_close(w->peers, NULL, NULL);
	fetch_close(w->fetch, NULL, NULL);
	lines_close(w->link, NULL, NULL);
}

static int
open_parts(struct worker *w, struct error *e)
{
	struct apply_setup setup = {
		.loop = &w->loop,
		.options = w->options,
		.folder = &w->folder,
		.fds = w->fds,
		.fd_count = w->fd_count,
		.request_reload = request_reload,
		.done = worker_on_apply_done,
		.arg = w,
	};

	w->fetch = fetch_new(&w->loop, w->options, e);
	if (w->fetch == NULL)
		return -1;
	w->proof = proof_new(&w->loop, e);
	if (w->proof == NULL)
		return -1;
	w->link = lines_new(
	    &w->loop, WORKER_LINK_FD, on_link_line, on_link_end, w, e);
	if (w->link == NULL)
		return -1;
	w->reporter = reporter_new(&w->loop, w->options, w->fetch);
	w->secrets = secrets_new(&w->loop, w->options, worker_on_secrets, w);
	reporter_set_secrets(w->reporter, w->secrets);
	setup.fetch = w->fetch;
	setup.secrets = w->secrets;
	setup.proof = w->proof;
	w->apply = apply_new(&setup);
	w->peers = peers_new(
	    &w->loop, w->options, &w->folder, &worker_peers_handlers, w);
	return 0;
}

static void
open_timers(struct worker *w)
{
	must(uv_timer_init(&w->loop, &w->poll_timer) == 0);
	must(uv_timer_init(&w->loop, &w->retry_timer) == 0);
	must(uv_timer_init(&w->loop, &w->beat_timer) == 0);
	must(uv_timer_init(&w->loop, &w->peers_timer) == 0);
	must(uv_timer_start(&w->beat_timer, on_beat, 0, WORKER_BEAT_MS) == 0);
	must(uv_timer_start(&w->poll_timer, on_lock_timer, 0, 0) == 0);
}

int
worker_main(const struct agent_options *o)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	struct error e;
	int code = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->options = o;
	w->fd_count = sockets_inherited(WORKER_LINK_FD + 1, w->fds);
	(void)close_range((unsigned)(WORKER_LINK_FD + 1 + w->fd_count), ~0U, 0);
	w->poll_backoff = (struct backoff)BACKOFF_INIT(100, 5000, 1000);
	w->retry_backoff = (struct backoff)BACKOFF_INIT(1000, 30000, 60000);
	w->poll_limit = (struct log_limit)LOG_LIMIT_INIT(1, 10000);
	w->lock_fd = open("worker.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
	must(uv_loop_init(&w->loop) == 0);
	if (sandbox_filter(SANDBOX_AGENT, &e) != 0)
		log_warn("no filter of system calls: %s", e.msg);
	open_timers(w);
	if (open_parts(w, &e) != 0) {
		/* The keeper tries again; nginx is not touched by it. */
		log_error("%s", e.msg);
		code = 1;
		stop(w);
	}
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&w->loop) == 0);
	manifest_free(w->in_force);
	free(w->pin.document.path);
	startup_fini(&w->startup);
	folder_fini(&w->folder);
	if (w->lock_fd >= 0)
		(void)close(w->lock_fd);
	free(w);
	return code;
}
