/*
 * What the Engine's objects have in common, checked: for the decoders of this
 * folder.  Texts returned are owned; NULL means failed (json_read.h).
 */
#ifndef DOCKER_FIELDS_H
#define DOCKER_FIELDS_H

#include "docker/json_read.h"

/* The greatest number that every step keeps exact. */
#define FIELDS_NUMBER_MAX (1ULL << 53)

/*
 * The document, which is an object, or NULL with 'e'.  It is under guard
 * (decode_guard.h) until fields_done(), a cleanup function, which releases it
 * and is due after a failure too.
 */
struct json_t *
fields_load(const char *json, size_t len, struct error *e) _warn_unused_;
void fields_done(struct json_t **doc);

/* [A-Za-z0-9_-]{1,64} */
bool fields_is_id(const char *s, size_t len);
/* 1 to 255 of printable ASCII without blanks, quotes and backslashes. */
bool fields_is_name(const char *s, size_t len);

char *fields_id(const struct json_read *at, const char *key);
/* The same; absent and empty are "". */
char *fields_id_or_none(const struct json_read *at, const char *key);
char *fields_name(const struct json_read *at, const char *key);
/* Version.Index; 0 when absent. */
uint64_t fields_version(const struct json_read *root);
/*
 * "10.0.1.3/24" as "10.0.1.3"; a place that has no key of its own is passed
 * with a NULL key.
 */
char *
fields_address(const struct json_read *at, const char *key, const char *text);

#endif
