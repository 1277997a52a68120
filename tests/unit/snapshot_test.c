/* docker/snapshot and docker/encode */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "docker/decode.h"

#include <string.h>

#define CREATED "\"CreatedAt\":\"2026-01-31T10:00:00Z\""
#define SERVICE(id)                                                            \
	"{\"ID\":\"" id "\"," CREATED ",\"Spec\":{\"Name\":\"n-" id "\"}}"
#define TASK(id, service)                                                      \
	"{\"ID\":\"" id "\",\"ServiceID\":\"" service                          \
	"\",\"DesiredState\":\"running\",\"Status\":{\"State\":\"running\"}}"

static struct model *
decode(const char *json, size_t len)
{
	struct error e;
	struct model *m = docker_decode_snapshot(json, len, &e);

	if (m == NULL)
		fail_msg("%s", e.msg);
	return m;
}

static void
missing_and_null_lists_are_empty(void **state)
{
	static const char json[] =
	    "{\"version\":1,\"services\":null,\"extra\":[1,{}]}";
	struct model *m = decode(json, strlen(json));

	(void)state;
	assert_int_equal(m->services.len, 0);
	assert_int_equal(m->bad.len, 0);
	assert_false(m->secrets_listed || m->configs_listed);
	model_free(m);
}

static void
an_empty_list_of_secrets_says_that_there_are_none(void **state)
{
	static const char json[] =
	    "{\"version\":1,\"secrets\":[],\"configs\":null}";
	STR_AUTO(out, 1000);
	struct model *m = decode(json, strlen(json));

	(void)state;
	assert_true(m->secrets_listed);
	assert_false(m->configs_listed);
	docker_encode_snapshot(&out, m);
	assert_non_null(strstr(out.p, "\"secrets\""));
	assert_null(strstr(out.p, "\"configs\""));
	model_free(m);
}

static void
tasks_come_under_their_services_whatever_the_order(void **state)
{
	static const char json[] =
	    "{\"tasks\":[" TASK("t2", "s1") "," TASK("t1", "s1") "," TASK(
		"t3", "gone") "],\"services\":[" SERVICE("s1") "],"
							       "\"version\":1}";
	struct model *m = decode(json, strlen(json));
	struct service *s = map_get(&m->services, "s1");

	(void)state;
	assert_int_equal(m->bad.len, 0);
	assert_int_equal(s->tasks.len, 2);
	assert_string_equal(s->tasks.at[0]->id, "t1");
	model_free(m);
}

static void
one_odd_object_hides_no_other(void **state)
{
	static const char json[] = "{\"version\":1,\"services\":[" SERVICE(
	    "s1") ","
		  "{\"ID\":\"s2\"," CREATED ",\"Spec\":{\"Name\":\"odd\","
		  "\"Labels\":{\"a\\u0000b\":\"x\"}}},7," SERVICE(
		      "s3") "," SERVICE("s1") "],\"networks\":[{\"Id\":\"x\"}],"
					      "\"nodes\":[[]]}";
	struct model *m = decode(json, strlen(json));
	const struct bad_object *b;

	(void)state;
	assert_int_equal(m->services.len, 2);
	assert_int_equal(m->bad.len, 5);
	b = &m->bad.at[0];
	assert_string_equal(b->kind, "service");
	assert_string_equal(b->id, "s2");
	assert_string_equal(b->name, "odd");
	assert_int_equal(b->position, 1);
	b = &m->bad.at[1];
	assert_null(b->id);
	assert_null(b->name);
	assert_int_equal(b->position, 2);
	b = &m->bad.at[2];
	assert_string_equal(b->id, "s1");
	assert_int_equal(b->position, 4);
	assert_string_equal(
	    b->reason, "ID: another one in this list has the same");
	assert_string_equal(m->bad.at[3].kind, "network");
	assert_string_equal(m->bad.at[3].reason, "Name: missing");
	assert_string_equal(m->bad.at[4].kind, "node");
	assert_int_equal(m->bad.at[4].position, 0);
	model_free(m);
}

static void
broken_documents_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", "not a JSON object" },
		{ "[]", "not a JSON object" },
		{ "<html>", "not a JSON object" },
		{ "{}", "version: missing" },
		{ "{\"version\":2}", "version: this program reads version 1" },
		{ "{\"version\":\"1\"}", "version: this program" },
		{ "{\"version\":10}", "version: this program" },
		{ "{\"version\":1", "not a JSON object" },
		{ "{\"version\":1}x", "not a JSON object" },
		{ "{\"version\":1,\"services\":{}}",
		    "services: not a JSON list" },
		{ "{\"version\":1,\"services\":[],\"services\":[]}",
		    "services: given twice" },
		{ "{\"version\":1,\"services\":[{]}", "not a JSON object" },
		{ "{\"version\":2,\"services\":[{]}", "version: this program" },
	};
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		if (docker_decode_snapshot(
			rows[i][0], strlen(rows[i][0]), &e) != NULL)
			fail_msg("taken: %s", rows[i][0]);
		if (strncmp(e.msg, rows[i][1], strlen(rows[i][1])) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i][0], e.msg,
			    rows[i][1]);
	}
}

