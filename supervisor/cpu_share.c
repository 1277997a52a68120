/* Time in the queue for a processor, from /proc: see cpu_share.h. */
#include "cpu_share.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define PROC_MAX 4096

static int
read_proc(int pid, const char *name, struct str *ret, struct error *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	str_clear(ret);
	return fs_read(path, ret, e);
}

int
cpu_share_read(int pid, struct cpu_share *ret, struct error *e)
{
	struct cpu_share share = { 0 };
	const char *state;

	STR_AUTO(text, PROC_MAX);
	if (read_proc(pid, "schedstat", &text, e) != 0)
		return -1;
	if (text.len == 0 ||
	    sscanf(text.p, "%" SCNu64 " %" SCNu64, &share.ran_ns,
		&share.waited_ns) != 2)
		return error_set(e, EINVAL, "schedstat: not understood");
	if (read_proc(pid, "stat", &text, e) != 0)
		return -1;
	/* After the name, which may hold anything. */
	state = text.len == 0 ? NULL : strrchr(text.p, ')');
	share.runnable = state != NULL && strncmp(state, ") R", 3) == 0;
	*ret = share;
	return 0;
}

uint64_t
cpu_share_could_run_ms(
    const struct cpu_share *before, const struct cpu_share *after, uint64_t ms)
{
	uint64_t waited_ms = (after->waited_ns - before->waited_ns) / 1000000;

	/* In the queue all the while: not counted yet. */
	if (before->runnable && after->runnable &&
	    after->ran_ns == before->ran_ns)
		return 0;
	return waited_ms < ms ? ms - waited_ms : 0;
}
