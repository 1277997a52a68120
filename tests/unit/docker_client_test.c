/* docker/client, against a small engine in the same loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "docker/client.h"
#include "docker/client_text.h"
#include "loop/http_server.h"

#define VERSION_141 "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}"

struct fixture {
	uv_loop_t loop;
	char folder[64];
	char address[96];
	struct http_server *server;
	struct daemon_config config;
	struct docker_client *client;
	const char *version;  /* what GET /version says */
	const char *accepted; /* other versions are refused, where set */
	unsigned versions_asked;
	const char *answer;
	unsigned status;
	bool hold; /* nothing is answered */
	char path[256], method[16], body[256];
	struct http_exchange *stream;
	unsigned done, objects, skipped, opened, released;
	long got_status;
	int code;
	char message[512], got[512];
	struct docker_call *call;
};

static void
on_gone(void *arg, struct http_exchange *x)
{
	struct fixture *f = arg;

	if (f->stream == x)
		f->stream = NULL;
}

static void
refuse(struct fixture *f, struct http_exchange *x)
{
	STR_AUTO(body, 1000);

	str_addf(&body,
	    "{\"message\":\"client version is too new. Maximum supported API "
	    "version is %s\"}",
	    f->accepted);
	http_answer(x, 400, NULL, body.p, body.len);
}

static void
engine(void *arg, struct http_exchange *x, const struct http_received *r)
{
	struct fixture *f = arg;

	if (strcmp(r->path, "/version") == 0) {
		f->versions_asked++;
		if (f->version == NULL)
			http_answer(x, 500, "text/html", "<b>no</b>", 9);
		else
			http_answer(
			    x, 200, NULL, f->version, strlen(f->version));
		return;
	}
	(void)snprintf(f->path, sizeof(f->path), "%s", r->path);
	(void)snprintf(f->method, sizeof(f->method), "%s", r->method);
	(void)snprintf(f->body, sizeof(f->body), "%s", r->body);
	http_on_gone(x, on_gone, f);
	if (f->hold)
		return;
	if (f->accepted != NULL &&
	    strncmp(r->path + 2, f->accepted, strlen(f->accepted)) != 0) {
		refuse(f, x);
	} else if (strstr(r->path, "/events") != NULL && f->status == 200) {
		http_stream_begin(x, "application/json");
		f->stream = x;
	} else {
		http_answer(x, f->status, NULL, f->answer, strlen(f->answer));
	}
}

static void
open_client(struct fixture *f)
{
	struct error e = { 0 };

	f->config.docker.url = f->address;
	f->client = docker_client_new(&f->loop, &f->config, &e);
	if (f->client == NULL)
		fail_msg("%s", e.msg);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct http_server_options o = { .listen = f->address };
	struct error e = { 0 };

	*state = f;
	must(uv_loop_init(&f->loop) == 0);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/bh-dc-XXXXXX");
	must(mkdtemp(f->folder) != NULL);
	(void)snprintf(
	    f->address, sizeof(f->address), "unix:%s/d.sock", f->folder);
	f->server = http_server_new(&f->loop, &o, engine, f, &e);
	must(f->server != NULL);
	f->version = VERSION_141;
	f->status = 200;
	f->answer = "[]";
	open_client(f);
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	docker_client_close(f->client, NULL, NULL);
	http_server_close(f->server, NULL, NULL);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&f->loop) == 0);
	must(fs_remove_tree(f->folder, NULL) == 0);
	free(f);
	return 0;
}

#define wait_for(f, condition)                                                 \
	do {                                                                   \
		uint64_t end_ = clock_mono_ms() + 20000;                       \
		while (!(condition) && clock_mono_ms() < end_)                 \
			(void)uv_run(&(f)->loop, UV_RUN_ONCE);                 \
		assert_true(condition);                                        \
	} while (0)

