/*
 * bus/publisher and bus/subscriber against the faults of nng 1.5.2 and of
 * processes: kills, stops, half-open connections, a second listener.  Peers
 * that are killed are this program again, in another role.
 *
 * BULKHEAD_BUS_KILLS sets the number of kills of each side (60).
 */
#include "bus_peer.h"

#include "base/clock.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define KILLS 60
/* A turn of the loop that nng held up would show here. */
#define WORST_GAP_MS 1000
/* Subscribers opened and closed amid so many connections to each socket. */
#define REOPENED 40
#define STANDING 8

/* See tests/lsan.supp: here too, so that the program can be run alone. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:nng_listener_create\n"
	       "leak:channel_dial\n"
	       "leak:channel_send";
}

/* Where a peer process tells what it has, seen by both. */
static uint64_t *shared;

struct peer {
	uv_process_t process;
	bool ended, closed;
};

static void
on_exit_status(uv_process_t *process, int64_t status, int signal)
{
	struct peer *p = container_of(process, struct peer, process);

	(void)status;
	(void)signal;
	p->ended = true;
}

static void
on_process_closed(uv_handle_t *handle)
{
	uv_process_t *process = (uv_process_t *)handle;

	container_of(process, struct peer, process)->closed = true;
}

static void
peer_start(
    struct peer *p, struct world *w, const char *role, const char *folder)
{
	char *path = world_path(w, "shared"), exe[] = "/proc/self/exe";
	char *role_arg = xstrdup(role), *folder_arg = xstrdup(folder);
	char *args[] = { exe, role_arg, folder_arg, path, NULL };
	uv_stdio_container_t stdio[] = { { .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 } };
	uv_process_options_t o = { .exit_cb = on_exit_status,
		.file = exe,
		.args = args,
		.stdio = stdio,
		.stdio_count = 3 };

	memset(p, 0, sizeof(*p));
	assert_int_equal(uv_spawn(&w->loop, &p->process, &o), 0);
	free(path);
	free(role_arg);
	free(folder_arg);
}

static void
peer_kill(struct peer *p, struct world *w)
{
	assert_int_equal(uv_process_kill(&p->process, SIGKILL), 0);
	RUN_UNTIL(w, p->ended);
	uv_close((uv_handle_t *)&p->process, on_process_closed);
	RUN_UNTIL(w, p->closed);
}

static void
share(struct world *w)
{
	char *path = world_path(w, "shared");
	FILE *f = fopen(path, "w+");

	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), 4096), 0);
	shared =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	fclose(f);
	free(path);
}

static uint64_t
seen(void)
{
	return __atomic_load_n(shared, __ATOMIC_SEQ_CST);
}

/* The two roles of a peer process; they run until they are killed. */

static void
run_role(const char *role, const char *folder, const char *path)
{
	struct receiver rx = { 0 };
	struct sender tx = { 0 };
	uv_loop_t loop;
	char epoch[17];
	FILE *f;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	f = fopen(path, "r+");
	must(f != NULL);
	shared =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);
	must(shared != MAP_FAILED);
	must(uv_loop_init(&loop) == 0);
	if (strcmp(role, "subscriber") == 0) {
		rx.told = shared;
		receiver_open(&rx, &loop, "blue", folder);
	} else {
		snprintf(epoch, sizeof(epoch), "%016llx",
		    (unsigned long long)clock_mono_us());
		tx.value = __atomic_add_fetch(shared, 1, __ATOMIC_SEQ_CST);
		sender_open(&tx, &loop, "blue", folder, epoch);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
}

/* A pair in this process, of another cluster: nothing may disturb it. */
struct bystander {
	struct sender tx;
	struct receiver rx;
	char *folder;
	uint64_t worst_ms;
};

static void
bystander_open(struct bystander *b, struct world *w)
{
	memset(b, 0, sizeof(*b));
	b->folder = world_path(w, "green");
	receiver_open(&b->rx, &w->loop, "green", b->folder);
	sender_open(&b->tx, &w->loop, "green", b->folder, EPOCH_A);
	RUN_UNTIL(w, b->rx.snapshots == 1 && publisher_connected(b->tx.p));
}

/* One message there, and how long it took. */
static void
bystander_check(struct bystander *b, struct world *w)
{
	uint64_t start = clock_mono_ms(), took;

	sender_send(&b->tx);
	RUN_UNTIL(w, b->rx.value == b->tx.value);
	took = clock_mono_ms() - start;
	if (took > b->worst_ms)
		b->worst_ms = took;
}

static void
bystander_close(struct bystander *b, struct world *w)
{
	assert_int_equal(b->rx.snapshots, 1);
	assert_int_equal(b->rx.silences, 0);
	receiver_close(&b->rx, w);
	sender_close(&b->tx, w);
	free(b->folder);
}

static unsigned
kills(void)
{
	const char *text = getenv("BULKHEAD_BUS_KILLS");

	return text != NULL ? (unsigned)strtoul(text, NULL, 10) : KILLS;
}

