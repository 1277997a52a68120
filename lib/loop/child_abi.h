/*
 * The child's side of fd 3 (docs/internals.md): lifeline, readiness, pings,
 * queries.  For reader and extension.
 */
#ifndef LOOP_CHILD_ABI_H
#define LOOP_CHILD_ABI_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define CHILD_FD 3
#define EXIT_USAGE 64
#define EXIT_BAD_CONFIG 78

/*
 * The first statement of main(): closes what was inherited above fd 3, asks
 * for SIGKILL when the parent dies, ignores SIGPIPE.
 */
void child_enter(void);

struct child_link;
struct child_query;

struct child_link_handlers {
	/*
	 * Answer with child_answer() exactly once, now or later, also after
	 * child_link_close().  'args' is the text of a JSON object.
	 */
	void (*on_query)(void *arg, struct child_query *q, const char *what,
	    const char *args, size_t args_len);
	void (*on_reload)(void *arg);			    /* may be NULL */
	void (*on_log_level)(void *arg, const char *level); /* may be NULL */
	/* "stop", EOF of the parent, or a broken line: end in order. */
	void (*on_stop)(void *arg, const struct error *why);
};

/* NULL with 'e' when fd 3 is not there (started by hand). */
struct child_link *
child_link_new(uv_loop_t *loop, const struct child_link_handlers *h, void *arg,
    struct error *e) _warn_unused_;
/*
 * Pongs are given by the link itself: a loop that turns answers, and says
 * how long its longest turn was.
 */
void child_ready(struct child_link *l);
/*
 * Pushes a line: {"type":"status",...} or {"type":"event",...}.  What is
 * said before child_ready() follows it.
 */
void child_push(struct child_link *l, const char *json, size_t len);
/*
 * Cut into pieces of at most 256 KiB, sent as the parent takes them; ends
 * the query.
 */
void child_answer(
    struct child_query *q, unsigned status, const char *body, size_t len);
/* NULL is allowed. */
void
child_link_close(struct child_link *l, void (*closed)(void *arg), void *arg);

#endif
