/*
 * A snapshot (interfaces.md 3): the Engine's own objects, fetched when asked,
 * with Env, Args and the data of configs hidden unless all is wanted.
 */
#ifndef SUPERVISOR_READER_SNAPSHOT_H
#define SUPERVISOR_READER_SNAPSHOT_H

#include "base/error.h"
#include "docker/client.h"

#include <stdbool.h>

/* The document, or an 'e'.  Called once, from the loop. */
typedef void reader_snapshot_fn(
    void *arg, const char *text, size_t len, const struct error *e);

/* Ends with the client at the latest. */
void reader_snapshot_start(struct docker_client *docker, bool full,
    reader_snapshot_fn *done, void *arg);

#endif
