/* What a newer configuration changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../extension/diff.h"

static void
only_what_differs_is_told(void **state)
{
	static const struct {
		const char *from, *to, *told;
	} cases[] = {
		{ "a\nb\nc\n", "a\nx\nc\n", "-b\n+x\n" },
		{ "a\nb\n", "a\nb\n", "" },
		{ "", "a\nb\n", "+a\n+b\n" },
		{ "a\nb\n", "", "-a\n-b\n" },
		{ "a\na\n", "a\na\na\n", "+a\n" },
		{ "a\nb", "a\nb\n", "-b\n+b\n" },
		{ "x\n", "y\n", "-x\n+y\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < countof(cases); i++) {
		STR_AUTO(out, 4096);

		diff_lines(cases[i].from, cases[i].to, &out);
		assert_string_equal(out.p, cases[i].told);
	}
}

static void
add(struct rendered *r, const char *path, const char *text)
{
	vec_push(&r->files,
	    rendered_file_new(xstrdup(path), xstrdup(text), strlen(text)));
}

static void
files_come_go_and_change(void **state)
{
	struct rendered *from = xcalloc(1, sizeof(*from));
	struct rendered *to = xcalloc(1, sizeof(*to));
	STR_AUTO(out, 4096);
	STR_AUTO(all, 4096);

	(void)state;
	add(from, "a", "same\n");
	add(from, "b", "old\n");
	add(from, "c", "gone\n");
	add(to, "a", "same\n");
	add(to, "b", "new\n");
	add(to, "d", "here\n");
	diff_rendered(from, to, &out);
	assert_string_equal(out.p,
	    "\"files\":["
	    "\n{\"path\":\"b\",\"change\":\"changed\","
	    "\"lines\":\"-old\\u000a+new\\u000a\"},"
	    "\n{\"path\":\"c\",\"change\":\"removed\","
	    "\"lines\":\"-gone\\u000a\"},"
	    "\n{\"path\":\"d\",\"change\":\"added\","
	    "\"lines\":\"+here\\u000a\"}]");
	diff_rendered(NULL, from, &all);
	assert_non_null(strstr(all.p, "\"a\",\"change\":\"added\""));
	rendered_free(from);
	rendered_free(to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_differs_is_told),
		cmocka_unit_test(files_come_go_and_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
