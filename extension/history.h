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
	uint64_t base; /* that is what differs from this one's; 0: whole */
	char *what;    /* JSON object, see history_diff() */
};

/* An entry to be. */
struct history_news {
	uint64_t generation;
	const char *config; /* names what was rendered */
	const struct cluster_config *settings;
	const struct rendered *files;
	uint64_t rolled_back_to; /* 0: by itself */
	uint64_t wall_s;
	uint64_t reloads; /* the proxies' sum */
	/* Its recording, or what differs from that of 'base'. */
	const struct str *text;
	uint64_t base;
	/* All services, or those that may differ from the entry before. */
	const struct recording_item *items;
	size_t n;
	bool whole;
};

struct history {
	char *folder;
	VEC(struct history_entry) entries; /* oldest first */
	/* Of the newest entry: what the next is compared with. */
	struct map services;	/* ID -> "HASH NAME", owned */
	struct rendered *files; /* shared; NULL: not known */
	char ini[SHA256_HEX_SIZE];
	uint64_t reloads_mark; /* the proxies' sum when it came in force */
	bool stored;	       /* the index on disk says all of it */
};

/* What is damaged or absent is an empty history. */
void history_load(struct history *h, const char *run_dir, const char *cluster);
void history_fini(struct history *h);
/* Where the disk does not take it, -1 and nothing is added. */
int history_add(struct history *h, const struct history_news *news,
    struct error *e) _warn_unused_;
/* The newest entry is in force as 'generation' now. */
void history_follow(struct history *h, uint64_t generation, uint64_t reloads);
int history_store(struct history *h, struct error *e) _warn_unused_;

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
