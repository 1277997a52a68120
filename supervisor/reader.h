/*
 * The reader: the only process with the Docker sockets.  Lists and listens,
 * and publishes to each cluster only what is that cluster's.  A child of the
 * supervisor (loop/child_abi.h), the same binary with another role.
 */
#ifndef SUPERVISOR_READER_H
#define SUPERVISOR_READER_H

#include <stdbool.h>

struct reader_options {
	const char *run_dir;
};

/* Runs until it is told to stop; the exit code. */
int reader_main(const struct reader_options *o);

/*
 * Prints a snapshot of the Engine at 'url' (interfaces.md 3) and returns 0,
 * or 1 with a line on standard error.  Needs no daemon.
 */
int reader_print_snapshot(const char *url, bool full);

#endif
