/* Generations as lists of shared files: see generations.h. */
#include "generations.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define STAMP_MAX ((size_t)8 * 1024 * 1024)
#define FEW 8 /* are looked for one by one */

void
generation_fini(struct generation *g)
{
	size_t i;

	for (i = 0; i < g->files.len; i++)
		manifest_file_drop(g->files.at[i]);
	vec_fini(&g->files);
	free(g->stamp);
	*g = (struct generation){ 0 };
}

void
generation_set_files(struct generation *g, const struct manifest *m)
{
	size_t i;

	generation_fini(g);
	for (i = 0; i < m->files.len; i++)
		vec_push(&g->files, manifest_file_use(m->files.at[i]));
	if (m->pin.document.path != NULL)
		memcpy(
		    g->document, m->pin.document.sha256, sizeof(g->document));
}

/* The length of the folder's name in 'path', 0 where there is none. */
static size_t
parent_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path);
}

/* Whether 'a' and 'b' are in the same folder; of sorted ones most are. */
static bool
same_parent(const char *a, const char *b)
{
	size_t len = parent_len(a);

	return parent_len(b) == len && memcmp(a, b, len) == 0;
}

char *
generation_stamp(const struct generation *g, const char *root)
{
	STR_AUTO(out, STAMP_MAX);
	struct stat st;
	size_t i;

	for (i = 0; i < g->files.len; i++) {
		const char *path = g->files.at[i]->path;
		char *name _cleanup_free_ = NULL;

		if (i > 0 && same_parent(g->files.at[i - 1]->path, path))
			continue;
		name = xasprintf("%s/%.*s", root, (int)parent_len(path), path);
		if (stat(name, &st) != 0)
			return NULL;
		str_addf(&out, "%" PRIu64 " %lld.%09ld %" PRIu64 "\n",
		    (uint64_t)st.st_ino, (long long)st.st_mtim.tv_sec,
		    st.st_mtim.tv_nsec, (uint64_t)st.st_nlink);
	}
	return out.overflow ? NULL : str_take(&out);
}

struct turning {
	const char *blobs;
	const char *root;
	const char *made; /* a path whose folders are there */
	struct manifest_file *missing;
};

static int
take_away(const struct turning *t, const char *path, struct error *e)
{
	char *name _cleanup_free_ = xasprintf("%s/%s", t->root, path);

	return unlink(name) == 0 ? 0 : error_errno(e, errno, "%s", name);
}

static int
put_in(struct turning *t, struct manifest_file *file, struct error *e)
{
	char *from _cleanup_free_ = xasprintf("%s/%s", t->blobs, file->sha256);
	char *to _cleanup_free_ = xasprintf("%s/%s", t->root, file->path);
	struct stat st;
	int saved;

	if (t->made == NULL || !same_parent(t->made, file->path)) {
		char *folder _cleanup_free_ = xasprintf("%s/%.*s", t->root,
		    (int)parent_len(file->path), file->path);

		if (fs_mkdirs(folder, 0755, e) != 0)
			return -1;
		t->made = file->path;
	}
	if (link(from, to) == 0)
		return 0;
	saved = errno;
	if (saved == ENOENT && stat(from, &st) != 0)
		t->missing = file;
	return error_errno(e, saved, "%s", to);
}

static bool
same_file(const struct manifest_file *a, const struct manifest_file *b)
{
	return a == b ||
	    (strcmp(a->path, b->path) == 0 &&
		strcmp(a->sha256, b->sha256) == 0);
}

int
generation_turn(const struct generation *g, const struct manifest *m,
    const char *blobs, const char *root, struct manifest_file **ret_missing,
    struct error *e)
{
	struct turning t = { .blobs = blobs, .root = root };
	size_t i = 0, k = 0;
	int c, rc = 0;

