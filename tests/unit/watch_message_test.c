/* docker/proto, docker/grpc_frames, docker/watch_message */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "docker/grpc_frames.h"
#include "docker/proto.h"
#include "docker/watch_message.h"

#define FIXTURES "tests/fixtures/fuzz/watch/"
#define MESSAGE_MAX ((size_t)16 * 1024 * 1024)

struct gathered {
	struct watch_event events[128];
	size_t n;
	struct watch_message last;
	size_t messages;
	size_t bytes;
};

static void
on_event(void *arg, const struct watch_event *event)
{
	struct gathered *g = arg;

	assert_true(g->n < countof(g->events));
	g->events[g->n++] = *event;
}

static bool
on_message(void *arg, const unsigned char *message, size_t len)
{
	struct gathered *g = arg;

	g->messages++;
	g->bytes += len;
	assert_int_equal(
	    watch_message_decode(message, len, on_event, g, &g->last, NULL), 0);
	return true;
}

static void
read_fixture(const char *name, struct str *ret)
{
	char *path _cleanup_free_ = xasprintf("%s%s", FIXTURES, name);
	struct error e;

	str_init(ret, MESSAGE_MAX);
	if (fs_read(path, ret, &e) != 0)
		fail_msg("%s", e.msg);
}

/* A message with one event: task 't1' of service 's1'. */
static void
task_message(struct str *out, unsigned action, uint64_t state, uint64_t desired,
    uint64_t objver)
{
	STR_AUTO(version, 64);
	STR_AUTO(meta, 128);
	STR_AUTO(status, 128);
	STR_AUTO(task, 1024);
	STR_AUTO(choice, 1024);
	STR_AUTO(event, 1024);

	proto_add_number(&version, 1, objver);
	proto_add_bytes(&meta, 1, version.p, version.len);
	proto_add_number(&status, 2, state);
	proto_add_text(&task, 1, "t1");
	proto_add_bytes(&task, 2, meta.p, meta.len);
	proto_add_text(&task, 4, "s1");
	proto_add_number(&task, 5, 7);
	proto_add_bytes(&task, 9, status.p, status.len);
	proto_add_number(&task, 10, desired);
	proto_add_bytes(&choice, 4, task.p, task.len);
	proto_add_number(&event, 1, action);
	proto_add_bytes(&event, 2, choice.p, choice.len);
	proto_add_bytes(out, 1, event.p, event.len);
}

static void
add_version(struct str *out, uint64_t index)
{
	STR_AUTO(version, 64);

	proto_add_number(&version, 1, index);
	proto_add_bytes(out, 2, version.p, version.len);
}

static int
decode(const struct str *s, struct gathered *g, struct error *e)
{
	memset(g, 0, sizeof(*g));
	return watch_message_decode(s->p, s->len, on_event, g, &g->last, e);
}

static void
a_number_of_64_bits_goes_round(void **state)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 16383, 16384,
		UINT32_MAX, UINT64_MAX - 1, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < countof(values); i++) {
		struct proto_reader in;
		struct proto_field f;
		uint64_t value;
		STR_AUTO(out, 64);

		proto_add_number(&out, 12345, values[i]);
		proto_init(&in, out.p, out.len);
		assert_int_equal(proto_next(&in, &f, NULL), 1);
		assert_int_equal(f.number, 12345);
		assert_int_equal(proto_number(&f, &value, NULL), 0);
		assert_true(value == values[i]);
		assert_int_equal(proto_next(&in, &f, NULL), 0);
	}
}

static void
what_is_no_protocol_buffer_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x00", 1 },	    /* field 0 */
		{ "\x08", 1 },	    /* number missing */
		{ "\x08\x80", 2 },  /* number cut */
		{ "\x0a\x02g", 3 }, /* length past the end */
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11 },
		{ "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12 },
		{ "\x0b\x0c", 2 },	   /* a group */
		{ "\x0e", 1 },		   /* type 6 */
		{ "\x09\x01\x02\x03", 4 }, /* eight bytes, three there */
		{ "\x0d\x01\x02\x03", 4 }, /* four bytes, three there */
		{ "\x80\x80\x80\x80\x10\x00", 6 }, /* field 2^29 */
	};

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		struct proto_reader in;
		struct proto_field f;
		struct error e = { 0 };

		proto_init(&in, bad[i].bytes, bad[i].len);
		assert_int_equal(proto_next(&in, &f, &e), -1);
		assert_true(e.code == EPROTO && e.msg[0] != '\0');
	}
}

static void
a_task_change_is_read_whole(void **state)
{
	struct gathered g;
	STR_AUTO(m, 4096);

	(void)state;
	task_message(&m, WATCH_UPDATE, TASK_RUNNING, TASK_SHUTDOWN, 41);
	add_version(&m, 42);
	assert_int_equal(decode(&m, &g, NULL), 0);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.events[0].kind, WATCH_TASK);
	assert_int_equal(g.events[0].action, WATCH_UPDATE);
	assert_string_equal(g.events[0].id, "t1");
	assert_string_equal(g.events[0].service_id, "s1");
	assert_string_equal(g.events[0].node_id, "");
	assert_int_equal(g.events[0].slot, 7);
	assert_int_equal(g.events[0].state, TASK_RUNNING);
	assert_int_equal(g.events[0].desired, TASK_SHUTDOWN);
	assert_int_equal(g.events[0].version, 41);
	assert_int_equal(g.last.version, 42);
	assert_int_equal(g.last.skipped, 0);
}

