/*
 * Generations that are over, and blobs that nothing needs: see folder_old.h
 * and folder.h.
 */
#include "folder_old.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define SWEEP_EACH 256 /* cleanings */

/* What is made anew in each generation, or left in it by the engine. */
static const char *const own[] = { "agent", "secrets", "manifest.json" };
static const char *const left[] = { "temp", ENGINE_PID_FILE,
	ENGINE_INTERNAL_SOCKET, "tls.sock", "pass.sock", "front.sock" };

/* What cannot be removed goes at the next start. */
void
folder_old_remove_tree(const char *path)
{
	struct error e;

	if (fs_remove_tree(path, &e) != 0)
		log_debug("disk: %s", e.msg);
}

static int
remove_names(
    const char *folder, const char *const *names, size_t count, struct error *e)
{
	size_t i;

	for (i = 0; i < count; i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", folder, names[i]);

		if (fs_remove_tree(path, e) != 0)
			return -1;
	}
	return 0;
}

int
folder_old_remove_left(const char *folder, struct error *e)
{
	return remove_names(folder, left, countof(left), e);
}

/* 'g', which is at 'path', waits to become the next generation. */
static void
set_spare(struct folder *f, const char *path, struct generation *g)
{
	char *spare _cleanup_free_ = xasprintf("%s/tmp/spare", f->dir);

	if (f->spare.stamp == NULL && g->stamp != NULL) {
		folder_old_remove_tree(spare);
		if (rename(path, spare) == 0) {
			generation_fini(&f->spare);
			f->spare = *g;
			*g = (struct generation){ 0 };
			return;
		}
	}
	folder_old_remove_tree(path);
	generation_fini(g);
}

/*
 * Makes the spare one the scratch folder.  Where somebody else was at it, it
 * is removed.
 */
bool
folder_old_use_spare(struct folder *f, const char *scratch)
{
	char *spare _cleanup_free_ = xasprintf("%s/tmp/spare", f->dir);
	char *now _cleanup_free_ = NULL;

	if (f->spare.stamp == NULL)
		return false;
	now = generation_stamp(&f->spare, spare);
	f->making = f->spare;
	f->spare = (struct generation){ 0 };
	if (now != NULL && strcmp(now, f->making.stamp) == 0 &&
	    rename(spare, scratch) == 0 &&
	    remove_names(scratch, own, countof(own), NULL) == 0 &&
	    folder_old_remove_left(scratch, NULL) == 0)
		return true;
	log_debug("disk: %s is not as it was left", spare);
	generation_fini(&f->making);
	folder_old_remove_tree(spare);
	folder_old_remove_tree(scratch);
	return false;
}

void
folder_discard(struct folder *f, const char *scratch)
{
	free(f->making.stamp);
	f->making.stamp = generation_stamp(&f->making, scratch);
	set_spare(f, scratch, &f->making);
	f->stray = true;
}

void
folder_remove(struct folder *f, uint64_t number)
{
	char *path _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64, f->dir, number);
	struct generation one = generations_take(&f->kept, number);

	generation_fini(&one);
	folder_old_remove_tree(path);
	f->stray = true;
}

/* What a generation of a process before this one consists of. */
static void
learn(struct folder *f, uint64_t number)
{
	char *path _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64 "/manifest.json", f->dir, number);
	struct generation one = { 0 };
	STR_AUTO(text, MANIFEST_MAX_SIZE);
	struct manifest *m;

	if (generations_find(&f->kept, number) != NULL ||
	    fs_read(path, &text, NULL) != 0)
		return;
	m = manifest_decode(text.p, text.len, NULL);
	if (m == NULL)
		return;
	generation_set_files(&one, m);
	one.number = number;
	generations_add(&f->kept, &one);
	manifest_free(m);
}

/* Removes every blob that nothing on disk needs. */
static int
sweep(struct folder *f, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/blobs", f->dir);
	const struct dirent *entry;
	struct map needed = { 0 };
	DIR *dir = opendir(path);

	if (dir == NULL)
		return error_errno(e, errno, "%s", path);
	generations_sums(&f->kept, &needed);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    map_get(&needed, entry->d_name) != NULL)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			(void)map_remove(&f->known, entry->d_name);
	}
	(void)closedir(dir);
	map_fini(&needed);
	f->stray = false;
	return 0;
}

/* Generation 'n' goes, and what nothing but it needs. */
static void
retire(struct folder *f, uint64_t n)
{
	char *path _cleanup_free_ = xasprintf("%s/gen/%" PRIu64, f->dir, n);
	struct generation one = generations_take(&f->kept, n);
	struct map unneeded = { 0 };
	struct map_entry *m;
	size_t i;

	f->stray |= one.number == 0;
	generations_unneeded(&f->kept, &one, &unneeded);
	for (i = 0; (m = map_next(&unneeded, &i)) != NULL;) {
		char *blob _cleanup_free_ =
		    xasprintf("%s/blobs/%s", f->dir, m->key);

		(void)unlink(blob);
		(void)map_remove(&f->known, m->key);
	}
	map_fini(&unneeded);
	set_spare(f, path, &one);
}

int
folder_clean(struct folder *f, struct error *e)
{
	uint64_t current = folder_current(f), n = UINT64_MAX;
	VEC(uint64_t) over = { 0 };
	int kept = 0;
	size_t i;

	while ((n = folder_previous(f, n)) != 0) {
		if (kept < FOLDER_KEEP || n == current) {
			learn(f, n);
			kept++;
		} else {
			vec_push(&over, n);
		}
	}
	for (i = 0; i < over.len; i++)
		retire(f, over.at[i]);
	vec_fini(&over);
	/* Nor those that were fetched for nothing. */
	if (f->stray || f->cleans++ % SWEEP_EACH == 0)
		return sweep(f, e);
	return 0;
}
