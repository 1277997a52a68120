/* What the reader looks at, and when: see reader_looks.h. */
#include "reader_looks.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "reader_dirty.h"

/* So long what came is taken before the loop turns. */
#define TURN_MS 10

/* A look under way. */
struct slot {
	struct looks *looks;
	struct cycle *cycle;
	struct cycle_wants looking;
	uint64_t began_ms;
	struct pace pace;
	struct applying *taking; /* what came, and is not all taken yet */
	struct swarm_batch batch;
	struct swarm_changes changes; /* so far */
	bool failed;		      /* the last one */
	struct backoff backoff;
	uint64_t not_before_ms;
};

static void on_taking(uv_timer_t *timer);

struct looks {
	struct docker_client *docker;
	struct swarm *swarm;
	struct looks_handlers handlers;
	void *arg;

	/*
	 * Whole lists of services or tasks take long where there are many;
	 * single services are looked at beside them.
	 */
	struct slot whole, single;
	struct swarm_newer newer; /* looked at since the whole list began */
	/* Services that nobody knew when their tasks were looked at. */
	struct map unknown;
	struct cycle_wants next;
	struct dirty dirty;
	uv_timer_t start;  /* the next one */
	uv_timer_t taking; /* goes on with what is large */
	uint64_t tasks_ms; /* when all tasks were listed last */

	bool closing;
	int open_timers;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void
maybe_free(struct looks *s)
{
	if (s->open_timers > 0 || s->whole.cycle != NULL ||
	    s->single.cycle != NULL)
		return;
	cycle_wants_fini(&s->next);
	cycle_wants_fini(&s->whole.looking);
	cycle_wants_fini(&s->single.looking);
	swarm_newer_clear(&s->newer);
	map_fini(&s->unknown);
	dirty_fini(&s->dirty);
	s->closed(s->closed_arg);
	free(s);
}

static bool
is_busy(const struct slot *slot)
{
	return slot->cycle != NULL || slot->taking != NULL;
}

static void
look_again(struct looks *s, const struct cycle_wants *w)
{
	struct map_entry *e;

	s->next.services |= w->services;
	s->next.tasks |= w->tasks;
	s->next.networks |= w->networks;
	s->next.nodes |= w->nodes;
	s->next.secrets |= w->secrets;
	s->next.configs |= w->configs;
	s->next.manager |= w->manager;
	for (size_t i = 0; (e = map_next(&w->service_ids, &i)) != NULL;)
		(void)map_set(&s->next.service_ids, e->key, s);
	for (size_t i = 0; (e = map_next(&w->task_ids, &i)) != NULL;)
		(void)map_set(&s->next.task_ids, e->key, s);
}

static void
add_ids(struct map *to, const struct map *ids)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(ids, &i)) != NULL;)
		(void)map_set(to, e->key, to);
}

/*
 * What a look that was just taken shows is newer than the whole list under
 * way: all of the services it asked for, and of others that are known the
 * tasks.
 */
static void
note_newer(struct looks *s, const struct swarm_batch *b)
{
	struct map_entry *e;

	add_ids(&s->newer.ids, &b->asked);
	for (size_t i = 0; (e = map_next(&b->asked_tasks, &i)) != NULL;) {
		if (map_get(&s->swarm->model->services, e->key) != NULL)
			(void)map_set(&s->newer.task_ids, e->key, s);
		else
			(void)map_set(&s->unknown, e->key, s);
	}
	s->newer.networks |= b->networks;
	s->newer.nodes |= b->nodes;
	s->newer.secrets |= b->secrets;
	s->newer.configs |= b->configs;
}

/*
 * A service that the whole list brought has the tasks of that list, though
 * newer ones were shown, and could not be taken, before.
 */
static void
look_at_brought(struct looks *s, uint64_t now)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->unknown, &i)) != NULL;) {
		if (map_get(&s->swarm->model->services, e->key) != NULL)
			(void)dirty_tasks(&s->dirty, e->key, now);
	}
}

/* Of what waits, what is in this batch. */
static void
add_told_of(struct looks *s, struct slot *slot, const struct map *waits)
{
	struct map_entry *e;

	for (size_t i = 0;
	     (e = map_next(&slot->batch.asked_tasks, &i)) != NULL;) {
		if (map_get(waits, e->key) != NULL)
			(void)map_set(&slot->looking.service_ids, e->key, s);
	}
}

