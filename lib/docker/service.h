/*
 * Writes to services, each a compare-and-swap or a thing that fails whole.
 * The reader's gate alone uses them.
 */
#ifndef DOCKER_SERVICE_H
#define DOCKER_SERVICE_H

#include "docker/client.h"

#include <stdint.h>

/* 'spec' is a ServiceSpec in JSON.  'done' gets {"ID":...}. */
struct docker_call *docker_service_create(
    struct docker_client *d, const char *spec, docker_body_fn *done, void *arg);
/*
 * Replaces the spec of the service whose Version.Index is 'version'; where it
 * is another one meanwhile: docker_service_is_outrun().
 */
struct docker_call *
docker_service_update(struct docker_client *d, const char *id, uint64_t version,
    const char *spec, docker_body_fn *done, void *arg);
struct docker_call *docker_service_remove(
    struct docker_client *d, const char *id, docker_body_fn *done, void *arg);
/* Services that carry a label ("KEY" or "KEY=VALUE"); see docker_list(). */
struct docker_call *
docker_service_list(struct docker_client *d, const char *label,
    docker_object_fn *on_object, docker_done_fn *done, void *arg);
/* All tasks of these services; 'n' is not 0. */
struct docker_call *
docker_service_tasks(struct docker_client *d, const char *const *ids, size_t n,
    docker_object_fn *on_object, docker_done_fn *done, void *arg);

/* An update came second: the service is to be read again. */
bool docker_service_is_outrun(const struct error *e);

#endif
