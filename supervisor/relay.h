/*
 * What a child prints, passed on to our standard error line by line, at most
 * so many lines a second: one child that shouts does not drown the others.
 */
#ifndef SUPERVISOR_RELAY_H
#define SUPERVISOR_RELAY_H

#include <uv.h>

struct relay;

/* Takes 'fd', the reading end of a pipe.  Frees itself at the pipe's end. */
struct relay *relay_new(uv_loop_t *loop, int fd, const char *name,
    void (*ended)(void *arg), void *arg);
/* Closes it early; 'ended' follows. */
void relay_close(struct relay *r);

#endif
