/*
 * What the live extension leaves to the next run, in run_dir/state/NAME/: the
 * configuration in force, who is set aside, and whether it died at work.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "docker/decode_guard.h"
#include "live_object.h"

#define STORE_MS 50
#define STORE_RETRY_MS 5000

static char *
aside_path(const struct live *l)
{
	return xasprintf("%s/state/%s/aside.json", l->options->run_dir,
	    l->config->cluster.name);
}

static void
load_aside(struct live *l)
{
	char *path _cleanup_free_ = aside_path(l);

	aside_load(&l->aside, path);
}

static char *
holds_path(const struct live *l)
{
	return xasprintf("%s/state/%s/holds.json", l->options->run_dir,
	    l->config->cluster.name);
}

static struct holds_time
holds_now(void)
{
	return (struct holds_time){ clock_mono_ms(), clock_wall_us() };
}

static void
load_holds(struct live *l)
{
	char *path _cleanup_free_ = holds_path(l);
	struct holds_time now = holds_now();

	l->holds.hold_ms = l->config->cluster.claim_hold_ms;
	if (l->holds.hold_ms > 0)
		holds_load(&l->holds, path, &now);
	else
		(void)unlink(path); /* nothing of it counts later */
}

bool
live_holds_learn(struct live *l)
{
	struct holds_time now = holds_now();
	bool again = holds_learn(&l->holds, l->routing, &now);

	if (l->holds.changed)
		live_store_soon(l);
	return again;
}

static int
store_holds(struct live *l, struct error *e)
{
	char *path _cleanup_free_ = holds_path(l);

	if (!l->holds.changed)
		return 0;
	if (holds_store(&l->holds, path, clock_mono_ms(), e) != 0)
		return -1;
	l->holds.changed = false;
	return 0;
}

static void
open_note(struct live *l)
{
	char *folder _cleanup_free_ = xasprintf(
	    "%s/state/%s", l->options->run_dir, l->config->cluster.name);
	char *path _cleanup_free_ = xasprintf("%s/work", folder);
	char *decode _cleanup_free_ = xasprintf("%s/decode", folder);
	struct error e;

	if (fs_mkdirs(folder, 0750, &e) != 0)
		log_warn("state: %s", e.msg);
	l->note = worknote_open(path);
	if (decode_guard_open(decode))
		log_error("an object ends this program when it is read, twice "
			  "now: it is left out until it changes, a bug of "
			  "ours");
}

int
live_store(struct live *l, bool whole, struct error *e)
{
	char *path _cleanup_free_ = aside_path(l);

	if (state_store(l->state, whole, e) != 0 ||
	    live_secrets_store(&l->secrets, e) != 0 ||
	    live_pin_store(l, e) != 0 || store_holds(l, e) != 0)
		return -1;
	if (!l->aside_changed)
		return 0;
	if (aside_store(&l->aside, path, e) != 0)
		return -1;
	l->aside_changed = false;
	return 0;
}

static void
on_store(uv_timer_t *timer)
{
	static struct log_limit limit = LOG_LIMIT_INIT(1, 60000);
	struct live *l = container_of(timer, struct live, store);
	struct error e;

	if (live_store(l, false, &e) == 0)
		return;
	log_limited(&limit, LOG_ERROR,
	    "state: %s; proxies are served from memory, tried again every "
	    "%d s",
	    e.msg, STORE_RETRY_MS / 1000);
	must(uv_timer_start(timer, on_store, STORE_RETRY_MS, 0) == 0);
}

void
live_store_soon(struct live *l)
{
	must(uv_timer_start(&l->store, on_store, STORE_MS, 0) == 0);
}

void
live_aside_changed(struct live *l)
{
	l->aside_changed = true;
	live_store_soon(l);
}

void
live_store_open(struct live *l)
{
	load_aside(l);
	load_holds(l);
	live_secrets_init(
	    &l->secrets, l->options->run_dir, l->config->cluster.name);
	open_note(l);
}
