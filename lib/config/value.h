/* One value of one key: from text into its struct, back, and freed. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/str.h"
#include "config/config.h"
#include "config/keys.h"

/*
 * Parses 'text' into the member of 'base' (a zeroed or parsed struct of the
 * key's table); -1 leaves it as it was.  An empty text means "none" where a
 * key has no default, and is an error elsewhere.
 */
int value_set(const struct config_key *key, void *base, const char *text,
    struct error *e) _warn_unused_;
/* The same for a row of CONFIG_PAIRS: one more pair. */
int value_add_pair(const struct config_key *key, void *base, const char *name,
    const char *text, struct error *e) _warn_unused_;

/*
 * Adds the value as it is written in a file, raw options with their newlines
 * and lists with ", "; false, and nothing, where it is none.
 */
bool
value_format(const struct config_key *key, const void *base, struct str *out);

/* The pairs of a row of CONFIG_PAIRS. */
const struct config_pairs *
value_pairs(const struct config_key *key, const void *base);

void value_free(const struct config_key *key, void *base);

/* "600s" as "10m", "1500ms", "0". */
void value_format_duration(struct str *out, uint64_t ms);
/* "65536" as "64k". */
void value_format_size(struct str *out, uint64_t bytes);

/*
 * A struct of table 't' as INI text, but only the rows whose 'key_line' is
 * not 0.
 */
void config_dump_set(const struct config_table *t, const void *base,
    const uint32_t *key_line, struct str *out);

#endif
