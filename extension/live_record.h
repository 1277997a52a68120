/*
 * Entries of the live extension's history: one, a second after the structure
 * changed.  It costs what changed since the entry before; where that is much,
 * or not known, all services are written again.
 */
#ifndef EXTENSION_LIVE_RECORD_H
#define EXTENSION_LIVE_RECORD_H

#include "base/map.h"
#include "router.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct live;

struct live_record {
	uv_timer_t timer;
	uint64_t due;	      /* generation that wants an entry; 0: none */
	uint64_t due_reloads; /* the proxies' sum when it was delivered */
	/* The last recording of this run that is whole; 0: there is none. */
	uint64_t base;
	struct map since;   /* service IDs that may differ from it */
	struct map changed; /* ... from the entry before */
	bool all_changed;
	/* So many services were more than a recording takes; 0: never. */
	size_t too_many;
};

void live_record_open(struct live *l);
void live_record_close(struct live *l);
void live_record_free(struct live *l);
/* These services were judged anew. */
void live_record_touched(struct live *l, const struct routing_changes *c);
/* A generation was delivered. */
void live_record_delivered(struct live *l, bool structure);
/* The entry that is due, if there is one and it can be made. */
void live_record_now(struct live *l);
/* What is pinned now is in force. */
void live_record_pinned(struct live *l, uint64_t rolled_back_to);

#endif
