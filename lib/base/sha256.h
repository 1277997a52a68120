/* SHA-256, as names of contents: 64 lower-case hex digits and a NUL. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>

#define SHA256_HEX_SIZE 65

void sha256_hex(const void *bytes, size_t len, char ret[SHA256_HEX_SIZE]);
/* True for exactly 64 lower-case hex digits. */
bool sha256_is_hex(const char *s);

#endif
