/* The configuration in force: see state.h. */
#include "state.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "diff.h"
#include "state_blobs.h"
#include "state_disk.h"

#define MANIFEST_MAX STATE_MANIFEST_MAX
#define FILES_MAX (512U * 1024 * 1024)
#define PAST_MAX 8 /* configurations whose agents are told what differs */

struct state {
	struct state_disk disk;
	const struct cluster_config *config; /* borrowed */
	struct rendered *now;		     /* owned; NULL: nothing yet */
	struct rendered *before;	     /* still fetched by slow agents */
	struct rendered *good;	/* that an engine took; may be one of those */
	struct rendered *offer; /* to be checked; owned */
	struct str offer_manifest;
	uint64_t generation;
	char epoch[STATE_EPOCH_SIZE]; /* whose generations can be compared */
	struct state_change change;
	VEC(struct rendered *) past; /* owned; oldest first */
	struct str manifest;	     /* "": to be built when it is asked for */
	struct pin pin;
	const char *document; /* of the pin, borrowed; or NULL */
	size_t document_len;
	bool stored;
	struct state_blobs blobs; /* of 'now' */
};

/* ---- the manifest ---- */

static void
add_stamps(struct str *out, const struct state_change *c)
{
	str_addf(out,
	    ",\"path\":\"%s\",\"stamps\":{\"commit_us\":%llu,"
	    "\"read_us\":%llu,\"sent_us\":%llu,\"received_us\":%llu,"
	    "\"rendered_us\":%llu}}\n",
	    c->structure ? "structure" : "endpoints",
	    (unsigned long long)c->stamps.commit_us,
	    (unsigned long long)c->stamps.read_us,
	    (unsigned long long)c->stamps.sent_us,
	    (unsigned long long)c->received_us,
	    (unsigned long long)c->rendered_us);
}

static void
add_file(struct str *out, const struct rendered_file *f, bool *more)
{
	str_add(out, *more ? ",\n" : "\n");
	str_addn(out, f->manifest_line, f->manifest_len);
	*more = true;
}

/* What 'r' has that 'base' does not have, and which paths it lacks. */
static void
add_delta(
    struct str *out, const struct rendered *base, const struct rendered *r)
{
	VEC(const char *) removed = { 0 };
	struct rendered_walk w = { .before = base, .now = r };
	struct rendered_file *was, *is;
	bool more = false;
	size_t i;

	while (rendered_differs(&w, &was, &is)) {
		if (is != NULL)
			add_file(out, is, &more);
		else
			vec_push(&removed, was->path);
	}
	str_add(out, "],\n\"removed\":[");
	for (i = 0; i < removed.len; i++) {
		str_add(out, i == 0 ? "" : ",");
		str_add_json(out, removed.at[i], strlen(removed.at[i]));
	}
	vec_fini(&removed);
}

static void
add_files(struct str *out, const struct rendered *r)
{
	bool more = false;
	size_t i;

	for (i = 0; i < r->files.len; i++)
		add_file(out, r->files.at[i], &more);
}

/* 'base', if it is not NULL: what differs from it. */
static void
build(const struct state *s, const struct rendered *base,
    const struct rendered *r, struct str *out)
{
	const struct cluster_config *c = s->config;

	str_clear(out);
	str_add(out, "{\"version\":1");
	if (r == s->offer)
		str_add(out, ",\"check\":true");
	str_add_member(out, "cluster", c->cluster.name);
	str_add_member(out, "engine",
	    c->proxy.engine == ENGINE_NGINX ? "nginx" : "haproxy");
	str_addf(
	    out, ",\"generation\":%llu", (unsigned long long)s->generation);
	str_add_member(out, "epoch", s->epoch);
	str_add_member(out, "config", r->config);
	if (s->pin.counter > 0 && r != s->offer) {
		str_add(out, ",\"pin\":");
		pin_encode(&s->pin, out);
	}
	if (base != NULL)
		str_add_member(out, "base", base->config);
	str_add(out, ",\n\"files\":[");
	if (base != NULL)
		add_delta(out, base, r);
	else
		add_files(out, r);
	str_add(out, "],\n\"listen\":{\"http\":");
	str_add_json(out, r->listen_http, strlen(r->listen_http));
	str_add_member(out, "https", r->listen_https);
	str_addf(
	    out, "},\n\"secrets\":%s", r->secrets == NULL ? "[]" : r->secrets);
	str_addf(out,
	    ",\n\"settings\":{\"worker_shutdown_timeout_ms\":%llu,"
	    "\"drain_delay_ms\":%llu,\"worker_processes\":%u,"
	    "\"rlimit_nofile\":%llu}",
	    (unsigned long long)c->nginx.worker_shutdown_timeout_ms,
	    (unsigned long long)c->proxy.drain_delay_ms,
	    c->nginx.worker_processes,
	    (unsigned long long)c->nginx.rlimit_nofile);
	add_stamps(out, &s->change);
	must(!out->overflow);
}

