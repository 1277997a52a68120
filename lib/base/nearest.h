/*
 * "Did you mean": the known name that a mistyped one most likely stands for.
 * Used for INI keys and labels.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/*
 * The one of 'names' with the fewest typing errors to 's' (a byte too many,
 * too few, wrong, or two swapped; case and - for _ are none), if these are at
 * most a third of its length.  The first among equals; NULL if none is near.
 */
const char *nearest_name(const char *s, const char *const *names, size_t n);

#endif
