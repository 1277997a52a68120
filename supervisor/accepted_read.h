/*
 * One cluster's INI, from a file or a Docker config, parsed and checked for
 * whoever is about to run it.  For accepted.c.
 */
#ifndef SUPERVISOR_ACCEPTED_READ_H
#define SUPERVISOR_ACCEPTED_READ_H

#include "accepted.h"

/*
 * 'file' is what it came from, 'fragments' where a copy has the operator's
 * (config/template.h), or NULL; NULL with lines in 'errors'.
 */
struct accepted_cluster *accepted_read_file(const char *path, const char *file,
    const char *fragments, struct config_errors *errors) _warn_unused_;
struct accepted_cluster *accepted_read_config(
    const struct docker_config *d, struct config_errors *errors) _warn_unused_;

#endif