bool
state_delta(const struct state *s, const char *base, struct str *out)
{
	const struct rendered *found = NULL;
	size_t i;

	if (s->now == NULL)
		return false;
	if (strcmp(base, s->now->config) == 0)
		found = s->now;
	for (i = 0; found == NULL && i < s->past.len; i++)
		if (strcmp(base, s->past.at[i]->config) == 0)
			found = s->past.at[i];
	if (found == NULL)
		return false;
	build(s, found, s->now, out);
	return true;
}

/* Agents that have it are told what differs. */
static void
remember(struct state *s, const struct rendered *r)
{
	if (s->past.len == PAST_MAX) {
		rendered_free(s->past.at[0]);
		vec_remove(&s->past, 0);
	}
	vec_push(&s->past, rendered_share(r));
}

/* ---- what the last run left ---- */

/* Generations are counted from a file: without it, from the start again. */
static void
draw_epoch(struct state *s)
{
	unsigned char bytes[(sizeof(s->epoch) - 1) / 2];
	size_t i;

	must(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++)
		(void)snprintf(s->epoch + 2 * i, 3, "%02x", bytes[i]);
}

static void
load(struct state *s)
{
	struct state_found found;

	state_disk_load(&s->disk, &found);
	if (found.epoch[0] != '\0')
		memcpy(s->epoch, found.epoch, sizeof(s->epoch));
	s->generation = found.generation;
	if (found.now == NULL)
		return;
	s->now = found.now;
	state_blobs_change(&s->blobs, NULL, s->now);
	state_blobs_are_stored(&s->blobs);
	s->stored = true;
}

struct state *
state_new(const char *run_dir, const struct cluster_config *c)
{
	struct state *s = xcalloc(1, sizeof(*s));

	state_disk_init(
	    &s->disk, xasprintf("%s/state/%s", run_dir, c->cluster.name));
	s->config = c;
	draw_epoch(s);
	str_init(&s->manifest, MANIFEST_MAX);
	str_init(&s->offer_manifest, MANIFEST_MAX);
	load(s);
	return s;
}

void
state_free(struct state *s)
{
	size_t i;

	if (s == NULL)
		return;
	if (s->good != s->now && s->good != s->before)
		rendered_free(s->good);
	rendered_free(s->now);
	rendered_free(s->before);
	rendered_free(s->offer);
	for (i = 0; i < s->past.len; i++)
		rendered_free(s->past.at[i]);
	vec_fini(&s->past);
	str_fini(&s->manifest);
	str_fini(&s->offer_manifest);
	state_blobs_fini(&s->blobs);
	state_disk_fini(&s->disk);
	free(s);
}

/* ---- changes ---- */

/* Agents see it with the next configuration. */
static void
take_secrets(struct state *s, struct rendered *r)
{
	if (r->secrets == NULL ||
	    (s->now->secrets != NULL &&
		strcmp(s->now->secrets, r->secrets) == 0))
		return;
	free(s->now->secrets);
	s->now->secrets = steal(&r->secrets);
	s->stored = false;
	str_clear(&s->manifest);
}

bool
state_take(
    struct state *s, struct rendered *r, const struct state_change *change)
{
	if (s->now != NULL && strcmp(s->now->config, r->config) == 0) {
		take_secrets(s, r);
		rendered_free(r);
		return false;
	}
	if (s->before != s->good)
		rendered_free(s->before);
	if (s->now != NULL)
		remember(s, s->now);
	s->before = s->now;
	s->now = r;
	state_blobs_change(&s->blobs, s->before, s->now);
	s->generation++;
	s->change = *change;
	s->stored = false;
	str_clear(&s->manifest);
	return true;
}

void
state_learn(struct state *s, const char *config, uint64_t n)
{
	if (s->now == NULL || n <= s->generation ||
	    strcmp(config, s->now->config) != 0)
		return;
	log_info("generation %llu is generation %llu again: a proxy serves "
		 "these very bytes",
	    (unsigned long long)s->generation, (unsigned long long)n);
	s->generation = n;
	s->stored = false;
	str_clear(&s->manifest);
}

void
state_confirm(struct state *s, const char *config)
{
	if (s->now == NULL || s->good == s->now ||
	    strcmp(config, s->now->config) != 0)
		return;
	if (s->good != s->before)
		rendered_free(s->good);
	s->good = s->now;
}

void
state_offer(struct state *s, struct rendered *r)
{
	rendered_free(s->offer);
	s->offer = r;
	str_clear(&s->offer_manifest);
	if (r != NULL)
		build(s, NULL, r, &s->offer_manifest);
}

void
state_set_pin(
    struct state *s, const struct pin *pin, const char *document, size_t len)
{
	bool same = pin_compare(pin, &s->pin) == 0;

