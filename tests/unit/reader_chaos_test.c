/*
 * supervisor/reader_sources, _push, _swarm and _damp against a simulated
 * Engine in virtual time: however answers, events and Watch interleave, the
 * clusters are told what is.
 *
 * reader_chaos_test [SEED [ROUNDS]]: the seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "virtual_reader.h"

#include "../../supervisor/reader_damp.h"
#include "base/log.h"

#define STEP_MS 50

/* What the clusters were told of a service. */
struct mirror {
	bool there;
	unsigned label;
	VEC(unsigned) tasks;
};

static uint64_t seed = 1105; /* 1108 lost a change once */
static unsigned rounds = 6;

static struct reader {
	struct virtual_reader of;
	struct damp damp;
	uv_timer_t damped;
	struct mirror mirror[SERVICES_MAX];
} reader;

/* ------------------------------------------------------------- the reader */

static void
forget(struct mirror *m)
{
	vec_fini(&m->tasks);
	m->there = false;
}

static void
mirror_service(const char *id)
{
	const struct service *s = map_get(&reader.of.swarm.model->services, id);
	struct mirror *m = &reader.mirror[strtoul(id + 1, NULL, 10)];
	const struct label *l;

	if (s == NULL)
		return;
	forget(m);
	l = service_label(s, "com.docker.lb.port");
	m->there = true;
	m->label = l == NULL ? 0 : (unsigned)strtoul(l->value, NULL, 10);
	for (size_t i = 0; i < s->tasks.len; i++) {
		if (task_is_routable(s->tasks.at[i]))
			vec_push(&m->tasks,
			    (unsigned)strtoul(
				s->tasks.at[i]->id + 1, NULL, 10));
	}
}

static void on_damped(uv_timer_t *timer);

/* As reader.c and reader_clusters.c do. */
static void
tell(struct swarm_changes *c)
{
	uint64_t next = damp_due(&reader.damp, virtual_ms, c);

	if (next != UINT64_MAX)
		(void)uv_timer_start(&reader.damped, on_damped, next, 0);
	if (!reader.of.swarm.complete)
		return;
	for (size_t i = 0; i < c->services.len; i++)
		mirror_service(c->services.at[i]);
	for (size_t i = 0; i < c->removed.len; i++)
		forget(&reader.mirror[strtoul(c->removed.at[i] + 1, NULL, 10)]);
}

static void
on_damped(uv_timer_t *timer)
{
	struct swarm_changes c = { 0 };

	(void)timer;
	tell(&c);
	swarm_changes_fini(&c);
}

static void
changed(struct swarm_changes *c)
{
	if (reader.of.swarm.complete)
		damp_take(&reader.damp, c, virtual_ms);
	tell(c);
}

static void
part(const struct swarm_changes *c)
{
	assert_false(reader.of.swarm.complete);
	assert_true(c->services.len > 0);
}

static void
reader_start(uint64_t resync_ms)
{
	memset(&reader, 0, sizeof(reader));
	reader.of.changed = changed;
	reader.of.part = part;
	(void)uv_timer_init(NULL, &reader.damped);
	virtual_reader_start(&reader.of, resync_ms);
}

static void
reader_end(void)
{
	(void)uv_timer_stop(&reader.damped);
	assert_true(virtual_reader_end(&reader.of));
	assert_int_equal(timers.len, 0);
	for (size_t i = 0; i < SERVICES_MAX; i++)
		forget(&reader.mirror[i]);
	damp_fini(&reader.damp);
}

/* -------------------------------------------------------- the orchestrator */

static void
set_task(unsigned i, enum task_state state, enum task_state desired)
{
	world.tasks[i].state = state;
	world.tasks[i].desired = desired;
	task_commit(i, WATCH_UPDATE);
}

static void
new_task(unsigned service, enum task_state desired)
{
	unsigned i = world.tasks_len++;

	must(i < TASKS_MAX);
	world.tasks[i] = (struct etask){
		.service = service, .desired = desired, .there = true
	};
	task_commit(i, WATCH_CREATE);
}

