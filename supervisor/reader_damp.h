/*
 * Services that change on and on (a crash loop) are told of less often: each
 * may be told DAMP_BURST times at once, and DAMP_PER_S times a second after
 * that.  Nothing is lost: what waits is told whole, as it is then.  The wait
 * is shorter than what lies between a task's end being decided and its stop
 * signal.  Pure; for reader.c.
 */
#ifndef SUPERVISOR_READER_DAMP_H
#define SUPERVISOR_READER_DAMP_H

#include "base/map.h"
#include "reader_swarm.h"

#include <stdint.h>

#define DAMP_BURST 20
#define DAMP_PER_S 2

struct damp {
	struct map services; /* ID -> struct damped *, owned */
	size_t waiting;
};

void damp_fini(struct damp *d);

/*
 * Leaves in 'c' the services that may be told now; the others wait.  Those
 * that are gone wait no more.
 */
void damp_take(struct damp *d, struct swarm_changes *c, uint64_t now_ms);
/*
 * Adds to 'ret' what waited long enough.  Gives in how many ms there is more,
 * or UINT64_MAX.
 */
uint64_t damp_due(struct damp *d, uint64_t now_ms, struct swarm_changes *ret);

#endif