/* What events told while the answers were on their way counts, too. */
static void
add_told(struct looks *s, struct slot *slot)
{
	/* Thousands may wait; networks concern them all. */
	if (slot == &s->single && !slot->batch.networks) {
		add_told_of(s, slot, &s->dirty.services);
		add_told_of(s, slot, &s->next.service_ids);
		return;
	}
	add_ids(&slot->looking.service_ids, &s->dirty.services);
	add_ids(&slot->looking.service_ids, &s->next.service_ids);
	if (slot == &s->single)
		return;
	add_ids(&slot->looking.service_ids, &s->newer.ids);
	add_ids(&slot->looking.service_ids, &s->newer.task_ids);
	if (!is_busy(&s->single))
		return;
	add_ids(&slot->looking.service_ids, &s->single.looking.service_ids);
	add_ids(&slot->looking.service_ids, &s->single.looking.task_ids);
}

/* All of what came is taken. */
static void
end_taking(struct looks *s, struct slot *slot)
{
	struct looks_found found = {
		.changes = &slot->changes,
		.all_services = slot->batch.all_services,
		.all_tasks = slot->batch.all_tasks,
		.began_ms = slot->began_ms,
	};
	uint64_t now = clock_mono_ms();

	swarm_take_free(slot->taking);
	slot->taking = NULL;
	if (found.all_tasks)
		s->tasks_ms = now;
	/* What is held in doubt was not taken. */
	if (slot == &s->single && is_busy(&s->whole) && !slot->changes.confirm)
		note_newer(s, &slot->batch);
	else if (slot == &s->whole)
		look_at_brought(s, now);
	s->handlers.on_found(s->arg, &found);
	swarm_changes_fini(&slot->changes);
	swarm_batch_fini(&slot->batch);
	if (slot == &s->whole) {
		swarm_newer_clear(&s->newer);
		map_fini(&s->unknown);
	}
	cycle_wants_fini(&slot->looking);
	s->handlers.on_done(s->arg, s->whole.failed);
	if (cycle_wants_any(&s->next) || dirty_any(&s->dirty))
		looks_soon(s, 0);
}

/* Nobody was told of anything yet: parts of it need not wait for all. */
static void
tell_part(struct looks *s, struct slot *slot)
{
	if (s->swarm->complete || slot->changes.services.len == 0)
		return;
	s->handlers.on_part(s->arg, &slot->changes);
	swarm_changes_fini(&slot->changes);
}

/* A large answer is taken in turns of the loop; single looks are small. */
static void
take(struct looks *s, struct slot *slot)
{
	uint64_t until = clock_mono_ms() + TURN_MS;
	bool more;

	add_told(s, slot);
	if (slot == &s->whole)
		swarm_batch_newer(&slot->batch, &s->newer);
	do {
		more = swarm_take_some(
		    slot->taking, &slot->looking.service_ids, &slot->changes);
		if (more)
			tell_part(s, slot);
	} while (more && (slot == &s->single || clock_mono_ms() < until));
	if (more)
		must(uv_timer_start(&s->taking, on_taking, 0, 0) == 0);
	else
		end_taking(s, slot);
}

static void
on_taking(uv_timer_t *timer)
{
	struct looks *s = container_of(timer, struct looks, taking);

	if (!s->closing)
		take(s, &s->whole);
}

static void
start_taking(struct looks *s, struct slot *slot, struct swarm_batch *batch)
{
	slot->batch = *batch;
	swarm_batch_init(batch);
	if (slot == &s->whole)
		swarm_batch_except(&slot->batch, &s->newer);
	slot->taking = swarm_take(s->swarm, &slot->batch, clock_mono_ms());
	take(s, slot);
}

