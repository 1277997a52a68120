/*
 * Checked reading of one JSON document, for decoders.  The first wrong thing
 * sticks, with its path ("Spec.EndpointSpec.Mode: not a string"); everything
 * read after it is absent, so that a decoder checks once, at its end.
 */
#ifndef DOCKER_JSON_READ_H
#define DOCKER_JSON_READ_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* A place in the document: a value, lent, on the reader's stack. */
struct json_read {
	const struct json_t *json;  /* NULL = absent, null, or failed */
	const struct json_read *up; /* NULL = the document */
	const char *name;	    /* its key; NULL = item 'index' of a list */
	size_t index;
	struct error *e;
	bool *failed;
};

/* 'failed' starts false; 'e' is written by the first failure. */
struct json_read
json_read_root(const struct json_t *doc, struct error *e, bool *failed);

/* Writes the path of member 'key' (NULL: of 'at' itself) and the reason. */
void json_read_fail(const struct json_read *at, const char *key,
    const char *fmt, ...) __attribute__((format(printf, 3, 4), cold));

/* Members; absent and null are the same.  Another type fails. */
struct json_read json_read_object(const struct json_read *at, const char *key);
struct json_read json_read_array(const struct json_read *at, const char *key);
/* Its number of items; 0 when absent. */
size_t json_read_len(const struct json_read *array);
struct json_read json_read_item(const struct json_read *array, size_t i);
/* The same without a check of its type, to fail with its path. */
struct json_read json_read_place(const struct json_read *array, size_t i);

/* The text, lent, without a NUL in it; NULL when absent. */
const char *json_read_text(const struct json_read *at, const char *key);
/* The item itself, which must be a text. */
const char *json_read_item_text(const struct json_read *array, size_t i);
/* A whole number from 0 to 'max' (at most 2^53); 'absent' when absent. */
uint64_t json_read_uint(
    const struct json_read *at, const char *key, uint64_t max, uint64_t absent);
bool json_read_bool(const struct json_read *at, const char *key);

#endif
