/* Services that change on and on: see reader_damp.h. */
#include "reader_damp.h"

#include <string.h>

#include "base/mem.h"

#define PER_TOKEN_MS (1000 / DAMP_PER_S)
#define MANY 1000

struct damped {
	/* When it will have all its tokens again: one costs PER_TOKEN_MS. */
	uint64_t full_ms;
	uint64_t commit_us; /* of the oldest change that waits */
	bool waits;
};

void
damp_fini(struct damp *d)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&d->services, &i)) != NULL;)
		free(e->value);
	map_fini(&d->services);
	memset(d, 0, sizeof(*d));
}

/* Those with all their tokens are as if they had never been seen. */
static void
forget_calm(struct damp *d, uint64_t now_ms)
{
	struct map_entry *e;

	if (d->services.len < MANY || d->services.len % MANY != 0)
		return;
	for (size_t i = 0; (e = map_next(&d->services, &i)) != NULL;) {
		struct damped *x = e->value;

		if (x->waits || x->full_ms > now_ms)
			continue;
		(void)map_remove(&d->services, e->key);
		free(x);
	}
}

/* In how many ms it may be told. */
static uint64_t
wait_of(const struct damped *x, uint64_t now_ms)
{
	uint64_t most = now_ms + (uint64_t)(DAMP_BURST - 1) * PER_TOKEN_MS;

	return x->full_ms > most ? x->full_ms - most : 0;
}

static void
spend(struct damped *x, uint64_t now_ms)
{
	if (x->full_ms < now_ms)
		x->full_ms = now_ms;
	x->full_ms += PER_TOKEN_MS;
}

/* True: not now. */
static bool
hold(struct damp *d, const char *id, uint64_t commit_us, uint64_t now_ms)
{
	struct damped *x = map_get(&d->services, id);

	if (x == NULL) {
		forget_calm(d, now_ms);
		x = xcalloc(1, sizeof(*x));
		(void)map_set(&d->services, id, x);
	}
	if (!x->waits && wait_of(x, now_ms) == 0) {
		spend(x, now_ms);
		return false;
	}
	d->waiting += !x->waits;
	x->waits = true;
	if (x->commit_us == 0 || (commit_us != 0 && commit_us < x->commit_us))
		x->commit_us = commit_us;
	return true;
}

void
damp_take(struct damp *d, struct swarm_changes *c, uint64_t now_ms)
{
	for (size_t i = c->services.len; i > 0; i--) {
		char *id = c->services.at[i - 1];

		if (!hold(d, id, swarm_changes_commit(c, id), now_ms))
			continue;
		vec_remove(&c->services, i - 1);
		free(id);
	}
	for (size_t i = 0; i < c->removed.len; i++) {
		struct damped *x = map_remove(&d->services, c->removed.at[i]);

		d->waiting -= x != NULL && x->waits;
		free(x);
	}
}

uint64_t
damp_due(struct damp *d, uint64_t now_ms, struct swarm_changes *ret)
{
	uint64_t next = UINT64_MAX;
	struct map_entry *e;

	if (d->waiting == 0)
		return next;
	for (size_t i = 0; (e = map_next(&d->services, &i)) != NULL;) {
		struct damped *x = e->value;
		uint64_t in = x->waits ? wait_of(x, now_ms) : UINT64_MAX;

		if (in > 0) {
			next = in < next ? in : next;
			continue;
		}
		swarm_changes_add(ret, e->key, x->commit_us);
		spend(x, now_ms);
		x->waits = false;
		x->commit_us = 0;
		d->waiting--;
	}
	return next;
}