static void
on_failed(struct looks *s, struct slot *slot, const struct error *e)
{
	uint64_t delay;
	uint32_t random = 0;

	look_again(s, &slot->looking);
	(void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
	delay = backoff_jitter(backoff_next(&slot->backoff, 0), random);
	slot->not_before_ms = clock_mono_ms() + delay;
	s->handlers.on_failed(s->arg, e, delay);
	if (slot == &s->whole) {
		swarm_newer_clear(&s->newer);
		map_fini(&s->unknown);
	}
	cycle_wants_fini(&slot->looking);
	looks_soon(s, delay);
}

static void
on_cycle_done(void *arg, struct swarm_batch *batch, const struct error *e)
{
	struct slot *slot = arg;
	struct looks *s = slot->looks;
	uint64_t now = clock_mono_ms();

	slot->cycle = NULL;
	if (s->closing) {
		maybe_free(s);
		return;
	}
	log_debug("docker: %s%zu services, tasks of %zu more: %s after %llu "
		  "ms; %zu and %zu wait",
	    slot == &s->whole ? "whole lists, " : "",
	    slot->looking.service_ids.len, slot->looking.task_ids.len,
	    e == NULL ? "looked at" : e->msg,
	    (unsigned long long)(now - slot->began_ms), s->dirty.services.len,
	    s->dirty.tasks.len);
	slot->failed = e != NULL;
	if (e != NULL) {
		on_failed(s, slot, e);
		return;
	}
	slot->backoff.next_ms = 0;
	slot->not_before_ms = 0;
	pace_note(&slot->pace, now - slot->began_ms);
	start_taking(s, slot, batch);
}

static void
start_slot(struct looks *s, struct slot *slot, uint64_t now)
{
	slot->began_ms = now;
	slot->cycle =
	    cycle_start(s->docker, &slot->looking, on_cycle_done, slot);
}

/* Whole lists, and where they are fast or the first ones all else, too. */
static void
start_whole(struct looks *s, uint64_t now)
{
	struct cycle_wants *w = &s->whole.looking;
	bool together =
	    !s->swarm->complete || s->whole.pace.took_ms <= PACE_FAST_MS;

	if (together)
		(void)dirty_take(&s->dirty, now, &s->next);
	*w = s->next;
	memset(&s->next, 0, sizeof(s->next));
	if (!together) {
		s->next.service_ids = w->service_ids;
		s->next.task_ids = w->task_ids;
		memset(&w->service_ids, 0, sizeof(w->service_ids));
		memset(&w->task_ids, 0, sizeof(w->task_ids));
	}
	start_slot(s, &s->whole, now);
}

/* Everything but whole lists of services and tasks. */
static void
start_single(struct looks *s, uint64_t now)
{
	struct cycle_wants *w = &s->single.looking;
	bool services = s->next.services, tasks = s->next.tasks;

	*w = s->next;
	w->services = w->tasks = false;
	memset(&s->next, 0, sizeof(s->next));
	s->next.services = services;
	s->next.tasks = tasks;
	start_slot(s, &s->single, now);
}

static bool
wants_single(const struct cycle_wants *w)
{
	return w->networks || w->nodes || w->secrets || w->configs ||
	    w->manager || w->service_ids.len > 0 || w->task_ids.len > 0;
}

static void
on_start(uv_timer_t *timer)
{
	struct looks *s = container_of(timer, struct looks, start);
	uint64_t now = clock_mono_ms(), due;

	if (s->closing || is_busy(&s->single))
		return;
	if ((s->next.services || s->next.tasks) && !is_busy(&s->whole)) {
		if (now < s->whole.not_before_ms)
			looks_soon(s, s->whole.not_before_ms - now);
		else
			start_whole(s, now);
	}
	if (!s->swarm->complete)
		return;
	if (now < s->single.not_before_ms) {
		looks_soon(s, s->single.not_before_ms - now);
		return;
	}
	due = dirty_take(&s->dirty, now, &s->next);
	if (wants_single(&s->next))
		start_single(s, now);
	else if (due != UINT64_MAX)
		looks_soon(s, due > now ? due - now : 0);
}

void
looks_soon(struct looks *s, uint64_t ms)
{
	/* The end of what is under way starts the next. */
	if (s->closing || is_busy(&s->single) ||
	    (is_busy(&s->whole) && !s->swarm->complete))
		return;
	if (uv_is_active((uv_handle_t *)&s->start) &&
	    uv_timer_get_due_in(&s->start) <= ms)
		return;
	(void)uv_timer_start(&s->start, on_start, ms, 0);
}

void
looks_dirty(struct looks *s, const char *service_id)
{
	bool known = map_get(&s->swarm->model->services, service_id) != NULL;
	uint64_t in =
	    dirty_service(&s->dirty, service_id, known, clock_mono_ms());

	looks_soon(s, in > 0 ? in : LOOKS_COALESCE_MS);
}

void
looks_tasks_dirty(struct looks *s, const char *service_id)
{
	uint64_t in = dirty_tasks(&s->dirty, service_id, clock_mono_ms());

	looks_soon(s, in > 0 ? in : LOOKS_COALESCE_MS);
}

static bool
looks_at(const struct slot *slot, const char *service_id)
{
	return is_busy(slot) &&
	    (slot->looking.services ||
		map_get(&slot->looking.service_ids, service_id) != NULL);
}

bool
looks_awaits(const struct looks *s, const char *service_id)
{
	return s->next.services ||
	    map_get(&s->dirty.services, service_id) != NULL ||
	    map_get(&s->next.service_ids, service_id) != NULL ||
	    looks_at(&s->whole, service_id) || looks_at(&s->single, service_id);
}

static bool
looks_at_tasks(const struct slot *slot, const char *service_id)
{
	return is_busy(slot) &&
	    (slot->looking.tasks ||
		map_get(&slot->looking.task_ids, service_id) != NULL);
}

bool
looks_awaits_tasks(const struct looks *s, const char *service_id)
{
	return looks_awaits(s, service_id) || s->next.tasks ||
	    map_get(&s->dirty.tasks, service_id) != NULL ||
	    map_get(&s->next.task_ids, service_id) != NULL ||
	    looks_at_tasks(&s->whole, service_id) ||
	    looks_at_tasks(&s->single, service_id);
}

void
looks_everything(struct looks *s)
{
	cycle_wants_everything(&s->next);
	s->whole.not_before_ms = 0;
	looks_soon(s, 0);
}

void
looks_everything_in_time(struct looks *s)
{
	uint64_t due = s->whole.began_ms + s->whole.pace.took_ms +
	    s->whole.pace.pace_ms * PACE_MOVING_SHARE;
	uint64_t before = s->whole.not_before_ms;

	looks_everything(s);
	s->whole.not_before_ms = due > before ? due : before;
}

void
looks_moving(struct looks *s, const struct map *service_ids)
{
	uint64_t now = clock_mono_ms();
	struct map_entry *e;

	/* What was not looked at since the last time waits already. */
	if (s->dirty.tasks.len > 0)
		return;
	for (size_t i = 0; (e = map_next(service_ids, &i)) != NULL;)
		(void)dirty_tasks(&s->dirty, e->key, now);
}

/* ------------------------------------------------------------------ facts */

struct cycle_wants *
looks_wants(struct looks *s)
{
	return &s->next;
}

const struct pace *
looks_whole_pace(const struct looks *s)
{
	return &s->whole.pace;
}

const struct pace *
looks_single_pace(const struct looks *s)
{
	return &s->single.pace;
}

bool
looks_whole_runs(const struct looks *s)
{
	return is_busy(&s->whole);
}

uint64_t
looks_tasks_ms(const struct looks *s)
{
	return s->tasks_ms;
}

/* ------------------------------------------------------------------- life */

struct looks *
looks_new(uv_loop_t *loop, struct docker_client *docker, struct swarm *swarm,
    const struct backoff *backoff, const struct looks_handlers *h, void *arg)
{
	struct looks *s = xcalloc(1, sizeof(*s));

	s->docker = docker;
	s->swarm = swarm;
	s->handlers = *h;
	s->arg = arg;
	s->whole.backoff = s->single.backoff = *backoff;
	s->whole.looks = s->single.looks = s;
	must(uv_timer_init(loop, &s->start) == 0);
	must(uv_timer_init(loop, &s->taking) == 0);
	s->start.data = s->taking.data = s;
	s->open_timers = 2;
	return s;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct looks *s = handle->data;

	s->open_timers--;
	maybe_free(s);
}

static void
drop_taking(struct slot *slot)
{
	if (slot->taking == NULL)
		return;
	swarm_take_free(slot->taking);
	slot->taking = NULL;
	swarm_changes_fini(&slot->changes);
	swarm_batch_fini(&slot->batch);
}

void
looks_close(struct looks *s, void (*closed)(void *arg), void *arg)
{
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	drop_taking(&s->whole);
	uv_close((uv_handle_t *)&s->start, on_timer_closed);
	uv_close((uv_handle_t *)&s->taking, on_timer_closed);
}
