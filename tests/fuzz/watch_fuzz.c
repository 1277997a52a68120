/*
 * Any bytes as the body of a Watch stream: frames must come out the same
 * however they are cut, and a message is taken whole or not at all.
 */
#include <stdint.h>
#include <string.h>

#include "docker/grpc_frames.h"
#include "docker/watch_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAM_MAX ((size_t)1 << 20)
#define MESSAGE_MAX ((size_t)256 * 1024)

struct seen {
	size_t messages;
	size_t bytes;
	size_t events;
	size_t handed;
	size_t bad;
};

static void
check_id(const char *id)
{
	size_t len = strnlen(id, WATCH_ID_MAX + 1);

	must(len <= WATCH_ID_MAX);
	for (size_t i = 0; i < len; i++)
		must(id[i] > ' ' && id[i] < 0x7f);
}

static void
on_event(void *arg, const struct watch_event *event)
{
	struct seen *s = arg;

	s->handed++;
	must(event->kind < WATCH_KINDS && event->id[0] != '\0');
	check_id(event->id);
	check_id(event->service_id);
	check_id(event->node_id);
	must(strcmp(task_state_name(event->state), "unknown") != 0);
	must(strcmp(task_state_name(event->desired), "unknown") != 0);
}

static bool
on_message(void *arg, const unsigned char *message, size_t len)
{
	struct seen *s = arg;
	size_t before = s->handed;
	struct watch_message m = { 0 };
	struct error e = { 0 };

	s->messages++;
	s->bytes += len;
	if (watch_message_decode(message, len, on_event, s, &m, &e) != 0) {
		must(e.msg[0] != '\0' && s->handed == before);
		s->bad++;
		return true;
	}
	must(s->handed - before == m.events);
	s->events += m.events;
	return true;
}

/* How a stream reads that arrives in pieces of 'step' bytes. */
static int
read_stream(const uint8_t *data, size_t size, size_t step, struct seen *s)
{
	struct grpc_frames frames;
	struct error e = { 0 };
	int rc = 0;

	grpc_frames_init(&frames, MESSAGE_MAX);
	for (size_t at = 0; at < size && rc == 0; at += step)
		rc = grpc_frames_feed(&frames, data + at,
		    size - at < step ? size - at : step, on_message, s, &e);
	must(rc == 0 || e.msg[0] != '\0');
	grpc_frames_fini(&frames);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, cut = { 0 };
	unsigned kinds;
	uint64_t from;
	bool resume;
	int rc;

	if (size == 0 || size > STREAM_MAX)
		return 0;
	rc = read_stream(data, size, size, &whole);
	must(rc == read_stream(data, size, 1 + size % 7, &cut));
	must(memcmp(&whole, &cut, sizeof(whole)) == 0);
	(void)watch_request_decode(data, size, &kinds, &resume, &from, NULL);
	return 0;
}
