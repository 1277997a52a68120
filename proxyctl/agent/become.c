/* Rights of the agent: see become.h. */
#include "become.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define LOCK "lock"
#define DESCRIPTORS 65536

static bool
changes_user(const struct agent_options *o)
{
	return o->uid != (uid_t)-1 && geteuid() == 0;
}

int
become_holder(const struct agent_options *o, struct error *e)
{
	int fd;

	if (fs_mkdirs(o->dir, 0755, e) != 0)
		return -1;
	if (chdir(o->dir) != 0)
		return error_errno(e, errno, "%s", o->dir);
	if (changes_user(o) && chown(".", o->uid, o->gid) != 0)
		return error_errno(e, errno, "%s", o->dir);
	/* Read-only: it would keep a file system from becoming that. */
	fd = open(LOCK, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 && errno == EROFS)
		fd = open(LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(e, errno, "%s/" LOCK, o->dir);
	if (changes_user(o))
		(void)fchown(fd, o->uid, o->gid);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)close(fd);
		return error_set(
		    e, EBUSY, "%s: another agent runs in this folder", o->dir);
	}
	return fd;
}

void
become_modest(void)
{
	struct rlimit files;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	if (files.rlim_max < DESCRIPTORS) {
		struct rlimit more = { DESCRIPTORS, DESCRIPTORS };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

int
become_user(const struct agent_options *o, struct error *e)
{
	if (!changes_user(o))
		return 0;
	if (initgroups(o->user, o->gid) != 0 ||
	    setresgid(o->gid, o->gid, o->gid) != 0 ||
	    setresuid(o->uid, o->uid, o->uid) != 0)
		return error_errno(e, errno, "becoming %s", o->user);
	/* So that the next keeper may take the sockets back from nginx. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}

int
become_owner_of_pipes(
    const struct agent_options *o, int out, int err, struct error *e)
{
	if (!changes_user(o))
		return 0;
	if (fchown(out, o->uid, o->gid) != 0 ||
	    fchown(err, o->uid, o->gid) != 0)
		return error_errno(e, errno, "output pipes");
	return 0;
}
