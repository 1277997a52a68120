/* The register of rollbacks, and recordings over another day's model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../extension/pin.h"
#include "../../extension/recording.h"
#include "../../extension/render.h"
#include "docker/decode.h"

#define ID "0123456789abcdef0123456789abcdef"
#define SHA ID ID

static void
the_later_word_wins_on_both_sides(void **state)
{
	struct pin a = { .counter = 2, .id = ID }, b = { .counter = 1 };

	(void)state;
	assert_true(pin_compare(&a, &b) > 0);
	assert_true(pin_compare(&b, &a) < 0);
	b = a;
	assert_int_equal(pin_compare(&a, &b), 0);
	/* Counted apart: both decide the same way. */
	b.id[0] = 'f';
	assert_true(pin_compare(&b, &a) > 0 && pin_compare(&a, &b) < 0);
}

static void
a_claim_is_read_whole_or_not_at_all(void **state)
{
	static const char *const wrong[] = { "", "0", "1", "1." ID,
		"0." ID ".p.3", "1." ID ".x.3", "1.0g.p.3", "1." ID ".p.",
		"1." ID ".p.3.", "1." ID ".p.3." SHA, "1." ID ".p.3." SHA ".",
		"1." ID ".p.3." SHA ".9x", "1." ID ".p.3 ", "-1." ID ".p.3",
		"1." ID "0.p.3", "1." ID ".p.3.ab.9" };
	struct pin p = { .counter = 77 };

	(void)state;
	for (size_t i = 0; i < countof(wrong); i++)
		assert_false(pin_parse_claim(wrong[i], &p));
	assert_int_equal(p.counter, 77);
	assert_true(pin_parse_claim("5." ID ".r.3", &p));
	assert_false(p.pinned);
	assert_string_equal(p.document, "");
	assert_true(pin_parse_claim("6." ID ".p.3." SHA ".99", &p));
	assert_true(p.pinned);
	assert_int_equal(p.counter, 6);
	assert_int_equal(p.size, 99);
	assert_string_equal(p.document, SHA);
}

static void
a_register_comes_back_as_it_was(void **state)
{
	struct pin p = { .counter = 3,
		.id = ID,
		.pinned = true,
		.generation = 8,
		.document = SHA,
		.size = 5 };
	struct pin got = { 0 };
	json_auto_t *j = NULL;
	STR_AUTO(text, 4096);

	(void)state;
	pin_encode(&p, &text);
	j = json_loads(text.p, 0, NULL);
	assert_true(pin_decode(j, &got));
	assert_int_equal(pin_compare(&got, &p), 0);
	assert_true(got.pinned);
	assert_int_equal(got.generation, 8);
	assert_string_equal(got.document, SHA);
	assert_int_equal(got.size, 5);
	json_object_set_new(j, "counter", json_integer(0));
	assert_false(pin_decode(j, &got));
	assert_false(pin_decode(NULL, &got));
}

/* ---- recordings ---- */

#define NETWORKS                                                               \
	"\"networks\":[{\"Id\":\"n1\",\"Name\":\"front\",\"Driver\":"          \
	"\"overlay\",\"Scope\":\"swarm\",\"IPAM\":{\"Config\":["               \
	"{\"Subnet\":\"10.0.1.0/24\"}]}}]"
#define SERVICE(id, hosts)                                                     \
	"{\"ID\":\"" id "\",\"Version\":{\"Index\":1},\"CreatedAt\":"          \
	"\"2026-01-01T00:00:00Z\",\"Spec\":{\"Name\":\"" id                    \
	"\",\"Labels\":{\"com.docker.lb.hosts\":\"" hosts                      \
	"\",\"com.docker.lb.port\":\"80\"},\"Mode\":{\"Replicated\":"          \
	"{\"Replicas\":1}},\"TaskTemplate\":{\"Networks\":[{\"Target\":"       \
	"\"n1\"}]}}}"
#define TASK(id, service, address)                                             \
	"{\"ID\":\"" id "\",\"ServiceID\":\"" service                          \
	"\",\"Slot\":1,\"DesiredState\":\"running\",\"Status\":{\"State\":"    \
	"\"running\"},\"NetworksAttachments\":[{\"Network\":{\"ID\":\"n1\"},"  \
	"\"Addresses\":[\"" address "/24\"]}]}"

static struct model *
model_of(const char *services, const char *tasks)
{
	STR_AUTO(text, 65536);
	struct model *m;

	str_addf(&text,
	    "{\"version\":1,\"services\":[%s],\"tasks\":[%s]," NETWORKS "}",
	    services, tasks);
	m = docker_decode_snapshot(text.p, text.len, NULL);
	assert_non_null(m);
	return m;
}

static const char ini[] = "[nginx]\nread_timeout = 7s\n";

static struct cluster_config *
config(void)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse("blue.ini", ini, sizeof(ini) - 1, &errors);

	assert_non_null(c);
	return c;
}

static struct recording *
record(const struct cluster_config *c, const struct model *m)
{
	struct routing *r = routing_build(c, m, NULL);
	STR_AUTO(text, RECORDING_MAX);
	struct recording *what;

	recording_encode(&text, c, ini, r, 4, SHA);
	what = recording_decode(text.p, text.len, "blue", NULL);
	routing_free(r);
	assert_non_null(what);
	return what;
}

