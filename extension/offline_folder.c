/* Writing the rendered folder: see offline_folder.h. */
#include "offline_folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

#define LIST ".bulkhead-files"
#define LIST_MAX (64UL * 1024 * 1024)
#define REPORT "report.json"

struct folder {
	const char *dir;
	struct map before; /* paths of earlier runs */
	struct map now;
};

static bool
is_inside(const char *path)
{
	const char *p;

	if (*path == '/' || *path == '\0')
		return false;
	for (p = path; p != NULL; p = strchr(p, '/')) {
		p += *p == '/';
		if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return false;
	}
	return true;
}

/* A list that is absent is an empty one. */
static int
read_list(struct folder *f, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", f->dir, LIST);
	struct error read_error;
	char *line, *end;
	STR_AUTO(text, LIST_MAX);

	if (fs_read(path, &text, &read_error) != 0) {
		if (read_error.code == ENOENT)
			return 0;
		return error_set(e, read_error.code, "%s", read_error.msg);
	}
	for (line = text.p; (end = strchr(line, '\n')) != NULL;
	     line = end + 1) {
		*end = '\0';
		if (is_inside(line))
			map_set(&f->before, line, f);
	}
	return 0;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* True if the file is there and holds just these bytes. */
static bool
is_same(const char *path, const char *text, size_t len)
{
	struct error absent;
	struct stat st;
	STR_AUTO(now, LIST_MAX);

	/* Most that change, change their length. */
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 07777) == 0644 && (size_t)st.st_size == len &&
	    fs_read(path, &now, &absent) == 0 && now.len == len &&
	    memcmp(now.p, text, len) == 0;
}

/*
 * By rename like fs_write(), but without waiting for the disk each time: a
 * dry run of a big Swarm is thousands of files.
 */
static int
replace_file(const char *path, const char *text, size_t len, struct error *e)
{
	char *tmp _cleanup_free_ = xasprintf("%s.tmp.%d", path, (int)getpid());
	FILE *out = fopen(tmp, "wex");
	int saved;

	if (out == NULL)
		return error_errno(e, errno, "%s", tmp);
	if (fwrite(text, 1, len, out) != len ||
	    fchmod(fileno(out), 0644) != 0) {
		saved = errno;
		(void)fclose(out);
		(void)unlink(tmp);
		return error_errno(e, saved, "%s", tmp);
	}
	if (fclose(out) != 0 || rename(tmp, path) != 0) {
		saved = errno;
		(void)unlink(tmp);
		return error_errno(e, saved, "%s", path);
	}
	return 0;
}

static int
write_list(const struct folder *f, bool with_before, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", f->dir, LIST);
	struct {
		VEC(const char *) names;
	} all = { 0 };
	struct map_entry *entry;
	size_t i;
	STR_AUTO(text, LIST_MAX);

	for (i = 0; (entry = map_next(&f->now, &i)) != NULL;)
		vec_push(&all.names, entry->key);
	for (i = 0;
	     with_before && (entry = map_next(&f->before, &i)) != NULL;) {
		if (map_get(&f->now, entry->key) == NULL)
			vec_push(&all.names, entry->key);
	}
	vec_sort(&all.names, compare_texts);
	for (i = 0; i < all.names.len; i++) {
		str_add(&text, all.names.at[i]);
		str_addc(&text, '\n');
	}
	vec_fini(&all.names);
	return replace_file(path, text.p, text.len, e);
}

static int
check_free(const struct folder *f, struct error *e)
{
	struct map_entry *entry;
	struct stat st;
	size_t i;

	for (i = 0; (entry = map_next(&f->now, &i)) != NULL;) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", f->dir, entry->key);

		if (map_get(&f->before, entry->key) == NULL &&
		    lstat(path, &st) == 0)
			return error_set(e, EEXIST,
			    "%s is there and was not written by render; "
			    "remove it or choose another folder",
			    path);
	}
	return 0;
}

static int
write_file(const struct folder *f, const char *name, const char *text,
    size_t len, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", f->dir, name);
	char *folder _cleanup_free_ = xstrdup(path);

	*strrchr(folder, '/') = '\0';
	if (fs_mkdirs(folder, 0755, e) != 0)
		return -1;
	/* To replace a file makes the disk work at once: only where needed. */
	if (is_same(path, text, len))
		return 0;
	return replace_file(path, text, len, e);
}

static int
write_files(const struct folder *f, const struct rendered *r,
    const struct str *report, struct error *e)
{
	size_t i;

	for (i = 0; i < r->files.len; i++) {
		const struct rendered_file *file = r->files.at[i];

		if (write_file(f, file->path, file->text, file->len, e) != 0)
			return -1;
	}
	return write_file(f, REPORT, report->p, report->len, e);
}

static int
remove_stale(const struct folder *f, struct error *e)
{
	struct map_entry *entry;
	size_t i;

	for (i = 0; (entry = map_next(&f->before, &i)) != NULL;) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", f->dir, entry->key);

		if (map_get(&f->now, entry->key) == NULL && unlink(path) != 0 &&
		    errno != ENOENT)
			return error_errno(e, errno, "%s", path);
	}
	return 0;
}

int
offline_folder_write(const char *dir, const struct rendered *r,
    const struct str *report, struct error *e)
{
	struct folder f = { .dir = dir };
	size_t i;
	int rc;

	for (i = 0; i < r->files.len; i++) {
		must(is_inside(r->files.at[i]->path));
		map_set(&f.now, r->files.at[i]->path, &f);
	}
	map_set(&f.now, REPORT, &f);
	rc = read_list(&f, e);
	if (rc == 0)
		rc = check_free(&f, e);
	/* While files come and go, the list has those of both runs. */
	if (rc == 0)
		rc = write_list(&f, true, e);
	if (rc == 0)
		rc = write_files(&f, r, report, e);
	if (rc == 0)
		rc = remove_stale(&f, e);
	if (rc == 0)
		rc = write_list(&f, false, e);
	map_fini(&f.before);
	map_fini(&f.now);
	return rc;
}
