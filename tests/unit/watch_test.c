/* docker/watch: streams, their gaps, and their end */
#include "watch_fixture.h"

static void
a_first_stream_is_up_with_a_gap_and_tells_changes(void **state)
{
	struct fixture *f = *state;
	struct docker_watch_counts n;

	begin(f, STAND);
	assert_int_equal(f->ups, 0);
	wait_for(f, f->gaps == 1);
	assert_int_equal(f->ups, 1);
	assert_int_equal(f->kinds, KINDS);
	assert_int_equal(f->resumed_from, 0);
	assert_int_equal(docker_watch_last_version(f->watch), 0);
	say_change(f, 11, 12);
	say_change(f, 12, 13);
	wait_for(f, f->events == 2);
	assert_string_equal(f->last.id, "s12");
	assert_int_equal(docker_watch_last_version(f->watch), 13);
	n = docker_watch_counts(f->watch);
	assert_int_equal(n.streams, 1);
	assert_int_equal(n.messages, 2);
	assert_int_equal(n.late, 0);
	assert_int_equal(n.failures, 0);
	assert_int_equal(f->downs, 0);
}

static void
late_and_repeated_messages_are_told_and_counted(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	say_change(f, 11, 12);
	say_change(f, 5, 6);
	wait_for(f, f->events == 3);
	assert_int_equal(docker_watch_last_version(f->watch), 12);
	assert_int_equal(docker_watch_counts(f->watch).late, 2);
}

static void
a_stream_that_was_cut_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	wait_for(f, f->events == 1);
	sim_h2_cut(f->stream);
	wait_for(f, f->downs == 1);
	assert_true(f->was_up);
	wait_for(f, f->ups == 2);
	assert_int_equal(f->resumed_from, 12);
	say_change(f, 12, 13);
	wait_for(f, f->events == 2);
	assert_int_equal(f->gaps, 1);
}

static void
it_goes_on_from_objects_where_messages_have_no_version(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	say_change(f, 14, 0);
	wait_for(f, f->events == 2);
	sim_h2_end(f->stream, 14, "manager is shutting down");
	wait_for(f, f->ups == 2);
	assert_int_equal(f->resumed_from, 14);
	assert_non_null(strstr(f->error.msg, "manager is shutting down"));
}

static void
a_compacted_log_means_a_gap_without_another_wait(void **state)
{
	struct fixture *f = *state;

	begin(f, COMPACTED);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	wait_for(f, f->events == 1);
	sim_h2_cut(f->stream);
	wait_for(f, f->gaps == 2);
	assert_int_equal(f->requests, 3);
	assert_int_equal(f->downs, 1);
	assert_non_null(strstr(f->why, "log"));
	assert_int_equal(docker_watch_last_version(f->watch), 0);
}

