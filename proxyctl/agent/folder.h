/*
 * The agent's folder: blobs by hash, generations of hard links to them, and
 * "current", the one in force (docs/internals.md, "Agent").
 *
 * Whatever instant the writer is killed at, "current" names a generation that
 * was whole when the name was given, and folder_load() tells whether it still
 * is: each file is compared with its hash.
 */
#ifndef AGENT_FOLDER_H
#define AGENT_FOLDER_H

#include "base/error.h"
#include "base/map.h"
#include "engine_nginx.h"
#include "generations.h"
#include "manifest.h"

#include <stdbool.h>
#include <stdint.h>

#define FOLDER_KEEP 3

struct folder {
	const char *dir;
	uint64_t last;	  /* greatest generation number there is */
	struct map known; /* blobs whose bytes were checked by this process */
	struct generations kept;  /* those on disk whose files are known */
	struct generation making; /* in the scratch folder */
	struct generation spare;  /* in tmp/spare: becomes the next one */
	unsigned cleans;
	bool stray; /* there may be blobs that belong to nothing */
};

/* Makes what is missing, empties tmp/.  -1 where it cannot be written. */
int
folder_open(struct folder *f, const char *dir, struct error *e) _warn_unused_;
void folder_fini(struct folder *f);

/* The number behind "current"; 0: none. */
uint64_t folder_current(const struct folder *f);
/* The greatest number below 'before' that exists; 0: none. */
uint64_t folder_previous(const struct folder *f, uint64_t before);
/* Reads and checks a generation; NULL when it is not whole. */
struct manifest *folder_load(
    const struct folder *f, uint64_t number, struct error *e) _warn_unused_;
/* True when the agent's own files of a generation are just these. */
bool folder_has_fragments(
    const struct folder *f, uint64_t number, const struct fragments *fragments);

bool folder_has_blob(struct folder *f, struct manifest_file *file);
/* Checks size and hash, then stores; 'sync' waits for the disk. */
int folder_put_blob(struct folder *f, struct manifest_file *file,
    const void *bytes, size_t len, bool sync, struct error *e) _warn_unused_;

/* True when a file of 'm' has a status server; needs the blobs. */
bool folder_uses_status(const struct folder *f, const struct manifest *m);
/*
 * Builds a generation in a scratch folder; its path is the caller's.  Where an
 * old one is to hand, it becomes this one by what differs.
 */
char *folder_build(struct folder *f, const struct manifest *m,
    const struct fragments *fragments, struct error *e) _warn_unused_;
/* Makes the scratch folder generation *ret. */
int folder_commit(struct folder *f, const char *scratch, uint64_t *ret,
    struct error *e) _warn_unused_;
/* Puts a generation in force. */
int folder_switch(struct folder *f, uint64_t number, const struct manifest *m,
    struct error *e) _warn_unused_;
/* The scratch folder is not wanted: the next one is made of it. */
void folder_discard(struct folder *f, const char *scratch);
/* Forgets a generation that did not prove itself. */
void folder_remove(struct folder *f, uint64_t number);
/* Removes old generations, and blobs that none needs any more. */
int folder_clean(struct folder *f, struct error *e);

#endif
