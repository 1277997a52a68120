/* What is to be looked at: see reader_dirty.h. */
#include "reader_dirty.h"

#include <string.h>

#define LOOKED_MANY 1000

static void *const present = (void *)(uintptr_t)1;

void
dirty_fini(struct dirty *d)
{
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
note(struct dirty *d, struct map *which, const char *id, uint64_t now_ms)
{
	uint64_t last = (uintptr_t)map_get(&d->looked, id);
	uint64_t due = last != 0 && last + DIRTY_REST_MS > now_ms
	    ? last + DIRTY_REST_MS
	    : now_ms;

	if (map_get(which, id) == NULL)
		(void)map_set(which, id, (void *)(uintptr_t)(due | 1));
	return due - now_ms;
}

uint64_t
dirty_service(struct dirty *d, const char *id, uint64_t now_ms)
{
	return note(d, &d->services, id, now_ms);
}

uint64_t
dirty_tasks(struct dirty *d, const char *id, uint64_t now_ms)
{
	uint64_t due = (uintptr_t)map_get(&d->services, id);

	if (due != 0)
		return due > now_ms ? due - now_ms : 0;
	return note(d, &d->tasks, id, now_ms);
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

static uint64_t
take(struct dirty *d, struct map *which, struct map *wanted, size_t most,
    uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(which, &i)) != NULL;) {
		uint64_t due = (uintptr_t)e->value;

		/* The lowest bit only says that there is a time. */
		if (due > (now_ms | 1)) {
			next = due < next ? due : next;
			continue;
		}
		if (wanted->len >= most && map_get(wanted, e->key) == NULL)
			return 0;
		(void)map_set(wanted, e->key, present);
		(void)map_set(
		    &d->looked, e->key, (void *)(uintptr_t)(now_ms | 1));
		(void)map_remove(which, e->key);
	}
	return next;
}

uint64_t
dirty_take(struct dirty *d, uint64_t now_ms, struct cycle_wants *ret)
{
	uint64_t one, two;

	one = take(d, &d->services, &ret->service_ids, DIRTY_SERVICES, now_ms);
	two = take(d, &d->tasks, &ret->task_ids, DIRTY_TASKS, now_ms);
	/* A map that was large once is slow to walk. */
	if (d->services.len == 0)
		map_fini(&d->services);
	if (d->tasks.len == 0)
		map_fini(&d->tasks);
	forget_looked(d, now_ms);
	return one < two ? one : two;
}
