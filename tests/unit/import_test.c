/* Interlock's TOML: the parser, each kind of value, and whole files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../proxyctl/import.h"
#include "../../proxyctl/import_map.h"
#include "base/fs.h"

/* "a.b=s:text;" for each entry; types s, i, b, and a with items by |. */
static void
parses(const char *text, const char *expected)
{
	struct toml t;
	struct error e;
	STR_AUTO(s, 10000);

	if (toml_parse(text, strlen(text), &t, &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	for (size_t i = 0; i < t.entries.len; i++) {
		const struct toml_entry *x = &t.entries.at[i];

		for (size_t j = 0; j < x->path.len; j++)
			str_addf(&s, "%s%s", j > 0 ? "." : "", x->path.at[j]);
		str_addf(&s, "=%c:%s", "siba"[x->type], x -> text);
		for (size_t j = 0; j < x->items.len; j++)
			str_addf(&s, "%s%s", j > 0 ? "|" : "", x->items.at[j]);
		str_addc(&s, ';');
	}
	assert_string_equal(s.p, expected);
	toml_fini(&t);
}

static void
refuses(const char *text, const char *part)
{
	struct toml t;
	struct error e;

	assert_int_equal(toml_parse(text, strlen(text), &t, &e), -1);
	assert_int_equal(t.entries.len, 0);
	if (strstr(e.msg, part) == NULL)
		fail_msg("%s: %s, not: %s", text, e.msg, part);
}

static void
toml_is_read_as_interlock_writes_it(void **state)
{
	(void)state;
	parses("", "");
	parses("a = 1 # c\r\nb=true\n\n[t]\n  c = 'x'\n",
	    "a=i:1;b=b:true;t.c=s:x;");
	parses("[a.\"b c\".'d']\ne.f = \"\"\n", "a.b c.d.e.f=s:;");
	parses("a = \"x\\n\\t\\\"\\\\\\u00e9\\U0001F600\"",
	    "a=s:x\n\t\"\\\xc3\xa9\xf0\x9f\x98\x80;");
	parses("a = '\\n'", "a=s:\\n;");
	parses(
	    "a = \"\"\"\nx\\\n   y\n\"z\" \"\"\"\"\"", "a=s:xy\n\"z\" \"\";");
	parses("a = '''x\n'y'''\n", "a=s:x\n'y;");
	parses("a = [ 'x', # c\n \"y\" ,\n 3, true, ]", "a=a:x|y|3|true;");
	parses("a = []\nb = [\"\"]", "a=a:;b=a:;");
	parses("a = { b = 1, \"c\" = 'x' }\nd = {}", "a.b=i:1;a.c=s:x;");
	parses("[[a]]\nb = 1\n[[a]]\nb = 2", "a.1.b=i:1;a.2.b=i:2;");
	parses("a = 1_000\nb = -5\nc = +7", "a=i:1000;b=i:-5;c=i:7;");
	parses("\xef\xbb\xbf"
	       "a = 1",
	    "a=i:1;");
}

static void
what_is_no_toml_is_named_with_its_line(void **state)
{
	(void)state;
	refuses("a = 1\na = 2", "line 2: a stands a second time");
	refuses("[a]\n[a]", "line 2: a stands a second time");
	refuses("[t]\na = 1\n[u]\n[t.a]\nb=1\n[t]", "line 6: t stands");
	refuses("a", "= expected");
	refuses("a =", "a value expected");
	refuses("= 1", "a key expected");
	refuses("a = 1 b = 2", "nothing more expected");
	refuses("a = \"x\ny\"", "does not end on its line");
	refuses("a = \"x", "does not end");
	refuses("\n\na = '''x\n", "line 4: a string does not end");
	refuses("a = \"\\q\"", "unknown escape");
	refuses("a = \"\\u12\"", "4 hexadecimal digits");
	refuses("a = \"\\u0000\"", "an escape for a character");
	refuses("a = \"\\ud800\"", "an escape for a character");
	refuses("a = 'x\x01'", "control character 0x01");
	refuses("a = 1.5", "1.5 is neither");
	refuses("a = 1979-05-27", "is neither");
	refuses("a = yes", "yes is neither");
	refuses("a = [[1]]", "an array of arrays");
	refuses("a = [1 2]", "a comma or ]");
	refuses("a = [1", "a comma or ]");
	refuses("a = {b=1", "a comma or }");
	refuses("[a", "] expected");
	refuses("[[a]", "] expected");
	refuses("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", "more than 16 parts");
}

static struct import *
import(const char *text)
{
	struct error e;
	struct import *im = import_interlock("x.toml", text, strlen(text), &e);

	if (im == NULL)
		fail_msg("%s", e.msg);
	return im;
}

static const struct import_record *
record(const struct import *im, const char *key)
{
	for (size_t i = 0; i < im->records.len; i++) {
		if (strcmp(im->records.at[i].key, key) == 0)
			return &im->records.at[i];
	}
	fail_msg("no record of %s", key);
	return NULL;
}

/* One key of an extension's engine: what it becomes, or why not. */
static void
config_gives(const char *pair, enum import_action action, const char *part)
{
	char *text _cleanup_free_ =
	    xasprintf("[Extensions.a]\n[Extensions.a.Config]\n%s\n", pair);
	struct import *im = import(text);
	const struct import_record *r = &im->records.at[0];
	const char *said = r->target != NULL ? r->target : r->note;

	assert_int_equal(im->records.len, 1);
	if (r->action != action || strstr(said, part) == NULL)
		fail_msg(
		    "%s: %s: %s", pair, import_action_name(r->action), said);
	import_free(im);
}

static void
each_kind_of_value_is_brought_into_our_notation(void **state)
{
	(void)state;
	config_gives(
	    "SendTimeout = 90", IMPORT_TAKEN, "[nginx] send_timeout = 90s");
	config_gives(
	    "SendTimeout = \"1m30s\"", IMPORT_TAKEN, "send_timeout = 90s");
	config_gives("SendTimeout = 0", IMPORT_BAD, "out of range");
	config_gives("ConnectTimeout = 600", IMPORT_DEFAULT, "so it is 1s");
	config_gives(
	    "ConnectTimeout = 5", IMPORT_TAKEN, "connect_timeout = 5s");
	config_gives("ConnectTimeout = 300", IMPORT_BAD, "out of range");
	config_gives("KeepaliveTimeout = \"75s\"", IMPORT_TAKEN,
	    "keepalive_timeout = 75s");
	config_gives(
	    "KeepaliveTimeout = \"soon\"", IMPORT_BAD, "not a duration");
	config_gives("KeepaliveTimeout = \"\"", IMPORT_DEFAULT, "it is empty");
	config_gives("UpstreamZoneSize = 128", IMPORT_TAKEN,
	    "upstream_zone_size = 128k");
	config_gives("ClientMaxBodySize = \"1 g\"", IMPORT_BAD, "not a size");
	config_gives(
	    "LargeClientHeaderBuffers = \"8 16k\"", IMPORT_TAKEN, "= 8 16k");
	config_gives("SSLProtocols = \"TLSv1.2 TLSv1.3\"", IMPORT_TAKEN,
	    "ssl_protocols = TLSv1.2, TLSv1.3");
	config_gives("SSLProtocols = \"SSLv3\"", IMPORT_BAD, "SSLv3");
	config_gives("MainLogFormat = \"'a \\\"b\\\" ' 'c';\"", IMPORT_TAKEN,
	    "main_log_format = a \"b\" c");
	config_gives(
	    "MainLogFormat = \"plain $x\"", IMPORT_TAKEN, "= plain $x");
	config_gives(
	    "MainLogFormat = \"'a ; b'\"", IMPORT_BAD, "a blank before ';'");
	config_gives("MainLogFormat = \"'a\"", IMPORT_BAD, "does not end");
	config_gives("HTTPOptions = [\"gzip on\", \"\", \"a b ;\"]",
	    IMPORT_TAKEN, "http_options = gzip on; ...");
	config_gives("HTTPOptions = \"add_header X 'a ; b'\"", IMPORT_BAD,
	    "a blank before ';'");
	config_gives("TCPOptions = []", IMPORT_DEFAULT, "it is empty");
	config_gives("WorkerProcesses = \"auto\"", IMPORT_TAKEN, "= auto");
	config_gives("WorkerProcesses = 4", IMPORT_TAKEN, "= 4");
	config_gives(
	    "hideinfoheaders = true", IMPORT_TAKEN, "hide_info_headers = true");
	config_gives("IPHash = [true]", IMPORT_BAD, "not a list");
	config_gives("PidPath = \"/x\"", IMPORT_DROPPED, "the agent knows");
	config_gives("ReadTimeouts = 1", IMPORT_UNKNOWN, "is it ReadTimeout?");
	config_gives("zzz = 1", IMPORT_UNKNOWN, "that is known");
}

static void
a_durations_units_add_up(void **state)
{
	uint64_t ms;
	struct error e;

	(void)state;
	assert_int_equal(import_parse_go_duration("1h2m3s4ms", &ms, &e), 0);
	assert_int_equal(ms, 3723004);
	assert_int_equal(import_parse_go_duration("7", &ms, &e), 0);
	assert_int_equal(ms, 7000);
	assert_int_equal(import_parse_go_duration("", &ms, &e), -1);
	assert_int_equal(import_parse_go_duration("1m7", &ms, &e), -1);
	assert_int_equal(import_parse_go_duration("1.5s", &ms, &e), -1);
	assert_int_equal(import_parse_go_duration("s", &ms, &e), -1);
}

static const char *
file(const struct import *im, const char *name)
{
	for (size_t i = 0; i < im->files.len; i++) {
		if (strcmp(im->files.at[i].name, name) == 0)
			return im->files.at[i].text;
	}
	fail_msg("no file %s", name);
	return NULL;
}

static void
mkes_own_file_becomes_one_cluster_that_parses(void **state)
{
	STR_AUTO(text, TOML_MAX);
	STR_AUTO(account, TOML_MAX);
	struct config_errors errors = { 0 };
	struct cluster_config *c;
	struct import *im;
	const char *ini;

	(void)state;
	assert_int_equal(
	    fs_read("tests/fixtures/toml/mke.toml", &text, NULL), 0);
	im = import(text.p);
	assert_false(im->needs_human);
	assert_int_equal(im->files.len, 2);
	ini = file(im, "clusters.d/default.ini");
	c = cluster_config_parse("default.ini", ini, strlen(ini), &errors);
	assert_non_null(c);
	assert_int_equal(c->cluster.is_default, DEFAULT_YES);
	assert_int_equal(c->proxy.published_port, 8080);
	assert_int_equal(c->proxy.published_ssl_port, 8443);
	assert_int_equal(c->proxy.stop_grace_period_ms, 20000);
	assert_int_equal(c->proxy.constraints.items.len, 2);
	assert_int_equal(c->proxy.labels.pairs.len, 1);
	assert_string_equal(
	    c->proxy.labels.pairs.at[0].key, "com.example.team");
	assert_string_equal(c->proxy.service, "bulkhead-proxy-default");
	assert_string_equal(c->nginx.main_log_format,
	    "$remote_addr - $remote_user [$time_local] \"$request\" $status"
	    " $body_bytes_sent \"$http_referer\" \"$http_user_agent\""
	    " \"$http_x_forwarded_for\"");
	assert_string_equal(
	    c->nginx.http_options, "gzip on;\ngzip_types text/css;");
	assert_true(c->nginx.hide_info_headers);
	assert_int_equal(c->nginx.connect_timeout_ms, 1000);
	cluster_config_free(c);
	/* Every key has its line; a password is not repeated. */
	import_print(im, &account);
	assert_null(strstr(account.p, "secret"));
	assert_non_null(strstr(account.p,
	    "to do: clusters.d/default.ini: driver swarm needs [control] "
	    "listen"));
	assert_int_equal(
	    record(im, "Extensions.default.ProxyServiceName")->action,
	    IMPORT_DROPPED);
	assert_string_equal(
	    record(im, "Extensions.default.ProxyConstraints")->note,
	    "only MKE gives nodes that label");
	str_clear(&account);
	import_print_json(im, &account);
	assert_non_null(strstr(account.p, "\"action\":\"taken\""));
	import_free(im);
}

static void
each_extension_becomes_a_cluster_file(void **state)
{
	struct import *im = import(
	    "DockerURL = \"tcp://m:2376\"\nTLSCert = \"/a\"\nTLSKey = \"/b\"\n"
	    "[Extensions.east]\nServiceCluster = \"us-east\"\n"
	    "Networks = [\"front\"]\n"
	    "ProxyPlacementPreferences = [\"spread=node.labels.a\", "
	    "\"node.labels.b\"]\n"
	    "[Extensions.Big]\nProxyImage = \"x/haproxy:1\"\n"
	    "[Extensions.Big.Config]\nClientTimeout = 5000\nConnectTimeout = "
	    "5000\nSSLVerify = \"none\"\n"
	    "[Extensions.more]\nServiceCluster = \"\"\n"
	    "[Extensions.odd]\nServiceCluster = \"My_Cluster\"\n"
	    "[Other]\nx = 1\n");

	(void)state;
	assert_true(im->needs_human);
	assert_int_equal(im->files.len, 5);
	assert_non_null(strstr(file(im, "bulkhead.ini"),
	    "[docker]\nurl = tcp://m:2376\ntls_cert = /a\ntls_key = /b\n"));
	assert_non_null(strstr(file(im, "clusters.d/us-east.ini"),
	    "[cluster]\nname = us-east\ndefault = false\nnetworks = front\n"));
	assert_non_null(strstr(file(im, "clusters.d/us-east.ini"),
	    "placement_preferences = spread=node.labels.a, "
	    "spread=node.labels.b\n"));
	assert_non_null(
	    strstr(file(im, "clusters.d/big.ini"), "default = true\n"));
	assert_non_null(
	    strstr(file(im, "clusters.d/big.ini"), "engine = haproxy\n"));
	assert_non_null(strstr(file(im, "clusters.d/big.ini"),
	    "[haproxy]\nclient_timeout = 5s\nssl_verify = false\n"));
	assert_int_equal(
	    record(im, "Extensions.more.ServiceCluster")->action, IMPORT_BAD);
	assert_int_equal(
	    record(im, "Extensions.odd.ServiceCluster")->action, IMPORT_BAD);
	assert_non_null(file(im, "clusters.d/my-cluster.ini"));
	assert_int_equal(record(im, "Other.x")->action, IMPORT_UNKNOWN);
	assert_int_equal(
	    record(im, "Extensions.east.ServiceCluster")->action, IMPORT_TAKEN);
	import_free(im);
}

static void
what_excludes_itself_across_keys_is_left_to_do(void **state)
{
	struct import *im = import("TLSCert = \"/a\"\n"
				   "[Extensions.a]\nPublishedPort = 443\n");
	struct import *none = import("PollInterval = \"3s\"\n");

	(void)state;
	assert_true(im->needs_human);
	assert_int_equal(im->remarks.len, 2);
	assert_non_null(strstr(im->remarks.at[0], "tls_cert needs tls_key"));
	assert_non_null(strstr(im->remarks.at[1], "are both 443"));
	import_free(im);
	assert_true(none->needs_human);
	assert_non_null(strstr(none->remarks.at[0], "there is no cluster"));
	import_free(none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(toml_is_read_as_interlock_writes_it),
		cmocka_unit_test(what_is_no_toml_is_named_with_its_line),
		cmocka_unit_test(
		    each_kind_of_value_is_brought_into_our_notation),
		cmocka_unit_test(a_durations_units_add_up),
		cmocka_unit_test(mkes_own_file_becomes_one_cluster_that_parses),
		cmocka_unit_test(each_extension_becomes_a_cluster_file),
		cmocka_unit_test(
		    what_excludes_itself_across_keys_is_left_to_do),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
