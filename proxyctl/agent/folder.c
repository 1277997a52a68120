/*
 * Generations on disk: see folder.h.  Everything is made beside its place and
 * then renamed; nothing that nginx may read is ever written in place.
 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "folder_old.h"
#include "secrets.h"

static const char *const folders[] = { "blobs", "gen", "tmp", "temp" };

static uint64_t
number_of(const char *name)
{
	uint32_t n;

	if (parse_u32(name, strlen(name), 1, UINT32_MAX, &n, NULL) != 0)
		return 0;
	return n;
}

uint64_t
folder_previous(const struct folder *f, uint64_t before)
{
	char *path _cleanup_free_ = xasprintf("%s/gen", f->dir);
	const struct dirent *entry;
	uint64_t n, best = 0;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		n = number_of(entry->d_name);
		if (n < before && n > best)
			best = n;
	}
	(void)closedir(dir);
	return best;
}

int
folder_open(struct folder *f, const char *dir, struct error *e)
{
	char *scratch _cleanup_free_ = xasprintf("%s/tmp", dir);
	size_t i;

	*f = (struct folder){ .dir = dir };
	f->last = folder_previous(f, UINT64_MAX);
	if (fs_remove_tree(scratch, e) != 0)
		return -1;
	for (i = 0; i < countof(folders); i++) {
		char *path _cleanup_free_ = xasprintf("%s/%s", dir, folders[i]);

		if (fs_mkdirs(path, 0755, e) != 0)
			return -1;
	}
	return 0;
}

void
folder_fini(struct folder *f)
{
	map_fini(&f->known);
	generations_fini(&f->kept);
	generation_fini(&f->making);
	generation_fini(&f->spare);
}

uint64_t
folder_current(const struct folder *f)
{
	char *path _cleanup_free_ = xasprintf("%s/current", f->dir);
	char target[64];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 4 || memcmp(target, "gen/", 4) != 0)
		return 0;
	target[n] = '\0';
	return number_of(target + 4);
}

/* Reads 'path' and compares it with what the manifest says. */
static int
verify(const char *path, const struct manifest_file *file, struct error *e)
{
	STR_AUTO(bytes, MANIFEST_MAX_FILE_SIZE);
	char sha[SHA256_HEX_SIZE];

	if (fs_read(path, &bytes, e) != 0)
		return -1;
	sha256_hex(bytes.p, bytes.len, sha);
	if (bytes.len != file->size || strcmp(sha, file->sha256) != 0)
		return error_set(e, EBADMSG, "%s: damaged", path);
	return 0;
}

struct manifest *
folder_load(const struct folder *f, uint64_t number, struct error *e)
{
	char *folder _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64, f->dir, number);
	char *path _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64 "/manifest.json", f->dir, number);
	STR_AUTO(text, MANIFEST_MAX_SIZE);
	struct manifest *m;
	size_t i;

	if (fs_read(path, &text, e) != 0)
		return NULL;
	m = manifest_decode(text.p, text.len, e);
	if (m == NULL)
		return NULL;
	for (i = 0; i < m->files.len; i++) {
		char *name _cleanup_free_ = xasprintf("%s/gen/%" PRIu64 "/%s",
		    f->dir, number, m->files.at[i]->path);

		if (verify(name, m->files.at[i], e) != 0) {
			manifest_free(m);
			return NULL;
		}
	}
	secrets_load(m, folder);
	return m;
}

bool
folder_has_fragments(
    const struct folder *f, uint64_t number, const struct fragments *fragments)
{
	size_t i;

	for (i = 0; i < fragments->list.len; i++) {
		const struct fragment *a = &fragments->list.at[i];
		char *path _cleanup_free_ =
		    xasprintf("%s/gen/%" PRIu64 "/%s", f->dir, number, a->path);
		STR_AUTO(text, a->len + 1);

		if (fs_read(path, &text, NULL) != 0 || text.len != a->len ||
		    memcmp(text.p, a->text, a->len) != 0)
			return false;
	}
	return true;
}

