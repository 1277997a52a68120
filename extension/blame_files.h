/*
 * Whom to suspect first of what an engine refuses: the services whose files
 * changed since the engine took a configuration, and of those the ones that
 * its words point at.  Pure.
 */
#ifndef EXTENSION_BLAME_FILES_H
#define EXTENSION_BLAME_FILES_H

#include "blame.h"
#include "render.h"
#include "routing.h"

/*
 * Adds services of 'r' to 'b', oldest first.  'now' is 'r' rendered, 'good'
 * what the engine took last (NULL: nothing); 'words' names files, lines and
 * secrets.  Where no changed file is anybody's, or with 'everybody', all are
 * suspects.  Returns whether all are.
 */
bool blame_files(struct blame *b, const struct routing *r,
    const struct rendered *now, const struct rendered *good, const char *words,
    bool everybody);

#endif
