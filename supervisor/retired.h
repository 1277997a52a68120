/*
 * Clusters that are retired: their INI is gone, their proxies serve on until
 * "proxyctl cluster rm".  Kept in run_dir/accepted/retired, so that they are
 * known after a restart.
 */
#ifndef SUPERVISOR_RETIRED_H
#define SUPERVISOR_RETIRED_H

#include "base/str.h"
#include "base/vec.h"

#include <stdint.h>

struct retired_cluster {
	char *name;
	char *driver; /* "local", "swarm", "none" or "unknown" */
};

struct retired {
	char *path;
	VEC(struct retired_cluster) list; /* by name */
};

/* What the last run left; damage is as none. */
void retired_load(struct retired *r, const char *run_dir);
void retired_fini(struct retired *r);
/* Its name is noted; one that is there is replaced. */
void retired_add(struct retired *r, const char *name, const char *driver);
/* It is in force again, or its proxies are gone. */
void retired_drop(struct retired *r, const char *name);
const struct retired_cluster *
retired_find(const struct retired *r, const char *name);
/* [{"name","driver","state":"retired"},...] */
void retired_json(const struct retired *r, struct str *out);

/* How many folders of local proxies there are at most: the last index + 1. */
uint32_t retired_local_proxies(const char *run_dir, const char *name);

#endif
