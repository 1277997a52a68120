/*
 * What is written from the key table: dumps that parse back to the same, the
 * sample files in conf/ and the manual page, which must not drift from it.
 * BULKHEAD_UPDATE=1 in the environment writes the files anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/fs.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/value.h"

static const char rich[] =
    "[cluster]\nname = red\ndefault = false\nnetworks = a, b\n"
    "hosts_allow = *,x.example\nshare_host = never\nclaim_hold = 90m\n"
    "[proxy]\ndriver = local\nreplicas = 5\npublish_mode = host\n"
    "constraints = node.role == worker\nmemory_limit = 65537k\n"
    "cpu_limit = 1.25\nstop_grace_period = 1500ms\ndrain_delay = 999ms\n"
    "[proxy.labels]\na.b/c-d[0] = x; y=z #1\nempty =\n"
    "hash=# not a comment\n"
    "[proxy.env]\nLONG = 0123456789012345678901234567890123456789\n"
    "  0123456789012345678901234567890123456789  double\n"
    "  0123456789 0123456789 #0123456789 0123456789\n"
    "  0123456789012345678901234567890123456789 a\tb\n"
    "  end\n"
    "[control]\nlisten = unix:/run/x.sock\nagent_secrets = one,two\n"
    "[nginx]\nworker_processes = 7\nhttp2 = off\n"
    "large_client_header_buffers = 8 16k\n"
    "http_options = # first\n  map $a $b {\n    default 1;\n  }\n"
    "global_options = env X;\n"
    "main_log_format = '$remote_addr' \"x\"\n   \\q\n"
    "real_ip_from = 10.0.0.0/8,fd00::/8\n"
    "[haproxy]\nssl_options = no-tls-tickets\n"
    "default_options = option a\n  option b\n";

static void
equal_lists(const struct config_list *a, const struct config_list *b)
{
	assert_int_equal(a->items.len, b->items.len);
	for (size_t i = 0; i < a->items.len; i++)
		assert_string_equal(a->items.at[i], b->items.at[i]);
}

/* Member by member, and not by way of the dump. */
static void
equal(const struct config_table *t, const void *a, const void *b)
{
	for (size_t i = 0; i < t->n_keys; i++) {
		const struct config_key *k = &t->keys[i];
		const void *x = (const char *)a + k->offset;
		const void *y = (const char *)b + k->offset;
		const struct config_pairs *p, *q;

		switch (k->type) {
		case CONFIG_TEXT:
		case CONFIG_RAW:
		case CONFIG_WORD:
			if (*(char *const *)x == NULL)
				assert_null(*(char *const *)y);
			else
				assert_string_equal(
				    *(char *const *)x, *(char *const *)y);
			break;
		case CONFIG_LIST:
			equal_lists(x, y);
			break;
		case CONFIG_PAIRS:
			p = value_pairs(k, a);
			q = value_pairs(k, b);
			assert_int_equal(p->pairs.len, q->pairs.len);
			for (size_t j = 0; j < p->pairs.len; j++) {
				assert_string_equal(
				    p->pairs.at[j].key, q->pairs.at[j].key);
				assert_string_equal(
				    p->pairs.at[j].value, q->pairs.at[j].value);
			}
			break;
		case CONFIG_BOOL:
			assert_memory_equal(x, y, sizeof(bool));
			break;
		case CONFIG_PORT:
			assert_memory_equal(x, y, sizeof(uint16_t));
			break;
		case CONFIG_ENUM:
		case CONFIG_TRI:
		case CONFIG_U32:
		case CONFIG_AUTO:
			assert_memory_equal(x, y, sizeof(uint32_t));
			break;
		case CONFIG_BUFFERS:
			assert_memory_equal((const char *)a + k->offset2,
			    (const char *)b + k->offset2, sizeof(uint64_t));
			assert_memory_equal(x, y, sizeof(uint32_t));
			break;
		case CONFIG_DURATION:
		case CONFIG_SIZE:
			assert_memory_equal(x, y, sizeof(uint64_t));
			break;
		}
	}
}

static struct cluster_config *
parse(const char *text)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse("blue.ini", text, strlen(text), &errors);

	if (c == NULL)
		fail_msg("%s\n%s", errors.lines.at[0], text);
	return c;
}

static void
round_trip(const char *text)
{
	struct cluster_config *a = parse(text), *b;
	STR_AUTO(dump, 100000);

	cluster_config_dump(a, &dump);
	b = parse(dump.p);
	equal(&config_cluster_table, a, b);
	cluster_config_free(a);
	cluster_config_free(b);
}

static void
a_dump_parses_back_to_the_same(void **state)
{
	struct cluster_config *c = parse(rich);

	(void)state;
	assert_string_equal(c->proxy.labels.pairs.at[0].value, "x; y=z #1");
	assert_string_equal(
	    c->proxy.labels.pairs.at[2].value, "# not a comment");
	cluster_config_free(c);
	round_trip("");
	round_trip(rich);
}

