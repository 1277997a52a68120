/*
 * Checks that go beyond one file's grammar: what running a cluster needs,
 * what the files of one system must agree on, and "is this file good?" for
 * proxyctl check.
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "base/str.h"
#include "config/config.h"

#include <sys/types.h>

/*
 * What the driver needs and render or validate do not: for whoever is about
 * to run the cluster.  -1 with lines in 'errors'.
 */
int cluster_config_check_run(
    const struct cluster_config *c, struct config_errors *errors) _warn_unused_;

/*
 * What files exclude in each other: two defaults, one name or one proxy
 * service twice, ports of this host taken twice (admin, control, and the
 * proxies of driver local).  Every file that is part of a conflict gets its
 * line, and its place in 'ret_bad' ('n' of them, or NULL) is set.  'd' may
 * be NULL.
 */
int config_check_set(const struct daemon_config *d,
    const struct cluster_config *const *clusters, size_t n, bool *ret_bad,
    struct config_errors *errors) _warn_unused_;

/*
 * Which of the clusters takes the services that name none; -1: nobody.  The
 * one with default = true, else the only one, else the one named "default",
 * unless it says default = false.
 */
ssize_t
config_default_cluster(const struct cluster_config *const *clusters, size_t n);

/*
 * Reads a daemon or a cluster file, told apart by its sections (an empty file
 * is a cluster).  0, or -1 with a line per error, in 'out_report'; what the
 * driver still needs (cluster_config_check_run()) is reported and no error,
 * because render and validate need it not.
 */
int config_check_file(const char *path, struct str *out_report) _warn_unused_;
/* Several files at once, with what they exclude in each other. */
int config_check_files(
    char *const *paths, size_t n, struct str *out_report) _warn_unused_;

#endif
