/*
 * Text of manual pages in mdoc, for those that are made from tables.  Pure.
 */
#ifndef BASE_MDOC_H
#define BASE_MDOC_H

#include "base/str.h"

/* Running text, each sentence on lines of its own; nothing in it is markup. */
void mdoc_add_text(struct str *out, const char *text);

#endif
