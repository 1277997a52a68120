/*
 * Hash map from strings to pointers.  Open addressing, keyed with random
 * bytes (a tenant cannot choose names that collide), owns copies of its keys
 * and nothing of its values.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
	char *key; /* owned; NULL = empty, map_tombstone = removed */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_entry *slots;
	size_t size; /* power of two, or 0 */
	size_t used; /* with tombstones */
	size_t len;  /* entries */
};

/* A zeroed struct is an empty map. */
void map_fini(struct map *m);
/* The value, or NULL. */
void *map_get(const struct map *m, const char *key);
/* Sets, and returns the value it replaced or NULL.  'value' is not NULL. */
void *map_set(struct map *m, const char *key, void *value);
/* Removes, and returns the value or NULL. */
void *map_remove(struct map *m, const char *key);
/*
 * Walks in no order: for (size_t i = 0; (e = map_next(m, &i)) != NULL;).
 * Removing the current entry while walking is allowed, adding is not.
 */
struct map_entry *map_next(const struct map *m, size_t *i);

#endif
