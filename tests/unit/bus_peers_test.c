/*
 * Publisher and subscriber over real nng sockets, on one loop: what other peers
 * on the sockets can do, and that nothing is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bus/publisher.h"
#include "bus/subscriber.h"

/* Six times the 5 s in which everything is mended. */
#define DEADLINE_MS 30000

struct bench {
	uv_loop_t loop;
	char folder[64];
	struct publisher *p;
	struct subscriber *s;
	uint64_t state; /* what the publisher would put in a snapshot */
	uint64_t seen;	/* what the subscriber has */
	int snapshots;
	uv_timer_t tick;
};

static void
on_ask(void *arg, struct publisher *p, struct str *body)
{
	struct bench *b = arg;

	(void)p;
	str_addf(body, "%llu", (unsigned long long)b->state);
}

static void
on_message(void *arg, const struct bus_message *m)
{
	struct bench *b = arg;
	char *text = xmemdup0(m->body, m->body_len);

	if (m->type == BUS_SNAPSHOT)
		b->snapshots++;
	b->seen = strtoull(text, NULL, 10);
	free(text);
}

static void
on_contact(void *arg, bool heard)
{
	(void)arg;
	(void)heard;
}

static void
on_wrong_version(void *arg, const struct error *e)
{
	(void)arg;
	fail_msg("%s", e->msg);
}

static const struct subscriber_handlers handlers = {
	.on_message = on_message,
	.on_contact = on_contact,
	.on_wrong_version = on_wrong_version,
};

static void
subscribe(struct bench *b)
{
	struct error e;

	b->s = subscriber_new(&b->loop, "blue", b->folder, &handlers, b, &e);
	assert_non_null(b->s);
}

static void
publish_as(struct bench *b, const char *epoch)
{
	struct error e;

	b->p = publisher_new(&b->loop, "blue", b->folder, epoch, on_ask, b, &e);
	assert_non_null(b->p);
}

static void
on_tick(uv_timer_t *timer)
{
	(void)timer; /* only turns the loop */
}

static void
begin(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	(void)snprintf(b->folder, sizeof(b->folder), "/tmp/bh-bus-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	assert_int_equal(uv_loop_init(&b->loop), 0);
	assert_int_equal(uv_timer_init(&b->loop, &b->tick), 0);
	assert_int_equal(uv_timer_start(&b->tick, on_tick, 5, 5), 0);
	subscribe(b);
	publish_as(b, "00000000000000000000000000000001");
}

static void
finish(struct bench *b)
{
	subscriber_close(b->s, NULL, NULL);
	publisher_close(b->p, NULL, NULL);
	uv_close((uv_handle_t *)&b->tick, NULL);
	(void)uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	assert_int_equal(fs_remove_tree(b->folder, NULL), 0);
}

/* Turns the loop until the subscriber has what the publisher has. */
static void
converge(struct bench *b)
{
	uint64_t end = clock_mono_ms() + DEADLINE_MS;

	while (b->snapshots == 0 || b->seen != b->state) {
		if (clock_mono_ms() >= end)
			fail_msg("has %llu, wanted %llu",
			    (unsigned long long)b->seen,
			    (unsigned long long)b->state);
		(void)uv_run(&b->loop, UV_RUN_ONCE);
	}
}

static void
publish(struct bench *b)
{
	char text[32];
	struct bus_stamps stamps = { .read_us = 1 };

	(void)snprintf(
	    text, sizeof(text), "%llu", (unsigned long long)++b->state);
	publisher_send(b->p, BUS_UPDATE, text, strlen(text), &stamps);
}

static void
a_new_extension_gets_a_snapshot(void **state)
{
	struct bench b;
	int i;

	(void)state;
	begin(&b);
	converge(&b);
	for (i = 0; i < 10; i++) {
		subscriber_close(b.s, NULL, NULL);
		b.snapshots = 0;
		b.state = 100 + (uint64_t)i;
		subscribe(&b);
		converge(&b);
	}
	finish(&b);
}

static int
connect_to(const struct bench *b, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(
	    a.sun_path, sizeof(a.sun_path), "%s/%s", b->folder, name);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/*
 * A peer that connects and goes before nng's handshake leaves a listener
 * alive and deaf: the next reader is not heard until the extension listens
 * anew.
 */
static void
half_open_connections_deafen_nobody_for_long(void **state)
{
	struct bench b;
	int i, fd;

	(void)state;
	begin(&b);
	converge(&b);
	for (i = 0; i < 200; i++) {
		fd = connect_to(&b, i % 2 == 0 ? "events" : "snapshot");
		if (fd >= 0)
			(void)close(fd);
	}
	publisher_close(b.p, NULL, NULL);
	b.state = 1234;
	publish_as(&b, "00000000000000000000000000000003");
	converge(&b);
	publish(&b);
	converge(&b);
	finish(&b);
}

static void
silent_and_garbling_peers_harm_nothing(void **state)
{
	static const char junk[] = "GET / HTTP/1.1\r\n\r\n";
	struct bench b;
	int fds[20];
	size_t i;

	(void)state;
	begin(&b);
	converge(&b);
	for (i = 0; i < countof(fds); i++) {
		fds[i] = connect_to(&b, i % 2 == 0 ? "events" : "snapshot");
		if (fds[i] >= 0 && i % 3 == 0)
			(void)!send(fds[i], junk, sizeof(junk), MSG_NOSIGNAL);
	}
	publish(&b);
	converge(&b);
	for (i = 0; i < countof(fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	publish(&b);
	converge(&b);
	finish(&b);
}

static void
a_second_listener_on_the_path_is_mended(void **state)
{
	struct bench b;
	struct subscriber *other;
	struct error e;

	(void)state;
	begin(&b);
	converge(&b);
	/* It may fail or take over; the first must be served again. */
	other = subscriber_new(&b.loop, "blue", b.folder, &handlers, &b, &e);
	subscriber_close(other, NULL, NULL);
	publisher_close(b.p, NULL, NULL);
	b.state = 77;
	publish_as(&b, "00000000000000000000000000000004");
	converge(&b);
	finish(&b);
}

static int
descriptors(void)
{
	int n = 0, fd;

	for (fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/*
 * Begins and ends, not in the middle of a handshake: nng loses that
 * connection, with its descriptors (tests/lsan.supp).
 */
static void
come_and_go(void)
{
	struct bench b;
	uint64_t end = clock_mono_ms() + DEADLINE_MS;

	begin(&b);
	converge(&b);
	while (!publisher_connected(b.p)) {
		assert_true(clock_mono_ms() < end);
		(void)uv_run(&b.loop, UV_RUN_ONCE);
	}
	publish(&b);
	converge(&b);
	finish(&b);
}

static void
no_descriptor_is_left_behind(void **state)
{
	int before, i;

	(void)state;
	come_and_go();
	before = descriptors();
	for (i = 0; i < 10; i++)
		come_and_go();
	assert_int_equal(descriptors(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_extension_gets_a_snapshot),
		cmocka_unit_test(half_open_connections_deafen_nobody_for_long),
		cmocka_unit_test(silent_and_garbling_peers_harm_nothing),
		cmocka_unit_test(a_second_listener_on_the_path_is_mended),
		cmocka_unit_test(no_descriptor_is_left_behind),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	/* See WATCHDOG in tests/run.py. */
	(void)alarm(240);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