	s->pin = *pin;
	s->document = document;
	s->document_len = len;
	if (s->now == NULL || same)
		return;
	s->stored = false;
	str_clear(&s->manifest);
}

void
state_use(struct state *s, const struct cluster_config *c)
{
	if (s->config == c)
		return;
	s->config = c;
	str_clear(&s->manifest);
}

/* ---- on disk ---- */

/* The manifest, or what differs from the one that is there. */
static int
write_manifest(struct state *s, bool near, struct error *e)
{
	STR_AUTO(delta, MANIFEST_MAX);

	if (!near)
		return state_disk_write(
		    &s->disk, s->now, false, state_manifest(s), e);
	build(s, s->disk.base, s->now, &delta);
	return state_disk_write(&s->disk, s->now, true, &delta, e);
}

int
state_store(struct state *s, bool whole, struct error *e)
{
	char *folder _cleanup_free_ = xasprintf("%s/blobs", s->disk.folder);
	struct map kept = { 0 };
	bool near;
	int rc = -1;

	whole = whole && s->disk.delta;
	if ((s->stored && !whole) || s->now == NULL)
		return 0;
	near = !whole && state_disk_is_near(&s->disk, s->now, &kept);
	if (!near)
		map_fini(&kept);
	if (fs_mkdirs(folder, 0750, e) == 0 &&
	    state_blobs_store(&s->blobs, folder, e) == 0 &&
	    write_manifest(s, near, e) == 0) {
		s->stored = true;
		state_blobs_sweep(&s->blobs, folder, &kept);
		rc = 0;
	}
	map_fini(&kept);
	return rc;
}

/* ---- questions ---- */

uint64_t
state_generation(const struct state *s)
{
	return s->generation;
}

const char *
state_config(const struct state *s)
{
	return s->now == NULL ? "" : s->now->config;
}

const struct state_change *
state_last_change(const struct state *s)
{
	return &s->change;
}

const struct rendered *
state_newest(const struct state *s)
{
	return s->now;
}

const struct rendered *
state_good(const struct state *s)
{
	return s->good;
}

const struct str *
state_offered_manifest(const struct state *s)
{
	return &s->offer_manifest;
}

const char *
state_offered(const struct state *s)
{
	return s->offer == NULL ? "" : s->offer->config;
}

const struct str *
state_manifest(struct state *s)
{
	if (s->manifest.len == 0 && s->now != NULL)
		build(s, NULL, s->now, &s->manifest);
	return &s->manifest;
}

const char *
state_blob(const struct state *s, const char *sha256, size_t *ret_len)
{
	const struct rendered *all[] = { s->before, s->offer };
	const struct rendered_file *newest = state_blobs_get(&s->blobs, sha256);
	size_t i, k;

	if (newest != NULL) {
		*ret_len = newest->len;
		return newest->text;
	}
	if (s->document != NULL && strcmp(sha256, s->pin.document) == 0) {
		*ret_len = s->document_len;
		return s->document;
	}
	for (k = 0; k < countof(all); k++) {
		for (i = 0; all[k] != NULL && i < all[k]->files.len; i++) {
			const struct rendered_file *f = all[k]->files.at[i];

			if (strcmp(f->sha256, sha256) == 0) {
				*ret_len = f->len;
				return f->text;
			}
		}
	}
	return NULL;
}

void
state_files(const struct state *s, struct str *out)
{
	size_t i;

	str_addf(out, "{\"generation\":%llu,\"config\":\"%s\",\"files\":[",
	    (unsigned long long)s->generation, state_config(s));
	for (i = 0; s->now != NULL && i < s->now->files.len; i++) {
		struct rendered_file *f = s->now->files.at[i];

		str_addf(out,
		    "%s\n{\"path\":\"%s\",\"text\":", i == 0 ? "" : ",",
		    f->path);
		str_add_json(out, f->text, f->len);
		str_addc(out, '}');
	}
	str_add(out, "]}\n");
}

void
state_diff(const struct state *s, struct str *out)
{
	bool served = s->good != NULL && s->good != s->now;
	const struct rendered *from = served ? s->good : s->before;

	str_addf(
	    out, "{\"generation\":%llu", (unsigned long long)s->generation);
	str_add_member(out, "against",
	    served	       ? "served"
		: from != NULL ? "before"
			       : NULL);
	str_addc(out, ',');
	if (s->now != NULL)
		diff_rendered(from, s->now, out);
	else
		str_add(out, "\"files\":[]");
	str_add(out, "}\n");
}

void
state_diff_with(const struct state *s, const char *against,
    const struct rendered *to, struct str *out)
{
	str_addf(
	    out, "{\"generation\":%llu", (unsigned long long)s->generation);
	str_add_member(out, "against", against);
	str_addc(out, ',');
	diff_rendered(s->now, to, out);
	str_add(out, "}\n");
}
