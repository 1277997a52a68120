/* Who is to blame for what an engine refuses, and by how many checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../extension/blame.h"

/* An engine that refuses what has a bad one in it, or a bad pair. */
struct engine {
	const char *bad[8];
	const char *pair[2];
	bool refuses_all;
	unsigned checks;
};

static bool
is_in(const struct blame *b, const char *id)
{
	size_t i;

	for (i = 0; id != NULL && i < b->suspects.len; i++) {
		if (strcmp(b->suspects.at[i].id, id) == 0)
			return blame_includes(b, i);
	}
	return false;
}

static bool
refuses(struct engine *e, const struct blame *b)
{
	size_t i;

	e->checks++;
	if (e->refuses_all)
		return true;
	for (i = 0; e->bad[i] != NULL; i++) {
		if (is_in(b, e->bad[i]))
			return true;
	}
	return is_in(b, e->pair[0]) && is_in(b, e->pair[1]);
}

static void
run(struct engine *e, struct blame *b)
{
	while (b->state == BLAME_TESTING)
		blame_verdict(b, refuses(e, b), "test words");
}

static void
add_many(struct blame *b, int n, const char *named)
{
	char id[16];
	int i;

	for (i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "s%d", i);
		blame_add(b, id, named != NULL && strcmp(id, named) == 0);
	}
}

/* "s3 s5" in the order of the suspects. */
static const char *
convicted(const struct blame *b)
{
	static char text[4096];
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < b->suspects.len; i++) {
		if (!b->suspects.at[i].convicted)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
		    len == 0 ? "" : " ", b->suspects.at[i].id);
	}
	return text;
}

static void
a_named_one_costs_one_check(void **state)
{
	struct engine e = { .bad = { "s5" } };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 1000, "s5");
	blame_start(&b, "in sites/5.conf:3", true);
	run(&e, &b);
	assert_int_equal(b.state, BLAME_DONE);
	assert_string_equal(convicted(&b), "s5");
	assert_string_equal(b.suspects.at[999].words, "in sites/5.conf:3");
	assert_int_equal(e.checks, 1);
	blame_fini(&b);
}

static void
an_unnamed_one_of_a_thousand_is_halved_out(void **state)
{
	struct engine e = { .bad = { "s777" } };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 1000, NULL);
	blame_start(&b, "could not build hash", true);
	run(&e, &b);
	assert_string_equal(convicted(&b), "s777");
	assert_true(e.checks <= 1 + 2 * 10);
	blame_fini(&b);
}

static void
several_are_found_and_nobody_else(void **state)
{
	struct engine e = { .bad = { "s0", "s1", "s40", "s63" } };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 64, "s2");
	blame_start(&b, "words", true);
	run(&e, &b);
	assert_string_equal(convicted(&b), "s0 s1 s40 s63");
	blame_fini(&b);
}

static void
of_a_pair_the_younger_is_blamed(void **state)
{
	struct engine e = { .pair = { "s3", "s17" } };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 32, NULL);
	blame_start(&b, "duplicate", true);
	run(&e, &b);
	assert_string_equal(convicted(&b), "s17");
	blame_fini(&b);
}

static void
a_single_suspect_is_not_convicted_without_control(void **state)
{
	struct engine good = { .bad = { "s0" } };
	struct engine full_disk = { .refuses_all = true };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 1, NULL);
	blame_start(&b, "words", true);
	assert_false(blame_includes(&b, 0));
	run(&good, &b);
	assert_string_equal(convicted(&b), "s0");
	assert_int_equal(good.checks, 1);
	blame_fini(&b);

	b = (struct blame){ 0 };
	add_many(&b, 1, "s0");
	blame_start(&b, "No space left on device", true);
	run(&full_disk, &b);
	assert_int_equal(b.state, BLAME_NOT_THEM);
	assert_string_equal(convicted(&b), "");
	blame_fini(&b);
}

static void
an_engine_that_refuses_everything_convicts_nobody(void **state)
{
	struct engine e = { .refuses_all = true };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 100, "s7");
	blame_start(&b, "words", false);
	run(&e, &b);
	assert_int_equal(b.state, BLAME_NOT_THEM);
	assert_string_equal(convicted(&b), "");
	assert_true(e.checks <= 2);
	blame_fini(&b);
}

static void
what_heals_meanwhile_convicts_nobody(void **state)
{
	struct engine e = { 0 };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 10, NULL);
	blame_start(&b, "words", false);
	run(&e, &b);
	assert_int_equal(b.state, BLAME_DONE);
	assert_string_equal(convicted(&b), "");
	assert_int_equal(e.checks, 1);
	blame_fini(&b);
}

static void
a_dropped_suspect_takes_no_part_and_no_blame(void **state)
{
	struct engine e = { .bad = { "s2", "s5" } };
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 8, NULL);
	blame_start(&b, "words", true);
	blame_verdict(&b, false, NULL); /* the control */
	blame_verdict(&b, true, "words");
	blame_drop(&b, "s2");
	run(&e, &b);
	assert_int_equal(b.state, BLAME_DONE);
	assert_string_equal(convicted(&b), "s5");
	blame_fini(&b);
}

static void
dropping_the_last_suspect_ends_it(void **state)
{
	struct blame b = { 0 };

	(void)state;
	add_many(&b, 1, NULL);
	blame_start(&b, "words", false);
	assert_int_equal(b.state, BLAME_TESTING);
	blame_drop(&b, "s0");
	assert_int_equal(b.state, BLAME_DONE);
	assert_string_equal(convicted(&b), "");
	blame_fini(&b);
}

static void
a_flood_of_bad_ones_ends_after_so_many_checks(void **state)
{
	struct engine e = { 0 };
	struct blame b = { 0 };
	size_t i, n = 0;

	(void)state;
	add_many(&b, 4000, NULL);
	blame_start(&b, "words", false);
	/* Every second one is bad: hundreds of tests, were there no limit. */
	while (b.state == BLAME_TESTING) {
		bool bad = false;

		for (i = 0; i < b.suspects.len; i += 2)
			bad |= blame_includes(&b, i);
		e.checks++;
		blame_verdict(&b, bad, "words");
	}
	for (i = 0; i < b.suspects.len; i += 2)
		n += b.suspects.at[i].convicted;
	assert_int_equal(n, 2000);
	assert_true(e.checks <= BLAME_TESTS_MAX + 20);
	blame_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_named_one_costs_one_check),
		cmocka_unit_test(an_unnamed_one_of_a_thousand_is_halved_out),
		cmocka_unit_test(several_are_found_and_nobody_else),
		cmocka_unit_test(of_a_pair_the_younger_is_blamed),
		cmocka_unit_test(
		    a_single_suspect_is_not_convicted_without_control),
		cmocka_unit_test(
		    an_engine_that_refuses_everything_convicts_nobody),
		cmocka_unit_test(what_heals_meanwhile_convicts_nobody),
		cmocka_unit_test(a_dropped_suspect_takes_no_part_and_no_blame),
		cmocka_unit_test(dropping_the_last_suspect_ends_it),
		cmocka_unit_test(a_flood_of_bad_ones_ends_after_so_many_checks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
