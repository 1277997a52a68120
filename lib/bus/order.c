/* What follows on, what is old, what is missing: see order.h. */
#include "bus/order.h"

#include <string.h>

enum bus_verdict
bus_order_next(struct bus_order *o, const struct bus_message *m)
{
	bool same = strcmp(o->epoch, m->epoch) == 0;

	if (m->type == BUS_SNAPSHOT) {
		o->synced = true;
		memcpy(o->epoch, m->epoch, sizeof(o->epoch));
		o->seq = m->seq;
		return BUS_APPLY;
	}
	if (!o->synced)
		return m->type == BUS_BEACON ? BUS_OLD : BUS_AHEAD;
	if (same && m->seq <= o->seq)
		return BUS_OLD;
	if (same && m->type != BUS_BEACON && m->seq == o->seq + 1) {
		o->seq = m->seq;
		return BUS_APPLY;
	}
	o->synced = false;
	return BUS_AHEAD;
}
