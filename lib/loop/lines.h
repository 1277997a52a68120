/*
 * Lines of text over a stream socket on the loop: fd 3 between parent and
 * child, keeper and worker, agent.sock.  A line is at most 1 MiB.
 */
#ifndef LOOP_LINES_H
#define LOOP_LINES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define LINES_MAX (1024 * 1024)

struct lines;

/* One line, without its newline, ended by a NUL; may call lines_close(). */
typedef void lines_fn(void *arg, char *line, size_t len);
/*
 * The end: EOF ('e' NULL) or an error, a line too long among them.  Called
 * once, not after lines_close().
 */
typedef void lines_end_fn(void *arg, const struct error *e);

/* Everything that was queued is written. */
typedef void lines_drained_fn(void *arg);

/* Takes 'fd' (a connected stream socket), also when it fails. */
struct lines *lines_new(uv_loop_t *loop, int fd, lines_fn *on_line,
    lines_end_fn *on_end, void *arg, struct error *e) _warn_unused_;
/*
 * Queues 'len' bytes and a newline.  False when more than 'LINES_MAX' * 8
 * bytes wait already: the peer does not read; the line is not sent.
 */
bool lines_send(struct lines *l, const char *line, size_t len);
/* The same without a newline (the ready byte of fd 3). */
bool lines_send_raw(struct lines *l, const char *bytes, size_t len);
/* For long answers: send a piece, go on when it is written.  NULL: none. */
void lines_on_drained(struct lines *l, lines_drained_fn *drained);
/* Bytes that wait to be written. */
size_t lines_pending(const struct lines *l);
/*
 * Closes and frees; NULL is allowed; 'closed' may be NULL.  What waits to be
 * written is dropped.
 */
void lines_close(struct lines *l, void (*closed)(void *arg), void *arg);

#endif