static void
a_message_without_version_stands_where_its_objects_do(void **state)
{
	struct gathered g;
	STR_AUTO(m, 4096);

	(void)state;
	task_message(&m, WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 41);
	task_message(&m, WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 40);
	assert_int_equal(decode(&m, &g, NULL), 0);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.last.version, 41);
}

static void
unknown_states_actions_and_kinds_are_skipped_and_counted(void **state)
{
	struct gathered g;
	STR_AUTO(m, 4096);
	STR_AUTO(choice, 64);
	STR_AUTO(event, 64);

	(void)state;
	task_message(&m, WATCH_UPDATE, 513, TASK_RUNNING, 1);
	task_message(&m, WATCH_UPDATE, TASK_RUNNING, UINT64_MAX, 1);
	task_message(&m, 8, TASK_RUNNING, TASK_RUNNING, 1);
	task_message(&m, 0, TASK_RUNNING, TASK_RUNNING, 1);
	/* The cluster object, which nobody asked for. */
	proto_add_text(&choice, 5, "\x0a\x01x");
	proto_add_number(&event, 1, WATCH_UPDATE);
	proto_add_bytes(&event, 2, choice.p, choice.len);
	proto_add_bytes(&m, 1, event.p, event.len);
	/* A field of a later version. */
	proto_add_number(&m, 99, 1);
	task_message(&m, WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 1);
	assert_int_equal(decode(&m, &g, NULL), 0);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.last.skipped, 5);
}

static void
odd_ids_are_skipped(void **state)
{
	char longest[WATCH_ID_MAX + 2];
	static const char *const odd[] = { "", "a/b", "a b", "a\n",
		"\xc3\xa9" };

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i <= countof(odd); i++) {
		struct gathered g;
		STR_AUTO(m, 4096);
		STR_AUTO(object, 256);
		STR_AUTO(choice, 256);
		STR_AUTO(event, 256);

		proto_add_text(&object, 1, i < countof(odd) ? odd[i] : longest);
		proto_add_bytes(&choice, 2, object.p, object.len);
		proto_add_number(&event, 1, WATCH_CREATE);
		proto_add_bytes(&event, 2, choice.p, choice.len);
		proto_add_bytes(&m, 1, event.p, event.len);
		assert_int_equal(decode(&m, &g, NULL), 0);
		assert_int_equal(g.n, 0);
		assert_int_equal(g.last.skipped, 1);
	}
}

static void
a_broken_message_gives_none_of_its_events(void **state)
{
	struct gathered g;
	struct error e;
	STR_AUTO(m, 4096);

	(void)state;
	task_message(&m, WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 1);
	for (size_t len = m.len; len-- > 1;) {
		struct str part = m;

		part.len = len;
		assert_int_equal(decode(&part, &g, &e), -1);
		assert_int_equal(g.n, 0);
	}
	task_message(&m, WATCH_UPDATE, TASK_RUNNING, TASK_RUNNING, 1);
	str_add(&m, "\x0a\x7f");
	assert_int_equal(decode(&m, &g, &e), -1);
	assert_int_equal(g.n, 0);
}

static void
fields_of_another_type_are_refused(void **state)
{
	struct gathered g;
	struct error e;
	STR_AUTO(m, 64);

	(void)state;
	proto_add_number(&m, 1, 5); /* an event that is a number */
	assert_int_equal(decode(&m, &g, &e), -1);
	str_clear(&m);
	proto_add_number(&m, 2, 5); /* so a version */
	assert_int_equal(decode(&m, &g, &e), -1);
}

static void
a_recorded_engine_is_understood(void **state)
{
	static struct gathered g;
	struct grpc_frames frames;
	struct str stream;
	size_t kinds[WATCH_KINDS] = { 0 }, leaving = 0, removed = 0;

	(void)state;
	memset(&g, 0, sizeof(g));
	read_fixture("service_life.bin", &stream);
	grpc_frames_init(&frames, MESSAGE_MAX);
	assert_int_equal(grpc_frames_feed(&frames, stream.p, stream.len,
			     on_message, &g, NULL),
	    0);
	assert_false(grpc_frames_open(&frames));
	for (size_t i = 0; i < g.n; i++) {
		const struct watch_event *ev = &g.events[i];

		kinds[ev->kind]++;
		assert_int_equal(strlen(ev->id), 25);
		assert_true(ev->commit_us > 1500000000ULL * 1000000);
		leaving += ev->kind == WATCH_TASK &&
		    ev->state == TASK_RUNNING && ev->desired > TASK_RUNNING;
		removed += ev->kind == WATCH_TASK && ev->action == WATCH_REMOVE;
	}
	assert_true(kinds[WATCH_TASK] > 20 && kinds[WATCH_SERVICE] > 4);
	assert_true(kinds[WATCH_NETWORK] == 3 && kinds[WATCH_SECRET] == 2);
	assert_true(kinds[WATCH_CONFIG] == 1 && kinds[WATCH_NODE] >= 1);
	assert_true(leaving >= 3 && removed == 3);
	assert_int_equal(g.last.version, 50);
	grpc_frames_fini(&frames);
	str_fini(&stream);
}

