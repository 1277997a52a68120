/* Files that are good one by one and not together, or not yet for running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "config/check.h"

static struct cluster_config *
parse(const char *path, const char *text)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse(path, text, strlen(text), &errors);

	if (c == NULL)
		fail_msg("%s", errors.lines.at[0]);
	return c;
}

/* The run check says 'part' and nothing else; NULL: it is content. */
static void
run_check(const char *text, const char *part)
{
	struct cluster_config *c = parse("blue.ini", text);
	struct config_errors errors = { 0 };
	int result = cluster_config_check_run(c, &errors);

	assert_int_equal(result, part == NULL ? 0 : -1);
	assert_int_equal(errors.lines.len, part == NULL ? 0 : 1);
	if (part != NULL && strstr(errors.lines.at[0], part) == NULL)
		fail_msg("%s, not: %s", errors.lines.at[0], part);
	config_errors_fini(&errors);
	cluster_config_free(c);
}

#define SWARM "[control]\nlisten = :8081\ntoken_file = /t\n"

static void
a_driver_says_what_it_needs(void **state)
{
	(void)state;
	run_check("[control]\ntoken_file = /t\n",
	    "blue.ini: driver swarm needs [control] listen");
	run_check("[control]\nlisten = unix:/x\ntoken_file = /t\n",
	    "blue.ini:2: driver swarm needs HOST:PORT");
	run_check("[control]\nlisten = :81\n",
	    "blue.ini:2: driver swarm needs [control] tls_ca");
	run_check(SWARM, NULL);
	run_check("[proxy]\ndriver = none\n", NULL);
	run_check("[proxy]\ndriver = local\n", NULL);
	run_check("[proxy]\ndriver = local\npublished_port = 0\n",
	    "blue.ini:3: [proxy] published_port: driver local needs a port");
	run_check("[proxy]\ndriver = local\npublished_ssl_port = 65535\n",
	    "blue.ini:3: [proxy] published_ssl_port: 65535 + 2");
	run_check(SWARM "[proxy]\npublish_mode = host\n", NULL);
	run_check(SWARM
	    "[proxy]\npublish_mode = host\nupdate_order = start-first\n",
	    "blue.ini:6: [proxy] update_order");
	run_check(SWARM
	    "[proxy]\npublish_mode = host\nupdate_order = "
	    "start-first\npublished_port = 0\npublished_ssl_port = 0\n",
	    NULL);
}

/* Checks a.ini and b.ini together; 'bad' is "ab", "a", "b" or "". */
static void
together(const char *a, const char *b, const char *bad, const char *part)
{
	struct cluster_config *set[] = { parse("a.ini", a), parse("b.ini", b) };
	struct daemon_config *d = daemon_config_default();
	struct config_errors errors = { 0 };
	bool is_bad[2] = { false, false };

	d->admin.listen = xstrdup("127.0.0.1:7000");
	assert_int_equal(
	    config_check_set(d, (const struct cluster_config *const *)set, 2,
		is_bad, &errors),
	    part[0] == '\0' ? 0 : -1);
	assert_int_equal(is_bad[0], strchr(bad, 'a') != NULL);
	assert_int_equal(is_bad[1], strchr(bad, 'b') != NULL);
	if (part[0] != '\0' && strstr(errors.lines.at[0], part) == NULL)
		fail_msg("%s, not: %s", errors.lines.at[0], part);
	config_errors_fini(&errors);
	for (int i = 0; i < 2; i++)
		cluster_config_free(set[i]);
	daemon_config_free(d);
}

static void
files_that_exclude_each_other_are_both_errors(void **state)
{
	(void)state;
	together("", "", "", "");
	together("[cluster]\ndefault=1\n", "[cluster]\ndefault=0\n", "", "");
	together("[cluster]\ndefault=1\n", "[cluster]\ndefault=1\n", "ab",
	    "a.ini:2: b.ini says default = true too");
	together("[cluster]\nname = b\n", "", "ab",
	    "a.ini:2: b.ini is a cluster named b too");
	together("[proxy]\nservice = lb\n", "[proxy]\nservice = lb\n", "ab",
	    "a.ini:2: b.ini has the proxy service lb too");
}

#define LOCAL "[proxy]\ndriver = local\n"

