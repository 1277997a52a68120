/* base/parse */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/parse.h"

#include <string.h>

#define BAD UINT64_MAX

static void
numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = { { "0", 0 }, { "7", 7 }, { "4294967295", 4294967295 },
		{ "4294967296", BAD }, { "99999999999999999999", BAD },
		{ "", BAD }, { "00", BAD }, { "07", BAD }, { "+7", BAD },
		{ "-7", BAD }, { " 7", BAD }, { "7 ", BAD }, { "7x", BAD },
		{ "0x7", BAD } };
	uint32_t v;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		v = 77;
		if (parse_u32(rows[i].text, strlen(rows[i].text), 0, UINT32_MAX,
			&v, NULL) == 0)
			assert_int_equal(v, rows[i].want);
		else if (rows[i].want != BAD || v != 77)
			fail_msg("%s", rows[i].text);
	}
	assert_int_equal(parse_u32("9", 1, 10, 20, &v, NULL), -1);
	assert_int_equal(parse_u32("21", 2, 10, 20, &v, NULL), -1);
	assert_int_equal(parse_u32("20", 2, 10, 20, &v, NULL), 0);
	assert_int_equal(parse_u32("123", 2, 0, 20, &v, NULL), 0);
	assert_int_equal(v, 12);
}

static void
durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = { { "10", 10000 }, { "0", 0 }, { "7ms", 7 }, { "7s", 7000 },
		{ "2m", 120000 }, { "1h", 3600000 }, { "1d", 86400000 },
		{ "2d", BAD }, { "86400001ms", BAD }, { "", BAD }, { "s", BAD },
		{ "1S", BAD }, { "1 s", BAD }, { "1.5s", BAD }, { "1w", BAD },
		{ "1sx", BAD }, { "-1s", BAD }, { "18446744073709551616", BAD },
		{ "213503982335d", BAD } };
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		v = BAD;
		(void)!parse_duration_ms(
		    rows[i].text, strlen(rows[i].text), 86400000, &v, NULL);
		if (v != rows[i].want)
			fail_msg("%s", rows[i].text);
	}
}

static void
sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = { { "0", 0 }, { "10", 10 }, { "1k", 1024 },
		{ "2M", 2 << 20 }, { "1g", 1 << 30 },
		{ "9007199254740992", 1ULL << 53 }, { "9007199254740993", BAD },
		{ "8388608g", 1ULL << 53 }, { "8388609g", BAD }, { "1kb", BAD },
		{ "k", BAD }, { "", BAD }, { "1t", BAD }, { "-1", BAD },
		{ "1 k", BAD } };
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		v = BAD;
		(void)!parse_size(rows[i].text, strlen(rows[i].text), &v, NULL);
		if (v != rows[i].want)
			fail_msg("%s", rows[i].text);
	}
}

static void
booleans(void **state)
{
	static const char *const yes[] = { "true", "YES", "On", "1" };
	static const char *const no[] = { "false", "No", "OFF", "0" };
	static const char *const bad[] = { "", "2", "t", "truee", "tru",
		" on" };
	size_t i;
	bool v;

	(void)state;
	for (i = 0; i < countof(yes); i++) {
		v = false;
		assert_int_equal(
		    parse_bool(yes[i], strlen(yes[i]), &v, NULL), 0);
		assert_true(v);
	}
	for (i = 0; i < countof(no); i++) {
		v = true;
		assert_int_equal(parse_bool(no[i], strlen(no[i]), &v, NULL), 0);
		assert_false(v);
	}
	for (i = 0; i < countof(bad); i++)
		assert_int_equal(
		    parse_bool(bad[i], strlen(bad[i]), &v, NULL), -1);
}

static void
times(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-01-31T10:00:00Z", 1769853600000000000 },
		{ "2026-01-31T10:00:00.000000001Z", 1769853600000000001 },
		{ "2026-01-31T10:00:00.5Z", 1769853600500000000 },
		{ "2026-01-31T12:00:00+02:00", 1769853600000000000 },
		{ "2026-01-31T07:30:00.25-02:30", 1769853600250000000 },
		{ "2024-02-29T00:00:00Z", 1709164800000000000 },
		{ "2000-03-01T00:00:00Z", 951868800000000000 },
	};
	static const char *const bad[] = { "", "2026-01-31",
		"2026-01-31 10:00:00Z", "2026-01-31T10:00:00",
		"2026-13-31T10:00:00Z", "2026-00-31T10:00:00Z",
		"2026-01-32T10:00:00Z", "2026-01-31T24:00:00Z",
		"2026-01-31T10:60:00Z", "2026-01-31T10:00:00.Z",
		"2026-01-31T10:00:00.1234567890Z", "2026-01-31T10:00:00+2:00",
		"2026-01-31T10:00:00+02:60", "2026-01-31T10:00:00Zx",
		"1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z",
		"2026-01-31T10:00:0xZ", "-026-01-31T10:00:00Z" };
	int64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		assert_int_equal(
		    parse_rfc3339(rows[i].text, strlen(rows[i].text), &v, NULL),
		    0);
		assert_int_equal(v, rows[i].want);
	}
	for (i = 0; i < countof(bad); i++) {
		if (parse_rfc3339(bad[i], strlen(bad[i]), &v, NULL) == 0)
			fail_msg("%s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(booleans),
		cmocka_unit_test(times),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
