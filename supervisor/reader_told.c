/*
 * Changes of tasks as Watch tells them, into what is known: see
 * reader_swarm.h.  Pure.
 */
#include "reader_swarm.h"

#include <string.h>

#include "base/mem.h"

/* An answer that is older than this has met its deadline. */
#define LEFT_MS 60000
#define LEFT_MANY 1000

bool
swarm_task_left(const struct swarm *s, const char *task_id, uint64_t now_ms)
{
	uint64_t at = (uintptr_t)map_get(&s->left, task_id);

	return at != 0 && now_ms < at + LEFT_MS;
}

static void
note_left(struct swarm *s, const char *task_id, uint64_t now_ms)
{
	struct map_entry *e;

	/* Every so often, so that each entry is looked at a few times only. */
	if (s->left.len >= LEFT_MANY && s->left.len % LEFT_MANY == 0) {
		for (size_t i = 0; (e = map_next(&s->left, &i)) != NULL;) {
			if ((uintptr_t)e->value + LEFT_MS <= now_ms)
				(void)map_remove(&s->left, e->key);
		}
	}
	(void)map_set(&s->left, task_id, (void *)(uintptr_t)(now_ms | 1));
}

static size_t
find(const struct service *service, const char *task_id)
{
	size_t i = 0;

	while (i < service->tasks.len &&
	    strcmp(service->tasks.at[i]->id, task_id) != 0)
		i++;
	return i;
}

static bool
any_routable(const struct service *service)
{
	for (size_t i = 0; i < service->tasks.len; i++) {
		if (task_is_routable(service->tasks.at[i]))
			return true;
	}
	return false;
}

static bool
is_leaving(const struct watch_event *ev)
{
	return ev->action == WATCH_REMOVE || ev->desired > TASK_RUNNING;
}

bool
swarm_is_last_task(const struct swarm *s, const struct watch_event *ev)
{
	const struct service *service =
	    map_get(&s->model->services, ev->service_id);
	size_t routable = 0, i;

	if (service == NULL || !is_leaving(ev) || ev->action == WATCH_REMOVE ||
	    ev->state > TASK_RUNNING)
		return false;
	for (i = 0; i < service->tasks.len; i++)
		routable += task_is_routable(service->tasks.at[i]);
	i = find(service, ev->id);
	return routable == 1 && i < service->tasks.len &&
	    task_is_routable(service->tasks.at[i]);
}

static enum swarm_told
changed(struct swarm *s, const struct service *service,
    const struct watch_event *ev, uint64_t now_ms, struct swarm_changes *ret)
{
	struct swarm_service *beside = map_get(&s->services, service->id);

	if (beside != NULL) {
		beside->moved_ms = now_ms;
		(void)map_set(&s->restless, service->id, beside);
	}
	swarm_changes_commit_at(ret, service->id, ev->commit_us);
	for (size_t i = 0; i < ret->services.len; i++) {
		if (strcmp(ret->services.at[i], service->id) == 0)
			return SWARM_CHANGED;
	}
	swarm_changes_add(ret, service->id, 0);
	return SWARM_CHANGED;
}

static enum swarm_told
tell_leaving(struct swarm *s, struct service *service,
    const struct watch_event *ev, uint64_t now_ms, struct swarm_changes *ret)
{
	size_t i = find(service, ev->id);
	bool seen;

	note_left(s, ev->id, now_ms);
	if (i == service->tasks.len)
		return SWARM_NOTHING;
	seen = task_is_routable(service->tasks.at[i]);
	task_free(service->tasks.at[i]);
	vec_remove(&service->tasks, i);
	/* Where none runs, whether there is one at all is told. */
	if (!seen && (any_routable(service) || service->tasks.len > 0))
		return SWARM_NOTHING;
	return changed(s, service, ev, now_ms, ret);
}

enum swarm_told
swarm_tell_task(struct swarm *s, const struct watch_event *ev, uint64_t now_ms,
    struct swarm_changes *ret)
{
	struct service *service = map_get(&s->model->services, ev->service_id);
	struct task *t;
	bool seen;
	size_t i;

	if (service == NULL)
		return SWARM_UNKNOWN;
	if (is_leaving(ev))
		return tell_leaving(s, service, ev, now_ms, ret);
	/* It waits for another one to end. */
	if (ev->desired < TASK_RUNNING || swarm_task_left(s, ev->id, now_ms))
		return SWARM_NOTHING;
	i = find(service, ev->id);
	t = i < service->tasks.len ? service->tasks.at[i] : NULL;
	if (t == NULL)
		return ev->state == TASK_RUNNING || !any_routable(service)
		    ? SWARM_LOOK
		    : SWARM_NOTHING;
	if (ev->version < t->version || ev->state <= t->state)
		return SWARM_NOTHING;
	/* Addresses and ports come with it: listed, not guessed. */
	if (ev->state == TASK_RUNNING)
		return SWARM_LOOK;
	seen = task_is_routable(t);
	t->state = ev->state;
	t->version = ev->version;
	/* Where none runs, the last one's state is told. */
	if (!seen && any_routable(service))
		return SWARM_NOTHING;
	return changed(s, service, ev, now_ms, ret);
}
