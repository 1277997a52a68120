/*
 * What the generations on disk consist of, in memory: so that the one that is
 * not needed any more becomes the next one by what differs, and nothing is
 * read again to learn which blobs are still needed.  Used by folder.c alone.
 */
#ifndef AGENT_GENERATIONS_H
#define AGENT_GENERATIONS_H

#include "base/error.h"
#include "base/map.h"
#include "base/vec.h"
#include "manifest.h"

#include <stdbool.h>
#include <stdint.h>

struct generation {
	uint64_t number;		   /* 0: none yet, or no more */
	VEC(struct manifest_file *) files; /* owned uses, by path */
	/* The blob of what is pinned, which is kept too; "": none. */
	char document[SHA256_HEX_SIZE];
	/*
	 * Inodes and times of its folders as this process left them; owned.
	 * NULL where it did not make them.
	 */
	char *stamp;
};

struct generations {
	VEC(struct generation) list;
};

void generation_fini(struct generation *g);
void generation_set_files(struct generation *g, const struct manifest *m);
/* Its folders below 'root' as they are now; NULL where one is missing. */
char *generation_stamp(const struct generation *g, const char *root);
/*
 * Gives 'root', which has the files of 'g', those of 'm', as hard links to
 * blobs of the folder 'blobs'.  Where it fails 'root' is good for nothing;
 * ENOENT: *ret_missing (else NULL) is a file whose blob is not there.
 */
int generation_turn(const struct generation *g, const struct manifest *m,
    const char *blobs, const char *root, struct manifest_file **ret_missing,
    struct error *e) _warn_unused_;

void generations_fini(struct generations *g);
struct generation *
generations_find(const struct generations *g, uint64_t number);
/* Takes 'one' over. */
void generations_add(struct generations *g, struct generation *one);
/* Takes a generation out; an empty one where it is not there. */
struct generation generations_take(struct generations *g, uint64_t number);
/* The hashes of all their files, as a set. */
void generations_sums(const struct generations *g, struct map *ret);
/*
 * The blobs of 'old' (which is not in 'g' any more) that none in 'g' needs:
 * hashes into 'ret', a set.  Those files are told that they are not here.
 */
void generations_unneeded(
    const struct generations *g, const struct generation *old, struct map *ret);

#endif
