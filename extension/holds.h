/*
 * [cluster] claim_hold: a host that loses its last service stays reserved for
 * the name of its owner.
 *
 * A host is held from when no accepted service has it any more (removed,
 * rejected, or another set of hosts), for claim_hold: only a service of the
 * owner's name may claim it.  Once such a one is back it keeps the host from
 * all that waited, older ones too, as long as it has it; then the time starts
 * anew.  A host that was shared is not held while one of those that shared it
 * is left: the oldest of them owns it.
 *
 * Time is the monotonic clock's.  In run_dir/state/NAME/holds.json are the
 * owners and the ends, so that a service that went away while no extension
 * ran is missed by the next one; after a reboot what was left at the last
 * write counts from the start.
 *
 * Pure, but for the two functions that name a file.
 */
#ifndef EXTENSION_HOLDS_H
#define EXTENSION_HOLDS_H

#include "base/error.h"
#include "base/map.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct routing;

enum hold_state {
	HOLD_OWNED, /* remembered; reserves nothing */
	HOLD_HELD,  /* nobody has it: reserved until 'until_ms' */
	HOLD_KEPT,  /* the owner's name is back: reserved against older ones */
};

struct hold {
	enum hold_state state;
	char *name;	  /* the owner's */
	char *network_id; /* the owner's; NULL: none */
	struct {
		VEC(char *) list;
	} others; /* names of those that share the host */
	uint64_t until_ms;
	char until[24]; /* for people: "2024-01-31 12:00:00 UTC" */
};

/* A zeroed struct holds nothing, ever. */
struct holds {
	struct map hosts; /* host -> struct hold *, owned; "*" as well */
	uint64_t hold_ms; /* claim_hold */
	bool changed;	  /* since it was stored */
};

/* Both clocks at one moment. */
struct holds_time {
	uint64_t mono_ms;
	uint64_t wall_us; /* only to tell people */
};

void holds_fini(struct holds *h);
/*
 * 'r' was built under 'h'.  True: it must be built again, which then is final.
 * In 'r' a host went from a service that is gone to one that had no part in
 * it (it is held now), or to the one it was held for (others that wait are
 * told so, or may share it).
 */
bool holds_learn(
    struct holds *h, const struct routing *r, const struct holds_time *now);
/* Lets go what is over; true if there was anything. */
bool holds_expire(struct holds *h, uint64_t mono_ms);

/* The reservation of 'host' that stands in the way of 'name', or NULL. */
const struct hold *
holds_against(const struct holds *h, const char *host, const char *name);
/* The hold of a host that nobody has, or NULL. */
const struct hold *holds_held(const struct holds *h, const char *host);

/* Sets the end 'left_ms', but no more than 'max_ms', from now. */
void hold_until(struct hold *x, uint64_t left_ms, uint64_t max_ms,
    const struct holds_time *now);
int holds_store(const struct holds *h, const char *path, uint64_t mono_ms,
    struct error *e) _warn_unused_;
/* After 'hold_ms' is set.  What is absent or damaged holds nothing. */
void
holds_load(struct holds *h, const char *path, const struct holds_time *now);

#endif
