/*
 * The worker's loop: see worker.h.
 *
 * Ask for something else than we have, apply it, report, ask again.  What was
 * refused is not tried again until the extension says something new; what
 * failed for reasons of our own is, after a delay.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "apply.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "disk.h"
#include "fetch.h"
#include "folder.h"
#include "link.h"
#include "loop/lines.h"
#include "peers.h"
#include "proof.h"
#include "reporter.h"
#include "secrets.h"
#include "sockets.h"
#include "startup.h"

#define LOCK_RETRY_MS 20
#define UP_MS 5000	  /* nginx may take so long before we ask anyway */
#define MAX_GENERATIONS 8 /* of workers that are leaving */
#define GATHER_MS 10000	  /* past that, reload this seldom */
#define GATHER_LOOK_MS 250
#define SHORT_POLL_MS 500  /* an answer sooner than this ... */
#define AFTER_SHORT_MS 300 /* ... is followed by a rest */
#define FALL_BACK_FAILS 3
#define PEERS_FIRST_MS 300  /* without a word of the control plane */
#define PEERS_EMPTY_MS 1000 /* between rounds, while we have nothing */
#define PEERS_MS 5000
#define SILENT_FAILS 2

struct worker {
	const struct agent_options *options;
	uv_loop_t loop;
	struct lines *link;
	struct folder folder;
	struct fetch *fetch;
	struct proof *proof;
	struct apply *apply;
	struct reporter *reporter;
	struct secrets *secrets;
	struct peers *peers;		   /* or NULL */
	char peer_config[SHA256_HEX_SIZE]; /* the last that a peer gave */
	struct manifest_pin pin;	   /* the last word on a rollback */
	unsigned silent;		   /* polls in a row that failed */
	int lock_fd;
	int fds[SOCKET_ROLES];
	int fd_count;
	uv_timer_t poll_timer;	/* when to ask next; the lock before */
	uv_timer_t retry_timer; /* when to try again what failed */
	uv_timer_t beat_timer;
	uv_timer_t peers_timer;
	struct backoff poll_backoff, retry_backoff;
	struct manifest *in_force; /* NULL before the start */
	char have[SHA256_HEX_SIZE];
	struct link_message nginx; /* as the keeper told last */
	struct startup startup;
	bool polling; /* the loop of polls runs */
	uint64_t polled_ms, reloaded_ms;
	struct log_limit poll_limit;
	bool closing;
};

static void poll_next(struct worker *w);
static void poll_later(struct worker *w, uint64_t ms);
static void stop(struct worker *w);

static uint64_t
jitter(uint64_t ms)
{
	uint32_t random = 0;

	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return backoff_jitter(ms, random);
}

static void
tell_keeper(struct worker *w, const struct link_message *m)
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
	tell_keeper(w, &(struct link_message){ .type = LINK_RELOAD });
}

/* Said with each poll from now on. */
static void
learn_pin(struct worker *w, const struct manifest *m)
{
	if (m->check || m->builtin)
		return;
	free(w->pin.document.path);
	w->pin = m->pin;
	if (w->pin.document.path != NULL)
		w->pin.document.path = xstrdup(w->pin.document.path);
}

static void
on_pin_sent(void *arg, const struct error *e)
{
	(void)arg;
	if (e != NULL)
		log_warn("what is pinned was not taken: %s", e->msg);
}

/* The extension has lost what we remember. */
static void
send_pin(struct worker *w)
{
	char *path _cleanup_free_ =
	    xasprintf("%s/blobs/%s", w->options->dir, w->pin.document.sha256);
	STR_AUTO(text, MANIFEST_MAX_FILE_SIZE);
	struct error e;

	if (w->pin.document.path == NULL)
		return;
	if (fs_read(path, &text, &e) == 0) {
		fetch_send_pin(w->fetch, text.p, text.len, on_pin_sent, w);
		return;
	}
	log_warn("what is pinned is not here: %s", e.msg);
	free(w->pin.document.path);
	w->pin.document.path = NULL;
}

/* 'm' is in force from here on; takes it. */
static void
set_in_force(struct worker *w, struct manifest *m)
{
	manifest_free(w->in_force);
	w->in_force = m;
	reporter_set_in_force(w->reporter, m);
	(void)snprintf(
	    w->have, sizeof(w->have), "%s", m->builtin ? "" : m->config);
	if (m->drain_delay_ms != UINT64_MAX)
		tell_keeper(w,
		    &(struct link_message){ .type = LINK_SETTINGS,
			.drain_delay_ms = m->drain_delay_ms });
}

static void
on_applied(struct worker *w, const struct apply_result *r)
{
	struct error e;

	log_info("applied generation %" PRIu64 " (%.12s): live after %" PRIu64
		 " ms, settled after %" PRIu64 " ms",
	    r->manifest->generation, r->manifest->config,
	    r->timing.live_us / 1000, r->timing.settled_us / 1000);
	set_in_force(w, r->manifest);
	w->retry_backoff.next_ms = 0;
	if (folder_clean(&w->folder, &e) != 0)
		log_warn("disk: cleaning up: %s", e.msg);
}

