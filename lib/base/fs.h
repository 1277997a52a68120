/* Small file work: whole reads with a limit, writes that are all or nothing. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

/* Appends the whole file to 'ret'; larger than its maximum is EFBIG. */
int fs_read(const char *path, struct str *ret, struct error *e) _warn_unused_;

/*
 * Writes 'path' by a temporary neighbour, fsync and rename: afterwards it is
 * the old or the new, whole.  'mode' is set exactly.
 */
int fs_write(const char *path, const void *bytes, size_t len, mode_t mode,
    struct error *e) _warn_unused_;

/*
 * mkdir -p; folders that are made get 'mode', whatever the umask.  Something
 * else at 'path' is ENOTDIR.
 */
int fs_mkdirs(const char *path, mode_t mode, struct error *e) _warn_unused_;

/* rm -rf; absent is success.  Follows no symbolic link. */
int fs_remove_tree(const char *path, struct error *e) _warn_unused_;

#endif