static void
a_dump_wraps_at_every_length(void **state)
{
	(void)state;
	for (int n = 120; n < 190; n++) {
		char *a _cleanup_free_ =
		    xasprintf("[proxy.env]\nX=#%0*d\n #a\n %0*d\n b c ;d\n",
			n - 3, 0, n - 1, 0);
		char *b _cleanup_free_ = xasprintf(
		    "[proxy.env]\nX=%0*d\n %0*d\n", n - 2, 0, n - 1, 0);
		char *c _cleanup_free_ =
		    xasprintf("[nginx]\nhttp_options=#%0*d\n %0*d\n", n - 14, 0,
			n - 1, 0);
		char *d _cleanup_free_ = xasprintf(
		    "[cluster]\nnetworks=%0*d\n %0*d,c\n", n - 9, 0, n - 3, 0);

		round_trip(a);
		round_trip(b);
		round_trip(c);
		round_trip(d);
	}
}

static void
a_daemon_dump_parses_back_to_the_same(void **state)
{
	static const char text[] =
	    "[docker]\nurl = tcp://m:2376\nwatch = /x/control.sock\n"
	    "api_version = 1.41\ntls_cert=/a\ntls_key=/b\n"
	    "[supervisor]\nuser = bulkhead\n[admin]\nlisten = :9000\n"
	    "[log]\nlevel = debug\nformat = json\n";
	struct config_errors errors = { 0 };
	struct daemon_config *a =
	    daemon_config_parse("b.ini", text, strlen(text), &errors);
	struct daemon_config *b;
	STR_AUTO(dump, 100000);

	(void)state;
	assert_non_null(a);
	daemon_config_dump(a, &dump);
	b = daemon_config_parse("b.ini", dump.p, dump.len, &errors);
	assert_non_null(b);
	equal(&config_daemon_table, a, b);
	daemon_config_free(a);
	daemon_config_free(b);
}

/* Each "#key = value" line with its # taken off. */
static void
uncomment(const struct str *sample, struct str *out)
{
	for (const char *p = sample->p; *p != '\0';) {
		size_t n = strcspn(p, "\n");
		bool key = p[0] == '#' && p[1] >= 'a' && p[1] <= 'z';

		if (key && n > 0 && p[n - 1] != '=')
			str_addn(out, p + 1, n - 1);
		else
			str_addn(out, p, n);
		str_addc(out, '\n');
		p += n + (p[n] == '\n');
	}
}

static void
samples_parse_to_the_defaults_with_and_without_comment_signs(void **state)
{
	struct cluster_config *c = parse("");
	struct daemon_config *d = daemon_config_default();
	struct config_errors errors = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct cluster_config *c2;
		struct daemon_config *d2;
		STR_AUTO(sample, 100000);
		STR_AUTO(text, 100000);

		cluster_config_sample(&sample);
		if (i > 0)
			uncomment(&sample, &text);
		c2 = parse(i > 0 ? text.p : sample.p);
		equal(&config_cluster_table, c, c2);
		cluster_config_free(c2);
		str_clear(&sample);
		str_clear(&text);
		daemon_config_sample(&sample);
		if (i > 0)
			uncomment(&sample, &text);
		d2 = daemon_config_parse("b.ini", i > 0 ? text.p : sample.p,
		    i > 0 ? text.len : sample.len, &errors);
		assert_non_null(d2);
		equal(&config_daemon_table, d, d2);
		daemon_config_free(d2);
	}
	cluster_config_free(c);
	daemon_config_free(d);
}

static void
every_key_has_help_that_ends_in_a_stop(void **state)
{
	const struct config_table *tables[] = { &config_daemon_table,
		&config_cluster_table };

	(void)state;
	for (size_t t = 0; t < countof(tables); t++) {
		for (size_t i = 0; i < tables[t]->n_keys; i++) {
			const char *h = tables[t]->keys[i].help;

			if (h == NULL || h[0] == '\0' ||
			    h[strlen(h) - 1] != '.')
				fail_msg("%s", tables[t]->keys[i].name);
		}
	}
}

/* The file in the tree is what the table says. */
static void
is_current(const char *path, const struct str *expected)
{
	STR_AUTO(text, 1000000);
	struct error e;

	assert_false(expected->overflow);
	if (getenv("BULKHEAD_UPDATE") != NULL)
		assert_int_equal(
		    fs_write(path, expected->p, expected->len, 0644, &e), 0);
	if (fs_read(path, &text, &e) != 0)
		fail_msg("%s", e.msg);
	if (strcmp(text.p, expected->p) != 0)
		fail_msg("%s is not what lib/config/keys.c says; run this"
			 " test once with BULKHEAD_UPDATE=1",
		    path);
}

static void
the_files_of_the_tree_are_current(void **state)
{
	STR_AUTO(daemon, 1000000);
	STR_AUTO(cluster, 1000000);
	STR_AUTO(manual, 1000000);

	(void)state;
	daemon_config_sample(&daemon);
	is_current("conf/bulkhead.ini", &daemon);
	cluster_config_sample(&cluster);
	is_current("conf/cluster.ini", &cluster);
	config_manpage(&manual);
	is_current("docs/bulkhead.ini.5", &manual);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_parses_back_to_the_same),
		cmocka_unit_test(a_dump_wraps_at_every_length),
		cmocka_unit_test(a_daemon_dump_parses_back_to_the_same),
		cmocka_unit_test(
		    samples_parse_to_the_defaults_with_and_without_comment_signs),
		cmocka_unit_test(every_key_has_help_that_ends_in_a_stop),
		cmocka_unit_test(the_files_of_the_tree_are_current),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
