/* Files: see fs.h. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int
fs_read(const char *path, struct str *ret, struct error *e)
{
	int fd _cleanup_close_ = open(path, O_RDONLY | O_CLOEXEC);
	char buf[16384];
	ssize_t n;

	if (fd < 0)
		return error_errno(e, errno, "%s", path);
	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, errno, "%s", path);
		if (n == 0)
			return 0;
		str_addn(ret, buf, (size_t)n);
		if (ret->overflow)
			return error_set(e, EFBIG, "%s: larger than %zu bytes",
			    path, ret->max);
	}
}

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fs_write(const char *path, const void *bytes, size_t len, mode_t mode,
    struct error *e)
{
	char *tmp _cleanup_free_ = xasprintf("%s.tmp.%d", path, (int)getpid());
	int saved,
	    fd _cleanup_close_ = open(tmp,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_errno(e, errno, "%s", tmp);
	if (write_all(fd, bytes, len) != 0 || fchmod(fd, mode) != 0 ||
	    fsync(fd) != 0 || rename(tmp, path) != 0) {
		saved = errno;
		(void)unlink(tmp);
		return error_errno(e, saved, "%s", path);
	}
	return 0;
}

int
fs_mkdirs(const char *path, mode_t mode, struct error *e)
{
	char *copy _cleanup_free_ = xstrdup(path);
	char *p = copy;
	struct stat st;

	while (*p != '\0') {
		char c;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		c = *p;
		*p = '\0';
		/* The mask of the process takes bits from mkdir() only. */
		if (mkdir(copy, mode) == 0 ? chmod(copy, mode) != 0
					   : errno != EEXIST)
			return error_errno(e, errno, "%s", copy);
		*p = c;
	}
	if (stat(path, &st) != 0)
		return error_errno(e, errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_errno(e, ENOTDIR, "%s", path);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
fs_remove_tree(const char *path, struct error *e)
{
	/* Mostly it is a file, or nothing. */
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 &&
	    errno != ENOENT)
		return error_errno(e, errno, "%s", path);
	return 0;
}

void *
fs_map(const char *path, size_t size)
{
	int fd _cleanup_close_ =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		return NULL;
	/* On a full disk the first write to it would be SIGBUS. */
	if (posix_fallocate(fd, 0, (off_t)size) != 0)
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}
