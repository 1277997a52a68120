/*
 * The configurations that were in force, newest last, with what each was made
 * of: run_dir/state/NAME/history/, index.json and GENERATION.json
 * (recording.h). Changes of addresses alone are part of the entry that they
 * happened in.
 */
#ifndef EXTENSION_HISTORY_H
#define EXTENSION_HISTORY_H

#include "base/error.h"
#include "base/map.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "recording.h"
#include "render.h"

#define HISTORY_MAX 20
#define HISTORY_MAX_BYTES (32U * 1024 * 1024)
#define HISTORY_NAMES_MAX 50 /* of services and files told by name */

struct history_entry {
	uint64_t generation; /* the first; names the entry */
	uint64_t last;	     /* ... with other addresses */
	uint64_t wall_s;
	char config[SHA256_HEX_SIZE];
	uint64_t rolled_back_to; /* 0: not by a rollback */
	uint64_t reloads;	 /* of all proxies together, while in force */
	uint64_t size;		 /* of its recording */
	char *what;		 /* JSON object, see history_diff() */
};

struct history {
	char *folder;
	VEC(struct history_entry) entries; /* oldest first */
	/* Of the newest entry: what the next is compared with. */
	struct map services; /* ID -> "HASH NAME", owned */
	struct map files;    /* path -> hash, owned */
	char ini[SHA256_HEX_SIZE];
	uint64_t reloads_mark; /* the proxies' sum when it came in force */
};

/* What is damaged or absent is an empty history. */
void history_load(struct history *h, const char *run_dir, const char *cluster);
void history_fini(struct history *h);
/*
 * 'text' (a recording) is in force as 'generation'; 'r' are its files.
 * 'rolled_back_to' 0: by itself.  Where the disk does not take it, -1 and
 * nothing is added.
 */
int history_add(struct history *h, const struct recording *what,
    const struct rendered *r, uint64_t generation, uint64_t rolled_back_to,
    uint64_t wall_s, uint64_t reloads, struct error *e) _warn_unused_;
/* The newest entry is in force as 'generation' now. */
void history_follow(struct history *h, uint64_t generation, uint64_t reloads);
int history_store(const struct history *h, struct error *e) _warn_unused_;

/* The entry that 'generation' belongs to, or NULL. */
const struct history_entry *
history_find(const struct history *h, uint64_t generation);
/* The newest entry before the one of 'generation', or NULL. */
const struct history_entry *
history_before(const struct history *h, uint64_t generation);
/* NULL where it cannot be read. */
struct recording *history_recording(const struct history *h,
    uint64_t generation, const char *cluster, struct error *e) _warn_unused_;
/* [{"generation",...},...], newest first. */
void history_json(const struct history *h, struct str *out);

#endif