/* A step towards what is desired; true if there is one. */
static bool
task_step(unsigned i)
{
	struct etask *t = &world.tasks[i];
	bool dead = t->state > TASK_RUNNING;

	if (dead && t->desired <= TASK_RUNNING) {
		set_task(i, t->state, TASK_SHUTDOWN);
		if (percent(50))
			new_task(t->service, TASK_READY);
	} else if (dead) {
		t->there = false;
		task_commit(i, WATCH_REMOVE);
	} else if (t->desired > TASK_RUNNING) {
		if (percent(20))
			set_task(i, TASK_SHUTDOWN, t->desired);
	} else if (t->state < TASK_ASSIGNED) {
		set_task(i, TASK_ASSIGNED, t->desired);
	} else if (t->state < TASK_READY) {
		set_task(i, TASK_READY, t->desired);
	} else if (t->desired == TASK_READY) {
		if (percent(30))
			set_task(i, t->state, TASK_RUNNING);
	} else if (t->state < TASK_STARTING) {
		set_task(i, TASK_STARTING, t->desired);
	} else if (t->state < TASK_RUNNING) {
		set_task(i, TASK_RUNNING, t->desired);
	} else {
		return false;
	}
	return true;
}

/* True while something moves. */
static bool
orchestrate(void)
{
	unsigned live[SERVICES_MAX] = { 0 };
	bool moves = false;

	for (unsigned i = 0; i < world.tasks_len; i++) {
		struct etask *t = &world.tasks[i];

		if (!t->there)
			continue;
		live[t->service] +=
		    t->desired <= TASK_RUNNING && t->state <= TASK_RUNNING;
		if (live[t->service] > world.services[t->service].replicas &&
		    t->desired <= TASK_RUNNING && t->state <= TASK_RUNNING) {
			live[t->service]--;
			set_task(i, t->state, TASK_SHUTDOWN);
			moves = true;
		} else if (percent(60)) {
			moves |= task_step(i);
		} else {
			moves |= t->state != TASK_RUNNING ||
			    t->desired != TASK_RUNNING;
		}
	}
	for (unsigned i = 0; i < SERVICES_MAX; i++) {
		for (; world.services[i].there &&
		     live[i] < world.services[i].replicas;
		     live[i]++) {
			new_task(i, TASK_RUNNING);
			moves = true;
		}
	}
	return moves;
}

/* One that is there, or a new one. */
static unsigned
pick(void)
{
	unsigned live[LIVE_MAX], n = 0;

	for (unsigned i = 0; i < world.services_len; i++) {
		if (world.services[i].there)
			live[n++] = i;
	}
	if (n == 0 || (n < LIVE_MAX && percent(20))) {
		must(world.services_len < SERVICES_MAX);
		return world.services_len++;
	}
	return live[chance(n)];
}

static void
operate(void)
{
	unsigned i = pick();
	struct eservice *s = &world.services[i];

	if (!s->there) {
		*s = (struct eservice){ .there = true,
			.labelled = percent(80),
			.label = 1 + (unsigned)chance(60000),
			.replicas = (unsigned)chance(4) };
		service_commit(i, WATCH_CREATE);
		return;
	}
	switch (chance(8)) {
	case 0:
		s->there = false;
		s->replicas = 0;
		service_commit(i, WATCH_REMOVE);
		return;
	case 1:
		s->labelled = !s->labelled;
		break;
	case 2:
		s->label = 1 + (unsigned)chance(60000);
		break;
	case 3:
	case 4:
		s->replicas = (unsigned)chance(4);
		break;
	default:
		for (unsigned k = 0; k < world.tasks_len; k++) {
			struct etask *t = &world.tasks[k];

			if (t->there && t->service == i &&
			    t->state == TASK_RUNNING && percent(60))
				set_task(k, TASK_FAILED, t->desired);
		}
		return;
	}
	service_commit(i, WATCH_UPDATE);
}

/* ------------------------------------------------------------ what must be */

static bool
is_told(unsigned service, unsigned task)
{
	const struct mirror *m = &reader.mirror[service];

	for (size_t i = 0; i < m->tasks.len; i++) {
		if (m->tasks.at[i] == task)
			return true;
	}
	return false;
}

/* NULL, or what is not as the Engine has it. */
static char *
differs(void)
{
	size_t running[SERVICES_MAX] = { 0 };

	for (unsigned i = 0; i < world.tasks_len; i++) {
		const struct etask *t = &world.tasks[i];
		const struct eservice *s = &world.services[t->service];

		if (!t->there || t->state != TASK_RUNNING ||
		    t->desired != TASK_RUNNING || !s->there || !s->labelled)
			continue;
		running[t->service]++;
		if (!is_told(t->service, i))
			return xasprintf(
			    "t%05u of s%03u is missing", i, t->service);
	}
	for (unsigned i = 0; i < SERVICES_MAX; i++) {
		const struct eservice *s = &world.services[i];
		const struct mirror *m = &reader.mirror[i];

		if ((s->there && s->labelled) != m->there)
			return xasprintf("s%03u is %sthere", i,
			    m->there ? "still " : "not ");
		if (m->there && s->label != m->label)
			return xasprintf("s%03u has an old label", i);
		if (m->there && m->tasks.len != running[i])
			return xasprintf("s%03u has tasks that are gone", i);
	}
	return NULL;
}

