/*
 * "proxyctl cluster rm": takes away what "cluster add" made (a Docker config,
 * through the reader, or a file), waits until the cluster is retired, drains
 * its local proxies, has its proxy service removed, and forgets its state.
 */
#ifndef SUPERVISOR_REMOVAL_H
#define SUPERVISOR_REMOVAL_H

#include "base/vec.h"

#include <stdbool.h>

/* The last line of a file in clusters_dir that "cluster add" made. */
#define REMOVAL_MARK "; made by proxyctl cluster add\n"

struct http_exchange;
struct removal;
struct supervisor;

struct removals {
	VEC(struct removal *) list;
};

/*
 * Answers 200 {"cluster","source","local_proxies","proxy_service"}; 202 with
 * "draining" where proxies take longer than anybody waits; 404, 409, 502.
 */
void
removal_start(struct supervisor *s, struct http_exchange *x, const char *name);
/* The configuration was read again: what waits for that goes on. */
void removals_go_on(struct supervisor *s);
bool removals_has(const struct supervisor *s, const char *name);
/* Gives up in order; the reader is closed after it. */
void removals_close(struct supervisor *s);

#endif
