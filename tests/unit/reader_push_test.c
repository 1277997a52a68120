/*
 * supervisor/reader_push in virtual time: who is late is not called silent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "virtual_reader.h"

#include "base/log.h"

#define SERVICES 64

static int
set_up(void **state)
{
	struct virtual_reader *f = xcalloc(1, sizeof(*f));

	*state = f;
	world.version = 10;
	world.weather = (struct weather){ .list_ms = 5, .look_ms = 5 };
	world.services_len = SERVICES;
	virtual_reader_start(f, 3600000);
	for (unsigned i = 0; i < SERVICES; i++) {
		world.services[i] = (struct eservice){
			.there = true, .labelled = true, .label = 1
		};
		service_commit(i, WATCH_CREATE);
	}
	world.tasks[0] = (struct etask){
		.there = true, .state = TASK_RUNNING, .desired = TASK_RUNNING
	};
	world.tasks_len = 1;
	task_commit(0, WATCH_CREATE);
	pass(5000);
	return push_in_force(f->push) ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct virtual_reader *f = *state;
	bool ended = virtual_reader_end(f);

	vec_fini(&world.log);
	vec_fini(&agenda);
	vec_fini(&timers);
	memset(&world, 0, sizeof(world));
	free(f);
	return ended ? 0 : -1;
}

static void
change(unsigned i)
{
	world.services[i % SERVICES].label++;
	service_commit(i % SERVICES, WATCH_UPDATE);
}

static void
a_watch_that_delivers_but_is_behind_is_not_doubted(void **state)
{
	struct virtual_reader *f = *state;
	unsigned lists = world.whole_lists;

	/* In the end the event stream tells 6 s before Watch does. */
	for (unsigned i = 0; i < 400; i++) {
		if (world.weather.lag_ms < 6000)
			world.weather.lag_ms += 50;
		change(i);
		pass(100);
		assert_true(push_in_force(f->push));
	}
	pass(20000);
	assert_true(push_in_force(f->push));
	/* Nor was it for a moment: all would have been listed. */
	assert_int_equal(world.whole_lists, lists);
}

/* The loop is held up: afterwards its timers go first. */
static void
hold_up(uint64_t ms)
{
	virtual_ms += ms;
	for (size_t i = 0; i < timers.len;) {
		uv_timer_t *timer = timers.at[i];

		if (timer->timeout > virtual_ms) {
			i++;
			continue;
		}
		(void)uv_timer_stop(timer);
		timer->timer_cb(timer);
		i = 0;
	}
}

static void
time_in_which_the_loop_did_not_turn_is_none(void **state)
{
	struct virtual_reader *f = *state;

	for (unsigned i = 0; i < 50; i++) {
		/* The event comes in time, Watch's message lies unread. */
		change(i);
		push_heard(f->push, "s001");
		pass(1);
		hold_up(5000);
		assert_true(push_in_force(f->push));
		watch_tell(world.watch, world.log.len - 1);
		change(1);
		pass(10);
		assert_true(push_in_force(f->push));
	}
}

static void
an_event_that_was_read_late_is_the_one_that_watch_told(void **state)
{
	struct virtual_reader *f = *state;

	for (unsigned i = 0; i < 20; i++) {
		/* Watch at once, the event stream 4 s later. */
		world.services[i % SERVICES].label++;
		(void)commit(&world.services[i % SERVICES].version,
		    WATCH_SERVICE, WATCH_UPDATE);
		(void)snprintf(world.log.at[world.log.len - 1].id, 8, "s%03u",
		    i % SERVICES);
		publish_last();
		pass(4000);
		events_tell(world.log.at[world.log.len - 1].id);
		pass(8000);
		assert_true(push_in_force(f->push));
	}
}

static void
a_watch_that_is_silent_is_doubted_soon(void **state)
{
	struct virtual_reader *f = *state;

	world.weather.silent = true;
	change(1);
	pass(1500);
	assert_true(push_in_force(f->push));
	pass(1500);
	assert_false(push_in_force(f->push));
}

static void
one_that_speaks_of_others_alone_is_doubted_in_the_end(void **state)
{
	struct virtual_reader *f = *state;
	uint64_t began = virtual_ms;
	unsigned lists = world.whole_lists;

	push_heard(f->push, "s003");
	for (unsigned i = 0; world.whole_lists == lists; i++) {
		if (i % SERVICES != 3)
			change(i);
		pass(100);
		assert_true(virtual_ms - began < 40000);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_watch_that_delivers_but_is_behind_is_not_doubted),
		T(time_in_which_the_loop_did_not_turn_is_none),
		T(an_event_that_was_read_late_is_the_one_that_watch_told),
		T(a_watch_that_is_silent_is_doubted_soon),
		T(one_that_speaks_of_others_alone_is_doubted_in_the_end),
	};

	log_set_level(LOG_ERROR);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
