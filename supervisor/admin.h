/*
 * The admin API (interfaces.md 5): JSON over HTTP on a unix socket and, where
 * set, on an address.  Answers what the supervisor knows itself and passes
 * questions about services on to the children, whose answers it joins.
 */
#ifndef SUPERVISOR_ADMIN_H
#define SUPERVISOR_ADMIN_H

#include "base/error.h"

#include <stddef.h>

struct admin;
struct supervisor;

struct admin *admin_new(struct supervisor *s);
/* Listens. */
int admin_start(struct admin *a, struct error *e) _warn_unused_;
/* An event line of a child, for those who follow /v1/events. */
void admin_event(struct admin *a, const char *line, size_t len);
/* Ends in the loop; frees itself. */
void admin_close(struct admin *a);

#endif
