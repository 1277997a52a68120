/* The files of the newest configuration: see state_blobs.h. */
#include "state_blobs.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

/* Some bytes of 'now'. */
struct blob {
	struct rendered_file *file; /* used: one that has them */
	size_t users;		    /* files of 'now' */
};

static void
add_file(struct state_blobs *s, struct rendered_file *f)
{
	struct blob *b = map_get(&s->by_sum, f->sha256);

	if (b == NULL) {
		b = xcalloc(1, sizeof(*b));
		b->file = rendered_file_use(f);
		(void)map_set(&s->by_sum, f->sha256, b);
	}
	b->users++;
	vec_push(&s->unstored, rendered_file_use(f));
}

static void
blob_free(struct blob *b)
{
	rendered_file_drop(b->file);
	free(b);
}

static void
leave_file(struct state_blobs *s, const struct rendered_file *f)
{
	struct blob *b = map_get(&s->by_sum, f->sha256);

	must(b != NULL);
	if (--b->users > 0)
		return;
	(void)map_set(&s->stale, f->sha256, s);
	(void)map_remove(&s->by_sum, f->sha256);
	blob_free(b);
}

void
state_blobs_change(struct state_blobs *s, const struct rendered *old,
    const struct rendered *new)
{
	struct rendered_walk w = { .before = old, .now = new };
	struct rendered_file *was, *is;

	while (rendered_differs(&w, &was, &is)) {
		if (is != NULL)
			add_file(s, is);
		if (was != NULL)
			leave_file(s, was);
	}
}

void
state_blobs_are_stored(struct state_blobs *s)
{
	size_t i;

	for (i = 0; i < s->unstored.len; i++)
		rendered_file_drop(s->unstored.at[i]);
	s->unstored.len = 0;
}

/* Blobs of configurations that are gone; failing is told and harmless. */
static void
sweep_all(
    const struct state_blobs *s, const char *folder, const struct map *kept)
{
	DIR *d = opendir(folder);
	struct dirent *entry;

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.' &&
		    map_get(&s->by_sum, entry->d_name) == NULL &&
		    map_get(kept, entry->d_name) == NULL &&
		    unlinkat(dirfd(d), entry->d_name, 0) != 0)
			log_debug("state: cannot remove %s: %s", entry->d_name,
			    strerror(errno));
	}
	(void)closedir(d);
}

/* All that the last run left; after that, what is known to go. */
void
state_blobs_sweep(
    struct state_blobs *s, const char *folder, const struct map *kept)
{
	struct map later = { 0 };
	struct map_entry *m;
	size_t i;

	if (!s->swept)
		sweep_all(s, folder, kept);
	for (i = 0; (m = map_next(&s->stale, &i)) != NULL;) {
		char *path _cleanup_free_ = xasprintf("%s/%s", folder, m->key);

		if (map_get(&s->by_sum, m->key) != NULL)
			continue;
		if (map_get(kept, m->key) != NULL)
			(void)map_set(&later, m->key, s);
		else if (s->swept && unlink(path) != 0 && errno != ENOENT)
			log_debug("state: cannot remove %s: %s", path,
			    strerror(errno));
	}
	map_fini(&s->stale);
	s->stale = later;
	s->swept = true;
}

static int
store_blob(const char *folder, struct rendered_file *f, struct error *e)
{
	char *blob _cleanup_free_ = xasprintf("%s/%s", folder, f->sha256);
	struct stat st;

	if (f->stored)
		return 0;
	if ((stat(blob, &st) != 0 || (size_t)st.st_size != f->len) &&
	    fs_write(blob, f->text, f->len, 0640, e) != 0)
		return -1;
	f->stored = true;
	return 0;
}

int
state_blobs_store(struct state_blobs *s, const char *folder, struct error *e)
{
	size_t i;

	for (i = 0; i < s->unstored.len; i++)
		if (store_blob(folder, s->unstored.at[i], e) != 0)
			return -1;
	state_blobs_are_stored(s);
	return 0;
}

const struct rendered_file *
state_blobs_get(const struct state_blobs *s, const char *sha256)
{
	const struct blob *b = map_get(&s->by_sum, sha256);

	return b == NULL ? NULL : b->file;
}

void
state_blobs_fini(struct state_blobs *s)
{
	struct map_entry *m;
	size_t i;

	for (i = 0; (m = map_next(&s->by_sum, &i)) != NULL;)
		blob_free(m->value);
	map_fini(&s->by_sum);
	map_fini(&s->stale);
	state_blobs_are_stored(s);
	vec_fini(&s->unstored);
}