static char *
blob_path(const struct folder *f, const char *sha256)
{
	return xasprintf("%s/blobs/%s", f->dir, sha256);
}

bool
folder_has_blob(struct folder *f, struct manifest_file *file)
{
	char *path _cleanup_free_ = NULL;

	if (file->here)
		return true;
	if (map_get(&f->known, file->sha256) == NULL) {
		path = blob_path(f, file->sha256);
		if (verify(path, file, NULL) != 0)
			return false;
		(void)map_set(&f->known, file->sha256, f);
	}
	file->here = true;
	return true;
}

/* Writes a new file; what is left of a failed one is removed. */
static int
write_new(const char *path, const void *bytes, size_t len, mode_t mode,
    bool sync, struct error *e)
{
	const char *p = bytes;
	int saved,
	    fd _cleanup_close_ = open(path,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return error_errno(e, errno, "%s", path);
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto failed;
		p += n;
		len -= (size_t)n;
	}
	/* nginx's workers read some of them, whatever our umask. */
	if (fchmod(fd, mode) == 0 && (!sync || fdatasync(fd) == 0))
		return 0;
failed:
	saved = errno;
	(void)unlink(path);
	return error_errno(e, saved, "%s", path);
}

int
folder_put_blob(struct folder *f, struct manifest_file *file, const void *bytes,
    size_t len, bool sync, struct error *e)
{
	char *path _cleanup_free_ = blob_path(f, file->sha256);
	char *tmp _cleanup_free_ = xasprintf("%s/tmp/%s", f->dir, file->sha256);
	char sha[SHA256_HEX_SIZE];

	sha256_hex(bytes, len, sha);
	if (len != file->size)
		return error_set(e, EBADMSG,
		    "%s: the server sent %zu bytes instead of %" PRIu64,
		    file->path, len, file->size);
	if (strcmp(sha, file->sha256) != 0)
		return error_set(e, EBADMSG,
		    "%s: what the server sent is damaged (SHA-256 differs)",
		    file->path);
	if (write_new(tmp, bytes, len, 0644, sync, e) != 0)
		return -1;
	if (rename(tmp, path) != 0) {
		int saved = errno;

		(void)unlink(tmp);
		return error_errno(e, saved, "%s", path);
	}
	(void)map_set(&f->known, file->sha256, f);
	file->here = true;
	return 0;
}

bool
folder_uses_status(const struct folder *f, const struct manifest *m)
{
	static const char name[] = "agent/listen_status.conf";
	size_t i;

	for (i = 0; i < m->files.len; i++) {
		char *path _cleanup_free_ = NULL;
		STR_AUTO(text, MANIFEST_MAX_FILE_SIZE);

		if (strchr(m->files.at[i]->path, '/') != NULL)
			continue;
		path = blob_path(f, m->files.at[i]->sha256);
		if (fs_read(path, &text, NULL) == 0 &&
		    memmem(text.p, text.len, name, strlen(name)) != NULL)
			return true;
	}
	return false;
}

static int
turn(struct folder *f, const struct manifest *m, const char *scratch,
    struct error *e)
{
	char *blobs _cleanup_free_ = xasprintf("%s/blobs", f->dir);
	struct manifest_file *missing;

	if (generation_turn(&f->making, m, blobs, scratch, &missing, e) == 0)
		return 0;
	if (missing != NULL) {
		/* Somebody removed it: it is fetched again. */
		missing->here = false;
		(void)map_remove(&f->known, missing->sha256);
	}
	return -1;
}

