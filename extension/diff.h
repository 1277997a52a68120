/* What one rendered configuration has that another has not.  Pure. */
#ifndef EXTENSION_DIFF_H
#define EXTENSION_DIFF_H

#include "render.h"

/*
 * Lines that differ between two texts: what they share at the beginning and
 * at the end is left out, the rest is "-LINE" and "+LINE".
 */
void diff_lines(const char *from, const char *to, struct str *out);
/*
 * The members "files":[{"path","change":"added"|"removed"|"changed","lines"}]
 * of a JSON object, by path.  'from' NULL: nothing was there.
 */
void diff_rendered(
    const struct rendered *from, const struct rendered *to, struct str *out);

#endif