static void
clear_up(void)
{
	bool was_silent = world.weather.silent;

	world.weather = (struct weather){ .list_ms = 10, .look_ms = 5 };
	/* Only one that speaks again can be heard. */
	if (was_silent)
		operate();
	while (orchestrate())
		pass(STEP_MS);
}

/* In how many ms everything is as it is; fails after 'most_ms'. */
static uint64_t
settle(uint64_t most_ms)
{
	uint64_t began = virtual_ms;
	char *wrong;

	clear_up();
	for (began = virtual_ms; (wrong = differs()) != NULL; pass(STEP_MS)) {
		if (virtual_ms - began > most_ms)
			fail_msg("seed %llu: after %llu ms: %s",
			    (unsigned long long)seed,
			    (unsigned long long)most_ms, wrong);
		free(wrong);
	}
	return virtual_ms - began;
}

/* Weather of an engine that never lies; whether Watch is away changes. */
static void
honest_weather(void)
{
	static const uint64_t slow[] = { 5, 20, 200, 3000 };
	struct weather *w = &world.weather;

	*w = (struct weather){
		.list_ms = slow[chance(4)],
		.look_ms = slow[chance(3)],
		.behind_ms = slow[chance(4)],
		.error = percent(30) ? 20 : 0,
		.cut = percent(40) ? 3 : 0,
		.compact = percent(50) ? 50 : 0,
		.twice = percent(30) ? 20 : 0,
		.swap = percent(30) ? 20 : 0,
		.events_cut = percent(30) ? 5 : 0,
		.away = percent(10),
	};
	if (w->away && world.watch != NULL)
		watch_cut(world.watch);
}

static void
false_weather(void)
{
	honest_weather();
	world.weather.events_lost = percent(40) ? 30 : 0;
	world.weather.empty = percent(20) ? 10 : 0;
	world.weather.silent = percent(30);
}

static void
live_through(void (*weather)(void))
{
	unsigned steps = 50 + (unsigned)chance(150);

	for (unsigned i = 0; i < steps; i++) {
		if (i % 40 == 0)
			weather();
		for (uint64_t n = chance(3); n > 0; n--)
			operate();
		(void)orchestrate();
		pass(1 + chance(STEP_MS * 3));
	}
}

static void
begin(void)
{
	virtual_chance = seed * UINT64_C(0x9E3779B97F4A7C15);
	virtual_ms = 1000000;
	virtual_order = 0;
	virtual_toil = seed % 2 == 1 ? 10 : 0;
	memset(&world, 0, sizeof(world));
	world.version = 10;
	world.weather = (struct weather){ .list_ms = 10, .look_ms = 5 };
}

static void
finish(void)
{
	reader_end();
	vec_fini(&world.log);
	vec_fini(&agenda);
	vec_fini(&timers);
}

static void
no_change_is_lost_where_nobody_lies(void **state)
{
	uint64_t worst = 0;

	(void)state;
	for (unsigned run = 0; run < rounds; run++, seed++) {
		begin();
		if (percent(30))
			honest_weather();
		reader_start(3600000);
		for (unsigned i = 0; i < 4; i++) {
			uint64_t took;

			live_through(honest_weather);
			took = settle(12000);
			worst = took > worst ? took : worst;
		}
		finish();
	}
	print_message("# worst %llu ms\n", (unsigned long long)worst);
}

static void
one_list_rights_what_lies_left_wrong(void **state)
{
	uint64_t worst = 0;

	(void)state;
	for (unsigned run = 0; run < rounds; run++, seed++) {
		begin();
		reader_start(10000);
		for (unsigned i = 0; i < 4; i++) {
			uint64_t took;

			live_through(false_weather);
			took = settle(40000);
			worst = took > worst ? took : worst;
		}
		finish();
	}
	print_message("# worst %llu ms\n", (unsigned long long)worst);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_change_is_lost_where_nobody_lies),
		cmocka_unit_test(one_list_rights_what_lies_left_wrong),
	};

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		rounds = (unsigned)strtoul(argv[2], NULL, 10);
	printf("# seed %llu, %u rounds\n", (unsigned long long)seed, rounds);
	log_set_level(
	    getenv("BULKHEAD_CHAOS_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
	return cmocka_run_group_tests_name("reader_chaos", tests, NULL, NULL);
}
