/*
 * The gate: the only writer to Docker.  Makes and keeps the proxy service of
 * each cluster with driver = swarm as its INI says, with the networks and
 * secrets that its extension needs and may have (gate_need.h).
 *
 * It looks at its services and their tasks (on events, and on a timer that is
 * quick while something moves), decides per cluster (gate_group.h) and writes
 * by compare-and-swap on the service's version.  Part of the reader.
 */
#ifndef SUPERVISOR_GATE_H
#define SUPERVISOR_GATE_H

#include "base/str.h"
#include "docker/client.h"
#include "loop/child_abi.h"
#include "reader_clusters.h"
#include "reader_swarm.h"

#include <uv.h>

struct gate;

struct gate_handlers {
	/* gate_json() is another one. */
	void (*on_state)(void *arg);
	/* One sentence for those who follow. */
	void (*on_event)(
	    void *arg, const char *cluster, const char *kind, const char *text);
};

/* Borrows 'docker', 'swarm' and 'clusters'; 'run_dir' holds its name. */
struct gate *gate_new(uv_loop_t *loop, struct docker_client *docker,
    const struct swarm *swarm, struct reader_clusters *clusters,
    const char *run_dir, const struct gate_handlers *h, void *arg);
/* The clusters were loaded anew: theirs are the configurations now. */
void gate_configure(struct gate *g);
/* Networks, secrets or services of the swarm changed. */
void gate_changed(struct gate *g);
/* The event stream told of a service: a look now, where it is one of ours. */
void gate_heard(struct gate *g, const char *service_id);
/* True: the query is one of the gate's, and is answered. */
bool gate_query(struct gate *g, struct child_query *q, const char *what,
    const char *args, size_t len);
/* {NAME:{"service","service_id","state","replicas","running","error"},...} */
void gate_json(const struct gate *g, struct str *out);
/* The docker client is closed after it, and ends its calls.  NULL allowed. */
void gate_close(struct gate *g, void (*closed)(void *arg), void *arg);

#endif
