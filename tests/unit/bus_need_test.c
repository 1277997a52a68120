/* bus: what an extension needs reaches every reader, and its word comes back */
#include "bus_peer.h"

struct gate {
	char heard[256];
	unsigned times;
	const char *word;
};

struct asker {
	struct receiver rx; /* first: it is the handlers' argument */
	char word[256];
	unsigned words;
};

static void
on_need(void *arg, struct publisher *p, const char *need, size_t len,
    struct str *body)
{
	struct gate *g = arg;

	(void)p;
	assert_true(len < sizeof(g->heard));
	memcpy(g->heard, need, len);
	g->heard[len] = '\0';
	g->times++;
	str_add(body, g->word);
}

static void
on_gate(void *arg, const char *body, size_t len)
{
	struct asker *a = arg;

	assert_true(len < sizeof(a->word));
	memcpy(a->word, body, len);
	a->word[len] = '\0';
	a->words++;
}

static void
asker_open(struct asker *a, struct world *w, const char *folder)
{
	static const struct subscriber_handlers handlers = {
		.on_message = on_message,
		.on_contact = on_contact,
		.on_wrong_version = on_wrong_version,
		.on_gate = on_gate,
	};
	struct error e;

	a->rx.s = subscriber_new(&w->loop, "blue", folder, &handlers, a, &e);
	assert_non_null(a->rx.s);
}

static void
a_need_is_answered_and_told_to_each_new_reader(void **state)
{
	struct world w;
	struct sender tx = { .value = 1 };
	struct gate gate = { .word = "one" };
	struct asker a = { 0 };
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	asker_open(&a, &w, folder);
	subscriber_need(a.rx.s, "[1]", 3);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	publisher_on_need(tx.p, on_need, &gate);
	RUN_UNTIL(&w, strcmp(a.word, "one") == 0);
	assert_string_equal(gate.heard, "[1]");
	assert_int_equal(a.rx.snapshots, 1);
	gate.word = "two";
	subscriber_need(a.rx.s, "[2]", 3);
	RUN_UNTIL(&w, strcmp(a.word, "two") == 0);
	assert_string_equal(gate.heard, "[2]");
	sender_close(&tx, &w);
	gate = (struct gate){ .word = "three" };
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_B);
	publisher_on_need(tx.p, on_need, &gate);
	RUN_UNTIL(&w, strcmp(a.word, "three") == 0);
	assert_string_equal(gate.heard, "[2]");
	receiver_close(&a.rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

static void
what_the_gate_says_by_itself_arrives_in_order(void **state)
{
	struct world w;
	struct sender tx = { .value = 1 };
	struct gate gate = { .word = "asked" };
	struct asker a = { 0 };
	char *folder;

	(void)state;
	world_init(&w);
	folder = world_path(&w, "b");
	asker_open(&a, &w, folder);
	sender_open(&tx, &w.loop, "blue", folder, EPOCH_A);
	publisher_on_need(tx.p, on_need, &gate);
	RUN_UNTIL(&w, a.rx.snapshots == 1 && publisher_connected(tx.p));
	assert_int_equal(a.words, 0);
	publisher_send(tx.p, BUS_GATE, "news", 4, NULL);
	RUN_UNTIL(&w, strcmp(a.word, "news") == 0);
	sender_send(&tx);
	RUN_UNTIL(&w, a.rx.value == 2);
	assert_int_equal(a.rx.snapshots, 1);
	/* Asking for everything and telling the need at once: both end. */
	subscriber_need(a.rx.s, "[3]", 3);
	subscriber_resync(a.rx.s);
	RUN_UNTIL(&w, a.rx.snapshots == 2 && strcmp(a.word, "asked") == 0);
	assert_string_equal(gate.heard, "[3]");
	receiver_close(&a.rx, &w);
	sender_close(&tx, &w);
	world_fini(&w);
	free(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_need_is_answered_and_told_to_each_new_reader),
		cmocka_unit_test(what_the_gate_says_by_itself_arrives_in_order),
	};

	/* See WATCHDOG in tests/run.py. */
	(void)alarm(240);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
