/* loop/child_abi: this process is the child, and its own parent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "loop/child_abi.h"

struct fixture {
	uv_loop_t loop;
	struct child_link *link;
	int parent;
	struct str said; /* what the parent got and did not use yet */
	VEC(struct child_query *) queries;
	char what[64], args[256], level[32];
	unsigned reloads, stops, closed;
	int stop_code;
};

static void
on_query(void *arg, struct child_query *q, const char *what, const char *args,
    size_t len)
{
	struct fixture *f = arg;

	assert_int_equal(strlen(args), len);
	(void)snprintf(f->what, sizeof(f->what), "%s", what);
	(void)snprintf(f->args, sizeof(f->args), "%s", args);
	vec_push(&f->queries, q);
}

static void
on_reload(void *arg)
{
	((struct fixture *)arg)->reloads++;
}

static void
on_log_level(void *arg, const char *level)
{
	struct fixture *f = arg;

	(void)snprintf(f->level, sizeof(f->level), "%s", level);
}

static void
on_stop(void *arg, const struct error *why)
{
	struct fixture *f = arg;

	f->stops++;
	f->stop_code = why == NULL ? 0 : why->code;
}

static void
on_closed(void *arg)
{
	((struct fixture *)arg)->closed++;
}

static int
set_up(void **state)
{
	static const struct child_link_handlers handlers = {
		.on_query = on_query,
		.on_reload = on_reload,
		.on_log_level = on_log_level,
		.on_stop = on_stop,
	};
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error e = { 0 };
	int fds[2];

	*state = f;
	str_init(&f->said, (size_t)64 * 1024 * 1024);
	(void)close(CHILD_FD);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	f->parent = fcntl(fds[1], F_DUPFD_CLOEXEC, 100);
	if (fds[0] != CHILD_FD)
		must(dup2(fds[0], CHILD_FD) == CHILD_FD);
	(void)close(fds[1]);
	if (fds[0] != CHILD_FD)
		(void)close(fds[0]);
	must(uv_loop_init(&f->loop) == 0);
	f->link = child_link_new(&f->loop, &handlers, f, &e);
	if (f->link == NULL)
		fail_msg("%s", e.msg);
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	child_link_close(f->link, on_closed, f);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->closed, 1);
	must(uv_loop_close(&f->loop) == 0);
	/* Those that nobody answered: allowed, and needed, also now. */
	for (size_t i = 0; i < f->queries.len; i++)
		child_answer(f->queries.at[i], 200, "late", 4);
	vec_fini(&f->queries);
	str_fini(&f->said);
	if (f->parent >= 0)
		(void)close(f->parent);
	free(f);
	return 0;
}

