/*
 * The folder that "render --out" fills.  It keeps a list of the files it
 * wrote (.bulkhead-files), so that a later run replaces and removes exactly
 * those and leaves all others alone.
 */
#ifndef EXTENSION_OFFLINE_FOLDER_H
#define EXTENSION_OFFLINE_FOLDER_H

#include "render.h"

/*
 * Writes the files and report.json into the existing folder 'dir', each by
 * rename.  Fails before it writes anything where a file that it did not write
 * itself stands in the way.
 */
int offline_folder_write(const char *dir, const struct rendered *r,
    const struct str *report, struct error *e) _warn_unused_;

#endif