static void
on_object(void *arg, const char *json, size_t len)
{
	struct fixture *f = arg;

	assert_int_equal(f->done, 0);
	f->objects++;
	(void)snprintf(f->got, sizeof(f->got), "%.*s", (int)len, json);
}

static void
on_skipped(void *arg, const char *json, size_t len)
{
	struct fixture *f = arg;

	(void)json;
	(void)len;
	f->skipped++;
}

static void
on_done(void *arg, long status, const struct error *e)
{
	struct fixture *f = arg;

	f->done++;
	f->got_status = status;
	f->code = e == NULL ? 0 : e->code;
	(void)snprintf(
	    f->message, sizeof(f->message), "%s", e == NULL ? "" : e->msg);
}

static void
on_body(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct fixture *f = arg;

	on_done(arg, status, e);
	(void)snprintf(f->got, sizeof(f->got), "%.*s", (int)len, body);
}

static void
on_open(void *arg)
{
	((struct fixture *)arg)->opened++;
}

static void
list(struct fixture *f)
{
	f->done = f->objects = f->skipped = 0;
	(void)docker_list(
	    f->client, "/services", on_object, on_skipped, on_done, f);
	assert_int_equal(f->done, 0);
	wait_for(f, f->done == 1);
}

static void
a_list_is_handed_over_object_by_object(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(docker_client_version(f->client), "");
	f->answer = "[{\"ID\":\"a\"},{\"ID\":\"b\"},3]\n";
	list(f);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->got_status, 200);
	assert_int_equal(f->objects, 3);
	assert_string_equal(f->path, "/v1.41/services");
	assert_string_equal(docker_client_version(f->client), "1.41");
	list(f);
	assert_int_equal(f->versions_asked, 1);
}

static void
a_list_that_is_not_whole_is_an_error(void **state)
{
	static const char *const bad[] = { "", "[", "[{\"ID\":\"a\"}",
		"[{\"ID\":\"a\"},", "[{\"ID\":\"a\"}]]", "[] x", "{}",
		"<html></html>", "null", "[{\"ID\":\"a}]" };
	struct fixture *f = *state;

	for (size_t i = 0; i < countof(bad); i++) {
		f->answer = bad[i];
		list(f);
		if (f->code == 0)
			fail_msg("taken as whole: %s", bad[i]);
		assert_non_null(strstr(f->message, "GET /services"));
	}
	f->answer = "[]";
	list(f);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->objects, 0);
}

static void
a_huge_object_is_skipped_and_the_rest_comes(void **state)
{
	struct fixture *f = *state;
	size_t big = (size_t)5 * 1024 * 1024;
	STR_AUTO(text, big + 100);

	str_add(&text, "[1,\"");
	while (text.len < big)
		str_add(&text, "xxxxxxxxxxxxxxxx");
	str_add(&text, "\",2]");
	f->answer = text.p;
	list(f);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->objects, 2);
	assert_int_equal(f->skipped, 1);
}

static void
an_error_of_the_engine_is_told_in_its_words(void **state)
{
	struct fixture *f = *state;

	f->status = 503;
	f->answer = "{\"message\":\"This node is not a swarm manager.\\n\"}";
	list(f);
	assert_int_equal(f->got_status, 503);
	assert_int_not_equal(f->code, 0);
	assert_string_equal(f->message,
	    "GET /services: status 503: This node is not a swarm manager. ");
	assert_int_equal(f->objects, 0);
	f->status = 404;
	f->answer = "page not found";
	list(f);
	assert_int_equal(f->code, ENOENT);
	assert_non_null(strstr(f->message, "page not found"));
}

