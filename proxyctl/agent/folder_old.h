/*
 * What becomes of generations that are over: one is kept in tmp/spare, to
 * become the next one by what differs, the others are removed.  The part of
 * folder.h that only folder.c uses.
 */
#ifndef AGENT_FOLDER_OLD_H
#define AGENT_FOLDER_OLD_H

#include "base/error.h"
#include "folder.h"

#include <stdbool.h>

/*
 * Makes the spare generation the scratch folder, and 'making' say what is in
 * it.  False where there is none, or somebody else was at it.
 */
bool folder_old_use_spare(struct folder *f, const char *scratch);
/* Removes what the engine left in a generation. */
int folder_old_remove_left(const char *folder, struct error *e) _warn_unused_;
/* What cannot be removed goes at the next start. */
void folder_old_remove_tree(const char *path);

#endif
