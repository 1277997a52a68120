/*
 * POST /v1/clusters {"name","text","to":"config"|"file","replace":BOOL}: a new
 * cluster ("proxyctl cluster add").  Its INI is checked as if it were in force;
 * then it becomes a Docker config, through the reader's gate, or a file in
 * clusters_dir.
 *
 * Answers 200 {"cluster","source","where"}; 400 with "problems" for an INI
 * that is wrong; 409 where there is one of that name; 502 where it cannot be
 * written.
 */
#ifndef SUPERVISOR_ADMIN_CLUSTERS_H
#define SUPERVISOR_ADMIN_CLUSTERS_H

#include <stddef.h>

struct http_exchange;
struct supervisor;

void admin_cluster_add(struct supervisor *s, struct http_exchange *x,
    const char *body, size_t len);

#endif
