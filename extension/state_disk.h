/*
 * What the configuration in force leaves on disk: manifest.json, and beside it
 * manifest.delta.json, what differs from that one (as agents are told it), so
 * that a change writes what it changes.  A version that does not know the
 * second file finds a whole, older configuration.  Used by state.c.
 */
#ifndef EXTENSION_STATE_DISK_H
#define EXTENSION_STATE_DISK_H

#include "base/error.h"
#include "base/map.h"
#include "render.h"

#include <stdbool.h>

#define STATE_EPOCH_SIZE 33
#define STATE_MANIFEST_MAX (64U * 1024 * 1024)

struct state_disk {
	char *folder;	       /* run_dir/state/NAME, owned */
	struct rendered *base; /* of manifest.json, owned; NULL: not known */
	bool delta;	       /* manifest.delta.json says more */
};

struct state_found {
	struct rendered *now; /* NULL: nothing that is whole; to be owned */
	uint64_t generation;  /* known of a damaged one, too */
	char epoch[STATE_EPOCH_SIZE]; /* "" : not known */
};

/* Takes 'folder'. */
void state_disk_init(struct state_disk *d, char *folder);
void state_disk_fini(struct state_disk *d);
void state_disk_load(struct state_disk *d, struct state_found *ret);
/*
 * Whether what 'now' differs in from manifest.json is little enough to be
 * written by itself.  'ret' gets the hashes of files that only manifest.json
 * has: they stay on disk as long as it does.
 */
bool state_disk_is_near(
    const struct state_disk *d, const struct rendered *now, struct map *ret);
/* 'text' is the manifest of 'now', or, 'near', what differs. */
int state_disk_write(struct state_disk *d, const struct rendered *now,
    bool near, const struct str *text, struct error *e) _warn_unused_;

#endif
