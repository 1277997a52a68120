/* Hosts that are held for a name: see holds.h. */
#include "holds.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#include "routing.h"

static void
clear_others(struct hold *x)
{
	size_t i;

	for (i = 0; i < x->others.list.len; i++)
		free(x->others.list.at[i]);
	vec_fini(&x->others.list);
}

static void
hold_free(struct hold *x)
{
	if (x == NULL)
		return;
	clear_others(x);
	free(x->name);
	free(x->network_id);
	free(x);
}

void
holds_fini(struct holds *h)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&h->hosts, &i)) != NULL;)
		hold_free(e->value);
	map_fini(&h->hosts);
}

/* ---- what a routing says ---- */

static bool
is_other(const struct hold *x, const char *name)
{
	size_t i;

	for (i = 0; i < x->others.list.len; i++) {
		if (strcmp(x->others.list.at[i], name) == 0)
			return true;
	}
	return false;
}

/* Routes of one host follow each other: [first, end) is the host's. */
static size_t
host_end(const struct routing *r, size_t first)
{
	size_t i = first;

	while (i < r->routes.len &&
	    strcmp(r->routes.at[i].host, r->routes.at[first].host) == 0)
		i++;
	return i;
}

static bool
has_part(const struct routing *r, size_t first, const char *name)
{
	size_t i, k, end = host_end(r, first);

	for (i = first; i < end; i++) {
		for (k = 0; k < r->routes.at[i].members.len; k++) {
			if (strcmp(name,
				r->routes.at[i]
				    .members.at[k]
				    .service->service->name) == 0)
				return true;
		}
	}
	return false;
}

/* The owner is still there, and an older service took the host. */
static bool
is_outdone(const struct routing *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->rejected.len; i++) {
		const struct rejected *x = &r->rejected.at[i];

		if (x->finding.code == REJECT_HOST_TAKEN &&
		    strcmp(x->service, name) == 0)
			return true;
	}
	return false;
}

/* Writes down who has the host now; true if that is news. */
static bool
note_owner(struct hold *x, const struct routing *r, size_t first)
{
	const struct accepted *owner = r->routes.at[first].host_owner;
	const char *network =
	    owner->network == NULL ? NULL : owner->network->id;
	size_t i, k, end = host_end(r, first), known = 0;
	bool news = !str_equal(x->name, owner->service->name) ||
	    !str_equal(x->network_id, network);
	struct hold fresh = { 0 };

	for (i = first; i < end; i++) {
		for (k = 0; k < r->routes.at[i].members.len; k++) {
			const struct accepted *a =
			    r->routes.at[i].members.at[k].service;

			if (a == owner || is_other(&fresh, a->service->name))
				continue;
			vec_push(&fresh.others.list, xstrdup(a->service->name));
			known += is_other(x, a->service->name);
		}
	}
	news = news || known != fresh.others.list.len ||
	    known != x->others.list.len;
	clear_others(x);
	x->others.list.at = fresh.others.list.at;
	x->others.list.len = fresh.others.list.len;
	x->others.list.room = fresh.others.list.room;
	if (!news)
		return false;
	free(x->name);
	free(x->network_id);
	x->name = xstrdup(owner->service->name);
	x->network_id = network == NULL ? NULL : xstrdup(network);
	return true;
}

/* ---- changes ---- */

void
hold_until(struct hold *x, uint64_t left_ms, uint64_t max_ms,
    const struct holds_time *now)
{
	time_t end;
	struct tm tm;

	if (left_ms > max_ms)
		left_ms = max_ms;
	end = (time_t)((now->wall_us / 1000 + left_ms + 999) / 1000);
	x->until_ms = now->mono_ms + left_ms;
	if (gmtime_r(&end, &tm) == NULL ||
	    strftime(
		x->until, sizeof(x->until), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		x->until[0] = '\0';
}

static void
start(struct holds *h, struct hold *x, const struct holds_time *now)
{
	x->state = HOLD_HELD;
	clear_others(x);
	hold_until(x, h->hold_ms, h->hold_ms, now);
	h->changed = true;
}

/* The host has an owner in 'r'.  True: 'r' is not what it should be. */
static bool
learn_owned(struct holds *h, const struct routing *r, size_t first,
    const struct holds_time *now)
{
	const char *owner = r->routes.at[first].host_owner->service->name;
	struct hold *x = map_get(&h->hosts, r->routes.at[first].host);
	bool again = false;

	if (x == NULL) {
		x = xcalloc(1, sizeof(*x));
		(void)map_set(&h->hosts, r->routes.at[first].host, x);
	} else if (strcmp(x->name, owner) == 0) {
		if (x->state == HOLD_HELD) {
			x->state = HOLD_KEPT;
			h->changed = true;
			again = true;
		}
	} else if (x->state != HOLD_HELD && !is_other(x, owner) &&
	    !has_part(r, first, x->name) && !is_outdone(r, x->name)) {
		start(h, x, now);
		return true;
	} else {
		x->state = HOLD_OWNED;
	}
	h->changed = note_owner(x, r, first) || h->changed;
	return again;
}

bool
holds_learn(
    struct holds *h, const struct routing *r, const struct holds_time *now)
{
	struct map owned = { 0 };
	struct map_entry *e;
	bool again = false;
	size_t i;

	if (h->hold_ms == 0)
		return false;
	for (i = 0; i < r->routes.len; i = host_end(r, i)) {
		(void)map_set(&owned, r->routes.at[i].host, h);
		again = learn_owned(h, r, i, now) || again;
	}
	for (i = 0; (e = map_next(&h->hosts, &i)) != NULL;) {
		struct hold *x = e->value;

		if (x->state == HOLD_HELD || map_get(&owned, e->key) != NULL)
			continue;
		/* Who was told that the owner is back is told the end now. */
		again = again || x->state == HOLD_KEPT;
		start(h, x, now);
	}
	map_fini(&owned);
	return again;
}

bool
holds_expire(struct holds *h, uint64_t mono_ms)
{
	struct map_entry *e;
	bool any = false;
	size_t i;

	for (i = 0; (e = map_next(&h->hosts, &i)) != NULL;) {
		struct hold *x = e->value;

		if (x->state != HOLD_HELD || x->until_ms > mono_ms)
			continue;
		(void)map_remove(&h->hosts, e->key);
		hold_free(x);
		any = h->changed = true;
	}
	return any;
}

/* ---- questions ---- */

const struct hold *
holds_against(const struct holds *h, const char *host, const char *name)
{
	const struct hold *x = h == NULL ? NULL : map_get(&h->hosts, host);

	return x == NULL || x->state == HOLD_OWNED || strcmp(x->name, name) == 0
	    ? NULL
	    : x;
}

const struct hold *
holds_held(const struct holds *h, const char *host)
{
	const struct hold *x = h == NULL ? NULL : map_get(&h->hosts, host);

	return x != NULL && x->state == HOLD_HELD ? x : NULL;
}
