/* bus/publisher and bus/subscriber: what arrives, and what is mended */
#include "bus_peer.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BURST 10000

static void
a_change_arrives_after_the_first_snapshot(void **state)
{
	struct world w;
	struct sender tx = { .value = 5 };
	struct receiver rx = { 0 };
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "bus/blue");
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	receiver_open(&rx, &w.loop, "blue", folder);
	RUN_UNTIL(&w, rx.value == 5 && rx.heard);
	assert_int_equal(rx.snapshots, 1);
	RUN_UNTIL(&w, publisher_connected(tx.p));
	sender_send(&tx);
	RUN_UNTIL(&w, rx.value == 6);
	assert_int_equal(rx.snapshots, 1);
	assert_int_equal(subscriber_received(rx.s), 2);
	assert_int_equal(publisher_sent(tx.p), 1);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
the_sockets_are_for_owner_and_group_only(void **state)
{
	struct world w;
	struct receiver rx = { 0 };
	struct stat st;
	char *folder, *path;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "bus/blue");
	path = world_path(&w, "bus/blue/events");
	receiver_open(&rx, &w.loop, "blue", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	receiver_close(&rx, &w);
	world_fini(&w);
	free(folder);
	free(path);
}

static void
a_burst_of_10000_messages_converges(void **state)
{
	struct world w;
	struct sender tx = { 0 };
	struct receiver rx = { 0 };
	char *folder;
	int i;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	receiver_open(&rx, &w.loop, "blue", folder);
	RUN_UNTIL(&w, rx.snapshots == 1 && publisher_connected(tx.p));
	for (i = 0; i < BURST; i++)
		sender_send(&tx);
	RUN_UNTIL(&w, rx.value == BURST);
	/* And goes on as before. */
	sender_send(&tx);
	RUN_UNTIL(&w, rx.value == BURST + 1);
	assert_true(tx.asked < 20);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
a_lost_last_message_is_seen_by_the_beacon(void **state)
{
	struct world w;
	struct sender tx = { 0 };
	struct receiver rx = { 0 };
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	receiver_open(&rx, &w.loop, "blue", folder);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	/* Nobody is connected yet: this one is lost. */
	sender_send(&tx);
	RUN_UNTIL(&w, rx.value == 1);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
a_new_epoch_brings_a_snapshot(void **state)
{
	struct world w;
	struct sender tx = { .value = 3 };
	struct receiver rx = { 0 };
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	receiver_open(&rx, &w.loop, "blue", folder);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	RUN_UNTIL(&w, rx.value == 3);
	sender_close(&tx, &w);
	tx.value = 100;
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_B);
	RUN_UNTIL(&w, rx.value == 100);
	assert_int_equal(rx.snapshots, 2);
	sender_send(&tx);
	RUN_UNTIL(&w, rx.value == 101);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
a_body_that_cannot_be_used_brings_a_snapshot(void **state)
{
	struct world w;
	struct sender tx = { 0 };
	struct receiver rx = { .refuse_next = true };
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	receiver_open(&rx, &w.loop, "blue", folder);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	RUN_UNTIL(&w, rx.snapshots == 1 && publisher_connected(tx.p));
	sender_send(&tx);
	RUN_UNTIL(&w, rx.snapshots == 2);
	assert_int_equal(rx.value, 1);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
silence_is_told_and_so_is_its_end(void **state)
{
	struct world w;
	struct sender tx = { .value = 1 };
	struct receiver rx = { 0 };
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	receiver_open(&rx, &w.loop, "blue", folder);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	RUN_UNTIL(&w, rx.value == 1);
	sender_close(&tx, &w);
	RUN_UNTIL(&w, !rx.heard);
	assert_int_equal(rx.silences, 1);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_B);
	RUN_UNTIL(&w, rx.heard && rx.snapshots == 2);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

/*
 * A peer that says anything, by hand: nng 1.5.2 may hang in the reaper of a
 * process in which the other end of a connection closes while it starts.
 */
static int
loudmouth(const char *folder)
{
	/* SP, version 0, protocol PUB (nanomsg RFC, sp-protocol-ids). */
	static const char hello[] = { 0, 'S', 'P', 0, 0, 0x20, 0, 0 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[sizeof(hello)];

	assert_true(fd >= 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/events", folder);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(
	    send(fd, hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
	assert_int_equal(
	    recv(fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	return fd;
}

/* One message; what is too long is met by a closed door. */
static void
say(int fd, const char *text, size_t len)
{
	unsigned char head[9] = { 1 };

	for (size_t i = 0; i < 8; i++)
		head[1 + i] = (unsigned char)(len >> (56 - 8 * i));
	if (send(fd, head, sizeof(head), MSG_NOSIGNAL) == sizeof(head))
		(void)!send(fd, text, len, MSG_NOSIGNAL);
}

static void
garbage_and_other_clusters_change_nothing(void **state)
{
	static const char other[] =
	    "{\"v\":1,\"type\":\"update\",\"cluster\":\"green\",\"epoch\":\"a\""
	    ",\"seq\":2,\"stamps\":{\"commit_us\":0,\"read_us\":0,\"sent_us\":0"
	    "}}\n7";
	struct world w;
	struct sender tx = { .value = 1 };
	struct receiver rx = { 0 };
	char *folder, *huge = xcalloc(1, 8 << 20);
	int i, s;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	receiver_open(&rx, &w.loop, "blue", folder);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	RUN_UNTIL(&w, rx.value == 1 && publisher_connected(tx.p));
	for (i = 0; i < 5; i++) {
		s = loudmouth(folder);
		say(s, "", 0);
		say(s, "garbage", 7);
		say(s, "{\"v\":1}\n", 8);
		say(s, other, sizeof(other) - 1);
		say(s, huge, 8 << 20);
		close(s);
	}
	sender_send(&tx);
	RUN_UNTIL(&w, rx.value == 2);
	assert_int_equal(rx.wrong_versions, 0);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
	free(huge);
}

static void
another_version_is_told_to_the_owner(void **state)
{
	struct world w;
	struct receiver rx = { 0 };
	char *folder;
	int s;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	receiver_open(&rx, &w.loop, "blue", folder);
	s = loudmouth(folder);
	say(s, "{\"v\":2}\n", 8);
	RUN_UNTIL(&w, rx.wrong_versions == 1);
	close(s);
	receiver_close(&rx, &w);
	world_fini(&w);
	free(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_arrives_after_the_first_snapshot),
		cmocka_unit_test(the_sockets_are_for_owner_and_group_only),
		cmocka_unit_test(a_burst_of_10000_messages_converges),
		cmocka_unit_test(a_lost_last_message_is_seen_by_the_beacon),
		cmocka_unit_test(a_new_epoch_brings_a_snapshot),
		cmocka_unit_test(a_body_that_cannot_be_used_brings_a_snapshot),
		cmocka_unit_test(silence_is_told_and_so_is_its_end),
		cmocka_unit_test(garbage_and_other_clusters_change_nothing),
		cmocka_unit_test(another_version_is_told_to_the_owner),
	};

	/* See WATCHDOG in tests/run.py. */
	(void)alarm(240);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
