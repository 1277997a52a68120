/*
 * proxyctl's way to the admin API: one question, one answer, on a loop of its
 * own that ends with it.
 */
#ifndef PROXYCTL_CTL_CLIENT_H
#define PROXYCTL_CTL_CLIENT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct ctl_answer {
	long status;
	char *body; /* owned; ends with a NUL */
	size_t len;
};
void ctl_answer_fini(struct ctl_answer *a);

/*
 * 0 with an answer of any status, -1 where nobody answers.  'body' NULL: none.
 */
int ctl_ask(const char *socket, const char *method, const char *target,
    const char *body, struct ctl_answer *ret, struct error *e) _warn_unused_;

/* Whole lines of an endless answer; false from 'on_line' ends it. */
typedef bool ctl_line_fn(void *arg, const char *line, size_t len);
int ctl_follow(const char *socket, const char *target, ctl_line_fn *on_line,
    void *arg, struct error *e) _warn_unused_;

#endif