static void
on_retry(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, retry_timer);

	if (w->closing || apply_busy(w->apply))
		return;
	/* As if we had not seen it. */
	(void)snprintf(w->have, sizeof(w->have), "%s",
	    w->in_force->builtin ? "" : w->in_force->config);
	if (w->polling) {
		fetch_poll_cancel(w->fetch);
		poll_later(w, 0);
	}
}

static void
on_failed(struct worker *w, const struct apply_result *r)
{
	uint64_t delay = jitter(backoff_next(&w->retry_backoff, 0));

	log_error("generation %" PRIu64 " failed: %s; again in %" PRIu64
		  " ms, the one before stays in force",
	    r->manifest->generation, r->words, delay);
	secrets_doubt(w->secrets);
	must(uv_timer_start(&w->retry_timer, on_retry, delay, 0) == 0);
}

/* Only asked for its opinion: nothing of ours changes. */
static void
on_checked(struct worker *w, const struct apply_result *r)
{
	log_debug("checked generation %" PRIu64 " (%.12s): %s",
	    r->manifest->generation, r->manifest->config,
	    r->words[0] == '\0' ? "accepted" : r->words);
	reporter_send_check(w->reporter, r);
	manifest_free(r->manifest);
	poll_next(w);
}

static void
on_apply_done(void *arg, const struct apply_result *r)
{
	struct worker *w = arg;

	if (r->manifest->check) {
		on_checked(w, r);
		return;
	}
	reporter_set_attempt(
	    w->reporter, r->outcome, r->manifest, r->words, &r->timing);
	(void)snprintf(w->have, sizeof(w->have), "%s", r->manifest->config);
	switch (r->outcome) {
	case APPLY_APPLIED:
		on_applied(w, r);
		break;
	case APPLY_REFUSED:
		log_error("generation %" PRIu64 " refused by nginx: %s; the "
			  "one before stays in force",
		    r->manifest->generation, r->words);
		manifest_free(r->manifest);
		break;
	case APPLY_LACKING:
		log_error("generation %" PRIu64 " is not tried: %s; the one "
			  "before stays in force",
		    r->manifest->generation, r->words);
		manifest_free(r->manifest);
		break;
	case APPLY_FAILED:
		on_failed(w, r);
		manifest_free(r->manifest);
		break;
	case APPLY_ACCEPTED: /* of a check only */
		manifest_free(r->manifest);
		break;
	}
	reporter_send(w->reporter);
	poll_next(w);
}

/* The same bytes and settings are in force already: nothing to do. */
static bool
is_in_force(struct worker *w, struct manifest *m)
{
	struct fragments *now, *then;
	bool same;

	if (strcmp(m->config, w->in_force->config) != 0 ||
	    secrets_fill(w->secrets, m, NULL) != 0)
		return false;
	now = engine_nginx_fragments(
	    w->options, w->in_force, folder_uses_status(&w->folder, m));
	then = engine_nginx_fragments(
	    w->options, m, folder_uses_status(&w->folder, m));
	same = strcmp(now->proof, then->proof) == 0;
	fragments_free(now);
	fragments_free(then);
	return same;
}

static void
on_manifest(struct worker *w, struct manifest *m)
{
	learn_pin(w, m);
	if (!m->check) {
		(void)uv_timer_stop(&w->retry_timer);
		secrets_want(w->secrets, m);
	}
	if (m->check || !is_in_force(w, m)) {
		log_debug("generation %" PRIu64 " (%.12s) asked for",
		    m->generation, m->config);
		apply_start(w->apply, m);
		return;
	}
	reporter_set_attempt(
	    w->reporter, APPLY_APPLIED, m, "", &(struct apply_timing){ 0 });
	set_in_force(w, m);
	reporter_send(w->reporter);
	poll_later(w, AFTER_SHORT_MS);
}

/* A file of a secret is another one: perhaps that of what is in force. */
static void
on_secrets(void *arg)
{
	struct worker *w = arg;
	struct manifest *m;

	/* It is told again. */
	if (w->closing || !w->polling || apply_busy(w->apply))
		return;
	if (secrets_refresh(w->secrets))
		reporter_send(w->reporter);
	m = manifest_decode(w->in_force->text, w->in_force->len, NULL);
	must(m != NULL);
	if (m->builtin || secrets_fill(w->secrets, m, NULL) != 0 ||
	    is_in_force(w, m)) {
		manifest_free(m);
		return;
	}
	log_info("a secret was replaced");
	fetch_poll_cancel(w->fetch);
	(void)uv_timer_stop(&w->poll_timer);
	apply_start(w->apply, m);
}