static void
read_fixture(struct str *out)
{
	struct error e;

	str_init(out, 16 << 20);
	if (fs_read("tests/fixtures/engine/snapshot.json", out, &e) != 0)
		fail_msg("%s", e.msg);
}

static void
what_a_real_engine_said_decodes_whole(void **state)
{
	struct str json _cleanup_(str_fini);
	struct model *m;
	const struct service **all;
	size_t n, i, tasks = 0;

	(void)state;
	read_fixture(&json);
	m = decode(json.p, json.len);
	assert_int_equal(m->bad.len, 0);
	assert_true(m->services.len > 3);
	assert_true(m->networks.len > 3);
	assert_true(m->nodes.len > 0);
	assert_true(m->secrets.len > 0);
	assert_true(m->configs.len > 0);
	all = model_services_by_age(m, &n);
	for (i = 0; i < n; i++)
		tasks += all[i]->tasks.len;
	assert_true(tasks > 5);
	assert_non_null(model_find_network(m, "front"));
	free(all);
	model_free(m);
}

static void
encoding_and_decoding_again_changes_nothing(void **state)
{
	struct str json _cleanup_(str_fini);
	STR_AUTO(once, 16 << 20);
	STR_AUTO(twice, 16 << 20);
	struct model *m;

	(void)state;
	read_fixture(&json);
	m = decode(json.p, json.len);
	docker_encode_snapshot(&once, m);
	model_free(m);
	m = decode(once.p, once.len);
	assert_int_equal(m->bad.len, 0);
	docker_encode_snapshot(&twice, m);
	model_free(m);
	assert_false(twice.overflow);
	assert_string_equal(once.p, twice.p);
	assert_true(once.len < json.len);
}

static void
a_document_cut_at_any_byte_is_refused(void **state)
{
	struct str json _cleanup_(str_fini);
	struct error e;
	size_t len;

	(void)state;
	read_fixture(&json);
	while (json.len > 0 && json.p[json.len - 1] != '}')
		str_trim(&json, json.len - 1);
	for (len = 0; len < json.len; len += 97)
		assert_null(docker_decode_snapshot(json.p, len, &e));
	assert_null(docker_decode_snapshot(json.p, json.len - 1, &e));
}

static void
ten_thousand_services_decode_in_seconds(void **state)
{
	STR_AUTO(json, 256 << 20);
	struct model *m;
	unsigned i;

	(void)state;
	str_add(&json, "{\"version\":1,\"services\":[");
	for (i = 0; i < 10000; i++)
		str_addf(&json,
		    "%s{\"ID\":\"s%u\"," CREATED
		    ",\"Spec\":{\"Name\":\"n%u\",\"Labels\":"
		    "{\"com.docker.lb.hosts\":\"h%u.example\"}}}",
		    i == 0 ? "" : ",", i, i, i);
	str_add(&json, "],\"tasks\":[");
	for (i = 0; i < 100000; i++)
		str_addf(&json,
		    "%s{\"ID\":\"t%u\",\"ServiceID\":\"s%u\",\"Slot\":%u,"
		    "\"DesiredState\":\"running\",\"Status\":"
		    "{\"State\":\"running\"}}",
		    i == 0 ? "" : ",", i, i % 10000, i / 10000);
	str_add(&json, "]}");
	m = decode(json.p, json.len);
	assert_int_equal(m->services.len, 10000);
	assert_int_equal(
	    ((struct service *)map_get(&m->services, "s77"))->tasks.len, 10);
	model_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_and_null_lists_are_empty),
		cmocka_unit_test(
		    an_empty_list_of_secrets_says_that_there_are_none),
		cmocka_unit_test(
		    tasks_come_under_their_services_whatever_the_order),
		cmocka_unit_test(one_odd_object_hides_no_other),
		cmocka_unit_test(broken_documents_are_refused),
		cmocka_unit_test(what_a_real_engine_said_decodes_whole),
		cmocka_unit_test(encoding_and_decoding_again_changes_nothing),
		cmocka_unit_test(a_document_cut_at_any_byte_is_refused),
		cmocka_unit_test(ten_thousand_services_decode_in_seconds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
