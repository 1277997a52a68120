/*
 * What each cluster gets of the Swarm: only its own services, with what is
 * needed to judge them, and only when that changed.
 *
 * A cluster gets: services that name it (the default one also those that name
 * none, or one that does not exist); their tasks; the networks that they are
 * on or name, those of its own INI, and ingress; the nodes of tasks with
 * ports of their own; the secrets and configs that they name or mount, never
 * their data.  A network or secret that nobody of a cluster names wakes it
 * never; one that is named and absent is absent in Docker as well.
 */
#ifndef SUPERVISOR_READER_CLUSTERS_H
#define SUPERVISOR_READER_CLUSTERS_H

#include "base/error.h"
#include "base/str.h"
#include "reader_swarm.h"

#include <uv.h>

struct reader_clusters;

/* 'swarm' is borrowed.  'epoch' is this reader's. */
struct reader_clusters *reader_clusters_new(uv_loop_t *loop,
    const char *run_dir, const char *epoch, const struct swarm *swarm);
/*
 * Reads run_dir/accepted/clusters.d: new clusters get their publishers,
 * clusters that are gone lose them, services find their places again.
 */
int
reader_clusters_load(struct reader_clusters *c, struct error *e) _warn_unused_;
/*
 * Before the first whole list is complete: finds the clusters of services that
 * changed, so that publishing them, when it is, need not.
 */
void reader_clusters_place(
    struct reader_clusters *c, const struct swarm_changes *changes);
/* Publishes what changed. */
void reader_clusters_publish(struct reader_clusters *c,
    const struct swarm_changes *changes, uint64_t read_us);
/* For the gate: the i-th cluster's configuration, or NULL past the last. */
const struct cluster_config *
reader_clusters_config(const struct reader_clusters *c, size_t i);
/* The IDs of a cluster's services; NULL: no such cluster. */
const struct map *
reader_clusters_services(const struct reader_clusters *c, const char *name);
/* What a cluster's proxies need comes here; 'body' is for the answer. */
typedef void reader_clusters_need_fn(void *arg, const char *cluster,
    const char *need, size_t len, struct str *body);
void reader_clusters_set_gate(
    struct reader_clusters *c, reader_clusters_need_fn *on_need, void *arg);
/* The gate's word for a cluster's extension. */
void reader_clusters_tell_gate(
    struct reader_clusters *c, const char *name, const char *body, size_t len);
/* {NAME:{"services":N,"messages":N,"connected":BOOL},...} */
void reader_clusters_json(const struct reader_clusters *c, struct str *out);
void reader_clusters_close(
    struct reader_clusters *c, void (*closed)(void *arg), void *arg);

#endif
