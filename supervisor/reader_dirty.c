/* What is to be looked at: see reader_dirty.h. */
#include "reader_dirty.h"

#include <string.h>

#include "base/mem.h"

#define LOOKED_MANY 1000

static void *const present = (void *)(uintptr_t)1;

static void
order_fini(struct dirty_order *o)
{
	for (size_t i = 0; i < o->ids.len; i++)
		free(o->ids.at[i]);
	vec_fini(&o->ids);
}

void
dirty_fini(struct dirty *d)
{
	order_fini(&d->known);
	order_fini(&d->new);
	order_fini(&d->tasks_order);
	map_fini(&d->services);
	map_fini(&d->tasks);
	map_fini(&d->looked);
	memset(d, 0, sizeof(*d));
}

bool
dirty_any(const struct dirty *d)
{
	return d->services.len > 0 || d->tasks.len > 0;
}

static uint64_t
note(struct dirty *d, struct map *which, struct dirty_order *order,
    const char *id, uint64_t now_ms)
{
	uint64_t last = (uintptr_t)map_get(&d->looked, id);
	uint64_t due = last != 0 && last + DIRTY_REST_MS > now_ms
	    ? last + DIRTY_REST_MS
	    : now_ms;

	if (map_get(which, id) == NULL) {
		(void)map_set(which, id, (void *)(uintptr_t)(due | 1));
		vec_push(&order->ids, xstrdup(id));
	}
	return due - now_ms;
}

uint64_t
dirty_service(struct dirty *d, const char *id, bool known, uint64_t now_ms)
{
	return note(d, &d->services, known ? &d->known : &d->new, id, now_ms);
}

uint64_t
dirty_tasks(struct dirty *d, const char *id, uint64_t now_ms)
{
	uint64_t due = (uintptr_t)map_get(&d->services, id);

	if (due != 0)
		return due > now_ms ? due - now_ms : 0;
	return note(d, &d->tasks, &d->tasks_order, id, now_ms);
}

static void
forget_looked(struct dirty *d, uint64_t now_ms)
{
	struct map_entry *e;

	if (d->looked.len < LOOKED_MANY)
		return;
	for (size_t i = 0; (e = map_next(&d->looked, &i)) != NULL;) {
		if ((uintptr_t)e->value + DIRTY_REST_MS < now_ms)
			(void)map_remove(&d->looked, e->key);
	}
}

/* Moves into 'wanted' until that has 'most'; when there is more. */
static uint64_t
take(struct dirty *d, struct map *which, struct dirty_order *order,
    struct map *wanted, size_t most, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < order->ids.len; i++) {
		char *id = order->ids.at[i];
		uint64_t due = (uintptr_t)map_get(which, id);
		bool full = wanted->len >= most && map_get(wanted, id) == NULL;

		/* The lowest bit only says that there is a time. */
		if (due > (now_ms | 1) || full) {
			due = due > (now_ms | 1) ? due : 0;
			next = due < next ? due : next;
			order->ids.at[kept++] = id;
			continue;
		}
		(void)map_set(wanted, id, present);
		(void)map_set(&d->looked, id, (void *)(uintptr_t)(now_ms | 1));
		(void)map_remove(which, id);
		free(id);
	}
	order->ids.len = kept;
	return next;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
dirty_take(struct dirty *d, uint64_t now_ms, struct cycle_wants *ret)
{
	struct map *ids = &ret->service_ids;
	uint64_t next;

	(void)take(d, &d->services, &d->new, ids, DIRTY_NEW, now_ms);
	next = take(d, &d->services, &d->known, ids, DIRTY_SERVICES, now_ms);
	next = earlier(
	    next, take(d, &d->services, &d->new, ids, DIRTY_SERVICES, now_ms));
	next = earlier(next,
	    take(d, &d->tasks, &d->tasks_order, &ret->task_ids, DIRTY_TASKS,
		now_ms));
	/* A map that was large once is slow to walk. */
	if (d->services.len == 0)
		map_fini(&d->services);
	if (d->tasks.len == 0)
		map_fini(&d->tasks);
	forget_looked(d, now_ms);
	return next;
}
