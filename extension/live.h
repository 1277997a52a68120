/*
 * The live extension: a child of the supervisor (docs/internals.md), fed by
 * the bus, feeding the cluster's agents.
 */
#ifndef EXTENSION_LIVE_H
#define EXTENSION_LIVE_H

struct live_options {
	const char *cluster_file; /* the accepted copy */
	const char *run_dir;
};

/* Runs until the supervisor ends it; the exit code (loop/child_abi.h). */
int extension_live(const struct live_options *o);

#endif
