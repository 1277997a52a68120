/* base/inet */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/inet.h"
#include "base/mem.h"

#include <string.h>

static struct inet
parse(const char *s)
{
	struct inet a;
	struct error e;

	if (inet_parse(s, strlen(s), &a, &e) != 0)
		fail_msg("%s: %s", s, e.msg);
	return a;
}

static void
addresses_come_out_canonical(void **state)
{
	static const struct {
		const char *in, *address, *network;
	} rows[] = {
		{ "10.0.1.3", "10.0.1.3", "10.0.1.3/32" },
		{ "10.0.1.3/24", "10.0.1.3", "10.0.1.3/24" },
		{ "0.0.0.0/0", "0.0.0.0", "0.0.0.0/0" },
		{ "FD00:0::1/64", "fd00::1", "fd00::1/64" },
		{ "::1", "::1", "::1/128" },
	};
	char text[INET_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		struct inet a = parse(rows[i].in);

		inet_format_address(&a, text);
		assert_string_equal(text, rows[i].address);
		inet_format_network(&a, text);
		assert_string_equal(text, rows[i].network);
	}
}

static void
anything_else_is_refused(void **state)
{
	static const char *const texts[] = { "", "/", "/24", "10.0.1", "1",
		"10.0.1.3.4", "010.0.1.3", "10.0.1.256", "0x0a.0.0.1",
		"10.0.1.3/", "10.0.1.3/33", "10.0.1.3/024", "10.0.1.3/-1",
		"10.0.1.3/24/24", " 10.0.1.3", "10.0.1.3 ", "10.0.1.3\n",
		"fd00::1/129", "fd00:::1", "[fd00::1]", "fe80::1%eth0",
		"::ffff:10.0.1.3", "::ffff:a00:103", "a.example", "10.0.1.3:80",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" };
	struct inet a;
	size_t i;

	(void)state;
	for (i = 0; i < countof(texts); i++) {
		if (inet_parse(texts[i], strlen(texts[i]), &a, NULL) == 0)
			fail_msg("%s", texts[i]);
	}
	assert_int_equal(inet_parse("10.0.1.3\0", 9, &a, NULL), -1);
}

static void
networks_contain_what_shares_their_prefix(void **state)
{
	static const struct {
		const char *network, *address;
		bool want;
	} rows[] = {
		{ "10.0.1.0/24", "10.0.1.255", true },
		{ "10.0.1.0/24", "10.0.2.0", false },
		{ "10.0.0.0/15", "10.1.255.255", true },
		{ "10.0.0.0/15", "10.2.0.0", false },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "10.0.1.3", "10.0.1.3", true },
		{ "10.0.1.3", "10.0.1.2", false },
		{ "0.0.0.0/0", "::1", false },
		{ "fd00::/65", "fd00::7fff:1:2:3", true },
		{ "fd00::/65", "fd00::8000:1:2:3", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		struct inet n = parse(rows[i].network);
		struct inet a = parse(rows[i].address);

		if (inet_contains(&n, &a) != rows[i].want)
			fail_msg("%s %s", rows[i].network, rows[i].address);
	}
}

static void
bits_behind_the_prefix_are_seen_and_cleared(void **state)
{
	struct inet a = parse("10.0.1.3/23");
	char text[INET_TEXT_SIZE];

	(void)state;
	assert_false(inet_is_network(&a));
	inet_mask(&a);
	assert_true(inet_is_network(&a));
	inet_format_network(&a, text);
	assert_string_equal(text, "10.0.0.0/23");
}

static void
special_addresses_are_known(void **state)
{
	static const char *const special[] = { "0.0.0.0", "0.1.2.3",
		"169.254.169.254", "224.0.0.1", "239.1.1.1", "255.255.255.255",
		"::", "fe80::1", "febf::1", "ff02::1" };
	static const char *const plain[] = { "10.0.1.3", "127.0.0.1",
		"192.168.1.1", "169.253.1.1", "::1", "fd00::1", "fec0::1" };
	struct inet a;
	size_t i;

	(void)state;
	for (i = 0; i < countof(special); i++) {
		a = parse(special[i]);
		assert_true(inet_is_special(&a));
	}
	for (i = 0; i < countof(plain); i++) {
		a = parse(plain[i]);
		assert_false(inet_is_special(&a));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_out_canonical),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(networks_contain_what_shares_their_prefix),
		cmocka_unit_test(bits_behind_the_prefix_are_seen_and_cleared),
		cmocka_unit_test(special_addresses_are_known),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("inet", tests, NULL, NULL);
}
