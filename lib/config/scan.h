/*
 * The look at an INI file before inih reads it: refuses what inih would cut,
 * misread or silently merge, and finds for every line the key it belongs to.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include "base/str.h"
#include "base/vec.h"
#include "config/config.h"
#include "config/keys.h"

#define CONFIG_LINE_MAX 190
#define CONFIG_NAME_MAX 49 /* inih remembers no more of a name */

/* One line that inih will hand over, in its order. */
struct scan_entry {
	const struct config_key *key;
	char *name; /* the key as written */
	uint32_t line;
	bool continued; /* the line belongs to the entry before */
};

struct scan {
	struct str text; /* for inih: bad lines are blank in it */
	VEC(struct scan_entry) entries;
};

/*
 * Everything that is wrong goes to 'errors'; the rest is in 'ret', which the
 * caller gives back with scan_fini() in any case.
 */
void scan(const struct config_table *t, const char *path, const char *text,
    size_t len, struct scan *ret, struct config_errors *errors);
void scan_fini(struct scan *s);

#endif
