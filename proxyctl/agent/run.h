/* Runs the engine for one answer (its check, its version) with a deadline. */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include "base/error.h"
#include "engine_nginx.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct run;

struct run_result {
	bool too_late; /* the deadline ended it */
	int exit_code;
	int signal_number;  /* 0: it ended by itself */
	const char *output; /* both streams; the first 64 KiB */
	size_t len;
};
typedef void run_fn(void *arg, const struct run_result *result);

/*
 * In 'cwd', with 'fds' as descriptors 3 and up.  NULL with 'e' when it cannot
 * be started; else 'done' is called once, unless run_close() came before.
 */
struct run *run_start(uv_loop_t *loop, const struct engine_command *command,
    const char *cwd, const int *fds, int fd_count, uint64_t deadline_ms,
    run_fn *done, void *arg, struct error *e) _warn_unused_;
/* Ends it where it still runs, and frees.  NULL is allowed. */
void run_close(struct run *r, void (*closed)(void *arg), void *arg);

#endif