static int
fill(struct folder *f, const struct manifest *m,
    const struct fragments *fragments, const char *scratch, struct error *e)
{
	static const char *const made[] = { "agent", "temp" };
	char *manifest _cleanup_free_ = xasprintf("%s/manifest.json", scratch);
	size_t i;

	for (i = 0; i < countof(made); i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", scratch, made[i]);

		if (fs_mkdirs(path, 0755, e) != 0)
			return -1;
	}
	if (m->copies.len > 0) {
		char *path _cleanup_free_ = xasprintf("%s/secrets", scratch);

		if (fs_mkdirs(path, 0711, e) != 0)
			return -1;
	}
	if (turn(f, m, scratch, e) != 0)
		return -1;
	for (i = 0; i < fragments->list.len; i++) {
		const struct fragment *a = &fragments->list.at[i];
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", scratch, a->path);

		if (write_new(path, a->text, a->len,
			a->mode == 0 ? 0644 : a->mode, false, e) != 0)
			return -1;
	}
	/* Last: a generation without it is none. */
	return write_new(manifest, m->text, m->len, 0644, false, e);
}

static int
build_once(struct folder *f, const struct manifest *m,
    const struct fragments *fragments, const char *scratch, struct error *e)
{
	if (fs_mkdirs(scratch, 0755, e) == 0 &&
	    fill(f, m, fragments, scratch, e) == 0) {
		generation_set_files(&f->making, m);
		return 0;
	}
	generation_fini(&f->making);
	folder_old_remove_tree(scratch);
	f->stray = true;
	return -1;
}

char *
folder_build(struct folder *f, const struct manifest *m,
    const struct fragments *fragments, struct error *e)
{
	char *scratch = xasprintf("%s/tmp/%" PRIu64, f->dir, f->last + 1);

	generation_fini(&f->making);
	if (fs_remove_tree(scratch, e) == 0) {
		if (folder_old_use_spare(f, scratch) &&
		    build_once(f, m, fragments, scratch, e) == 0)
			return scratch;
		if (build_once(f, m, fragments, scratch, e) == 0)
			return scratch;
	}
	free(scratch);
	return NULL;
}

int
folder_commit(
    struct folder *f, const char *scratch, uint64_t *ret, struct error *e)
{
	char *path _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64, f->dir, f->last + 1);

	if (folder_old_remove_left(scratch, e) != 0 ||
	    fs_remove_tree(path, e) != 0)
		return -1;
	if (rename(scratch, path) != 0)
		return error_errno(e, errno, "%s", path);
	*ret = ++f->last;
	f->making.number = *ret;
	f->making.stamp = generation_stamp(&f->making, path);
	generations_add(&f->kept, &f->making);
	return 0;
}

/* DIR/name becomes a symbolic link to 'target', in one step. */
static int
point(const struct folder *f, const char *name, const char *target,
    struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", f->dir, name);
	char *tmp _cleanup_free_ = xasprintf("%s/tmp/link", f->dir);
	char now[512];
	ssize_t n = readlink(path, now, sizeof(now));

	if (n == (ssize_t)strlen(target) && memcmp(now, target, (size_t)n) == 0)
		return 0;
	(void)unlink(tmp);
	if (symlink(target, tmp) != 0 || rename(tmp, path) != 0)
		return error_errno(e, errno, "%s", path);
	return 0;
}

static int
point_into_current(
    const struct folder *f, const char *name, size_t len, struct error *e)
{
	char *top _cleanup_free_ = xmemdup0(name, len);
	char *target _cleanup_free_ = xasprintf("current/%s", top);

	return point(f, top, target, e);
}

int
folder_switch(struct folder *f, uint64_t number, const struct manifest *m,
    struct error *e)
{
	char *target _cleanup_free_ = xasprintf("gen/%" PRIu64, number);
	const char *last = "";
	size_t i;

	if (point_into_current(f, "agent", 5, e) != 0 ||
	    point_into_current(f, "manifest.json", 13, e) != 0 ||
	    (m->copies.len > 0 && point_into_current(f, "secrets", 7, e) != 0))
		return -1;
	for (i = 0; i < m->files.len; i++) {
		const char *path = m->files.at[i]->path;
		size_t len = strcspn(path, "/");

		if (strncmp(path, last, len) == 0 &&
		    (last[len] == '/' || last[len] == '\0'))
			continue;
		last = path;
		if (point_into_current(f, path, len, e) != 0)
			return -1;
	}
	return point(f, "current", target, e);
}