static void
frames_come_out_the_same_cut_at_every_byte(void **state)
{
	static struct gathered g, whole;
	struct str stream;
	struct grpc_frames frames;
	size_t at;

	(void)state;
	read_fixture("resumed.bin", &stream);
	memset(&whole, 0, sizeof(whole));
	grpc_frames_init(&frames, MESSAGE_MAX);
	assert_int_equal(grpc_frames_feed(&frames, stream.p, stream.len,
			     on_message, &whole, NULL),
	    0);
	for (at = 0; at <= stream.len; at += at < 2000 ? 1 : 97) {
		memset(&g, 0, sizeof(g));
		assert_int_equal(grpc_frames_feed(&frames, stream.p, at,
				     on_message, &g, NULL),
		    0);
		assert_int_equal(grpc_frames_feed(&frames, stream.p + at,
				     stream.len - at, on_message, &g, NULL),
		    0);
		assert_false(grpc_frames_open(&frames));
		assert_memory_equal(&g, &whole, sizeof(g));
	}
	memset(&g, 0, sizeof(g));
	for (at = 0; at < stream.len; at++)
		assert_int_equal(grpc_frames_feed(&frames, stream.p + at, 1,
				     on_message, &g, NULL),
		    0);
	assert_memory_equal(&g, &whole, sizeof(g));
	grpc_frames_fini(&frames);
	str_fini(&stream);
}

static bool
count_message(void *arg, const unsigned char *message, size_t len)
{
	size_t *n = arg;

	(void)message;
	*n += len;
	return true;
}

static void
lengths_that_lie_are_refused_before_memory_is_spent(void **state)
{
	struct grpc_frames frames;
	struct error e;
	size_t n = 0;

	(void)state;
	grpc_frames_init(&frames, 1000);
	assert_int_equal(grpc_frames_feed(&frames, "\0\xff\xff\xff\xff", 5,
			     count_message, &n, &e),
	    -1);
	assert_int_equal(e.code, EFBIG);
	grpc_frames_clear(&frames);
	assert_int_equal(
	    grpc_frames_feed(&frames, "\0\0\0\x03", 4, count_message, &n, &e),
	    0);
	assert_int_equal(
	    grpc_frames_feed(&frames, "\xe9", 1, count_message, &n, &e), -1);
	grpc_frames_clear(&frames);
	assert_int_equal(
	    grpc_frames_feed(&frames, "\x01\0\0\0\0", 5, count_message, &n, &e),
	    -1);
	assert_int_equal(e.code, EPROTO);
	assert_int_equal(n, 0);
	grpc_frames_fini(&frames);
}

static void
a_request_goes_round(void **state)
{
	STR_AUTO(out, 1024);
	unsigned kinds;
	bool resume;
	uint64_t from;

	(void)state;
	watch_request_encode(&out, 1U << WATCH_TASK | 1U << WATCH_NODE, 0);
	assert_int_equal(
	    watch_request_decode(out.p, out.len, &kinds, &resume, &from, NULL),
	    0);
	assert_true(kinds == (1U << WATCH_TASK | 1U << WATCH_NODE) && !resume);
	str_clear(&out);
	watch_request_encode(&out, 1U << WATCH_SERVICE, 300);
	assert_int_equal(
	    watch_request_decode(out.p, out.len, &kinds, &resume, &from, NULL),
	    0);
	assert_true(kinds == 1U << WATCH_SERVICE && resume && from == 300);
	/* As the engine's own client encodes it. */
	str_clear(&out);
	watch_request_encode(&out, 1U << WATCH_TASK, 5);
	assert_int_equal(out.len, 14);
	assert_memory_equal(
	    out.p, "\x0a\x08\x0a\x04task\x10\x07\x12\x02\x08\x05", 14);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_of_64_bits_goes_round),
		cmocka_unit_test(what_is_no_protocol_buffer_is_refused),
		cmocka_unit_test(a_task_change_is_read_whole),
		cmocka_unit_test(
		    a_message_without_version_stands_where_its_objects_do),
		cmocka_unit_test(
		    unknown_states_actions_and_kinds_are_skipped_and_counted),
		cmocka_unit_test(odd_ids_are_skipped),
		cmocka_unit_test(a_broken_message_gives_none_of_its_events),
		cmocka_unit_test(fields_of_another_type_are_refused),
		cmocka_unit_test(a_recorded_engine_is_understood),
		cmocka_unit_test(frames_come_out_the_same_cut_at_every_byte),
		cmocka_unit_test(
		    lengths_that_lie_are_refused_before_memory_is_spent),
		cmocka_unit_test(a_request_goes_round),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
