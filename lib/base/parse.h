/*
 * Strict numbers, durations and sizes from foreign text.  Whole strings by
 * (pointer, length): no sign, no blanks, nothing left over.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only, no leading zero but "0" itself, 'min'..'max'. */
int parse_u32(const char *s, size_t len, uint32_t min, uint32_t max,
    uint32_t *ret, struct error *e) _warn_unused_;

/*
 * [0-9]+(ms|s|m|h|d), a bare number is seconds; in milliseconds, at most
 * 'max_ms'.
 */
int parse_duration_ms(const char *s, size_t len, uint64_t max_ms, uint64_t *ret,
    struct error *e) _warn_unused_;

/* [0-9]+[kmg]?, any case; in bytes, at most 2^53. */
int parse_size(
    const char *s, size_t len, uint64_t *ret, struct error *e) _warn_unused_;

/* true/false/yes/no/on/off/1/0, any case. */
int
parse_bool(const char *s, size_t len, bool *ret, struct error *e) _warn_unused_;

/*
 * RFC 3339 with up to nine decimals, as the Engine writes CreatedAt; in
 * nanoseconds since 1970.
 */
int parse_rfc3339(
    const char *s, size_t len, int64_t *ret_ns, struct error *e) _warn_unused_;

#endif
