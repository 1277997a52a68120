/* The Swarm as the reader knows it: see reader_swarm.h. */
#include "reader_swarm.h"

#include <string.h>

#include "base/mem.h"
#include "reader_doubt.h"

#define MOVING_MS 150
#define UPDATING_MS 500

void
swarm_init(struct swarm *s)
{
	memset(s, 0, sizeof(*s));
	s->model = model_new();
}

void
swarm_fini(struct swarm *s)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->services, &i)) != NULL;)
		free(e->value);
	map_fini(&s->services);
	map_fini(&s->restless);
	map_fini(&s->regress);
	map_fini(&s->left);
	model_free(s->model);
	doubt_fini(&s->doubt);
	memset(s, 0, sizeof(*s));
}

void
swarm_changes_fini(struct swarm_changes *c)
{
	for (size_t i = 0; i < c->services.len; i++)
		free(c->services.at[i]);
	vec_fini(&c->services);
	for (size_t i = 0; i < c->removed.len; i++)
		free(c->removed.at[i]);
	vec_fini(&c->removed);
	map_fini(&c->commits);
	memset(c, 0, sizeof(*c));
}

uint64_t
swarm_changes_commit(const struct swarm_changes *c, const char *service_id)
{
	return (uintptr_t)map_get(&c->commits, service_id);
}

void
swarm_changes_commit_at(
    struct swarm_changes *c, const char *service_id, uint64_t commit_us)
{
	uint64_t known = swarm_changes_commit(c, service_id);

	if (commit_us != 0 && (known == 0 || commit_us < known))
		(void)map_set(
		    &c->commits, service_id, (void *)(uintptr_t)commit_us);
}

void
swarm_changes_add(
    struct swarm_changes *c, const char *service_id, uint64_t commit_us)
{
	vec_push(&c->services, xstrdup(service_id));
	swarm_changes_commit_at(c, service_id, commit_us);
}

size_t
swarm_routable(const struct service *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->tasks.len; i++)
		n += task_is_routable(s->tasks.at[i]);
	return n;
}

static bool
is_settled(const struct service *s)
{
	size_t running = swarm_routable(s);

	if (running != s->tasks.len)
		return false;
	return s->mode != SERVICE_REPLICATED || running == s->replicas;
}

/* Settled, and not just changed; a job is never routed. */
static bool
is_at_rest(const struct service *service, const struct swarm_service *x,
    uint64_t now_ms)
{
	if (service->mode == SERVICE_REPLICATED_JOB ||
	    service->mode == SERVICE_GLOBAL_JOB)
		return true;
	/*
	 * A service just changed is looked at for a while though it seems
	 * settled: the Engine needs time to begin.
	 */
	return !x->updating && is_settled(service) &&
	    now_ms - x->moved_ms >= SWARM_JUST_MS;
}

/* How long after a look the next one is due. */
static uint64_t
look_period(const struct swarm_service *x, uint64_t now_ms)
{
	uint64_t period = (now_ms - x->moved_ms) / 8;

	if (period < MOVING_MS)
		period = MOVING_MS;
	if (x->updating && period > UPDATING_MS)
		period = UPDATING_MS;
	return period;
}

uint64_t
swarm_moving(
    struct swarm *s, uint64_t now_ms, uint64_t slow_ms, struct map *ret)
{
	uint64_t soonest = slow_ms;
	struct map still = { 0 };
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->restless, &i)) != NULL;) {
		const struct service *service =
		    map_get(&s->model->services, e->key);
		struct swarm_service *x = map_get(&s->services, e->key);
		uint64_t period;

		if (service == NULL || x == NULL ||
		    is_at_rest(service, x, now_ms))
			continue;
		(void)map_set(&still, e->key, x);
		period = look_period(x, now_ms);
		if (period >= slow_ms)
			continue;
		if (period < soonest)
			soonest = period;
		(void)map_set(ret, e->key, (void *)(uintptr_t)1);
	}
	/* Made anew, as a map that was large once is slow to walk over. */
	map_fini(&s->restless);
	s->restless = still;
	return soonest;
}