static void
frames_cut_at_every_byte_arrive(void **state)
{
	struct fixture *f = *state;
	STR_AUTO(message, 1024);
	STR_AUTO(stream, 4096);

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	for (unsigned i = 0; i < 5; i++) {
		str_clear(&message);
		change(&message, 11 + i, 12 + i);
		grpc_frame_add(&stream, message.p, message.len);
	}
	for (size_t i = 0; i < stream.len; i++) {
		sim_h2_write(f->stream, stream.p + i, 1);
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	wait_for(f, f->events == 5);
	assert_int_equal(docker_watch_last_version(f->watch), 16);
}

static void
ten_mebibytes_in_a_message_are_read(void **state)
{
	struct fixture *f = *state;
	char *filler _cleanup_free_ = xcalloc(10, MIB);
	STR_AUTO(message, 16 * MIB);

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	change(&message, 11, 12);
	/* A field that nobody knows. */
	proto_add_bytes(&message, 77, filler, 10 * MIB);
	say(f, message.p, message.len);
	say_change(f, 12, 13);
	wait_for(f, f->events == 2);
	assert_int_equal(docker_watch_last_version(f->watch), 13);
}

static void
reopening_starts_afresh(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	say_change(f, 11, 12);
	wait_for(f, f->events == 1);
	docker_watch_reopen(f->watch, "it missed a change");
	assert_false(docker_watch_is_up(f->watch));
	assert_int_equal(f->downs, 0);
	wait_for(f, f->gaps == 2);
	assert_int_equal(f->downs, 1);
	assert_non_null(strstr(f->error.msg, "it missed a change"));
	assert_int_equal(f->resumed_from, 0);
}

static void
reopening_is_possible_while_an_event_is_told(void **state)
{
	struct fixture *f = *state;

	begin(f, STAND);
	wait_for(f, f->gaps == 1);
	f->reopen_on_event = true;
	say_change(f, 11, 12);
	wait_for(f, f->gaps == 2);
	assert_int_equal(f->resumed_from, 0);
	assert_int_equal(docker_watch_last_version(f->watch), 0);
}

static void
it_can_be_closed_from_every_handler(void **state)
{
	struct fixture *f = *state;

	for (enum stop stop = CLOSE_ON_UP; stop <= CLOSE_ON_DOWN; stop++) {
		f->stop = stop;
		f->closed = false;
		f->gaps = 0;
		begin(f, STAND);
		if (stop == CLOSE_ON_EVENT || stop == CLOSE_ON_DOWN) {
			wait_for(f, f->gaps == 1);
			say_change(f, 11, 12);
		}
		if (stop == CLOSE_ON_DOWN)
			sim_h2_cut(f->stream);
		wait_for(f, f->closed);
		sim_h2_close(f->server);
		(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	}
	f->server = NULL;
	assert_int_equal(f->ups, 4);
}

static void
it_can_be_closed_after_any_turn_of_the_loop(void **state)
{
	struct fixture *f = *state;

	f->manner = STAND;
	serve(f);
	for (unsigned turns = 0; turns < 25; turns++) {
		f->closed = false;
		f->watch =
		    docker_watch_new(&f->loop, f->path, KINDS, &handlers, f);
		for (unsigned i = 0; i < turns; i++)
			(void)uv_run(&f->loop, UV_RUN_NOWAIT);
		docker_watch_close(f->watch, on_closed, f);
		docker_watch_close(f->watch, on_closed, f);
		wait_for(f, f->closed);
	}
}

static void
the_socket_is_found_beside_docker_s(void **state)
{
	static const struct {
		const char *watch;
		const char *url;
		const char *path;
	} cases[] = {
		{ "auto", "unix:///var/run/docker.sock",
		    "/var/run/docker/swarm/control.sock" },
		{ "auto", "unix:/run/docker.sock",
		    "/run/docker/swarm/control.sock" },
		{ "auto", "unix:///tmp/x/d.sock",
		    "/tmp/x/docker/swarm/control.sock" },
		{ "auto", "tcp://10.0.0.1:2376", NULL },
		{ "off", "unix:///var/run/docker.sock", NULL },
		{ "/a/c.sock", "tcp://10.0.0.1:2376", "/a/c.sock" },
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct daemon_config c = { 0 };
		char *path;

		c.docker.watch = (char *)(uintptr_t)cases[i].watch;
		c.docker.url = (char *)(uintptr_t)cases[i].url;
		path = docker_watch_socket(&c);
		if (cases[i].path == NULL)
			assert_null(path);
		else
			assert_string_equal(path, cases[i].path);
		free(path);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_first_stream_is_up_with_a_gap_and_tells_changes),
		TEST(late_and_repeated_messages_are_told_and_counted),
		TEST(a_stream_that_was_cut_goes_on_where_it_was),
		TEST(it_goes_on_from_objects_where_messages_have_no_version),
		TEST(a_compacted_log_means_a_gap_without_another_wait),
		TEST(frames_cut_at_every_byte_arrive),
		TEST(ten_mebibytes_in_a_message_are_read),
		TEST(reopening_starts_afresh),
		TEST(reopening_is_possible_while_an_event_is_told),
		TEST(it_can_be_closed_from_every_handler),
		TEST(it_can_be_closed_after_any_turn_of_the_loop),
		cmocka_unit_test(the_socket_is_found_beside_docker_s),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
