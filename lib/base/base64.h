/* Base64 as RFC 4648 has it, with padding. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "error.h"
#include "str.h"

#include <stddef.h>

void base64_encode(struct str *out, const void *bytes, size_t len);
/* Appends the bytes; on failure 'out' has a part of them. */
int base64_decode(struct str *out, const char *text, size_t len,
    struct error *e) _warn_unused_;

#endif
