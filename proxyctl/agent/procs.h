/*
 * nginx processes as /proc tells them.  Ours are those whose working
 * directory is our folder: the keeper and the worker find masters, workers
 * that serve, and workers that are leaving, without owning them.
 */
#ifndef AGENT_PROCS_H
#define AGENT_PROCS_H

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

enum proc_role {
	PROC_GONE,
	PROC_MASTER,
	PROC_WORKER,  /* accepts connections */
	PROC_LEAVING, /* "is shutting down" */
	PROC_OTHER
};

#define PROCS_PIDS_MAX 65536 /* bytes of procs_children_pids() */

/* A pid alone is reused; with its start time it names one process. */
struct proc {
	int pid;
	int ppid;
	uint64_t start; /* clock ticks since boot */
	enum proc_role role;
};

struct procs {
	VEC(struct proc) list;
};

/* Every nginx whose working directory is 'dir'; replaces what 'ret' had. */
int
procs_scan(const char *dir, struct procs *ret, struct error *e) _warn_unused_;
/* The children of 'master', wherever they work; replaces what 'ret' had. */
void procs_children(int master, struct procs *ret);
/*
 * Their pids alone, as text: little work, to see that none came or went.
 * 'ret' is emptied first; -1 where the kernel does not tell, or no 'master'.
 */
int
procs_children_pids(int master, struct str *ret, struct error *e) _warn_unused_;
void procs_fini(struct procs *p);
/* What this very process is now. */
enum proc_role procs_role(const struct proc *p);
/* False when there is no such process or its line cannot be read. */
bool procs_stat(int pid, struct proc *ret);
/* Signals this very process; -1 with ESRCH when it is gone. */
int procs_signal(const struct proc *p, int signal_number, struct error *e);
/* How many generations the leaving workers belong to. */
unsigned procs_generations(const struct procs *p);
/* True when a worker in the list accepts for 'master'. */
bool procs_serves(const struct procs *p, int master);
/* True when the list has this very process. */
bool procs_has(const struct procs *p, const struct proc *wanted);

#endif
