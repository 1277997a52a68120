/* model/label_value, label_text: every label with good, edge and bad values */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "label_fixture.h"

#define A64 "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
#define A256 A64 A64 A64 A64

/* What else a service needs, so that only the label under test can fail. */
#define BASE                                                                   \
	"hosts=a.example|port=80|ssl_cert=c|ssl_backend=true|"                 \
	"ssl_backend_ca=ca|context_root=/base|"

struct row {
	const char *label, *value, *want, *hint;
};

static void
check_rows_with(const char *base, const struct row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		STR_AUTO(labels, 10000);
		struct verdict v;
		char *line;

		str_addf(
		    &labels, "%s%s=%s", base, rows[i].label, rows[i].value);
		fixture_verdict(&v, labels.p);
		line = verdict_line(&v);
		if (strcmp(line, rows[i].want) != 0)
			fail_msg("%s=%s: %s, not %s (%s)", rows[i].label,
			    rows[i].value, line, rows[i].want,
			    v.rc == 0 ? "" : v.error.reason);
		if (v.rc != 0 && rows[i].hint != NULL &&
		    strstr(v.error.reason, rows[i].hint) == NULL)
			fail_msg("%s=%s: no \"%s\" in \"%s\"", rows[i].label,
			    rows[i].value, rows[i].hint, v.error.reason);
		free(line);
		verdict_fini(&v);
	}
}

static void
check_rows(const struct row *rows, size_t n)
{
	check_rows_with(BASE, rows, n);
}

