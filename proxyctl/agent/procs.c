/* nginx in /proc: see procs.h. */
#include "procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/parse.h"

#define TITLE "nginx: "
/* Workers of one generation start within this many clock ticks. */
#define SAME_GENERATION 5

/* Reads the start of a small /proc file as text; -1 when it is gone. */
static ssize_t
read_start(int pid, const char *name, char *buf, size_t size)
{
	char path[64];
	int fd _cleanup_close_ = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	do
		n = read(fd, buf, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	return n;
}

bool
procs_stat(int pid, struct proc *ret)
{
	char buf[1024];
	const char *p;
	unsigned long long start;
	int ppid;
	char state;

	if (read_start(pid, "stat", buf, sizeof(buf)) <= 0)
		return false;
	/* The name in parentheses may hold anything. */
	p = strrchr(buf, ')');
	if (p == NULL ||
	    sscanf(p + 1,
		" %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
		"%*d %*d %*d %*d %llu",
		&state, &ppid, &start) != 3)
		return false;
	if (state == 'Z' || state == 'X')
		return false;
	*ret = (struct proc){
		.pid = pid, .ppid = ppid, .start = start, .role = PROC_OTHER
	};
	return true;
}

static enum proc_role
role_of(int pid)
{
	char title[256];

	if (read_start(pid, "cmdline", title, sizeof(title)) <= 0)
		return PROC_GONE;
	if (strncmp(title, TITLE, strlen(TITLE)) != 0)
		return PROC_OTHER;
	if (strncmp(title, TITLE "master", strlen(TITLE "master")) == 0)
		return PROC_MASTER;
	if (strstr(title, "shutting down") != NULL)
		return PROC_LEAVING;
	if (strncmp(title, TITLE "worker", strlen(TITLE "worker")) == 0)
		return PROC_WORKER;
	return PROC_OTHER;
}

enum proc_role
procs_role(const struct proc *p)
{
	struct proc now;

	if (!procs_stat(p->pid, &now) || now.start != p->start)
		return PROC_GONE;
	return role_of(p->pid);
}

static bool
works_in(int proc, const char *pid, const struct stat *dir)
{
	char path[300];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/cwd", pid);
	return fstatat(proc, path, &st, 0) == 0 && st.st_dev == dir->st_dev &&
	    st.st_ino == dir->st_ino;
}

int
procs_scan(const char *dir, struct procs *ret, struct error *e)
{
	const struct dirent *entry;
	struct stat st;
	struct proc p;
	uint32_t pid;
	DIR *proc;

	if (stat(dir, &st) != 0)
		return error_errno(e, errno, "%s", dir);
	proc = opendir("/proc");
	if (proc == NULL)
		return error_errno(e, errno, "/proc");
	ret->list.len = 0;
	while ((entry = readdir(proc)) != NULL) {
		enum proc_role role;

		if (parse_u32(entry->d_name, strlen(entry->d_name), 1,
			INT32_MAX, &pid, NULL) != 0)
			continue;
		/* The cheapest question first: a host has many processes. */
		if (!works_in(dirfd(proc), entry->d_name, &st))
			continue;
		role = role_of((int)pid);
		if (role == PROC_GONE || role == PROC_OTHER ||
		    !procs_stat((int)pid, &p))
			continue;
		p.role = role;
		vec_push(&ret->list, p);
	}
	(void)closedir(proc);
	return 0;
}

static void
add_child(int pid, int master, struct procs *ret)
{
	struct proc p;

	if (!procs_stat(pid, &p) || p.ppid != master)
		return;
	p.role = role_of(pid);
	if (p.role != PROC_GONE)
		vec_push(&ret->list, p);
}

int
procs_children_pids(int master, struct str *ret, struct error *e)
{
	char path[64];

	str_clear(ret);
	(void)snprintf(
	    path, sizeof(path), "/proc/%d/task/%d/children", master, master);
	return fs_read(path, ret, e);
}

void
procs_children(int master, struct procs *ret)
{
	const struct dirent *entry;
	STR_AUTO(pids, PROCS_PIDS_MAX);
	uint32_t pid;
	const char *p;
	DIR *proc;

	ret->list.len = 0;
	if (procs_children_pids(master, &pids, NULL) == 0) {
		for (p = pids.p; *p != '\0'; p += strspn(p, " ")) {
			size_t len = strcspn(p, " ");

			if (parse_u32(p, len, 1, INT32_MAX, &pid, NULL) == 0)
				add_child((int)pid, master, ret);
			p += len;
		}
		return;
	}
	/* A kernel without that file. */
	proc = opendir("/proc");
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (parse_u32(entry->d_name, strlen(entry->d_name), 1,
			INT32_MAX, &pid, NULL) == 0)
			add_child((int)pid, master, ret);
	}
	if (proc != NULL)
		(void)closedir(proc);
}

bool
procs_has(const struct procs *p, const struct proc *wanted)
{
	size_t i;

	for (i = 0; i < p->list.len; i++) {
		if (p->list.at[i].pid == wanted->pid &&
		    p->list.at[i].start == wanted->start)
			return true;
	}
	return false;
}

void
procs_fini(struct procs *p)
{
	vec_fini(&p->list);
}

int
procs_signal(const struct proc *p, int signal_number, struct error *e)
{
	struct proc now;
	int pidfd _cleanup_close_ = pidfd_open(p->pid, 0);

	if (pidfd < 0)
		return error_errno(e, errno, "process %d", p->pid);
	/* From here on the pid cannot come to mean another process. */
	if (!procs_stat(p->pid, &now) || now.start != p->start)
		return error_errno(e, ESRCH, "process %d", p->pid);
	if (pidfd_send_signal(pidfd, signal_number, NULL, 0) != 0)
		return error_errno(e, errno, "signal to process %d", p->pid);
	return 0;
}

static int
by_start(const void *a, const void *b)
{
	const struct proc *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

unsigned
procs_generations(const struct procs *p)
{
	struct procs leaving = { 0 };
	unsigned n = 0;
	size_t i;

	for (i = 0; i < p->list.len; i++) {
		if (p->list.at[i].role == PROC_LEAVING)
			vec_push(&leaving.list, p->list.at[i]);
	}
	vec_sort(&leaving.list, by_start);
	for (i = 0; i < leaving.list.len; i++) {
		if (i == 0 ||
		    leaving.list.at[i].start - leaving.list.at[i - 1].start >
			SAME_GENERATION)
			n++;
	}
	procs_fini(&leaving);
	return n;
}

bool
procs_serves(const struct procs *p, int master)
{
	size_t i;

	for (i = 0; i < p->list.len; i++) {
		if (p->list.at[i].ppid == master &&
		    p->list.at[i].role == PROC_WORKER)
			return true;
	}
	return false;
}
