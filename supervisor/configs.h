/*
 * Docker configs that hold clusters' INIs, as the reader tells them over fd 3
 * (docs/internals.md): one line for each that is new, then one that says which
 * there are.  Kept by the supervisor; accepted.c reads them beside the files.
 */
#ifndef SUPERVISOR_CONFIGS_H
#define SUPERVISOR_CONFIGS_H

#include "base/error.h"
#include "base/map.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

/* The newest one of its cluster. */
struct docker_config {
	char *id;
	char *name;    /* of the config: messages name it */
	char *cluster; /* its label bulkhead.cluster, as it is */
	char *text;    /* NULL: larger than can be told */
	size_t len;
};

struct configs {
	bool known; /* told at least once in this run */
	VEC(struct docker_config *) list;
	struct map arrived; /* ID -> struct docker_config *, owned */
	bool touched;	    /* one that is listed says something else */
};

/*
 * A "config" or "configs" line; 'ret_changed': other ones are there than
 * before.  -1: the line is none, and nothing changes.
 */
int configs_take(struct configs *c, const char *line, size_t len,
    bool *ret_changed, struct error *e) _warn_unused_;
void configs_fini(struct configs *c);

#endif
