/*
 * Passes what nginx and the worker write on to our own standard output or
 * error, by a pipe that is always drained: a reader of ours that blocks costs
 * lines, which are counted and told, and never stops nginx.
 *
 * Where our own descriptor is a plain file there is nothing to wait for:
 * children write to it directly, and go on when the keeper is gone.
 */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include "base/error.h"

#include <stdbool.h>
#include <uv.h>

struct relay;

/*
 * For descriptor 'target' (1 or 2).  'direct' allows children the descriptor
 * itself where that is a plain file.
 */
struct relay *relay_new(
    uv_loop_t *loop, int target, bool direct, struct error *e) _warn_unused_;
/* What children get as their output. */
int relay_fd(const struct relay *r);
/* NULL is allowed. */
void relay_close(struct relay *r, void (*closed)(void *arg), void *arg);

#endif
