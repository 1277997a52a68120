/*
 * The proxies of one cluster with driver = local: agents on this host,
 * started detached so that they outlive a supervisor that is killed, adopted
 * by the next one through their agent.sock.
 */
#ifndef SUPERVISOR_GROUP_H
#define SUPERVISOR_GROUP_H

#include "config/config.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct group;

struct group_options {
	const char *run_dir;
	const char *agent; /* path of proxyctl */
	uid_t uid;	   /* whose folders: of the extensions; 0: ours */
	gid_t gid;
};

/* Adopts what runs, starts what is missing. */
struct group *group_new(uv_loop_t *loop, const struct cluster_config *c,
    const struct group_options *o);
/*
 * Other settings: proxies that are too many are drained, those whose command
 * line differs are drained and started anew, one at a time.
 */
void group_set(struct group *g, const struct cluster_config *c);
/* Drains all; 'drained' once the last has ended.  For cluster rm and stop. */
void group_drain(struct group *g, void (*drained)(void *arg), void *arg);
/* Lets go: the agents run on. */
void group_close(struct group *g, void (*closed)(void *arg), void *arg);
/*
 * At the loop's end: no longer waits for agents that were started and still
 * run (their processes would keep the loop from closing).
 */
void group_let_go(uv_loop_t *loop);

#endif
