/*
 * One cluster under the supervisor: its extension process, its local proxies,
 * and what the extension said last.
 */
#ifndef SUPERVISOR_CLUSTER_H
#define SUPERVISOR_CLUSTER_H

#include "accepted.h"
#include "process.h"

#include <stdint.h>

struct supervisor;

/* What one cluster's extension said last, for the operator's lists. */
struct cluster_status {
	char *json;  /* its last status line, or NULL */
	char *state; /* "starting", "waiting", "ready" */
	uint64_t generation;
	uint64_t services;
	uint64_t rejected;
	uint64_t alive;	 /* proxies */
	uint64_t pinned; /* to this generation; 0: not */
};

struct cluster {
	struct supervisor *supervisor;
	char *name;
	struct process *process;
	struct group *group; /* proxies of driver = local, or NULL */
	enum config_driver driver;
	struct cluster_status status;
};

/* Starts the cluster and puts it into s->clusters. */
void cluster_add(struct supervisor *s, const struct accepted_cluster *a);
/* Makes, changes or lets go the local proxies that 'config' asks for. */
void cluster_set_group(struct supervisor *s, struct cluster *c,
    const struct cluster_config *config);
const char *cluster_driver_name(enum config_driver driver);
/* Ends the extension of a cluster whose file is gone; its proxies go on. */
void cluster_retire(struct supervisor *s, const char *name);
/* For process_close(): 'arg' is the struct cluster. */
void cluster_free(void *arg);

#endif