static void
a_request_passes_its_body_and_gives_the_answer_s(void **state)
{
	struct fixture *f = *state;

	f->status = 201;
	f->answer = "{\"ID\":\"x\"}";
	(void)docker_request(f->client, "POST", "/services/create",
	    "{\"Name\":\"a\"}", 12, on_body, f);
	wait_for(f, f->done == 1);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->got_status, 201);
	assert_string_equal(f->got, "{\"ID\":\"x\"}");
	assert_string_equal(f->method, "POST");
	assert_string_equal(f->path, "/v1.41/services/create");
	assert_string_equal(f->body, "{\"Name\":\"a\"}");
	f->status = 409;
	f->answer = "{\"message\":\"update out of sequence\"}";
	(void)docker_request(
	    f->client, "DELETE", "/services/x", NULL, 0, on_body, f);
	wait_for(f, f->done == 2);
	assert_int_equal(f->got_status, 409);
	assert_string_equal(f->message,
	    "DELETE /services/x: status 409: update out of sequence");
	assert_string_equal(f->method, "DELETE");
}

static void
events_come_line_by_line_until_the_engine_ends(void **state)
{
	struct fixture *f = *state;

	(void)docker_events(
	    f->client, "/events", on_open, on_object, on_done, f);
	wait_for(f, f->opened == 1);
	assert_true(http_stream_write(f->stream, "{\"a\":1}\n{\"b\"", 12));
	wait_for(f, f->objects == 1);
	assert_string_equal(f->got, "{\"a\":1}");
	assert_true(http_stream_write(f->stream, ":2}\n\n", 5));
	wait_for(f, f->objects == 2);
	assert_string_equal(f->got, "{\"b\":2}");
	http_stream_end(f->stream);
	wait_for(f, f->done == 1);
	assert_int_equal(f->code, ECONNRESET);
	assert_int_equal(f->got_status, 200);
	assert_int_equal(f->opened, 1);
}