static void
hash_of(const struct cluster_config *c, const struct model *m,
    char ret[SHA256_HEX_SIZE])
{
	struct render_options o = { .live = true };
	struct routing *r = routing_build(c, m, NULL);
	struct rendered *out = render(c, r, &o, NULL);

	assert_non_null(out);
	memcpy(ret, out->config, SHA256_HEX_SIZE);
	rendered_free(out);
	routing_free(r);
}

static void
over_the_same_model_it_gives_the_same_bytes(void **state)
{
	struct model *m = model_of(
	    SERVICE("a", "a.example") "," SERVICE("b", "b.example,c.example"),
	    TASK("t1", "a", "10.0.1.3") "," TASK("t2", "b", "10.0.1.4"));
	struct cluster_config *c = config();
	struct recording *what = record(c, m);
	char was[SHA256_HEX_SIZE], is[SHA256_HEX_SIZE];
	struct recording_view v;

	(void)state;
	recording_view_init(&v, what, m);
	hash_of(c, m, was);
	hash_of(what->config, &v.model, is);
	assert_string_equal(was, is);
	assert_int_equal(what->generation, 4);
	recording_view_fini(&v);
	recording_free(what);
	cluster_config_free(c);
	model_free(m);
}

static void
labels_are_of_then_and_addresses_of_now(void **state)
{
	struct model *then = model_of(
	    SERVICE("a", "a.example") "," SERVICE("gone", "gone.example"),
	    TASK("t1", "a", "10.0.1.3") "," TASK("t2", "gone", "10.0.1.4"));
	struct model *now = model_of(
	    SERVICE("a", "new.example") "," SERVICE("late", "late.example"),
	    TASK("t3", "a", "10.0.1.9") "," TASK("t4", "late", "10.0.1.4"));
	struct cluster_config *c = config();
	struct recording *what = record(c, then);
	struct recording_view v;
	struct routing *r;

	(void)state;
	recording_view_init(&v, what, now);
	r = routing_build(what->config, &v.model, NULL);
	assert_int_equal(r->routes.len, 2);
	assert_string_equal(r->routes.at[0].host, "a.example");
	assert_string_equal(
	    r->routes.at[0].members.at[0].upstreams.at[0].address,
	    "10.0.1.9:80");
	/* Its address is somebody else's by now: nobody is sent there. */
	assert_string_equal(r->routes.at[1].host, "gone.example");
	assert_int_equal(r->routes.at[1].members.at[0].upstreams.len, 0);
	routing_free(r);
	recording_view_fini(&v);
	recording_free(what);
	cluster_config_free(c);
	model_free(then);
	model_free(now);
}

/* Whole, then what differs, on paper: the whole of the later model. */
static void
what_differs_makes_the_later_whole_of_the_earlier(void **state)
{
	struct model *then =
	    model_of(SERVICE("a", "a.example") "," SERVICE(
			 "b", "b.example") "," SERVICE("gone", "gone.example"),
		"");
	struct model *now =
	    model_of(SERVICE("a", "a.example") "," SERVICE("b",
			 "new.example") "," SERVICE("late", "late.example"),
		"");
	struct cluster_config *c = config();
	struct recording *base = record(c, then), *want = record(c, now), *got;
	const struct recording_item items[] = { { "gone", NULL },
		{ "late", map_get(&now->services, "late") },
		{ "b", map_get(&now->services, "b") } };
	STR_AUTO(text, RECORDING_MAX);
	struct error e = { .msg = "" };

	(void)state;
	recording_encode_delta(
	    &text, c, base->generation, items, countof(items), 4, SHA);
	assert_null(recording_decode(text.p, text.len, "blue", NULL));
	got = recording_decode_upon(base, text.p, text.len, &e);
	assert_string_equal(e.msg, "");
	assert_string_equal(got->text, want->text);
	assert_string_equal(got->sha256, want->sha256);
	/* Of another one it says nothing. */
	got->generation++;
	assert_null(recording_decode_upon(got, text.p, text.len, &e));
	recording_free(want);
	cluster_config_free(c);
	model_free(then);
	model_free(now);
}

static void
what_is_not_a_whole_recording_is_refused(void **state)
{
	static const char *const wrong[] = { "", "{}", "[]", "{\"version\":1}",
		"{\"version\":1,\"cluster\":\"red\",\"config\":\"" SHA
		"\",\"ini\":\"\",\"services\":[]}",
		"{\"version\":1,\"cluster\":\"blue\",\"config\":\"x\","
		"\"ini\":\"\"}",
		"{\"version\":1,\"cluster\":\"blue\",\"config\":\"" SHA
		"\",\"ini\":\"[nonsense]\\n\",\"services\":[]}" };

	(void)state;
	for (size_t i = 0; i < countof(wrong); i++)
		assert_null(
		    recording_decode(wrong[i], strlen(wrong[i]), "blue", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_later_word_wins_on_both_sides),
		cmocka_unit_test(a_claim_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_register_comes_back_as_it_was),
		cmocka_unit_test(over_the_same_model_it_gives_the_same_bytes),
		cmocka_unit_test(labels_are_of_then_and_addresses_of_now),
		cmocka_unit_test(
		    what_differs_makes_the_later_whole_of_the_earlier),
		cmocka_unit_test(what_is_not_a_whole_recording_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
