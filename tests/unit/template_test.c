/* The operator's fragments: what is taken and what is refused, with its line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "config/template.h"

static struct cluster_config *
config_with(const char *folder)
{
	struct config_errors errors = { 0 };
	char *ini = xasprintf("[nginx]\ntemplate_dir = %s\n", folder);
	struct cluster_config *c =
	    cluster_config_parse("c.ini", ini, strlen(ini), &errors);

	assert_non_null(c);
	free(ini);
	return c;
}

/* NULL: taken; otherwise the first line of what is wrong. */
static char *
load(const char *text, size_t len)
{
	char folder[] = "/tmp/bh-template-XXXXXX";
	char *path, *line = NULL;
	struct config_errors errors = { 0 };
	struct cluster_config *c;

	assert_non_null(mkdtemp(folder));
	path = xasprintf("%s/http.conf", folder);
	assert_int_equal(fs_write(path, text, len, 0644, NULL), 0);
	c = config_with(folder);
	if (config_templates_load(c, NULL, &errors) != 0)
		line = xstrdup(errors.lines.at[0] + strlen(path));
	else
		assert_string_equal(c->templates->text[TEMPLATE_HTTP], text);
	cluster_config_free(c);
	config_errors_fini(&errors);
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
	free(path);
	return line;
}

static void
fragments_of_nginx_are_taken(void **state)
{
	static const char *const good[] = {
		"",
		"\n\t# only a comment {\n",
		"gzip on;\n",
		"map $host $x { default \"a;b}\"; '~^c{2}$' d; }",
		"add_header a b#c always;\nlog_format x '{\"a\":\"$uri\"}';",
		"if ($a = \"\\\"}\") { return 403; }",
	};
	size_t i;

	(void)state;
	for (i = 0; i < countof(good); i++) {
		char *line = load(good[i], strlen(good[i]));

		if (line != NULL)
			fail_msg("%s: %s", good[i], line);
	}
}

static void
what_would_swallow_the_text_behind_it_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *fault;
	} bad[] = {
		{ "gzip on", 7, ":1: the last directive lacks its \";\"" },
		{ "gzip on;\n}\n", 11,
		    ":2: a \"}\" that closes nothing of this file" },
		{ "map $a $b {\n", 12, ":2: a \"{\" is not closed" },
		{ "a \"b;\n", 6, ":1: a quote is not closed" },
		{ "a { b }", 7,
		    ":1: a directive before \"}\" lacks its \";\"" },
		{ ";", 1, ":1: a \";\" without a directive" },
		{ "{ }", 3, ":1: a \"{\" without a name" },
		{ "a b;\n\x01", 6, ":2: a control character" },
		{ "a b;\0c d;", 9, ":1: a NUL byte" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < countof(bad); i++) {
		char *line = load(bad[i].text, bad[i].len);

		assert_non_null(line);
		assert_string_equal(line, bad[i].fault);
		free(line);
	}
}

static void
a_folder_that_is_not_there_is_told(void **state)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c = config_with("/nonexistent/templates");

	(void)state;
	assert_int_equal(config_templates_load(c, NULL, &errors), -1);
	assert_non_null(strstr(errors.lines.at[0], "/nonexistent/templates"));
	cluster_config_free(c);
	config_errors_fini(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_of_nginx_are_taken),
		cmocka_unit_test(
		    what_would_swallow_the_text_behind_it_is_refused),
		cmocka_unit_test(a_folder_that_is_not_there_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
