/*
 * The table of every key of both INI files, for the modules of lib/config:
 * what reads, checks, dumps and documents a key is driven by its row alone.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
	CONFIG_TEXT,	 /* char *; NULL = none; lines joined by a blank */
	CONFIG_RAW,	 /* char *; lines joined by newlines */
	CONFIG_WORD,	 /* char *; one of 'names' */
	CONFIG_ENUM,	 /* an enum; its value is the index in 'names' */
	CONFIG_BOOL,	 /* bool */
	CONFIG_TRI,	 /* enum config_default */
	CONFIG_U32,	 /* uint32_t */
	CONFIG_AUTO,	 /* uint32_t; "auto" is 0 */
	CONFIG_PORT,	 /* uint16_t */
	CONFIG_DURATION, /* uint64_t, milliseconds */
	CONFIG_SIZE,	 /* uint64_t, bytes */
	CONFIG_BUFFERS,	 /* "4 8k": uint32_t, and uint64_t at 'offset2' */
	CONFIG_LIST,	 /* struct config_list */
	CONFIG_PAIRS,	 /* struct config_pairs; the whole section */
};

/* Whole-string check of a value or an item by an allow-list. */
typedef int config_check_fn(const char *s, size_t len, struct error *e);

struct config_key {
	const char *section;
	const char *name; /* "*" for CONFIG_PAIRS */
	enum config_type type;
	size_t offset;
	size_t offset2;
	const char *def; /* as written in a file; NULL = none */
	uint64_t min;	 /* numbers, durations (ms), sizes (bytes) */
	uint64_t max;
	const char *const *names;    /* NULL-terminated */
	config_check_fn *check;	     /* CONFIG_TEXT, items, values of pairs */
	config_check_fn *check_name; /* CONFIG_PAIRS: the keys */
	bool fold;		     /* items are host names: lower case */
	const char *shown; /* the default in words, where 'def' cannot say it */
	const char *help;  /* sentences */
};

struct config_section {
	const char *name;
	const char *help;
};

struct config_table {
	const char *file; /* "bulkhead.ini" */
	const char *help;
	const struct config_section *sections;
	size_t n_sections;
	const struct config_key *keys; /* by section, in that order */
	size_t n_keys;
};

extern const struct config_table config_daemon_table;
extern const struct config_table config_cluster_table;

#define CONFIG_KEYS_MAX 128 /* rows of either table, at most */

/* The row, or NULL. */
const struct config_key *config_key_find(
    const struct config_table *t, const char *section, const char *name);

#endif
