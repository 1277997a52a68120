/* model/label: what labels mean together, remarks, older labels */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "label_fixture.h"

struct row {
	const char *labels, *want, *hint;
};

static void
check_rows(const struct row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct verdict v;
		char *line;

		fixture_verdict(&v, rows[i].labels);
		line = verdict_line(&v);
		if (strcmp(line, rows[i].want) != 0)
			fail_msg("%s: %s, not %s (%s)", rows[i].labels, line,
			    rows[i].want, v.rc == 0 ? "" : v.error.reason);
		if (v.rc != 0 && rows[i].hint != NULL &&
		    strstr(v.error.reason, rows[i].hint) == NULL)
			fail_msg("%s: no \"%s\" in \"%s\"", rows[i].labels,
			    rows[i].hint, v.error.reason);
		free(line);
		verdict_fini(&v);
	}
}

static void
what_is_needed_is_missed(void **state)
{
	static const struct row rows[] = {
		{ "hosts=a.example|port=80", "ok", NULL },
		{ "default_backend=true|port=80", "ok", NULL },
		{ "default_backend=true|hosts=a.example|port=80", "ok", NULL },
		{ "port=80", "missing-label hosts -1", "default_backend" },
		{ "hosts=|port=80", "missing-label hosts -1", NULL },
		{ "hosts=, ,|port=80", "missing-label hosts -1", NULL },
		{ "default_backend=false|port=80", "missing-label hosts -1",
		    NULL },
		{ "default_backend=maybe|port=80",
		    "bad-value default_backend 0", NULL },
		{ "default_backend=true|ssl_passthrough=true|port=80",
		    "missing-label hosts -1", NULL },
		{ "hosts=a.example", "missing-label port -1", "listens" },
		{ "nonsense=1", "missing-label hosts -1", NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
partners_are_asked_for(void **state)
{
#define B "hosts=a.example|port=80|"
	static const struct row rows[] = {
		{ B "ssl_key=k", "needs-partner ssl_key -1", "ssl_cert" },
		{ B "ssl_cert=c", "ok", NULL },
		{ B "ssl_only=true", "ok", NULL },
		{ B "ssl_backend_tls_verify=required",
		    "needs-partner ssl_backend_tls_verify -1", "ssl_backend" },
		{ B "ssl_backend_tls_verify=none", "ok", NULL },
		{ B "ssl_backend=true|ssl_backend_tls_verify=required",
		    "needs-partner ssl_backend_tls_verify -1",
		    "ssl_backend_ca" },
		{ B "ssl_backend=true|ssl_backend_tls_verify=required|"
		    "ssl_backend_ca=ca",
		    "ok", NULL },
		{ B "ssl_backend_ca=ca", "needs-partner ssl_backend_ca -1",
		    NULL },
		{ B "ssl_backend=false|ssl_backend_name=x.y",
		    "needs-partner ssl_backend_name -1", NULL },
		{ B "grpc=true", "needs-partner grpc -1", "ssl_cert" },
		{ B "grpc=false", "ok", NULL },
		{ B "proxy_protocol=true", "needs-partner proxy_protocol -1",
		    "ssl_passthrough" },
		{ B "proxy_protocol=true|ssl_passthrough=true", "ok", NULL },
		{ B "basic_auth=u|ssl_passthrough=true",
		    "needs-partner basic_auth -1", "ssl_cert" },
		{ B "rate_limit=1/s|ssl_passthrough=true",
		    "needs-partner rate_limit -1", NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
the_first_error_in_label_order_is_told(void **state)
{
	static const struct row rows[] = {
		{ "weight=x|port=0|hosts=;", "bad-value hosts 0", NULL },
		{ "weight=x|port=0|hosts=a.example", "bad-value port 0", NULL },
		{ "weight=x|hosts=a.example", "missing-label port -1", NULL },
		{ "port=0", "missing-label hosts -1", NULL },
		{ B "ssl_key=k|weight=x", "needs-partner ssl_key -1", NULL },
		{ B "ssl_key=k|ssl_cert=/", "bad-value ssl_cert 0", NULL },
		{ B "ssl_key=k|network=/", "bad-value network 0", NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
redirects(void **state)
{
#define R "port=80|hosts=a.example,b.example,c.example|redirects="
	static const struct row rows[] = {
		{ R "http://a.example,http://new.example", "ok", NULL },
		{ R " http://A.Example. , HTTPS://New.Example:8443/x/ ; ;",
		    "ok", NULL },
		{ R "http://a.example,http://b.example;"
		    "http://b.example,http://x.y;",
		    "ok", NULL },
		{ R "http://a.example/old,http://a.example/new", "ok", NULL },
		{ R "http://a.example,https://a.example", "ok", NULL },
		{ R "http://a.example,http://x.y/a%20b", "ok", NULL },
		{ R ";;", "ok", NULL },
		{ R "http://d.example,http://x.y", "bad-value redirects 0",
		    "among the service's hosts" },
		{ R "http://a.example,http://x.y; http://d.example,http://x.y",
		    "bad-value redirects 29", NULL },
		{ R "http://a.example", "bad-value redirects 0",
		    "without target" },
		{ R "a.example,http://x.y", "bad-value redirects 0",
		    "http://" },
		{ R "http://a.example,http://", "bad-value redirects 17",
		    "a host" },
		{ R "http://a.example,http:///x", "bad-value redirects 24",
		    "empty host" },
		{ R "http://a.example,x.y", "bad-value redirects 17",
		    "http://" },
		{ R "http://a.example,javascript:alert(1)",
		    "bad-value redirects 17", NULL },
		{ R "http://a.example,http://x.y,http://z.z",
		    "bad-value redirects 28", "semicolons" },
		{ R "http://a.example,http://x.y\r\nSet-Cookie: a",
		    "bad-value redirects 27", "0x0d" },
		{ R "http://a.example,http://x.y/$request_uri",
		    "bad-value redirects 28", "variables" },
		{ R "http://a.example,http://x.y/%[env(HOME)]",
		    "bad-value redirects 28", "%HH" },
		{ R "http://a.example,http://x.y/%0d%0a",
		    "bad-value redirects 28", NULL },
		{ R "http://a.example,http://x.y/%00", "bad-value redirects 28",
		    NULL },
		{ R "http://a.example,http://x.y/%2", "bad-value redirects 28",
		    NULL },
		{ R "http://a.example,http://user@x.y/",
		    "bad-value redirects 28", "user" },
		{ R "http://a.example,http://user:pw@x.y/",
		    "bad-value redirects 31", "user" },
		{ R "http://a.example,http://x.y/#top",
		    "bad-value redirects 28", NULL },
		{ R "http://a.example,http://x.y#top", "bad-value redirects 27",
		    NULL },
		{ R "http://a.example,http://x.y/?q=1",
		    "bad-value redirects 28", NULL },
		{ R "http://a.example,http://10.0.0.1/",
		    "bad-value redirects 24", "IP address" },
		{ R "http://a.example,http://[::1]/", "bad-value redirects 24",
		    "IP address" },
		{ R "http://a.example,http://x.y:0/", "bad-value redirects 28",
		    "65535" },
		{ R "http://a.example,http://x.y:8x/", "bad-value redirects 29",
		    "port" },
		{ R "http://a.example,http://x.y:/", "bad-value redirects 27",
		    "port" },
		{ R "http://a.example:8080,http://x.y/",
		    "bad-value redirects 17", "drop the port" },
		{ R "http://a.example/%41,http://x.y/",
		    "bad-value redirects 17", NULL },
		{ R "http://*.example,http://x.y/", "bad-value redirects 7",
		    "wildcard" },
		{ R "http://a.example,http://a.example",
		    "redirect-loop redirects 0", "circles" },
		{ R "http://a.example,http://a.example:80/",
		    "redirect-loop redirects 0", NULL },
		{ R "http://a.example,http://b.example;"
		    "http://b.example,http://a.example",
		    "redirect-loop redirects 0", NULL },
		{ R "http://c.example,http://a.example;"
		    "http://a.example,http://b.example;"
		    "https://b.example,http://a.example",
		    "redirect-loop redirects 34", NULL },
		{ R "http://a.example,https://a.example;"
		    "https://a.example,http://a.example",
		    "redirect-loop redirects 0", NULL },
		{ R "http://a.example/old,http://a.example/old/new",
		    "redirect-loop redirects 0", NULL },
		{ R "http://a.example,http://x.y;http://a.example,http://z.y",
		    "bad-value redirects 28", "same source" },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
redirects_arrive_typed(void **state)
{
	struct verdict v;
	const struct redirect *r;

	(void)state;
	fixture_verdict(&v,
	    "port=80|hosts=a.example,b.example|redirects="
	    "http://A.example/x/,HTTPS://New.Example.:443/;"
	    " http://b.example, https://b.example;"
	    "https://b.example/p,http://n.example:8080/q");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.labels.redirects.len, 3);
	r = &v.labels.redirects.at[0];
	assert_string_equal(r->source, "a.example");
	assert_string_equal(r->source_path, "/x");
	assert_string_equal(r->target, "new.example");
	assert_true(r->target_https && r->on_plain && r->on_tls);
	r = &v.labels.redirects.at[1];
	assert_string_equal(r->source_path, "");
	assert_string_equal(r->target, "b.example");
	assert_true(r->target_https && r->on_plain && !r->on_tls);
	r = &v.labels.redirects.at[2];
	assert_string_equal(r->source_path, "/p");
	assert_string_equal(r->target, "n.example:8080/q");
	assert_true(!r->target_https && r->on_plain && r->on_tls);
	verdict_fini(&v);
}

static void
sixty_four_redirects_are_taken_and_no_more(void **state)
{
	STR_AUTO(labels, 20000);
	struct verdict v;
	char *line;
	unsigned i;

	(void)state;
	str_add(&labels, "port=80|hosts=a.b|redirects=");
	for (i = 0; i < 64; i++)
		str_addf(&labels, "http://a.b/%u,http://x.y;", 10 + i);
	fixture_verdict(&v, labels.p);
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.labels.redirects.len, 64);
	verdict_fini(&v);
	str_add(&labels, "http://a.b/x,http://x.y");
	fixture_verdict(&v, labels.p);
	line = verdict_line(&v);
	assert_string_equal(line, "too-many redirects 1600");
	free(line);
	verdict_fini(&v);
}

static void
nothing_given_is_the_default(void **state)
{
	struct verdict v;

	(void)state;
	fixture_verdict(&v, "hosts=a.example|port=80|max_fails= |weight=");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.labels.max_fails, 1);
	assert_int_equal(v.labels.fail_timeout_ms, 10000);
	assert_int_equal(v.labels.context_roots.len, 1);
	assert_string_equal(v.labels.context_roots.at[0].text, "/");
	assert_false(label_given(&v.labels, LABEL_WEIGHT));
	assert_false(label_given(&v.labels, LABEL_CONTEXT_ROOT));
	assert_true(label_given(&v.labels, LABEL_HOSTS));
	assert_int_equal(v.labels.backend_mode, BACKEND_TASK);
	verdict_fini(&v);
	fixture_verdict(&v,
	    "hosts=a.example|port=80|max_fails=0|hsts=false|"
	    "context_root=,");
	assert_int_equal(v.labels.max_fails, 0);
	assert_false(label_given(&v.labels, LABEL_HSTS));
	assert_string_equal(v.labels.context_roots.at[0].text, "/");
	verdict_fini(&v);
}

static void
unknown_labels_are_remarked_with_the_nearest(void **state)
{
	struct verdict v;
	const struct finding *f;
	unsigned i;
	STR_AUTO(labels, 10000);

	(void)state;
	fixture_verdict(&v,
	    "hosts=a.example|port=80|host=b.example|qqqqqqqq=1|other.label=x");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.remarks.list.len, 2);
	f = &v.remarks.list.at[0];
	assert_int_equal(f->code, REJECT_UNKNOWN_LABEL);
	assert_string_equal(f->label, LABEL_PREFIX "host");
	assert_non_null(strstr(f->reason, LABEL_PREFIX "hosts?"));
	assert_int_equal(f->offset, -1);
	f = &v.remarks.list.at[1];
	assert_string_equal(f->reason, "no label of ours");
	verdict_fini(&v);
	str_add(&labels, "hosts=a.example|port=80");
	for (i = 0; i < 100; i++)
		str_addf(&labels, "|zzz%u=1", i);
	fixture_verdict(&v, labels.p);
	assert_int_equal(v.remarks.list.len, 21);
	assert_string_equal(
	    v.remarks.list.at[20].reason, "80 more labels that are not ours");
	verdict_fini(&v);
}

static void
what_does_nothing_is_remarked(void **state)
{
	static const char *const rows[][2] = {
		{ B "context_root_rewrite=true", "context_root_rewrite" },
		{ B "ssl_passthrough=true|ssl_cert=c|ssl_key=k", "ssl_cert" },
		{ B "sticky_session_cookie=a|ip_hash=true", "ip_hash" },
	};
	struct verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < countof(rows); i++) {
		fixture_verdict(&v, rows[i][0]);
		assert_int_equal(v.rc, 0);
		assert_int_equal(v.remarks.list.len, 1);
		assert_int_equal(v.remarks.list.at[0].code, REJECT_IGNORED);
		assert_string_equal(
		    v.remarks.list.at[0].label + strlen(LABEL_PREFIX),
		    rows[i][1]);
		assert_null(v.labels.ssl_cert);
		assert_null(v.labels.ssl_key);
		assert_false(v.labels.ip_hash);
		verdict_fini(&v);
	}
}

#define OLD "com.docker.ucp.mesh.http"

static void
older_labels_are_read_as_if_they_were_ours(void **state)
{
	struct verdict v;

	(void)state;
	fixture_verdict(&v,
	    OLD
	    "=external_route=http://A.example:80/,internal_port=8080,"
	    "sticky_sessions=SID|" OLD
	    ".1=external_route=http://b.example,redirect=http://n.example|" OLD
	    ".x=external_route=https://c.example,internal_port=8080");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.labels.hosts.len, 3);
	assert_string_equal(v.labels.hosts.at[0].text, "a.example");
	assert_string_equal(v.labels.hosts.at[2].text, "c.example");
	assert_int_equal(v.labels.port, 8080);
	assert_string_equal(v.labels.sticky_session_cookie, "SID");
	assert_int_equal(v.labels.redirects.len, 1);
	assert_string_equal(v.labels.redirects.at[0].source, "b.example");
	assert_string_equal(v.labels.redirects.at[0].target, "n.example");
	assert_false(v.labels.ssl_passthrough);
	verdict_fini(&v);
	fixture_verdict(
	    &v, OLD "=external_route=sni://a.example,internal_port=443");
	assert_int_equal(v.rc, 0);
	assert_true(v.labels.ssl_passthrough);
	verdict_fini(&v);
	fixture_verdict(&v,
	    OLD "=external_route=http://a.example,internal_port=80,foo=bar");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.remarks.list.len, 1);
	assert_int_equal(v.remarks.list.at[0].code, REJECT_IGNORED);
	verdict_fini(&v);
}

static void
our_labels_win_over_older_ones(void **state)
{
	struct verdict v;

	(void)state;
	fixture_verdict(&v,
	    "hosts=new.example|" OLD
	    "=external_route=http://a.example,internal_port=80");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.labels.hosts.len, 1);
	assert_string_equal(v.labels.hosts.at[0].text, "new.example");
	assert_int_equal(v.labels.port, 80);
	verdict_fini(&v);
	fixture_verdict(&v, "hosts=new.example|port=1|" OLD "=nonsense;");
	assert_int_equal(v.rc, 0);
	verdict_fini(&v);
}

static void
faults_of_older_labels_are_told_where_they_stand(void **state)
{
	static const struct row rows[] = {
		{ OLD ".1=external_route=http://a_.example;,internal_port=80",
		    "bad-value " OLD ".1 32", "';'" },
		{ OLD "=external_route=http://a.example,internal_port=0",
		    "bad-value " OLD " 46", "65535" },
		{ OLD "=external_route=http://a.example|" OLD
		      ".2=internal_port=8x0",
		    "bad-value " OLD ".2 15", NULL },
		{ OLD "=external_route=http://a.example,internal_port=80,"
		      "redirect=http://x y",
		    "bad-value " OLD " 66", "blank" },
		{ OLD "=external_route=ftp://a.example", "bad-value " OLD " 15",
		    "http://" },
		{ OLD "=external_route=http://a.example/app",
		    "bad-value " OLD " 32", "context_root" },
		{ OLD "=internal_port=80|" OLD ".1=internal_port=81",
		    "bad-value " OLD ".1 14", "one port" },
		{ OLD "=internal_port=80,sticky_sessions=a-b,"
		      "external_route=http://a.example",
		    "bad-value " OLD " 34", NULL },
		{ OLD "=external_route=http://a.example",
		    "missing-label port -1", NULL },
		{ OLD "=x", "missing-label hosts -1", NULL },
		{ OLD "=external_route=,internal_port=",
		    "missing-label hosts -1", NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
the_cluster_alone_can_be_read(void **state)
{
	struct service *s = fixture_service();
	struct finding f;
	char *cluster = NULL;

	(void)state;
	assert_false(labels_present(s));
	assert_int_equal(labels_cluster(s, &cluster, &f), 0);
	assert_null(cluster);
	fixture_label(s, "other.label", "x", 1);
	assert_false(labels_present(s));
	fixture_label(s, "service_cluster", " blue ", 6);
	assert_true(labels_present(s));
	assert_int_equal(labels_cluster(s, &cluster, &f), 0);
	assert_string_equal(cluster, "blue");
	free(cluster);
	fixture_label(s, "service_cluster", "blue\0x", 6);
	assert_int_equal(labels_cluster(s, &cluster, &f), -1);
	assert_int_equal(f.code, REJECT_BAD_VALUE);
	assert_int_equal(f.offset, 4);
	assert_string_equal(f.label, LABEL_PREFIX "service_cluster");
	finding_fini(&f);
	service_free(s);
	s = fixture_service();
	fixture_label(s, OLD ".1", "x", 1);
	assert_true(labels_present(s));
	service_free(s);
}

static void
keys_and_codes_have_their_names(void **state)
{
	(void)state;
	assert_string_equal(label_key(LABEL_HOSTS), "com.docker.lb.hosts");
	assert_string_equal(label_key(LABEL_DRAIN), "com.docker.lb.drain");
	assert_string_equal(
	    reject_code_name(REJECT_MISSING_LABEL), "missing-label");
	assert_string_equal(reject_code_name(REJECT_IGNORED), "ignored");
	assert_true(LABEL_COUNT <= 64);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_needed_is_missed),
		cmocka_unit_test(partners_are_asked_for),
		cmocka_unit_test(the_first_error_in_label_order_is_told),
		cmocka_unit_test(redirects),
		cmocka_unit_test(redirects_arrive_typed),
		cmocka_unit_test(sixty_four_redirects_are_taken_and_no_more),
		cmocka_unit_test(nothing_given_is_the_default),
		cmocka_unit_test(unknown_labels_are_remarked_with_the_nearest),
		cmocka_unit_test(what_does_nothing_is_remarked),
		cmocka_unit_test(older_labels_are_read_as_if_they_were_ours),
		cmocka_unit_test(our_labels_win_over_older_ones),
		cmocka_unit_test(
		    faults_of_older_labels_are_told_where_they_stand),
		cmocka_unit_test(the_cluster_alone_can_be_read),
		cmocka_unit_test(keys_and_codes_have_their_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("label", tests, NULL, NULL);
}
