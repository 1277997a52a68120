/*
 * Cuts a JSON text into its top-level objects without building a document:
 * a bounded, incremental scanner (depth 64) for lists of any length.  It
 * checks structure (quotes, escapes, brackets, commas), not the inside of
 * numbers and words: each piece goes through a real decoder afterwards.
 */
#ifndef BASE_JSON_CUT_H
#define BASE_JSON_CUT_H

#include "base/error.h"
#include "base/str.h"

#include <stddef.h>

#define JSON_CUT_DEPTH 64

/* One top-level element of the list; 'json' is valid during the call only. */
typedef void json_cut_fn(void *arg, const char *json, size_t len);

struct json_cut; /* incremental state; owned by the caller */

/*
 * For a text that is one array.  Elements longer than 'max_element' bytes, or
 * nested deeper than JSON_CUT_DEPTH (below it brackets are only counted), are
 * handed to 'on_skipped' (may be NULL) with their first 'max_element' bytes,
 * and the rest goes on.
 */
struct json_cut *json_cut_new(size_t max_element, json_cut_fn *on_element,
    json_cut_fn *on_skipped, void *arg);
void json_cut_free(struct json_cut *c);
/* Feeds more bytes; -1 when the text is not an array (final). */
int json_cut_feed(struct json_cut *c, const char *bytes, size_t len,
    struct error *e) _warn_unused_;
/* 0 when the array was closed and only blanks followed. */
int json_cut_end(struct json_cut *c, struct error *e) _warn_unused_;

/* One member of an object: the key as it stands between its quotes. */
typedef void json_member_fn(void *arg, const char *key, size_t key_len,
    const char *value, size_t value_len);

/*
 * Walks the members of one object held in memory, values as raw text.  -1
 * when 'json' is not exactly one well-structured object; the members before
 * the fault have been told then.
 */
int json_cut_members(const char *json, size_t len, json_member_fn *on_member,
    void *arg, struct error *e);

#endif
