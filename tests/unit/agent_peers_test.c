/* Where peers are, and whose manifest may be taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../proxyctl/agent/peer_address.h"
#include "../../proxyctl/agent/peers.h"

static void
the_three_forms_of_an_address_are_told_apart(void **state)
{
	struct peer_listen l;

	(void)state;
	assert_int_equal(peer_listen_parse("10.0.5.3:7946", &l, NULL), 0);
	assert_false(l.control || l.subnet);
	assert_int_equal(l.port, 7946);
	assert_int_equal(peer_listen_parse("10.0.5.9/24:80", &l, NULL), 0);
	assert_true(l.subnet);
	assert_int_equal(l.inet.bytes[3], 0);
	assert_int_equal(peer_listen_parse("control:80", &l, NULL), 0);
	assert_true(l.control);
	assert_int_equal(peer_listen_parse("[fd00::/64]:80", &l, NULL), 0);
	assert_true(l.subnet && l.inet.v6);
}

static void
all_addresses_and_names_are_refused(void **state)
{
	static const char *const wrong[] = { "", ":80", "80", "0.0.0.0:80",
		"[::]:80", "name:80", "10.0.0.1:0", "10.0.0.1:65536",
		"10.0.0.1/33:80", "10.0.0.1" };
	struct peer_listen l = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < countof(wrong); i++)
		assert_int_equal(peer_listen_parse(wrong[i], &l, NULL), -1);
	assert_int_equal(l.port, 7);
}

static void
a_list_of_peers_is_read_item_by_item(void **state)
{
	const char *text = "tasks.a:1, [fd00::1]:2,10.0.0.1:3";
	static const char *const hosts[] = { "tasks.a", "fd00::1", "10.0.0.1" };
	static const char *const ports[] = { "1", "2", "3" };
	char host[64], port[8];

	(void)state;
	assert_int_equal(peers_check(text, NULL), 0);
	for (size_t i = 0; i < countof(hosts); i++) {
		assert_true(peers_next(&text, host, sizeof(host), port));
		assert_string_equal(host, hosts[i]);
		assert_string_equal(port, ports[i]);
	}
	assert_false(peers_next(&text, host, sizeof(host), port));
	assert_int_equal(peers_check("", NULL), -1);
	assert_int_equal(peers_check("a:1,b", NULL), -1);
}

static void
the_address_in_a_network_is_found(void **state)
{
	struct peer_listen l;
	struct inet address, network;
	char text[64];

	(void)state;
	assert_int_equal(peer_listen_parse("127.0.0.0/8:80", &l, NULL), 0);
	assert_int_equal(
	    peer_listen_choose(&l, NULL, &address, &network, NULL), 0);
	peer_format(&address, l.port, text, sizeof(text));
	assert_string_equal(text, "127.0.0.1:80");
	assert_int_equal(network.bits, 8);
	assert_int_equal(peer_listen_parse("240.0.0.0/8:80", &l, NULL), 0);
	assert_int_equal(
	    peer_listen_choose(&l, NULL, &address, &network, NULL), -1);
	assert_int_equal(peer_listen_parse("control:80", &l, NULL), 0);
	assert_int_equal(
	    peer_listen_choose(&l, NULL, &address, &network, NULL), -1);
}

static void
never_older_over_newer(void **state)
{
	struct manifest ours = { .generation = 5, .epoch = "aa" };
	struct manifest theirs = { .generation = 6, .epoch = "aa" };
	struct manifest builtin = { .builtin = true, .generation = 9 };

	(void)state;
	assert_true(peers_is_newer(&theirs, &ours));
	assert_false(peers_is_newer(&ours, &theirs));
	assert_false(peers_is_newer(&ours, &ours));
	assert_true(peers_is_newer(&ours, &builtin));
	assert_true(peers_is_newer(&ours, NULL));
	assert_false(peers_is_newer(&builtin, NULL));
	theirs.epoch[0] = 'b';
	assert_false(peers_is_newer(&theirs, &ours));
	theirs.epoch[0] = ours.epoch[0] = '\0';
	assert_false(peers_is_newer(&theirs, &ours));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_forms_of_an_address_are_told_apart),
		cmocka_unit_test(all_addresses_and_names_are_refused),
		cmocka_unit_test(a_list_of_peers_is_read_item_by_item),
		cmocka_unit_test(the_address_in_a_network_is_found),
		cmocka_unit_test(never_older_over_newer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
