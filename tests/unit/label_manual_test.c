/*
 * The manual of labels: its examples are what the parser says they are, and
 * docs/bulkhead-labels.7 is what the rows say.  BULKHEAD_UPDATE=1 in the
 * environment writes the page anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/fs.h"
#include "label_fixture.h"
#include "model/label_manual.h"

#define PAGE "docs/bulkhead-labels.7"

static const char *
name_of(int id)
{
	return label_key((enum label_id)id) + strlen(LABEL_PREFIX);
}

/* A service that is good but for what is put to it. */
static void
parse_with(struct verdict *v, const char *with, int id, const char *value)
{
	char *labels _cleanup_free_ =
	    xasprintf("hosts=a.example.com|port=80%s%s|%s=%s",
		*with == '\0' ? "" : "|", with, name_of(id), value);

	fixture_verdict(v, labels);
}

static void
good_examples_are_taken_without_a_remark(void **state)
{
	struct verdict v;
	int id;

	(void)state;
	for (id = 0; id < LABEL_COUNT; id++) {
		const struct label_manual *m = label_manual((enum label_id)id);

		parse_with(&v, m->with, id, m->good);
		if (v.rc != 0)
			fail_msg("%s: %s", name_of(id), v.error.reason);
		if (v.remarks.list.len > 0)
			fail_msg(
			    "%s: %s", name_of(id), v.remarks.list.at[0].reason);
		assert_true(label_given(&v.labels, (enum label_id)id));
		verdict_fini(&v);
	}
}

static void
bad_examples_are_refused_at_their_own_label(void **state)
{
	struct verdict v;
	int id;

	(void)state;
	for (id = 0; id < LABEL_COUNT; id++) {
		const struct label_manual *m = label_manual((enum label_id)id);

		parse_with(&v, m->with, id, m->bad);
		if (v.rc == 0 || v.error.code != REJECT_BAD_VALUE ||
		    strcmp(v.error.label, label_key((enum label_id)id)) != 0)
			fail_msg("%s is taken: %s", name_of(id), m->bad);
		verdict_fini(&v);
	}
}

static void
is_sentence(const char *what, const char *text)
{
	if (text == NULL || *text == '\0' || text[strlen(text) - 1] != '.')
		fail_msg("%s: %s", what, text == NULL ? "nothing" : text);
}

static void
every_label_and_code_has_its_sentences(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < LABEL_COUNT; i++) {
		is_sentence(name_of(i), label_manual((enum label_id)i)->text);
		is_sentence(name_of(i), label_manual((enum label_id)i)->values);
	}
	for (i = 0; i <= REJECT_IGNORED; i++) {
		const struct code_manual *m = code_manual((enum reject_code)i);
		const char *name = reject_code_name((enum reject_code)i);

		is_sentence(name, m->meaning);
		is_sentence(name, m->remedy);
	}
}

static void
the_page_in_the_tree_is_current(void **state)
{
	STR_AUTO(page, 1000000);
	STR_AUTO(text, 1000000);
	struct error e;

	(void)state;
	label_manual_page(&page);
	assert_false(page.overflow);
	if (getenv("BULKHEAD_UPDATE") != NULL)
		assert_int_equal(fs_write(PAGE, page.p, page.len, 0644, &e), 0);
	if (fs_read(PAGE, &text, &e) != 0)
		fail_msg("%s", e.msg);
	if (strcmp(text.p, page.p) != 0)
		fail_msg(PAGE " is not what lib/model/label_manual.c says; run "
			      "this test once with BULKHEAD_UPDATE=1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_examples_are_taken_without_a_remark),
		cmocka_unit_test(bad_examples_are_refused_at_their_own_label),
		cmocka_unit_test(every_label_and_code_has_its_sentences),
		cmocka_unit_test(the_page_in_the_tree_is_current),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("label_manual", tests, NULL, NULL);
}