	while (rc == 0 && (i < g->files.len || k < m->files.len)) {
		bool both = i < g->files.len && k < m->files.len;

		if (both && same_file(g->files.at[i], m->files.at[k])) {
			i++;
			k++;
			continue;
		}
		c = !both ? (i < g->files.len ? -1 : 1)
			  : strcmp(g->files.at[i]->path, m->files.at[k]->path);
		if (c <= 0)
			rc = take_away(&t, g->files.at[i++]->path, e);
		if (rc == 0 && c >= 0)
			rc = put_in(&t, m->files.at[k++], e);
	}
	*ret_missing = t.missing;
	return rc;
}

void
generations_fini(struct generations *g)
{
	size_t i;

	for (i = 0; i < g->list.len; i++)
		generation_fini(&g->list.at[i]);
	vec_fini(&g->list);
}

struct generation *
generations_find(const struct generations *g, uint64_t number)
{
	size_t i;

	for (i = 0; i < g->list.len; i++)
		if (g->list.at[i].number == number)
			return &g->list.at[i];
	return NULL;
}

void
generations_add(struct generations *g, struct generation *one)
{
	vec_push(&g->list, *one);
	*one = (struct generation){ 0 };
}

struct generation
generations_take(struct generations *g, uint64_t number)
{
	struct generation *found = generations_find(g, number);
	struct generation one = { 0 };

	if (found != NULL) {
		one = *found;
		vec_remove(&g->list, (size_t)(found - g->list.at));
	}
	return one;
}

static void
add_sums(const struct generation *g, struct map *ret)
{
	size_t i;

	for (i = 0; i < g->files.len; i++)
		(void)map_set(ret, g->files.at[i]->sha256, ret);
	(void)map_set(ret, g->document, ret);
}

void
generations_sums(const struct generations *g, struct map *ret)
{
	size_t i;

	for (i = 0; i < g->list.len; i++)
		add_sums(&g->list.at[i], ret);
}

static bool
has_sum(const struct generation *g, const char *sha256)
{
	size_t i;

	for (i = 0; i < g->files.len; i++)
		if (memcmp(g->files.at[i]->sha256, sha256, SHA256_HEX_SIZE) ==
		    0)
			return true;
	return strcmp(g->document, sha256) == 0;
}

/* Takes from 'ret' what 'g' has. */
static void
subtract(const struct generation *g, struct map *ret)
{
	struct map_entry *m;
	size_t i;

	if (ret->len <= FEW) {
		for (i = 0; (m = map_next(ret, &i)) != NULL;)
			if (has_sum(g, m->key))
				(void)map_remove(ret, m->key);
		return;
	}
	for (i = 0; i < g->files.len; i++)
		(void)map_remove(ret, g->files.at[i]->sha256);
	(void)map_remove(ret, g->document);
}

/* Files of 'old' that 'next' does not have at the same path. */
static void
differing(const struct generation *old, const struct generation *next,
    struct map *ret)
{
	size_t i = 0, k = 0;

	for (; i < old->files.len; i++) {
		struct manifest_file *f = old->files.at[i];

		while (k < next->files.len && next->files.at[k] != f &&
		    strcmp(next->files.at[k]->path, f->path) < 0)
			k++;
		if (k < next->files.len && same_file(next->files.at[k], f))
			k++;
		else
			(void)map_set(ret, f->sha256, f);
	}
}

void
generations_unneeded(
    const struct generations *g, const struct generation *old, struct map *ret)
{
	const struct generation none = { 0 };
	struct manifest_file document = { 0 };
	struct map found = { 0 };
	struct map_entry *m;
	size_t i;

	if (old->document[0] != '\0')
		(void)map_set(&found, old->document, &document);
	differing(old, g->list.len == 0 ? &none : &g->list.at[0], &found);
	for (i = 0; i < g->list.len; i++)
		subtract(&g->list.at[i], &found);
	for (i = 0; (m = map_next(&found, &i)) != NULL;) {
		((struct manifest_file *)m->value)->here = false;
		(void)map_set(ret, m->key, ret);
	}
	map_fini(&found);
}
