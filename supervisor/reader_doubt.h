/*
 * Answers that would take much away are not believed at once: more than half,
 * and more than a few, of a cluster's services, or all that there are.  Two
 * more answers that take away the same, over 5 s, from a node that says it is
 * a manager, convince.  What an event told is not doubted.
 */
#ifndef SUPERVISOR_READER_DOUBT_H
#define SUPERVISOR_READER_DOUBT_H

#include "reader_swarm.h"

/* Kept in struct swarm between answers. */
void doubt_fini(struct doubt *d);

/* Whether a batch may take too much away. */
bool doubt_applies(const struct swarm *s, const struct swarm_batch *b);
/*
 * IDs of the services that stay as they are (their tasks and networks too)
 * although 'b' would take them away; into 'ret', a set.  'dirty' is what
 * events told, or NULL; 'routable' the IDs of services that have a task to
 * route to in 'b'.
 */
void doubt_weigh(struct swarm *s, const struct swarm_batch *b,
    const struct map *dirty, const struct map *routable, uint64_t now_ms,
    struct map *ret);
/*
 * Of the first lists there are: tasks and no service, or services that want
 * tasks or networks and none in the whole Swarm.  True: not to be believed yet.
 */
bool doubt_first(struct swarm *s, const struct swarm_batch *b, uint64_t now_ms);

#endif
