/*
 * Errors of the world: peers, files, configurations, foreign data.
 *
 * A value on the caller's stack, nothing to free, copyable.  Bugs abort with
 * must() and exhausted memory aborts in mem.h; neither comes through here.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	int code; /* an errno value */
	char msg[504];
};

/*
 * Fills 'e' (which may be NULL) and returns -1, so that a caller can write
 * "return error_set(e, EPROTO, ...)".  A message that does not fit is cut.
 */
int error_set(struct error *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* The same, with ": strerror(code)" behind the message. */
int error_errno(struct error *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Puts "FMT: " in front of the message of 'e'; returns -1. */
int error_wrap(struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));

#define _warn_unused_ __attribute__((warn_unused_result))

#endif
