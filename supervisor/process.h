/*
 * A child as a real process: uv_spawn, the line on fd 3, its output, queries.
 */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

#include "child.h"

#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

struct process;

/* The answer to a query, or status 504 / 503 when there is none. */
typedef void
process_answer_fn(void *arg, unsigned status, const char *body, size_t len);

struct process_handlers {
	void (*on_state)(void *arg, struct process *p);
	/* "status" and "event" lines as they came. */
	void (*on_push)(
	    void *arg, struct process *p, const char *line, size_t len);
	/* "config" and "configs" lines; NULL: a child that may not send them */
	void (*on_config)(
	    void *arg, struct process *p, const char *line, size_t len);
};

struct process_options {
	const char *name;  /* copied; "extension blue" */
	char *const *argv; /* copied; argv[0] is the program's path */
	uid_t uid;	   /* 0: unchanged */
	gid_t gid;
};

struct process *process_new(uv_loop_t *loop, const struct process_options *o,
    const struct process_handlers *h, void *arg);
const struct child *process_child(const struct process *p);
/* The longest turn of its loop (loop/turns.h) as of its last pong. */
uint64_t process_turn_us(const struct process *p);
void process_start(struct process *p);
void process_stop(struct process *p);
void process_restart(struct process *p);
/* A line to the child; dropped while there is none. */
void process_send(struct process *p, const char *line, size_t len);
/*
 * Asks; 'answer' follows exactly once, from the loop, within 'timeout_ms'.
 * 'args' is JSON text or NULL.
 */
void process_query(struct process *p, const char *what, const char *args,
    uint64_t timeout_ms, process_answer_fn *answer, void *arg);
/* Kills what still runs and frees; 'closed' may be NULL. */
void process_close(struct process *p, void (*closed)(void *arg), void *arg);

#endif
