/*
 * What agents say about secrets, as JSON: in their reports, and remembered by
 * the extension across its own restarts.
 */
#ifndef EXTENSION_SECRET_FACTS_H
#define EXTENSION_SECRET_FACTS_H

#include "base/map.h"
#include "base/str.h"
#include "crypto/secret.h"

struct json_t;

/* Adds the facts of a list (a json_t) by their IDs; odd ones are left out. */
void secret_facts_decode(const struct json_t *list, struct map *ret);
/* [{"id","state",...},...] by ID; what secret_facts_decode() reads. */
void secret_facts_encode(const struct map *facts, struct str *out);
/* What services are served with. */
struct secret_served {
	char *service; /* its ID */
	struct secret_use use;
};
struct secret_serving {
	VEC(struct secret_served) list;
};
/* Adds those of a list (a json_t); odd ones are left out. */
void
secret_serving_decode(const struct json_t *list, struct secret_serving *ret);
/* {"service","kind","name","key"} */
void secret_serving_add(
    struct str *out, const char *service, const struct secret_use *u);
void secret_serving_fini(struct secret_serving *s);
bool secret_facts_same(const struct map *a, const struct map *b);
void secret_facts_free(struct map *facts);

#endif
