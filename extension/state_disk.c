/* The configuration in force, on disk: see state_disk.h. */
#include "state_disk.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define BLOB_MAX (64U * 1024 * 1024)
/* Of so many files one may differ, and some in any case. */
#define NEAR_SHARE 8
#define NEAR_LEAST 8

void
state_disk_init(struct state_disk *d, char *folder)
{
	*d = (struct state_disk){ .folder = folder };
}

void
state_disk_fini(struct state_disk *d)
{
	rendered_free(d->base);
	free(d->folder);
}

static char *
manifest_path(const struct state_disk *d)
{
	return xasprintf("%s/manifest.json", d->folder);
}

static char *
delta_path(const struct state_disk *d)
{
	return xasprintf("%s/manifest.delta.json", d->folder);
}

/* ---- what the last run left ---- */

static const char *
text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static json_t *
load_json(const char *path)
{
	STR_AUTO(text, STATE_MANIFEST_MAX);

	if (fs_read(path, &text, NULL) != 0)
		return NULL;
	return json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
}

static int
load_blob(const struct state_disk *d, struct rendered *r, const char *as,
    const char *sum)
{
	char *path _cleanup_free_ = xasprintf("%s/blobs/%s", d->folder, sum);
	struct rendered_file *f;
	STR_AUTO(text, BLOB_MAX);
	size_t len;

	if (fs_read(path, &text, NULL) != 0)
		return -1;
	len = text.len;
	f = rendered_file_new(xstrdup(as), str_take(&text), len);
	vec_push(&r->files, f);
	f->stored = true;
	return strcmp(f->sha256, sum) == 0 ? 0 : -1;
}

/* path -> hash, borrowed from 'manifest'. */
static int
take_files(const json_t *manifest, struct map *ret)
{
	const json_t *file, *path;
	size_t i;

	json_array_foreach(json_object_get(manifest, "files"), i, file)
	{
		const char *as = text_of(file, "path");
		const char *sum = text_of(file, "sha256");

		if (as == NULL || sum == NULL || !sha256_is_hex(sum))
			return -1;
		(void)map_set(ret, as, (void *)(uintptr_t)sum);
	}
	json_array_foreach(json_object_get(manifest, "removed"), i, path)
	{
		if (json_string_value(path) == NULL)
			return -1;
		(void)map_remove(ret, json_string_value(path));
	}
	return 0;
}

static char *
copy_text(const json_t *o, const char *key)
{
	const char *text = text_of(o, key);

	return text == NULL ? NULL : xstrdup(text);
}

/*
 * The configuration that 'manifest' tells, over 'base' if that is not NULL;
 * NULL where a file of it is not there.
 */
static struct rendered *
load_whole(
    const struct state_disk *d, const json_t *base, const json_t *manifest)
{
	const char *config = text_of(manifest, "config");
	const json_t *listen = json_object_get(manifest, "listen");
	struct rendered *r = xcalloc(1, sizeof(*r));
	struct map files = { 0 };
	struct map_entry *e;
	bool whole = config != NULL && sha256_is_hex(config) &&
	    text_of(listen, "http") != NULL;

	if (base != NULL && whole)
		whole = take_files(base, &files) == 0;
	whole = whole && take_files(manifest, &files) == 0 && files.len > 0;
	for (size_t i = 0; whole && (e = map_next(&files, &i)) != NULL;)
		whole = load_blob(d, r, e->key, e->value) == 0;
	map_fini(&files);
	if (!whole) {
		rendered_free(r);
		return NULL;
	}
	rendered_sort(r);
	r->listen_http = copy_text(listen, "http");
	r->listen_https = copy_text(listen, "https");
	r->secrets = json_dumps(json_object_get(manifest, "secrets"), 0);
	rendered_name(r);
	if (strcmp(r->config, config) == 0)
		return r;
	rendered_free(r);
	return NULL;
}

static void
take_numbers(const json_t *manifest, struct state_found *ret)
{
	const char *epoch = text_of(manifest, "epoch");

	ret->generation = (uint64_t)json_integer_value(
	    json_object_get(manifest, "generation"));
	if (epoch != NULL && strlen(epoch) == sizeof(ret->epoch) - 1 &&
	    strspn(epoch, "0123456789abcdef") == sizeof(ret->epoch) - 1)
		memcpy(ret->epoch, epoch, sizeof(ret->epoch));
}

void
state_disk_load(struct state_disk *d, struct state_found *ret)
{
	char *path _cleanup_free_ = manifest_path(d);
	char *more _cleanup_free_ = delta_path(d);
	json_auto_t *base = load_json(path);
	json_auto_t *delta = load_json(more);
	const char *config = text_of(base, "config");
	const char *of = text_of(delta, "base");

	*ret = (struct state_found){ 0 };
	d->delta = delta != NULL;
	if (config == NULL || !sha256_is_hex(config))
		return;
	take_numbers(base, ret);
	if (of != NULL && strcmp(of, config) == 0) {
		take_numbers(delta, ret);
		ret->now = load_whole(d, base, delta);
	}
	if (ret->now != NULL)
		return; /* what is written next is whole */
	ret->now = load_whole(d, NULL, base);
	if (ret->now == NULL)
		log_warn("state: %s is not whole; what is rendered next counts "
			 "on from generation %llu",
		    path, (unsigned long long)ret->generation);
	else
		d->base = rendered_share(ret->now);
}

/* ---- writing ---- */

bool
state_disk_is_near(
    const struct state_disk *d, const struct rendered *now, struct map *ret)
{
	struct rendered_walk w = { .before = d->base, .now = now };
	struct rendered_file *was, *is;
	size_t n = 0;

	if (d->base == NULL)
		return false;
	for (; rendered_differs(&w, &was, &is); n++)
		if (was != NULL)
			(void)map_set(ret, was->sha256, ret);
	return n <= NEAR_LEAST || n <= now->files.len / NEAR_SHARE;
}

int
state_disk_write(struct state_disk *d, const struct rendered *now, bool near,
    const struct str *text, struct error *e)
{
	char *path _cleanup_free_ = manifest_path(d);
	char *delta _cleanup_free_ = delta_path(d);

	if (fs_write(near ? delta : path, text->p, text->len, 0640, e) != 0)
		return -1;
	if (near) {
		d->delta = true;
		return 0;
	}
	rendered_free(d->base);
	d->base = rendered_share(now);
	/* It is of another one now, and would not be believed. */
	if (d->delta && unlink(delta) != 0 && errno != ENOENT)
		log_debug(
		    "state: cannot remove %s: %s", delta, strerror(errno));
	d->delta = false;
	return 0;
}
