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

/*
 * The first 'size' bytes of the file, mapped and shared with whoever maps it
 * next, which may be our own next run; new ones are zero.  munmap() it.  NULL
 * where it cannot be had; what was had never fails later for want of room.
 */
void *fs_map(const char *path, size_t size);

/* rm -rf; absent is success.  Follows no symbolic link. */
int fs_remove_tree(const char *path, struct error *e) _warn_unused_;

#endif
