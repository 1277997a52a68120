/*
 * The configuration in force: what the operator's files say where they are
 * right, and what they said last where they are not.
 *
 * Every accepted file is kept whole under run_dir/accepted/, written by
 * rename, and the operator's fragments that it names beside it; children read
 * only these copies, and a restart of everything finds them again.  Only this
 * module reads clusters_dir.  Docker configs that hold INIs (configs.h) count
 * like files; until the reader told which there are, those of the last run
 * stay.
 */
#ifndef SUPERVISOR_ACCEPTED_H
#define SUPERVISOR_ACCEPTED_H

#include "base/error.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"
#include "config/config.h"
#include "configs.h"

#include <stdbool.h>

struct accepted_cluster {
	char *name;
	char *file;	  /* its name in clusters_dir, or "config/NAME" */
	bool from_config; /* a Docker config's */
	char *text;	  /* the bytes in force */
	size_t len;
	/* Of the bytes and the operator's fragments; empty: not written. */
	char identity[SHA256_HEX_SIZE];
	struct cluster_config *config;
	bool kept; /* the file is wrong now: its last good version rules */
	bool late; /* while reading: another of its name was first */
};

struct accepted {
	char *config_path;
	struct daemon_config *daemon;
	char *folder;				 /* run_dir/accepted */
	VEC(struct accepted_cluster *) clusters; /* by name */
	struct configs configs; /* what the reader told of Docker's */
	/* "FILE:LINE: sentence" for everything that is not in force. */
	struct config_errors problems;
};

struct accepted_changes {
	VEC(char *) added; /* names of clusters */
	VEC(char *) changed;
	VEC(char *) removed;
	bool daemon_changed;
};
void accepted_changes_fini(struct accepted_changes *c);

/*
 * Reads bulkhead.ini; makes run_dir; finds the accepted copies of the last
 * run.  NULL with the reasons in 'errors' when the file cannot be used.
 */
struct accepted *accepted_open(
    const char *config_path, struct config_errors *errors) _warn_unused_;
/*
 * Reads everything again.  What is right and differs is written to the
 * accepted folder and listed in 'ret'; what is wrong changes nothing and is
 * listed in a->problems.
 */
void accepted_scan(struct accepted *a, struct accepted_changes *ret);
/*
 * Reads everything as a start would, and writes nothing: 0 when all of it is
 * right.  For --check.
 */
int accepted_check(const char *config_path, size_t *ret_clusters,
    struct config_errors *errors);
const struct accepted_cluster *
accepted_find(const struct accepted *a, const char *name);
/*
 * A cluster's INI from memory; its errors are told as of 'origin'.  NULL with
 * lines in 'errors'; 'file' is left to the caller.
 */
struct accepted_cluster *accepted_parse(const char *origin, const char *cluster,
    const char *text, size_t len, struct config_errors *errors) _warn_unused_;
void accepted_cluster_free(struct accepted_cluster *c);
/* run_dir/accepted/clusters.d/NAME.ini; owned by the caller. */
char *accepted_path(const struct accepted *a, const char *name);
void accepted_free(struct accepted *a);

#endif
