/* What the worker finds on disk when it starts, made sound. */
#ifndef AGENT_DISK_H
#define AGENT_DISK_H

#include "base/error.h"
#include "folder.h"
#include "manifest.h"
#include "options.h"

/*
 * Makes "current" a generation that is whole and fits our options: the one
 * that is, an earlier one, or the built-in one.  NULL only when there is none
 * and none can be written.  Troubles that could be helped are logged.
 */
struct manifest *disk_settle(struct folder *f, const struct agent_options *o,
    struct error *e) _warn_unused_;
/* The generation before the current one, or the built-in one, in force. */
struct manifest *disk_fall_back(struct folder *f, const struct agent_options *o,
    struct error *e) _warn_unused_;

#endif
