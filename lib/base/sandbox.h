/*
 * What our processes give up once they have what they need.
 *
 * By plain system calls: a filter of some dozens of rules needs no library,
 * and Landlock has none.  The filter is a list of what is denied: an
 * allow-list would have to know what libc, sanitizers and libraries call on
 * each architecture, and would break with the next version of one of them.
 * What is denied fails with EPERM; nobody is killed for asking.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include "base/error.h"

#include <stddef.h>

enum sandbox_kind {
	/* No programs, and no connection that it does not accept. */
	SANDBOX_EXTENSION,
	/* No programs. */
	SANDBOX_READER,
	/* Runs the engine's check: all that is denied is what no proxy needs.
	 */
	SANDBOX_AGENT,
};

/*
 * Before the first thread: from here on nothing can be written, made or
 * removed but below the 'n' folders, and no program be run (Landlock).  -1
 * where the kernel has no such thing or a folder cannot be opened.
 */
int sandbox_fence(
    const char *const *folders, size_t n, struct error *e) _warn_unused_;
/*
 * For all threads: no new rights by programs, no ptrace, mounts, namespaces,
 * keys, modules, BPF and the like, and what 'kind' says.
 */
int sandbox_filter(enum sandbox_kind kind, struct error *e) _warn_unused_;
/* Root without its capabilities: an owner's rights are all that is left. */
int sandbox_drop_capabilities(struct error *e) _warn_unused_;
/*
 * Limits that a process of ours passes only when it has run wild: memory, the
 * size of a file, descriptors ('files').
 */
void sandbox_limit(size_t files);

#endif