static void
ports_of_this_host_are_taken_once(void **state)
{
	(void)state;
	together(LOCAL "published_port = 8000\npublished_ssl_port = 8100\n",
	    LOCAL "published_port = 8002\npublished_ssl_port = 8102\n", "", "");
	together(LOCAL "published_port = 8000\npublished_ssl_port = 8100\n",
	    LOCAL "published_port = 8001\npublished_ssl_port = 8102\n", "ab",
	    "a.ini:3: [proxy] published_port: of the ports 8000 to 8001 some "
	    "belong to [proxy] published_port of b.ini too (8001 to 8002)");
	together(LOCAL "published_port = 8000\npublished_ssl_port = 8100\n",
	    LOCAL "published_port = 8101\npublished_ssl_port = 8200\n", "ab",
	    "a.ini:4: [proxy] published_ssl_port");
	together(LOCAL "published_port = 8000\npublished_ssl_port = 8001\n", "",
	    "a", "a.ini:3: [proxy] published_port");
	/* Another address, or a driver that takes nothing here. */
	together(LOCAL "published_port = 8000\npublished_ssl_port = 8100\n",
	    LOCAL "published_port = 8000\npublished_ssl_port = "
		  "8100\nlisten_address = 127.0.0.2\n",
	    "", "");
	together(LOCAL "published_port = 8000\npublished_ssl_port = 8100\n",
	    LOCAL "published_port = 8000\npublished_ssl_port = "
		  "8100\nlisten_address = 0.0.0.0\n",
	    "ab", "published_port");
	together(SWARM, "[proxy]\ndriver=none\n" SWARM, "", "");
	together(SWARM, SWARM, "ab", "a.ini:2: [control] listen");
	together(LOCAL "published_port = 6999\n", "", "a",
	    "of the ports 6999 to 7000 some belong to [admin] listen of "
	    "bulkhead.ini");
	together(LOCAL "status_listen = *:9000\n",
	    "[control]\nlisten = 10.0.0.1:9001\n", "ab",
	    "a.ini:3: [proxy] status_listen");
}

static void
one_cluster_takes_services_that_name_none(void **state)
{
	static const struct {
		const char *text[2]; /* of default.ini and b.ini */
		ssize_t found;
	} cases[] = {
		{ { "", "" }, 0 },
		{ { "", "[cluster]\ndefault = true\n" }, 1 },
		{ { "[cluster]\ndefault = false\n", "" }, -1 },
		{ { "[cluster]\nname = a\n", "" }, -1 },
		{ { "[cluster]\nname = a\n", NULL }, 0 },
		{ { "[cluster]\nname = a\ndefault = no\n", NULL }, -1 },
		{ { NULL, NULL }, -1 },
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct cluster_config *set[2];
		size_t n = 0;

		if (cases[i].text[0] != NULL)
			set[n++] = parse("default.ini", cases[i].text[0]);
		if (cases[i].text[1] != NULL)
			set[n++] = parse("b.ini", cases[i].text[1]);
		assert_int_equal(
		    config_default_cluster(
			(const struct cluster_config *const *)set, n),
		    cases[i].found);
		while (n > 0)
			cluster_config_free(set[--n]);
	}
}

static char dir[] = "/tmp/config-check-XXXXXX";

static char *
write_file(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct error e;

	assert_int_equal(fs_write(path, text, strlen(text), 0644, &e), 0);
	return path;
}

static void
a_file_is_told_by_its_sections(void **state)
{
	STR_AUTO(report, 10000);
	char *daemon _cleanup_free_ =
	    write_file("x.ini", "# [proxy]\n[log]\nlevel = loud\n");
	char *cluster _cleanup_free_ =
	    write_file("bulkhead.ini", "[proxy]\nlevel = 1\n");
	char *empty _cleanup_free_ = write_file("e.ini", "");

	(void)state;
	assert_int_equal(config_check_file(daemon, &report), -1);
	assert_non_null(strstr(report.p, "x.ini:3: [log] level: neither"));
	str_clear(&report);
	assert_int_equal(config_check_file(cluster, &report), -1);
	assert_non_null(
	    strstr(report.p, ":2: unknown key \"level\" in [proxy]"));
	str_clear(&report);
	assert_int_equal(config_check_file(empty, &report), 0);
	assert_non_null(strstr(report.p, "e.ini: no errors\n"));
	assert_non_null(
	    strstr(report.p, "driver swarm needs [control] listen"));
	str_clear(&report);
	assert_int_equal(config_check_file("/nonexistent", &report), -1);
	assert_string_equal(
	    report.p, "/nonexistent: No such file or directory\n");
}

static void
files_are_checked_together(void **state)
{
	STR_AUTO(report, 10000);
	char *paths[] = { write_file("m.ini", "[cluster]\ndefault = 1\n"),
		write_file("n.ini", "[cluster]\ndefault = 1\n"),
		write_file("o.ini", "[log]\n") };

	(void)state;
	assert_int_equal(config_check_files(paths, 3, &report), -1);
	assert_non_null(strstr(report.p, "m.ini:2: "));
	assert_non_null(strstr(report.p, "n.ini:2: "));
	str_clear(&report);
	assert_int_equal(config_check_files(paths + 1, 2, &report), 0);
	for (int i = 0; i < 3; i++)
		free(paths[i]);
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	return fs_remove_tree(dir, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_says_what_it_needs),
		cmocka_unit_test(files_that_exclude_each_other_are_both_errors),
		cmocka_unit_test(ports_of_this_host_are_taken_once),
		cmocka_unit_test(one_cluster_takes_services_that_name_none),
		cmocka_unit_test(a_file_is_told_by_its_sections),
		cmocka_unit_test(files_are_checked_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
