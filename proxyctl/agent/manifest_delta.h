/*
 * A manifest that only says what differs from one that the agent has
 * (docs/internals.md, "Control"): the part of manifest.h that only manifest.c
 * uses.
 */
#ifndef AGENT_MANIFEST_DELTA_H
#define AGENT_MANIFEST_DELTA_H

#include "base/error.h"
#include "manifest.h"

struct json_t;

/*
 * Adds to the files of 'm', which are those that changed, the others of
 * 'base'; 'root' says which are gone.  What comes of it must be what the
 * manifest's name says.
 */
int manifest_delta_merge(struct manifest *m, const struct manifest *base,
    const struct json_t *root, struct error *e) _warn_unused_;
/* Gives 'm' the text of a whole; takes from 'root' what is of a part. */
int manifest_delta_text(
    struct manifest *m, struct json_t *root, struct error *e) _warn_unused_;

#endif
