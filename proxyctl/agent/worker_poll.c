/*
 * What the worker asks for, and what becomes of it: see worker_object.h.
 *
 * Ask for something else than we have, apply it, report, ask again.  What was
 * refused is not tried again until the extension says something new; what
 * failed for reasons of our own is, after a delay.
 */
#include "worker_object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "engine_nginx.h"
#include "procs.h"

#define MAX_GENERATIONS 8 /* of workers that are leaving */
#define GATHER_MS 10000	  /* past that, reload this seldom */
#define GATHER_LOOK_MS 250
#define SHORT_POLL_MS 500   /* an answer sooner than this ... */
#define AFTER_SHORT_MS 300  /* ... is followed by a rest */
#define PEERS_FIRST_MS 300  /* without a word of the control plane */
#define PEERS_EMPTY_MS 1000 /* between rounds, while we have nothing */
#define PEERS_MS 5000
#define SILENT_FAILS 2

static void poll_later(struct worker *w, uint64_t ms);

static uint64_t
jitter(uint64_t ms)
{
	uint32_t random = 0;

	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return backoff_jitter(ms, random);
}

void
worker_learn_pin(struct worker *w, const struct manifest *m)
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

/* A balancer sends nobody before the first configuration is settled. */
static void
set_starting(bool starting)
{
	int fd;

	if (!starting) {
		if (unlink(ENGINE_STARTING_FILE) != 0 && errno != ENOENT)
			log_warn(ENGINE_STARTING_FILE ": %s", strerror(errno));
		return;
	}
	fd = open(ENGINE_STARTING_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)close(fd);
	else
		log_warn(ENGINE_STARTING_FILE ": %s", strerror(errno));
}

void
worker_set_in_force(struct worker *w, struct manifest *m)
{
	set_starting(m->builtin);
	manifest_free(w->in_force);
	w->in_force = m;
	reporter_set_in_force(w->reporter, m);
	(void)snprintf(
	    w->have, sizeof(w->have), "%s", m->builtin ? "" : m->config);
	if (m->drain_delay_ms != UINT64_MAX)
		worker_tell_keeper(w,
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
	worker_set_in_force(w, r->manifest);
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

static void
on_kept(const struct apply_result *r, const char *what)
{
	log_error("generation %" PRIu64
		  " %s: %s; the one before stays in force",
	    r->manifest->generation, what, r->words);
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
	worker_poll_next(w);
}

void
worker_on_apply_done(void *arg, const struct apply_result *r)
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
		on_kept(r, "refused by nginx");
		break;
	case APPLY_LACKING:
		on_kept(r, "is not tried");
		break;
	case APPLY_FAILED:
		on_failed(w, r);
		break;
	case APPLY_ACCEPTED: /* of a check only */
		break;
	}
	if (r->outcome != APPLY_APPLIED)
		manifest_free(r->manifest);
	reporter_send(w->reporter);
	worker_poll_next(w);
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
	worker_learn_pin(w, m);
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
	worker_set_in_force(w, m);
	reporter_send(w->reporter);
	poll_later(w, AFTER_SHORT_MS);
}

/* A file of a secret is another one: perhaps that of what is in force. */
void
worker_on_secrets(void *arg)
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

const struct peers_handlers worker_peers_handlers = {
	.in_force = on_peers_in_force,
	.found = on_peers_found,
};

void
worker_peers_start(struct worker *w)
{
	if (w->peers != NULL)
		must(uv_timer_start(&w->peers_timer, on_peers_timer,
			 PEERS_FIRST_MS, 0) == 0);
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
		worker_poll_next(w);
}

static void
poll_later(struct worker *w, uint64_t ms)
{
	must(uv_timer_start(&w->poll_timer, on_poll_timer, ms, 0) == 0);
}

void
worker_poll_next(struct worker *w)
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
