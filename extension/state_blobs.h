/*
 * The files of the newest configuration by hash, and which of them are on disk
 * (state/NAME/blobs/SHA256): kept from change to change, so that a change
 * costs what it changes.  Used by state.c.
 */
#ifndef EXTENSION_STATE_BLOBS_H
#define EXTENSION_STATE_BLOBS_H

#include "base/error.h"
#include "base/map.h"
#include "render.h"

/* Zeroed: no files, and nothing known of the disk. */
struct state_blobs {
	bool swept;	   /* what is on disk is in 'by_sum' or 'stale' */
	struct map by_sum; /* SHA-256 -> struct blob *, owned */
	struct map stale;  /* SHA-256 of what may not be needed any more */
	VEC(struct rendered_file *) unstored; /* each used once here */
};

void state_blobs_fini(struct state_blobs *s);
/* The newest configuration was 'old' (or NULL: none) and is 'new'. */
void state_blobs_change(struct state_blobs *s, const struct rendered *old,
    const struct rendered *new);
/* What is known came from the disk. */
void state_blobs_are_stored(struct state_blobs *s);
int state_blobs_store(
    struct state_blobs *s, const char *folder, struct error *e) _warn_unused_;
/*
 * Removes what is not needed any more, but for the hashes in 'kept', which
 * wait for a later sweep.  Failing is told and harmless.
 */
void state_blobs_sweep(
    struct state_blobs *s, const char *folder, const struct map *kept);
const struct rendered_file *
state_blobs_get(const struct state_blobs *s, const char *sha256);

#endif