static unsigned
below(unsigned n)
{
	static uint32_t state = 12345;

	state = state * 1664525 + 1013904223;
	return (state >> 8) % n;
}

#define NOTE(...)                                                              \
	do {                                                                   \
		fprintf(stderr, "# " __VA_ARGS__);                             \
		fputc('\n', stderr);                                           \
	} while (0)

static void
random_kills_of_the_subscriber_are_mended(void **state)
{
	struct world w;
	struct sender tx = { .value = 1 };
	struct bystander green;
	struct peer peer;
	uint64_t start, worst = 0;
	unsigned i, n = kills();
	char *folder;

	(void)state;
	world_init(&w);
	share(&w);
	folder = world_path(&w, "blue");
	bystander_open(&green, &w);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	for (i = 0; i < n; i++) {
		peer_start(&peer, &w, "subscriber", folder);
		start = clock_mono_ms();
		run_for(&w, below(60));
		sender_send(&tx);
		bystander_check(&green, &w);
		if (i % 10 == 9 || i + 1 == n) {
			RUN_UNTIL(&w, seen() == tx.value);
			if (clock_mono_ms() - start > worst)
				worst = clock_mono_ms() - start;
		}
		peer_kill(&peer, &w);
	}
	NOTE("%u kills of the subscriber: mended within %llu ms, other "
	     "cluster %llu ms, loop %llu ms",
	    n, (unsigned long long)worst, (unsigned long long)green.worst_ms,
	    (unsigned long long)w.worst_gap_ms);
	assert_true(w.worst_gap_ms < WORST_GAP_MS);
	bystander_close(&green, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
random_kills_of_the_publisher_are_mended(void **state)
{
	struct world w;
	struct receiver rx = { 0 };
	struct bystander green;
	struct peer peer;
	uint64_t start, worst = 0;
	unsigned i, n = kills();
	char *folder;

	(void)state;
	world_init(&w);
	share(&w);
	folder = world_path(&w, "blue");
	bystander_open(&green, &w);
	receiver_open(&rx, &w.loop, "blue", folder);
	for (i = 0; i < n; i++) {
		peer_start(&peer, &w, "publisher", folder);
		start = clock_mono_ms();
		run_for(&w, below(60));
		bystander_check(&green, &w);
		if (i % 10 == 9 || i + 1 == n) {
			RUN_UNTIL(&w, seen() > 0 && rx.value == seen());
			if (clock_mono_ms() - start > worst)
				worst = clock_mono_ms() - start;
		}
		peer_kill(&peer, &w);
	}
	NOTE("%u kills of the publisher: mended within %llu ms, other "
	     "cluster %llu ms, loop %llu ms",
	    n, (unsigned long long)worst, (unsigned long long)green.worst_ms,
	    (unsigned long long)w.worst_gap_ms);
	assert_true(w.worst_gap_ms < WORST_GAP_MS);
	bystander_close(&green, &w);
	receiver_close(&rx, &w);
	world_fini(&w);
	free(folder);
}

static int
knock(const char *folder, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", folder, name);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void
half_open(const char *folder, const char *name)
{
	close(knock(folder, name));
}

/* After 'harm', a reader that starts anew is heard, and its state taken. */
static void
survives(void (*harm)(struct world *w, const char *folder), const char *what)
{
	struct world w;
	struct sender tx = { .value = 1 };
	struct receiver rx = { 0 };
	uint64_t start;
	char *folder;

	world_init(&w);
	folder = world_path(&w, "blue");
	receiver_open(&rx, &w.loop, "blue", folder);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	RUN_UNTIL(&w, rx.value == 1 && publisher_connected(tx.p));
	harm(&w, folder);
	/* Whoever is connected stays. */
	sender_send(&tx);
	RUN_UNTIL(&w, rx.value == 2);
	sender_close(&tx, &w);
	tx.value = 100;
	start = clock_mono_ms();
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_B);
	RUN_UNTIL(&w, rx.value == 100);
	NOTE("%s: mended after %llu ms", what,
	    (unsigned long long)(clock_mono_ms() - start));
	sender_send(&tx);
	RUN_UNTIL(&w, rx.value == 101);
	receiver_close(&rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
half_open_both(struct world *w, const char *folder)
{
	int i;

	for (i = 0; i < 20; i++) {
		half_open(folder, "events");
		half_open(folder, "snapshot");
	}
	run_for(w, 100);
}

static void
half_open_snapshot(struct world *w, const char *folder)
{
	int i;

	for (i = 0; i < 20; i++)
		half_open(folder, "snapshot");
	run_for(w, 100);
}

static void
second_listener(struct world *w, const char *folder)
{
	static const struct subscriber_handlers none = {
		.on_message = on_message,
		.on_contact = on_contact,
		.on_wrong_version = on_wrong_version,
	};
	struct receiver rx = { 0 };
	struct error e;

	assert_null(subscriber_new(&w->loop, "blue", folder, &none, &rx, &e));
	run_for(w, 100);
}

static void
half_open_connections_are_mended(void **state)
{
	(void)state;
	survives(half_open_both, "half-open connections to both sockets");
}

static void
a_deaf_snapshot_socket_alone_is_mended(void **state)
{
	(void)state;
	survives(half_open_snapshot, "half-open connections to snapshot");
}

static void
a_second_listener_fails_and_the_first_is_mended(void **state)
{
	(void)state;
	survives(second_listener, "a second listener");
}

/*
 * What is lost is seen by LeakSanitizer at the end of the program.  Of the
 * connections some end before the handshake, some in its middle, and some
 * still stand when the subscriber is closed.
 */
static void
subscribers_closed_amid_handshakes_lose_no_memory_of_ours(void **state)
{
	static const char hello[] = { 0, 'S', 'P', 0, 0, 0x20 };
	struct world w;
	int fds[2 * STANDING], i, k;
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "blue");
	for (i = 0; i < REOPENED; i++) {
		struct receiver rx = { 0 };
		struct sender tx = { .value = 1 };

		receiver_open(&rx, &w.loop, "blue", folder);
		sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
		run_for(&w, below(4));
		for (k = 0; k < STANDING; k++) {
			half_open(folder, "events");
			half_open(folder, "snapshot");
			fds[2 * k] = knock(folder, "events");
			fds[2 * k + 1] = knock(folder, "snapshot");
			if (k % 2 == 0)
				(void)!write(fds[2 * k], hello, sizeof(hello));
		}
		run_for(&w, below(4));
		receiver_close(&rx, &w);
		sender_close(&tx, &w);
		for (k = 0; k < 2 * STANDING; k++)
			close(fds[k]);
	}
	world_fini(&w);
	free(folder);
}

static void
a_stopped_subscriber_costs_nobody_else_and_catches_up(void **state)
{
	struct world w;
	struct sender tx = { .value = 1 };
	struct bystander green;
	struct peer peer;
	uint64_t start;
	char *folder;
	int i;

	(void)state;
	world_init(&w);
	share(&w);
	folder = world_path(&w, "blue");
	bystander_open(&green, &w);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	peer_start(&peer, &w, "subscriber", folder);
	RUN_UNTIL(&w, seen() == 1 && publisher_connected(tx.p));
	assert_int_equal(uv_process_kill(&peer.process, SIGSTOP), 0);
	for (i = 0; i < 3000; i++) {
		sender_send(&tx);
		if (i % 100 == 0)
			bystander_check(&green, &w);
	}
	/* A new reader dials a peer that accepts and never answers. */
	sender_close(&tx, &w);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_B);
	run_for(&w, 2500);
	bystander_check(&green, &w);
	assert_true(seen() < tx.value);
	assert_int_equal(uv_process_kill(&peer.process, SIGCONT), 0);
	start = clock_mono_ms();
	RUN_UNTIL(&w, seen() == tx.value);
	NOTE("stopped subscriber: caught up after %llu ms, other cluster "
	     "%llu ms, loop %llu ms",
	    (unsigned long long)(clock_mono_ms() - start),
	    (unsigned long long)green.worst_ms,
	    (unsigned long long)w.worst_gap_ms);
	assert_true(w.worst_gap_ms < WORST_GAP_MS);
	peer_kill(&peer, &w);
	bystander_close(&green, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
a_stopped_publisher_is_silence_and_then_heard_again(void **state)
{
	struct world w;
	struct receiver rx = { 0 };
	struct peer peer;
	uint64_t start;
	char *folder;

	(void)state;
	world_init(&w);
	share(&w);
	folder = world_path(&w, "blue");
	receiver_open(&rx, &w.loop, "blue", folder);
	peer_start(&peer, &w, "publisher", folder);
	RUN_UNTIL(&w, rx.heard && rx.snapshots == 1);
	assert_int_equal(uv_process_kill(&peer.process, SIGSTOP), 0);
	RUN_UNTIL(&w, !rx.heard);
	assert_int_equal(uv_process_kill(&peer.process, SIGCONT), 0);
	start = clock_mono_ms();
	RUN_UNTIL(&w, rx.heard && rx.snapshots == 2);
	NOTE("stopped publisher: heard again after %llu ms",
	    (unsigned long long)(clock_mono_ms() - start));
	peer_kill(&peer, &w);
	receiver_close(&rx, &w);
	world_fini(&w);
	free(folder);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_kills_of_the_subscriber_are_mended),
		cmocka_unit_test(random_kills_of_the_publisher_are_mended),
		cmocka_unit_test(half_open_connections_are_mended),
		cmocka_unit_test(a_deaf_snapshot_socket_alone_is_mended),
		cmocka_unit_test(
		    a_second_listener_fails_and_the_first_is_mended),
		cmocka_unit_test(
		    subscribers_closed_amid_handshakes_lose_no_memory_of_ours),
		cmocka_unit_test(
		    a_stopped_subscriber_costs_nobody_else_and_catches_up),
		cmocka_unit_test(
		    a_stopped_publisher_is_silence_and_then_heard_again),
	};

	if (argc == 4) {
		run_role(argv[1], argv[2], argv[3]);
		return 1;
	}
	/* See WATCHDOG in tests/run.py. */
	(void)alarm(240);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
