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
		    f->dir, number, m->files.at[i].path);

		if (verify(name, &m->files.at[i], e) != 0) {
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
folder_has_blob(struct folder *f, const struct manifest_file *file)
{
	char *path _cleanup_free_ = NULL;

	if (map_get(&f->known, file->sha256) != NULL)
		return true;
	path = blob_path(f, file->sha256);
	if (verify(path, file, NULL) != 0)
		return false;
	(void)map_set(&f->known, file->sha256, f);
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
	if (!sync || fdatasync(fd) == 0)
		return 0;
failed:
	saved = errno;
	(void)unlink(path);
	return error_errno(e, saved, "%s", path);
}

int
folder_put_blob(struct folder *f, const struct manifest_file *file,
    const void *bytes, size_t len, bool sync, struct error *e)
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

		if (strchr(m->files.at[i].path, '/') != NULL)
			continue;
		path = blob_path(f, m->files.at[i].sha256);
		if (fs_read(path, &text, NULL) == 0 &&
		    memmem(text.p, text.len, name, strlen(name)) != NULL)
			return true;
	}
	return false;
}

/* Makes the folders above SCRATCH/path. */
static int
make_parents(const char *scratch, const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/');
	char *folder _cleanup_free_ = NULL;

	if (slash == NULL)
		return 0;
	folder = xasprintf("%s/%.*s", scratch, (int)(slash - path), path);
	return fs_mkdirs(folder, 0755, e);
}

static int
link_files(const struct folder *f, const struct manifest *m,
    const char *scratch, struct error *e)
{
	const char *made = "";
	size_t i;

	for (i = 0; i < m->files.len; i++) {
		const struct manifest_file *file = &m->files.at[i];
		const char *slash = strrchr(file->path, '/');
		char *from _cleanup_free_ = blob_path(f, file->sha256);
		char *to _cleanup_free_ =
		    xasprintf("%s/%s", scratch, file->path);

		/* Sorted by path: mostly the folder of the one before. */
		if (slash != NULL &&
		    strncmp(made, file->path,
			(size_t)(slash - file->path) + 1) != 0) {
			if (make_parents(scratch, file->path, e) != 0)
				return -1;
			made = file->path;
		}
		if (link(from, to) != 0)
			return error_errno(e, errno, "%s", to);
	}
	return 0;
}

static int
fill(const struct folder *f, const struct manifest *m,
    const struct fragments *fragments, const char *scratch, struct error *e)
{
	static const char *const own[] = { "agent", "temp" };
	char *manifest _cleanup_free_ = xasprintf("%s/manifest.json", scratch);
	size_t i;

	for (i = 0; i < countof(own); i++) {
		char *path _cleanup_free_ = xasprintf("%s/%s", scratch, own[i]);

		if (fs_mkdirs(path, 0755, e) != 0)
			return -1;
	}
	if (m->copies.len > 0) {
		char *path _cleanup_free_ = xasprintf("%s/secrets", scratch);

		if (fs_mkdirs(path, 0711, e) != 0)
			return -1;
	}
	if (link_files(f, m, scratch, e) != 0)
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

void
folder_discard(const char *scratch)
{
	struct error e;

	if (fs_remove_tree(scratch, &e) != 0)
		log_debug("disk: %s", e.msg);
}

char *
folder_build(struct folder *f, const struct manifest *m,
    const struct fragments *fragments, struct error *e)
{
	char *scratch = xasprintf("%s/tmp/%" PRIu64, f->dir, f->last + 1);

	if (fs_remove_tree(scratch, e) == 0 &&
	    fs_mkdirs(scratch, 0755, e) == 0 &&
	    fill(f, m, fragments, scratch, e) == 0)
		return scratch;
	folder_discard(scratch);
	free(scratch);
	return NULL;
}

int
folder_commit(
    struct folder *f, const char *scratch, uint64_t *ret, struct error *e)
{
	static const char *const left[] = { "temp", ENGINE_PID_FILE,
		ENGINE_INTERNAL_SOCKET, "tls.sock", "pass.sock", "front.sock" };
	char *path _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64, f->dir, f->last + 1);
	size_t i;

	for (i = 0; i < countof(left); i++) {
		char *name _cleanup_free_ =
		    xasprintf("%s/%s", scratch, left[i]);

		if (fs_remove_tree(name, e) != 0)
			return -1;
	}
	if (fs_remove_tree(path, e) != 0)
		return -1;
	if (rename(scratch, path) != 0)
		return error_errno(e, errno, "%s", path);
	*ret = ++f->last;
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
		const char *path = m->files.at[i].path;
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

void
folder_remove(struct folder *f, uint64_t number)
{
	char *path _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64, f->dir, number);

	folder_discard(path);
}

/* Adds the hashes of a generation's files to 'ret'. */
static void
collect(const struct folder *f, uint64_t number, struct map *ret)
{
	char *path _cleanup_free_ =
	    xasprintf("%s/gen/%" PRIu64 "/manifest.json", f->dir, number);
	STR_AUTO(text, MANIFEST_MAX_SIZE);
	struct manifest *m;
	size_t i;

	if (fs_read(path, &text, NULL) != 0)
		return;
	m = manifest_decode(text.p, text.len, NULL);
	if (m == NULL)
		return;
	for (i = 0; i < manifest_blobs(m); i++)
		(void)map_set(ret, manifest_blob(m, i)->sha256, ret);
	manifest_free(m);
}

static int
clean_blobs(struct folder *f, const struct map *needed, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/blobs", f->dir);
	const struct dirent *entry;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return error_errno(e, errno, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    map_get(needed, entry->d_name) != NULL)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			(void)map_remove(&f->known, entry->d_name);
	}
	(void)closedir(dir);
	return 0;
}

int
folder_clean(struct folder *f, struct error *e)
{
	uint64_t current = folder_current(f), n = UINT64_MAX;
	struct map needed = { 0 };
	int kept = 0, rc = 0;

	while (rc == 0 && (n = folder_previous(f, n)) != 0) {
		if (kept < FOLDER_KEEP || n == current) {
			collect(f, n, &needed);
			kept++;
		} else {
			char *path _cleanup_free_ =
			    xasprintf("%s/gen/%" PRIu64, f->dir, n);

			rc = fs_remove_tree(path, e);
		}
	}
	if (rc == 0)
		rc = clean_blobs(f, &needed, e);
	map_fini(&needed);
	return rc;
}