static void
turn(struct fixture *f)
{
	char buf[65536];
	ssize_t n;

	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	while (f->parent >= 0 &&
	    (n = recv(f->parent, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		str_addn(&f->said, buf, (size_t)n);
}

#define wait_for(f, condition)                                                 \
	do {                                                                   \
		uint64_t end_ = clock_mono_ms() + 20000;                       \
		while (!(condition) && clock_mono_ms() < end_)                 \
			turn(f);                                               \
		assert_true(condition);                                        \
	} while (0)

static void
tell(struct fixture *f, const char *line)
{
	must(send(f->parent, line, strlen(line), 0) == (ssize_t)strlen(line));
	must(send(f->parent, "\n", 1, 0) == 1);
}

/* It begins so; a number and the end of a line follow. */
static void
assert_says(const struct fixture *f, const char *start)
{
	const char *rest;

	assert_int_equal(strncmp(f->said.p, start, strlen(start)), 0);
	rest = f->said.p + strlen(start);
	assert_true(strspn(rest, "0123456789") > 0);
	assert_string_equal(rest + strspn(rest, "0123456789"), "}\n");
}

static void
the_ready_byte_comes_first_then_what_was_said_before(void **state)
{
	struct fixture *f = *state;

	child_push(f->link, "{\"type\":\"status\"}", 17);
	tell(f, "{\"type\":\"ping\",\"id\":7}");
	for (int i = 0; i < 10; i++)
		turn(f);
	assert_int_equal(f->said.len, 0);
	child_ready(f->link);
	wait_for(f, strstr(f->said.p, "pong") != NULL);
	assert_says(f,
	    "R{\"type\":\"status\"}\n{\"type\":\"pong\",\"id\":7,\"turn_us\":");
}

static void
pings_are_answered_by_the_link(void **state)
{
	struct fixture *f = *state;

	child_ready(f->link);
	tell(f, "{\"type\":\"ping\",\"id\":123456789012}");
	wait_for(f, strstr(f->said.p, "pong") != NULL);
	assert_says(f, "R{\"type\":\"pong\",\"id\":123456789012,\"turn_us\":");
}

static void
reload_log_level_and_stop_reach_the_program(void **state)
{
	struct fixture *f = *state;

	tell(f, "{\"type\":\"reload\"}");
	tell(f, "{\"type\":\"log\",\"level\":\"debug\"}");
	tell(f, "{\"type\":\"of-the-future\",\"x\":1}");
	tell(f, "{\"type\":\"stop\"}");
	wait_for(f, f->stops == 1);
	assert_int_equal(f->stop_code, 0);
	assert_int_equal(f->reloads, 1);
	assert_string_equal(f->level, "debug");
}

static void
a_query_is_answered_under_its_id(void **state)
{
	struct fixture *f = *state;

	child_ready(f->link);
	tell(f,
	    "{\"type\":\"query\",\"id\":5,\"what\":\"explain\","
	    "\"args\":{\"q\":\"a \\u0041\"}}");
	wait_for(f, f->queries.len == 1);
	assert_string_equal(f->what, "explain");
	assert_string_equal(f->args, "{\"q\":\"a A\"}");
	child_answer(f->queries.at[0], 404, "{\"a\":\"\n\"}", 9);
	f->queries.len = 0;
	wait_for(f, strstr(f->said.p, "false}") != NULL);
	assert_string_equal(f->said.p,
	    "R{\"type\":\"answer\",\"id\":5,\"status\":404,"
	    "\"data\":\"{\\\"a\\\":\\\"\\u000a\\\"}\",\"more\":false}\n");
}

/* Puts an answer's pieces together; gives the number of lines. */
static unsigned
assemble(struct fixture *f, struct str *ret)
{
	unsigned lines = 0;
	char *p = f->said.p + 1, *newline;
	bool more = true;

	while (more && (newline = strchr(p, '\n')) != NULL) {
		json_t *line =
		    json_loadb(p, (size_t)(newline - p), JSON_ALLOW_NUL, NULL);
		json_t *data = json_object_get(line, "data");

		assert_non_null(line);
		assert_true(newline - p <= 1024 * 1024);
		assert_true(json_string_length(data) <= 256 * 1024);
		str_addn(
		    ret, json_string_value(data), json_string_length(data));
		more = json_is_true(json_object_get(line, "more"));
		json_decref(line);
		p = newline + 1;
		lines++;
	}
	assert_false(more);
	return lines;
}

static void
a_huge_answer_comes_in_pieces_and_whole(void **state)
{
	struct fixture *f = *state;
	STR_AUTO(body, (size_t)64 * 1024 * 1024);
	STR_AUTO(got, (size_t)64 * 1024 * 1024);

	/* Sequences of three bytes, and bytes that grow when escaped. */
	while (body.len < (size_t)20 * 1024 * 1024)
		str_add(&body, "\xe2\x82\xac\x01\"\\\n");
	child_ready(f->link);
	tell(f, "{\"type\":\"query\",\"id\":1,\"what\":\"config\"}");
	wait_for(f, f->queries.len == 1);
	assert_string_equal(f->args, "{}");
	child_answer(f->queries.at[0], 200, body.p, body.len);
	f->queries.len = 0;
	wait_for(f,
	    strstr(f->said.p + (f->said.len > 100 ? f->said.len - 100 : 0),
		"\"more\":false}\n") != NULL);
	assert_true(assemble(f, &got) >= 80);
	assert_int_equal(got.len, body.len);
	assert_memory_equal(got.p, body.p, body.len);
}

static void
an_empty_answer_is_one_line(void **state)
{
	struct fixture *f = *state;

	child_ready(f->link);
	tell(f, "{\"type\":\"query\",\"id\":1,\"what\":\"x\",\"args\":3}");
	wait_for(f, f->queries.len == 1);
	child_answer(f->queries.at[0], 200, "", 0);
	f->queries.len = 0;
	wait_for(f, strstr(f->said.p, "\"data\":\"\",\"more\":false}\n"));
}

static void
the_parent_s_end_and_broken_lines_stop_the_child(void **state)
{
	struct fixture *f = *state;

	tell(f, "{\"type\":");
	tell(f, "{\"type\":\"reload\"}");
	wait_for(f, f->stops == 1);
	assert_int_equal(f->stop_code, EPROTO);
	(void)close(f->parent);
	f->parent = -1;
	for (int i = 0; i < 10; i++)
		turn(f);
	assert_int_equal(f->stops, 1);
	assert_int_equal(f->reloads, 0);
}

static void
a_parent_that_is_gone_stops_the_child(void **state)
{
	struct fixture *f = *state;

	child_ready(f->link);
	turn(f);
	(void)close(f->parent);
	f->parent = -1;
	wait_for(f, f->stops == 1);
	assert_int_equal(f->stop_code, ECONNRESET);
}

static void
a_query_may_outlive_the_link(void **state)
{
	struct fixture *f = *state;

	child_ready(f->link);
	tell(f, "{\"type\":\"query\",\"id\":1,\"what\":\"x\"}");
	wait_for(f, f->queries.len == 1);
	/* The teardown closes and answers then. */
}

static void
without_a_socket_there_is_no_link(void **state)
{
	static const struct child_link_handlers none;
	uv_loop_t loop;
	struct error e = { 0 };

	(void)state;
	(void)close(CHILD_FD);
	must(uv_loop_init(&loop) == 0);
	if (fcntl(CHILD_FD, F_GETFD) < 0) {
		assert_null(child_link_new(&loop, &none, NULL, &e));
		assert_non_null(strstr(e.msg, "supervisor"));
	}
	must(uv_loop_close(&loop) == 0);
}

static void
a_child_keeps_no_inherited_descriptor(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		(void)dup2(0, 57);
		(void)dup2(0, CHILD_FD);
		child_enter();
		_exit(fcntl(57, F_GETFD) == -1 && fcntl(CHILD_FD, F_GETFD) != -1
			? 0
			: 1);
	}
	assert_int_equal(wait4(pid, &status, 0, NULL), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_ready_byte_comes_first_then_what_was_said_before),
		T(pings_are_answered_by_the_link),
		T(reload_log_level_and_stop_reach_the_program),
		T(a_query_is_answered_under_its_id),
		T(a_huge_answer_comes_in_pieces_and_whole),
		T(an_empty_answer_is_one_line),
		T(the_parent_s_end_and_broken_lines_stop_the_child),
		T(a_parent_that_is_gone_stops_the_child),
		T(a_query_may_outlive_the_link),
		cmocka_unit_test(without_a_socket_there_is_no_link),
		cmocka_unit_test(a_child_keeps_no_inherited_descriptor),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("child_abi", tests, NULL, NULL);
}
