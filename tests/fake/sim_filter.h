/* The 'filters' argument of the Engine API, in both of its forms. */
#ifndef SIM_FILTER_H
#define SIM_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * Parses {"k":["v"]} or {"k":{"v":true}} ('text' may be NULL: no filters,
 * NULL).  A key that is not in 'known' (ended by NULL) is an error.
 */
int sim_filter_parse(const char *text, const char *const *known, json_t **ret,
    struct error *e) _warn_unused_;
bool sim_filter_has(const json_t *filters, const char *key);
/* True without a filter 'key', or when one of its values is 'value'. */
bool sim_filter_any(const json_t *filters, const char *key, const char *value);
/* The same, when one of its values is a prefix of 'value'. */
bool
sim_filter_prefix(const json_t *filters, const char *key, const char *value);
/* The same, when one of its values occurs in 'value'. */
bool sim_filter_part(const json_t *filters, const char *key, const char *value);
/* True when every "name" or "name=value" of filter 'key' is in 'labels'. */
bool
sim_filter_labels(const json_t *filters, const char *key, const json_t *labels);
/* Value 'i' of filter 'key', or NULL past the last one. */
const char *sim_filter_value(const json_t *filters, const char *key, size_t i);

#endif
