/*
 * The order of bus messages: what a subscriber does with the next one, given
 * what it has.  Pure.
 *
 * The bus loses messages.  Each carries the epoch of its reader and a seq
 * that counts by one; what does not follow on is a gap, and a gap is mended
 * by a snapshot.
 */
#ifndef BUS_ORDER_H
#define BUS_ORDER_H

#include "bus/message.h"

#include <stdbool.h>
#include <stdint.h>

struct bus_order {
	bool synced; /* a snapshot was taken and nothing missed since */
	char epoch[BUS_EPOCH_SIZE];
	uint64_t seq;
};

enum bus_verdict {
	BUS_APPLY, /* it follows on; 'order' has moved */
	BUS_OLD,   /* known already, or a beacon that agrees */
	BUS_AHEAD, /* something is missing before it: ask, and keep it */
};

/*
 * A snapshot always applies.  A message that is ahead ends 'synced'; while
 * not synced, updates and removals are ahead and beacons are old.
 */
enum bus_verdict
bus_order_next(struct bus_order *o, const struct bus_message *m);

#endif
