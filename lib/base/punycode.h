/*
 * The xn-- form of a host name in UTF-8 (RFC 3492), for hints only.
 *
 * Not IDNA: it folds case where that is plain (Latin, Greek, Cyrillic) and
 * gives up where IDNA would normalise or refuse.  Nothing is routed by it.
 */
#ifndef BASE_PUNYCODE_H
#define BASE_PUNYCODE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes the ASCII form of 'host' with a NUL; false where there is none that
 * is certain, or it does not fit into 'size' bytes.
 */
bool punycode_host(const char *host, size_t len, char *ret, size_t size);

#endif