static void
on_poll(
    void *arg, enum fetch_poll what, struct manifest *m, const struct error *e)
{
	struct worker *w = arg;
	uint64_t delay;

	switch (what) {
	case FETCH_MANIFEST:
		w->poll_backoff.next_ms = 0;
		w->silent = 0;
		peers_forget(w->peers);
		on_manifest(w, m);
		break;
	case FETCH_WANTS_PIN:
		w->silent = 0;
		send_pin(w);
		poll_later(w, AFTER_SHORT_MS);
		break;
	case FETCH_NOTHING:
		w->poll_backoff.next_ms = 0;
		w->silent = 0;
		poll_later(w,
		    clock_mono_ms() - w->polled_ms < SHORT_POLL_MS
			? AFTER_SHORT_MS
			: 0);
		break;
	case FETCH_ERROR:
		w->silent++;
		delay = jitter(backoff_next(&w->poll_backoff, 0));
		log_limited(&w->poll_limit, LOG_WARN,
		    "control: %s; again in %" PRIu64 " ms, traffic goes on",
		    e->msg, delay);
		poll_later(w, delay);
		break;
	}
}

/* ---- the group, while the control plane is away ---- */

static const struct manifest *
on_peers_in_force(void *arg)
{
	const struct worker *w = arg;

	return w->in_force;
}

static void
on_peers_found(void *arg, struct manifest *m)
{
	struct worker *w = arg;

	/* What our engine refuses does not get better by asking again. */
	if (w->closing || apply_busy(w->apply) ||
	    strcmp(w->peer_config, m->config) == 0) {
		manifest_free(m);
		return;
	}
	memcpy(w->peer_config, m->config, sizeof(w->peer_config));
	fetch_poll_cancel(w->fetch);
	(void)uv_timer_stop(&w->poll_timer);
	on_manifest(w, m);
}

static void
on_peers_timer(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, peers_timer);
	bool nothing = w->in_force != NULL && w->in_force->builtin;

	if (w->closing)
		return;
	if (w->polling && !apply_busy(w->apply) &&
	    (nothing || w->silent >= SILENT_FAILS))
		peers_ask(w->peers);
	must(uv_timer_start(timer, on_peers_timer,
		 jitter(nothing ? PEERS_EMPTY_MS : PEERS_MS), 0) == 0);
}

/* True while so many workers are leaving that changes are gathered. */
static bool
must_gather(const struct worker *w)
{
	struct procs found = { 0 };
	bool many;

	if (w->reloaded_ms == 0 ||
	    clock_mono_ms() - w->reloaded_ms >= GATHER_MS)
		return false;
	many = procs_scan(w->options->dir, &found, NULL) == 0 &&
	    procs_generations(&found) >= MAX_GENERATIONS;
	procs_fini(&found);
	return many;
}

static void
on_poll_timer(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, poll_timer);

	if (!w->closing)
		poll_next(w);
}

static void
poll_later(struct worker *w, uint64_t ms)
{
	must(uv_timer_start(&w->poll_timer, on_poll_timer, ms, 0) == 0);
}

static void
poll_next(struct worker *w)
{
	w->polling = true;
	if (apply_busy(w->apply))
		return;
	if (must_gather(w)) {
		poll_later(w, GATHER_LOOK_MS);
		return;
	}
	w->polled_ms = clock_mono_ms();
	fetch_poll_start(w->fetch, w->have,
	    (const struct manifest *const *)&w->in_force, &w->pin, on_poll, w);
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
	poll_next(w);
}

static void
on_up_timer(uv_timer_t *timer)
{
	struct worker *w = container_of(timer, struct worker, poll_timer);

	if (!w->closing && !startup_asking(&w->startup))
		poll_next(w);
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
	set_in_force(w, m);
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
		tell_keeper(w, &(struct link_message){ .type = LINK_BEAT });
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
	set_in_force(w, m);
	learn_pin(w, m);
	secrets_want(w->secrets, m);
	reporter_set_attempt(
	    w->reporter, APPLY_APPLIED, m, "", &(struct apply_timing){ 0 });
	tell_keeper(w, &(struct link_message){ .type = LINK_START });
	if (w->peers != NULL)
		must(uv_timer_start(&w->peers_timer, on_peers_timer,
			 PEERS_FIRST_MS, 0) == 0);
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
		.done = on_apply_done,
		.arg = w,
	};
	static const struct peers_handlers handlers = {
		.in_force = on_peers_in_force,
		.found = on_peers_found,
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
	w->secrets = secrets_new(&w->loop, w->options, on_secrets, w);
	reporter_set_secrets(w->reporter, w->secrets);
	setup.fetch = w->fetch;
	setup.secrets = w->secrets;
	setup.proof = w->proof;
	w->apply = apply_new(&setup);
	w->peers = peers_new(&w->loop, w->options, &w->folder, &handlers, w);
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