static void
an_endless_line_of_events_ends_the_stream(void **state)
{
	struct fixture *f = *state;
	char *big = xmalloc(65536);

	memset(big, 'x', 65536);
	(void)docker_events(
	    f->client, "/events", on_open, on_object, on_done, f);
	wait_for(f, f->opened == 1);
	for (int i = 0; i < 40 && f->done == 0 && f->stream != NULL; i++) {
		(void)http_stream_write(f->stream, big, 65536);
		for (int j = 0; j < 10; j++)
			(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	wait_for(f, f->done == 1);
	assert_int_equal(f->code, EMSGSIZE);
	free(big);
}

static void
a_cancelled_call_completes_once(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	f->call = docker_list(
	    f->client, "/services", on_object, on_skipped, on_done, f);
	docker_call_cancel(f->call); /* while the version is asked */
	wait_for(f, f->done == 1);
	assert_int_equal(f->code, ECANCELED);
	f->call = docker_list(
	    f->client, "/services", on_object, on_skipped, on_done, f);
	wait_for(f, f->path[0] != '\0');
	docker_call_cancel(f->call);
	wait_for(f, f->done == 2);
	assert_int_equal(f->code, ECANCELED);
}

static void
closing_ends_calls_that_run_and_that_wait(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	(void)docker_list(
	    f->client, "/services", on_object, on_skipped, on_done, f);
	wait_for(f, f->path[0] != '\0');
	(void)docker_request(f->client, "GET", "/info", NULL, 0, on_body, f);
	docker_client_close(f->client, NULL, NULL);
	f->client = NULL;
	wait_for(f, f->done == 2);
	assert_int_equal(f->code, ECANCELED);
	open_client(f);
	(void)docker_request(f->client, "GET", "/info", NULL, 0, on_body, f);
	(void)docker_request(f->client, "GET", "/info", NULL, 0, on_body, f);
	docker_client_close(f->client, NULL, NULL);
	f->client = NULL;
	wait_for(f, f->done == 4);
	assert_int_equal(f->code, ECANCELED);
}

static void
a_version_that_no_longer_fits_is_negotiated_again(void **state)
{
	struct fixture *f = *state;

	list(f);
	f->accepted = "1.44";
	f->version = "{\"ApiVersion\":\"1.44\",\"MinAPIVersion\":\"1.24\"}";
	list(f);
	assert_int_equal(f->code, 0);
	assert_string_equal(docker_client_version(f->client), "1.44");
	assert_int_equal(f->versions_asked, 2);
	/* Only once per call: no circle. */
	f->accepted = "1.99";
	list(f);
	assert_int_not_equal(f->code, 0);
	assert_int_equal(f->versions_asked, 3);
}

static void
a_configured_version_is_kept(void **state)
{
	struct fixture *f = *state;

	docker_client_close(f->client, NULL, NULL);
	f->config.docker.api_version = (char *)(uintptr_t) "1.40";
	open_client(f);
	list(f);
	assert_int_equal(f->code, 0);
	assert_string_equal(f->path, "/v1.40/services");
	assert_int_equal(f->versions_asked, 0);
	f->accepted = "1.44";
	list(f);
	assert_non_null(strstr(f->message, "too new"));
	assert_int_equal(f->versions_asked, 0);
}

static void
an_engine_without_a_version_fails_what_waits(void **state)
{
	struct fixture *f = *state;

	f->version = NULL;
	list(f);
	assert_non_null(strstr(f->message, "status 500"));
	f->version = "{}";
	list(f);
	assert_int_equal(f->code, EPROTO);
	f->version = VERSION_141;
	list(f);
	assert_int_equal(f->code, 0);
}

static void
an_absent_engine_is_an_error_and_comes_back(void **state)
{
	struct fixture *f = *state;
	struct http_server_options o = { .listen = f->address };
	struct error e = { 0 };

	http_server_close(f->server, NULL, NULL);
	for (int i = 0; i < 5; i++)
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	list(f);
	assert_int_equal(f->code, ENOENT);
	assert_int_equal(f->got_status, 0);
	f->server = http_server_new(&f->loop, &o, engine, f, &e);
	assert_non_null(f->server);
	list(f);
	assert_int_equal(f->code, 0);
}

static const char *
choose(const char *body)
{
	static char version[DOCKER_VERSION_SIZE];
	struct error e;

	if (docker_choose_version(body, strlen(body), version, &e) != 0)
		return NULL;
	return version;
}

static void
the_newest_common_version_is_chosen(void **state)
{
	(void)state;
	assert_string_equal(choose(VERSION_141), "1.41");
	assert_string_equal(choose("{\"ApiVersion\":\"1.52\","
				   "\"MinAPIVersion\":\"1.44\"}"),
	    "1.47");
	assert_string_equal(choose("{\"ApiVersion\":\"1.60\","
				   "\"MinAPIVersion\":\"1.50\"}"),
	    "1.50");
	assert_string_equal(choose("{\"ApiVersion\":\"1.32\"}"), "1.32");
	assert_null(choose("{\"ApiVersion\":\"1.31\"}"));
	assert_null(choose("{\"ApiVersion\":\"2.0\"}"));
	assert_null(choose("{\"ApiVersion\":41}"));
	assert_null(choose("[]"));
	assert_null(choose("no"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_list_is_handed_over_object_by_object),
		T(a_list_that_is_not_whole_is_an_error),
		T(a_huge_object_is_skipped_and_the_rest_comes),
		T(an_error_of_the_engine_is_told_in_its_words),
		T(a_request_passes_its_body_and_gives_the_answer_s),
		T(events_come_line_by_line_until_the_engine_ends),
		T(an_endless_line_of_events_ends_the_stream),
		T(a_cancelled_call_completes_once),
		T(closing_ends_calls_that_run_and_that_wait),
		T(a_version_that_no_longer_fits_is_negotiated_again),
		T(a_configured_version_is_kept),
		T(an_engine_without_a_version_fails_what_waits),
		T(an_absent_engine_is_an_error_and_comes_back),
		cmocka_unit_test(the_newest_common_version_is_chosen),
	};

	/* As programs do. */
	(void)signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("docker_client", tests, NULL, NULL);
}