static void
ports(void **state)
{
	static const struct row rows[] = {
		{ "port", "80", "ok", NULL },
		{ "port", "1", "ok", NULL },
		{ "port", "65535", "ok", NULL },
		{ "port", "8080 ", "ok", NULL },
		{ "port", "\t8080", "ok", NULL },
		{ "port", "0", "bad-value port 0", "1 to 65535" },
		{ "port", "-1", "bad-value port 0", "sign" },
		{ "port", "+1", "bad-value port 0", "sign" },
		{ "port", "65536", "bad-value port 0", "65535" },
		{ "port", "080", "bad-value port 0", "leading" },
		{ "port", "8080;", "bad-value port 4", NULL },
		{ "port", "80,81", "bad-value port 2", NULL },
		{ "port", "80 81", "bad-value port 2", NULL },
		{ "port", " 80 81", "bad-value port 3", NULL },
		{ "port", "0x50", "bad-value port 1", NULL },
		{ "port", "\xef\xbc\x98\xef\xbc\x90", "bad-value port 0",
		    NULL },
		{ "port", "99999999999999999999", "bad-value port 0", NULL },
		{ "port", "http", "bad-value port 0", NULL },
		{ "port", "80\n", "bad-value port 2", NULL },
		{ "port", "", "missing-label port -1", "listens on" },
		{ "port", " \t", "missing-label port -1", NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
paths(void **state)
{
	static const struct row rows[] = {
		{ "context_root", "/", "ok", NULL },
		{ "context_root", "/app", "ok", NULL },
		{ "context_root", "/app/", "ok", NULL },
		{ "context_root", "/a,/b, /c/d", "ok", NULL },
		{ "context_root", "/~user/a_b-c.d/...", "ok", NULL },
		{ "context_root", "/a.b/..c/.d", "ok", NULL },
		{ "context_root",
		    "/" A64 A64 A64
		    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeee"
		    "eeeeeeefffffffffg12/",
		    "ok", NULL },
		{ "context_root", "/" A256, "too-long context_root 0", "256" },
		{ "context_root", "/a;b", "bad-value context_root 2", NULL },
		{ "context_root", "/a{b", "bad-value context_root 2", NULL },
		{ "context_root", "/a b", "bad-value context_root 2", NULL },
		{ "context_root", "/a/ { alias /etc/; } location /zz",
		    "bad-value context_root 3", "blank" },
		{ "context_root", "/a\" {", "bad-value context_root 2", NULL },
		{ "context_root", "~ .*", "bad-value context_root 0",
		    "starts with /" },
		{ "context_root", "= /", "bad-value context_root 0", NULL },
		{ "context_root", "@x", "bad-value context_root 0", NULL },
		{ "context_root", "/(.*)", "bad-value context_root 1",
		    "patterns" },
		{ "context_root", "/$host", "bad-value context_root 1",
		    "variables" },
		{ "context_root", "/a%2fb", "bad-value context_root 2",
		    "decoded" },
		{ "context_root", "/../admin", "bad-value context_root 1",
		    ".." },
		{ "context_root", "/a/..", "bad-value context_root 3", ".." },
		{ "context_root", "/./a", "bad-value context_root 1", ".." },
		{ "context_root", "//evil", "bad-value context_root 1", "//" },
		{ "context_root", "/a//", "bad-value context_root 3", "//" },
		{ "context_root", "//", "bad-value context_root 1", "//" },
		{ "context_root", "a", "bad-value context_root 0", NULL },
		{ "context_root", "/a#b", "bad-value context_root 2", NULL },
		{ "context_root", "/a?b", "bad-value context_root 2", NULL },
		{ "context_root", "/a\\b", "bad-value context_root 2", NULL },
		{ "context_root", "/\xc3\xbc", "bad-value context_root 1",
		    "0xc3" },
		{ "context_root", "/ok, /a;", "bad-value context_root 7",
		    NULL },
		{ "websocket_endpoints", "/", "ok", NULL },
		{ "websocket_endpoints", "/ws,/chat/socket.io", "ok", NULL },
		{ "websocket_endpoints", "/ws;/x",
		    "bad-value websocket_endpoints 3", NULL },
		{ "websocket_endpoints", "ws",
		    "bad-value websocket_endpoints 0", NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
names_of_networks_secrets_cookies_and_clusters(void **state)
{
	static const struct row rows[] = {
		{ "network", "front", "ok", NULL },
		{ "network", "web_default", "ok", NULL },
		{ "network", "9flp6l5iwmpqzynf4ybvf0l0c", "ok", NULL },
		{ "network", "my net", "bad-value network 2", NULL },
		{ "network", "a,b", "bad-value network 1", "one network" },
		{ "network", "../x", "bad-value network 0", NULL },
		{ "network", A256, "too-long network 0", NULL },
		{ "ssl_cert", "shop.cert", "ok", NULL },
		{ "ssl_cert", A64, "ok", NULL },
		{ "ssl_cert", A64 "e", "too-long ssl_cert 0", "64" },
		{ "ssl_cert", "../../etc/shadow", "bad-value ssl_cert 0",
		    NULL },
		{ "ssl_cert", "a/b", "bad-value ssl_cert 1", NULL },
		{ "ssl_cert", "a.", "bad-value ssl_cert 1", NULL },
		{ "ssl_cert", "a; b", "bad-value ssl_cert 1", NULL },
		{ "ssl_key", "shop.key", "ok", NULL },
		{ "ssl_key", "-k", "bad-value ssl_key 0", NULL },
		{ "ssl_backend_ca", "ca.pem", "ok", NULL },
		{ "ssl_backend_ca", "/ca", "bad-value ssl_backend_ca 0", NULL },
		{ "basic_auth", "htpasswd", "ok", NULL },
		{ "basic_auth", "user:pw", "bad-value basic_auth 4", NULL },
		{ "sticky_session_cookie", "JSESSIONID", "ok", NULL },
		{ "sticky_session_cookie", "_a1", "ok", NULL },
		{ "sticky_session_cookie", A64, "ok", NULL },
		{ "sticky_session_cookie", A64 "x",
		    "too-long sticky_session_cookie 0", NULL },
		{ "sticky_session_cookie", "a-b",
		    "bad-value sticky_session_cookie 1", NULL },
		{ "sticky_session_cookie", "A;B",
		    "bad-value sticky_session_cookie 1", NULL },
		{ "sticky_session_cookie", "A#B",
		    "bad-value sticky_session_cookie 1", NULL },
		{ "sticky_session_cookie", "$cookie_x",
		    "bad-value sticky_session_cookie 0", NULL },
		{ "service_cluster", "blue", "ok", NULL },
		{ "service_cluster", "b", "ok", NULL },
		{ "service_cluster", "blue-2", "ok", NULL },
		{ "service_cluster", "Blue", "bad-value service_cluster 0",
		    "small letters" },
		{ "service_cluster", "blue-", "bad-value service_cluster 4",
		    NULL },
		{ "service_cluster", "a.b", "bad-value service_cluster 1",
		    NULL },
		{ "service_cluster", "../x", "bad-value service_cluster 0",
		    NULL },
		{ "service_cluster", A64, "too-long service_cluster 0", "63" },
		{ "ssl_backend_name", "app.internal", "ok", NULL },
		{ "ssl_backend_name", "*.app.internal",
		    "bad-value ssl_backend_name 0", "wildcard" },
		{ "ssl_backend_name", "a b", "bad-value ssl_backend_name 1",
		    NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
booleans_and_words(void **state)
{
	static const char base[] =
	    "hosts=a.example|port=80|ssl_cert=c|context_root=/a|";
	static const char *const booleans[] = { "context_root_rewrite",
		"ssl_passthrough", "ssl_only", "ssl_backend", "ip_hash",
		"default_backend", "grpc", "maintenance", "drain" };
	static const char *const good[] = { "true", "TRUE", "True", "1",
		"false", "False", "0", " true ", "" };
	static const char *const bad[][2] = { { "yes", "0" }, { "on", "0" },
		{ "2", "0" }, { "tru", "0" }, { "truee", "0" },
		{ "true;", "0" }, { "true false", "4" }, { "true\n", "4" },
		{ "\xc3\xbc", "0" }, { "true,", "0" } };
	static const struct row rows[] = {
		{ "backend_mode", "task", "ok", NULL },
		{ "backend_mode", "VIP", "ok", NULL },
		{ "backend_mode", "default", "ok", NULL },
		{ "backend_mode", "dnsrr", "bad-value backend_mode 0",
		    "task or vip" },
		{ "backend_mode", "vip;", "bad-value backend_mode 0", NULL },
		{ "ssl_backend_tls_verify", "none", "ok", NULL },
		{ "ssl_backend_tls_verify", "Required", "ok", NULL },
		{ "ssl_backend_tls_verify", "optional",
		    "bad-value ssl_backend_tls_verify 0", "none or required" },
	};
	size_t i, k;

	(void)state;
	check_rows(rows, countof(rows));
	for (i = 0; i < countof(booleans); i++) {
		for (k = 0; k < countof(good); k++) {
			struct row row = { booleans[i], good[k], "ok", NULL };

			check_rows_with(base, &row, 1);
		}
		for (k = 0; k < countof(bad); k++) {
			char want[100];
			struct row row = { booleans[i], bad[k][0], want,
				"true or false" };

			(void)snprintf(want, sizeof(want), "bad-value %s %s",
			    booleans[i], bad[k][1]);
			check_rows_with(base, &row, 1);
		}
	}
}

static void
numbers_durations_and_sizes(void **state)
{
	static const char *const durations[] = { "fail_timeout",
		"connect_timeout", "read_timeout", "send_timeout" };
	static const char *const values[][2] = { { "10s", "ok" },
		{ "10", "ok" }, { "1ms", "ok" }, { "24h", "ok" },
		{ "1d", "ok" }, { "5m", "ok" }, { "0", "bad-value %s 0" },
		{ "0ms", "bad-value %s 0" }, { "25h", "bad-value %s 0" },
		{ "86400001ms", "bad-value %s 0" }, { "10x", "bad-value %s 2" },
		{ "10 s", "bad-value %s 2" }, { "s", "bad-value %s 0" },
		{ "-1", "bad-value %s 0" }, { "1.5s", "bad-value %s 1" },
		{ "10s;", "bad-value %s 3" },
		{ "99999999999999999999s", "bad-value %s 0" } };
	static const struct row rows[] = {
		{ "max_fails", "0", "ok", NULL },
		{ "max_fails", "1000", "ok", NULL },
		{ "max_fails", "1001", "bad-value max_fails 0", "0 to 1000" },
		{ "max_fails", "-1", "bad-value max_fails 0", NULL },
		{ "max_fails", "3x", "bad-value max_fails 1", NULL },
		{ "weight", "0", "ok", NULL },
		{ "weight", "100", "ok", NULL },
		{ "weight", "101", "bad-value weight 0", "0 to 100" },
		{ "weight", "050", "bad-value weight 0", NULL },
		{ "weight", "50%", "bad-value weight 2", NULL },
		{ "max_body_size", "0", "ok", NULL },
		{ "max_body_size", "10M", "ok", NULL },
		{ "max_body_size", "1g", "ok", NULL },
		{ "max_body_size", "10t", "bad-value max_body_size 2", NULL },
		{ "max_body_size", "10mb", "bad-value max_body_size 3", NULL },
		{ "max_body_size", "m", "bad-value max_body_size 0", NULL },
		{ "max_body_size", "99999999g", "bad-value max_body_size 0",
		    NULL },
		{ "hsts", "true", "ok", NULL },
		{ "hsts", "false", "ok", NULL },
		{ "hsts", "0", "ok", NULL },
		{ "hsts", "63072000, includeSubDomains ,preload", "ok", NULL },
		{ "hsts", "true,PRELOAD", "ok", NULL },
		{ "hsts", "yes", "bad-value hsts 0", NULL },
		{ "hsts", "10x", "bad-value hsts 2", NULL },
		{ "hsts", "true,all", "bad-value hsts 5", "preload" },
		{ "hsts", "true; preload", "bad-value hsts 5", NULL },
		{ "rate_limit", "10/s", "ok", NULL },
		{ "rate_limit", "100/m, burst=20", "ok", NULL },
		{ "rate_limit", "10", "bad-value rate_limit 0", "10/s" },
		{ "rate_limit", "/s", "bad-value rate_limit 0", NULL },
		{ "rate_limit", "10/h", "bad-value rate_limit 3", NULL },
		{ "rate_limit", "10/sec", "bad-value rate_limit 4", NULL },
		{ "rate_limit", "10 /s", "bad-value rate_limit 2", NULL },
		{ "rate_limit", "0/s", "bad-value rate_limit 0", NULL },
		{ "rate_limit", "10/s,burst=", "bad-value rate_limit 5", NULL },
		{ "rate_limit", "10/s,burst=x", "bad-value rate_limit 11",
		    NULL },
		{ "rate_limit", "10/s,nodelay", "bad-value rate_limit 5",
		    NULL },
		{ "rate_limit", "1/s,burst=1,burst=2",
		    "bad-value rate_limit 12", NULL },
	};
	size_t i, k;

	(void)state;
	check_rows(rows, countof(rows));
	for (i = 0; i < countof(durations); i++) {
		for (k = 0; k < countof(values); k++) {
			STR_AUTO(want, 100);
			struct row row = { durations[i], values[k][0], NULL,
				NULL };
			const char *split = strstr(values[k][1], "%s");

			str_add(&want, values[k][1]);
			if (split != NULL) {
				str_clear(&want);
				str_addf(&want, "bad-value %s%s", durations[i],
				    split + 2);
			}
			row.want = want.p;
			check_rows(&row, 1);
		}
	}
}

static void
address_lists(void **state)
{
	static const struct row rows[] = {
		{ "allow", "10.0.0.0/8, fd00::/8,192.168.1.7", "ok", NULL },
		{ "allow", "0.0.0.0/0", "ok", NULL },
		{ "allow", "10.0.0.1/8", "bad-value allow 0", "10.0.0.0/8" },
		{ "allow", "10.0.0.0/8,10.0.0.0/33", "bad-value allow 11",
		    NULL },
		{ "allow", "10.0.0.0/8; deny all", "bad-value allow 10", NULL },
		{ "allow", "all", "bad-value allow 1", "10.0.0.0/8" },
		{ "deny", "::ffff:10.0.0.1", "bad-value deny 0", "IPv4" },
		{ "deny", "2001:db8::/32", "ok", NULL },
		{ "deny", "unix:", "bad-value deny 0", NULL },
	};

	(void)state;
	check_rows(rows, countof(rows));
}

static void
values_arrive_typed(void **state)
{
	struct verdict v;
	const struct labels *l = &v.labels;

	(void)state;
	fixture_verdict(&v,
	    "hosts=a.example|port=8080|network=front|context_root=/b/,/a,/b|"
	    "context_root_rewrite=1|ssl_cert=c|ssl_key=k|ssl_only=true|"
	    "ssl_backend=true|ssl_backend_tls_verify=required|"
	    "ssl_backend_ca=ca|ssl_backend_name=App.Internal.|"
	    "websocket_endpoints=/ws|sticky_session_cookie=SID|"
	    "default_backend=true|service_cluster=blue|backend_mode=vip|"
	    "max_fails=3|fail_timeout=500ms|weight=20|connect_timeout=2s|"
	    "read_timeout=1m|send_timeout=1h|max_body_size=10k|"
	    "hsts=true,preload,includesubdomains|grpc=true|"
	    "rate_limit=5/m,burst=7|allow=10.0.0.0/8,10.1.2.3|deny=FD00::/8|"
	    "basic_auth=users|maintenance=true|drain=true");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.remarks.list.len, 0);
	assert_int_equal(l->port, 8080);
	assert_string_equal(l->network, "front");
	assert_int_equal(l->context_roots.len, 2);
	assert_string_equal(l->context_roots.at[0].text, "/b");
	assert_string_equal(l->context_roots.at[1].text, "/a");
	assert_int_equal(l->context_roots.at[1].offset, 4);
	assert_true(l->context_root_rewrite && l->ssl_only && l->ssl_backend &&
	    l->ssl_backend_verify && l->default_backend && l->grpc &&
	    l->maintenance && l->drain);
	assert_string_equal(l->ssl_cert, "c");
	assert_string_equal(l->ssl_key, "k");
	assert_string_equal(l->ssl_backend_ca, "ca");
	assert_string_equal(l->ssl_backend_name, "app.internal");
	assert_string_equal(l->websocket_endpoints.at[0].text, "/ws");
	assert_string_equal(l->sticky_session_cookie, "SID");
	assert_string_equal(l->service_cluster, "blue");
	assert_int_equal(l->backend_mode, BACKEND_VIP);
	assert_int_equal(l->max_fails, 3);
	assert_int_equal(l->fail_timeout_ms, 500);
	assert_int_equal(l->weight, 20);
	assert_int_equal(l->connect_timeout_ms, 2000);
	assert_int_equal(l->read_timeout_ms, 60000);
	assert_int_equal(l->send_timeout_ms, 3600000);
	assert_int_equal(l->max_body_size, 10240);
	assert_int_equal(l->hsts_seconds, 31536000);
	assert_true(l->hsts_preload && l->hsts_subdomains);
	assert_int_equal(l->rate_limit, 5);
	assert_true(l->rate_limit_per_minute);
	assert_int_equal(l->rate_limit_burst, 7);
	assert_string_equal(l->allow.at[0].text, "10.0.0.0/8");
	assert_string_equal(l->allow.at[1].text, "10.1.2.3/32");
	assert_string_equal(l->deny.at[0].text, "fd00::/8");
	assert_string_equal(l->basic_auth, "users");
	verdict_fini(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports),
		cmocka_unit_test(paths),
		cmocka_unit_test(
		    names_of_networks_secrets_cookies_and_clusters),
		cmocka_unit_test(booleans_and_words),
		cmocka_unit_test(numbers_durations_and_sizes),
		cmocka_unit_test(address_lists),
		cmocka_unit_test(values_arrive_typed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("label_value", tests, NULL, NULL);
}
