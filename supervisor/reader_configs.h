/*
 * Docker configs labelled bulkhead.cluster=NAME: each is an INI of that
 * cluster, the newest one counts (CreatedAt, then ID).  Lists them whenever
 * something may have changed and tells the supervisor over fd 3
 * (docs/internals.md).  Part of the reader.
 *
 * A list that failed changes nothing.  One that lacks a config whose removal no
 * event told is believed when a second one, 2 s later, lacks it too.
 */
#ifndef SUPERVISOR_READER_CONFIGS_H
#define SUPERVISOR_READER_CONFIGS_H

#include "docker/client.h"

#include <uv.h>

#define CONFIG_LABEL_CLUSTER "bulkhead.cluster"

struct reader_configs;

typedef void reader_configs_tell_fn(void *arg, const char *line, size_t len);

/* 'docker' is borrowed. */
struct reader_configs *reader_configs_new(uv_loop_t *loop,
    struct docker_client *docker, reader_configs_tell_fn *tell, void *arg);
/* Looks now, or again after the look under way. */
void reader_configs_look(struct reader_configs *c);
/* An event told of the config 'id': looks. */
void
reader_configs_heard(struct reader_configs *c, const char *id, bool removed);
/* NULL is allowed.  The docker client is closed after it, and ends its call. */
void reader_configs_close(struct reader_configs *c);

#endif
