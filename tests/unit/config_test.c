/* The INI files: every default, every type, and the traps of the dialect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/value.h"

static struct cluster_config *
parse(const char *text, struct config_errors *errors)
{
	return cluster_config_parse(
	    "/etc/x/blue.ini", text, strlen(text), errors);
}

/* Exactly one error, and it holds 'part'. */
static void
refuses(const char *text, const char *part)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c = parse(text, &errors);

	if (c != NULL)
		fail_msg("accepted: %s", text);
	if (errors.lines.len != 1 || strstr(errors.lines.at[0], part) == NULL)
		fail_msg("of \"%s\": %zu errors, the first: %s, not: %s", text,
		    errors.lines.len, errors.lines.at[0], part);
	config_errors_fini(&errors);
}

static struct cluster_config *
accepts(const char *text)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c = parse(text, &errors);

	if (c == NULL)
		fail_msg("of \"%s\": %s", text, errors.lines.at[0]);
	return c;
}

/* What 'key' of 'section' becomes with 'text'; "" = not set. */
static void
gives(const char *section, const char *key, const char *text, const char *value)
{
	char *file _cleanup_free_ =
	    xasprintf("[%s]\n%s = %s\n", section, key, text);
	struct cluster_config *c = accepts(file);
	STR_AUTO(s, 1000);

	(void)value_format(
	    config_key_find(&config_cluster_table, section, key), c, &s);
	assert_string_equal(s.p, value);
	cluster_config_free(c);
}

static void
refuses_value(
    const char *section, const char *key, const char *text, const char *part)
{
	char *file _cleanup_free_ =
	    xasprintf("[%s]\n%s = %s\n", section, key, text);
	char *where _cleanup_free_ =
	    xasprintf("/etc/x/blue.ini:2: [%s] %s: ", section, key);

	refuses(file, where);
	refuses(file, part);
}

/* interfaces of the files, by hand: the table in the code must say the same. */
static const struct {
	const char *section, *key, *value;
} cluster_defaults[] = {
	{ "cluster", "name", "blue" },
	{ "cluster", "default", "" },
	{ "cluster", "networks", "" },
	{ "cluster", "hosts_allow", "" },
	{ "cluster", "hosts_reserved", "" },
	{ "cluster", "share_host", "same-network" },
	{ "cluster", "secrets", "any" },
	{ "cluster", "claim_hold", "0" },
	{ "cluster", "network_release_delay", "10s" },
	{ "cluster", "max_hosts", "10000" },
	{ "proxy", "driver", "swarm" },
	{ "proxy", "engine", "nginx" },
	{ "proxy", "image", "bulkhead-proxy" },
	{ "proxy", "service", "bulkhead-proxy-blue" },
	{ "proxy", "replicas", "2" },
	{ "proxy", "publish_mode", "ingress" },
	{ "proxy", "published_port", "80" },
	{ "proxy", "target_port", "80" },
	{ "proxy", "published_ssl_port", "443" },
	{ "proxy", "target_ssl_port", "443" },
	{ "proxy", "listen_address", "127.0.0.1" },
	{ "proxy", "constraints", "" },
	{ "proxy", "placement_preferences", "" },
	{ "proxy", "update_delay", "0" },
	{ "proxy", "update_parallelism", "1" },
	{ "proxy", "update_order", "start-first" },
	{ "proxy", "stop_signal", "SIGQUIT" },
	{ "proxy", "drain_delay", "5s" },
	{ "proxy", "stop_grace_period", "20s" },
	{ "proxy", "health_listen", "" },
	{ "proxy", "status_listen", "" },
	{ "proxy", "secrets_dir", "/run/secrets" },
	{ "proxy", "memory_limit", "" },
	{ "proxy", "cpu_limit", "" },
	{ "proxy", "stop_with_supervisor", "true" },
	{ "control", "listen", "" },
	{ "control", "url", "" },
	{ "control", "tls_ca", "" },
	{ "control", "tls_cert", "" },
	{ "control", "tls_key", "" },
	{ "control", "token_file", "" },
	{ "control", "agent_secrets", "" },
	{ "control", "network", "" },
	{ "nginx", "http_version", "1.1" },
	{ "nginx", "user", "" },
	{ "nginx", "worker_processes", "auto" },
	{ "nginx", "rlimit_nofile", "65535" },
	{ "nginx", "max_connections", "1024" },
	{ "nginx", "connect_timeout", "1s" },
	{ "nginx", "send_timeout", "10m" },
	{ "nginx", "read_timeout", "10m" },
	{ "nginx", "ip_hash", "false" },
	{ "nginx", "ssl_options", "" },
	{ "nginx", "ssl_verify", "false" },
	{ "nginx", "ssl_default_dh_param", "" },
	{ "nginx", "ssl_default_dh_param_path", "" },
	{ "nginx", "ssl_ciphers", "" },
	{ "nginx", "ssl_protocols", "TLSv1.2, TLSv1.3" },
	{ "nginx", "http2", "true" },
	{ "nginx", "access_log", "/dev/stdout" },
	{ "nginx", "error_log", "stderr" },
	{ "nginx", "log_format", "main" },
	{ "nginx", "main_log_format", "" },
	{ "nginx", "trace_log_format", "" },
	{ "nginx", "keepalive_timeout", "75s" },
	{ "nginx", "client_max_body_size", "32m" },
	{ "nginx", "client_body_buffer_size", "8k" },
	{ "nginx", "client_header_buffer_size", "1k" },
	{ "nginx", "large_client_header_buffers", "4 8k" },
	{ "nginx", "client_body_timeout", "1m" },
	{ "nginx", "underscores_in_headers", "false" },
	{ "nginx", "upstream_zone_size", "64k" },
	{ "nginx", "upstream_keepalive", "32" },
	{ "nginx", "vip_keepalive", "0" },
	{ "nginx", "worker_shutdown_timeout", "10m" },
	{ "nginx", "hide_info_headers", "false" },
	{ "nginx", "real_ip_from", "" },
	{ "nginx", "accept_proxy_protocol", "false" },
	{ "nginx", "error_page_dir", "" },
	{ "nginx", "template_dir", "" },
	{ "nginx", "global_options", "" },
	{ "nginx", "http_options", "" },
	{ "nginx", "stream_options", "" },
	{ "haproxy", "max_connections", "1024" },
	{ "haproxy", "connect_timeout", "1s" },
	{ "haproxy", "client_timeout", "10m" },
	{ "haproxy", "server_timeout", "10m" },
	{ "haproxy", "ssl_options", "" },
	{ "haproxy", "ssl_verify", "false" },
	{ "haproxy", "ssl_default_dh_param", "" },
	{ "haproxy", "ssl_default_dh_param_path", "" },
	{ "haproxy", "ssl_ciphers", "" },
	{ "haproxy", "ssl_protocols", "TLSv1.2, TLSv1.3" },
	{ "haproxy", "global_options", "" },
	{ "haproxy", "default_options", "" },
}, daemon_defaults[] = {
	{ "docker", "url", "unix:///var/run/docker.sock" },
	{ "docker", "api_version", "" },
	{ "docker", "tls_ca", "" },
	{ "docker", "tls_cert", "" },
	{ "docker", "tls_key", "" },
	{ "docker", "allow_insecure", "false" },
	{ "docker", "watch", "auto" },
	{ "docker", "poll_interval", "3s" },
	{ "docker", "resync_interval", "10s" },
	{ "supervisor", "run_dir", "/run/bulkhead" },
	{ "supervisor", "clusters_dir", "/etc/bulkhead/clusters.d" },
	{ "supervisor", "user", "" },
	{ "admin", "socket", "/run/bulkhead/admin.sock" },
	{ "admin", "listen", "" },
	{ "admin", "token_file", "" },
	{ "log", "level", "info" },
	{ "log", "format", "text" },
};

static void
check_default(const struct config_table *t, const void *base,
    const char *section, const char *key, const char *value)
{
	const struct config_key *k = config_key_find(t, section, key);
	STR_AUTO(s, 1000);

	if (k == NULL)
		fail_msg("[%s] %s is not in the table", section, key);
	(void)value_format(k, base, &s);
	if (strcmp(s.p, value) != 0)
		fail_msg("[%s] %s is %s, not %s", section, key, s.p, value);
}

static void
an_empty_cluster_file_has_every_default(void **state)
{
	struct cluster_config *c = accepts("");
	const struct config_table *t = &config_cluster_table;

	(void)state;
	for (size_t i = 0; i < countof(cluster_defaults); i++)
		check_default(t, c, cluster_defaults[i].section,
		    cluster_defaults[i].key, cluster_defaults[i].value);
	/* Three more rows are whole sections of pairs. */
	assert_int_equal(t->n_keys, countof(cluster_defaults) + 3);
	assert_int_equal(c->proxy.labels.pairs.len, 0);
	assert_int_equal(c->cluster.is_default, DEFAULT_UNSET);
	assert_int_equal(c->nginx.worker_processes, 0);
	assert_int_equal(c->nginx.large_client_header_buffers, 4);
	assert_int_equal(c->nginx.large_client_header_buffer_size, 8192);
	assert_int_equal(c->nginx.connect_timeout_ms, 1000);
	assert_int_equal(c->proxy.driver, DRIVER_SWARM);
	assert_null(c->control.listen);
	cluster_config_free(c);
}

static void
an_empty_daemon_file_has_every_default(void **state)
{
	struct daemon_config *c = daemon_config_default();

	(void)state;
	for (size_t i = 0; i < countof(daemon_defaults); i++)
		check_default(&config_daemon_table, c,
		    daemon_defaults[i].section, daemon_defaults[i].key,
		    daemon_defaults[i].value);
	assert_int_equal(config_daemon_table.n_keys, countof(daemon_defaults));
	assert_null(c->docker.api_version);
	daemon_config_free(c);
}

static void
numbers_keep_to_their_range(void **state)
{
	(void)state;
	gives("proxy", "replicas", "0", "0");
	gives("proxy", "replicas", "1000", "1000");
	refuses_value("proxy", "replicas", "1001", "from 0 to 1000");
	refuses_value("proxy", "replicas", "-1", "not a number");
	refuses_value("proxy", "replicas", "2x", "not a number");
	refuses_value("proxy", "replicas", "", "no value");
	refuses_value("proxy", "replicas", "2 # two", "comment behind a value");
	gives("proxy", "target_port", "65535", "65535");
	refuses_value("proxy", "target_port", "0", "from 1 to 65535");
	refuses_value("proxy", "target_port", "65536", "from 1 to 65535");
	refuses_value("proxy", "target_port", "080", "not a number");
	gives("proxy", "published_port", "0", "0");
	gives("nginx", "worker_processes", "auto", "auto");
	gives("nginx", "worker_processes", "3", "3");
	refuses_value("nginx", "worker_processes", "0", "from 1 to 1024");
	gives("nginx", "ssl_default_dh_param", "2048", "2048");
	gives("nginx", "ssl_default_dh_param", "", "");
}

static void
durations_and_sizes_keep_to_their_range(void **state)
{
	(void)state;
	gives("nginx", "connect_timeout", "250ms", "250ms");
	gives("nginx", "connect_timeout", "2", "2s");
	gives("nginx", "read_timeout", "1h", "1h");
	gives("nginx", "read_timeout", "90", "90s");
	refuses_value("nginx", "read_timeout", "0", "out of range, 1ms to 1d");
	refuses_value("nginx", "read_timeout", "25h", "out of range");
	refuses_value("nginx", "read_timeout", "1.5s", "unknown unit");
	refuses_value("nginx", "read_timeout", "1 s", "");
	refuses_value("nginx", "read_timeout", "99999999999999999999d", "");
	gives("nginx", "client_max_body_size", "0", "0");
	gives("nginx", "client_max_body_size", "1G", "1g");
	gives("nginx", "client_max_body_size", "1025", "1025");
	refuses_value("nginx", "upstream_zone_size", "8k", "32k to 1g");
	gives("nginx", "large_client_header_buffers", "8  16k", "8 16k");
	refuses_value("nginx", "large_client_header_buffers", "8k", "4 8k");
	refuses_value("nginx", "large_client_header_buffers", "0 8k", "4 8k");
	refuses_value("nginx", "large_client_header_buffers", "4 ", "");
	gives("proxy", "memory_limit", "64m", "64m");
	gives("proxy", "memory_limit", "", "");
	refuses_value("proxy", "memory_limit", "0", "out of range");
}

static void
booleans_and_words_are_of_their_list(void **state)
{
	(void)state;
	gives("nginx", "http2", "OFF", "false");
	gives("nginx", "http2", "Yes", "true");
	gives("nginx", "http2", "0", "false");
	refuses_value("nginx", "http2", "maybe", "");
	refuses_value("nginx", "http2", "", "no value");
	gives("cluster", "default", "on", "true");
	gives("cluster", "default", "no", "false");
	refuses_value("cluster", "default", "2", "");
	gives("proxy", "driver", "none", "none");
	refuses_value(
	    "proxy", "driver", "kubernetes", "neither swarm, local nor none");
	refuses_value("proxy", "driver", "Swarm", "neither");
	gives("proxy", "stop_signal", "SIGTERM", "SIGTERM");
	refuses_value("proxy", "stop_signal", "QUIT", "neither SIGQUIT");
	gives("nginx", "http_version", "1.0", "1.0");
	refuses_value("nginx", "http_version", "2", "neither 1.1 nor 1.0");
}

static void
texts_keep_to_their_grammar(void **state)
{
	(void)state;
	refuses_value("cluster", "name", "Blue", "not a cluster's name");
	refuses_value("cluster", "name", "-a", "not a cluster's name");
	gives("cluster", "name", "a-1", "a-1");
	refuses_value("proxy", "secrets_dir", "run", "not an absolute path");
	refuses_value("proxy", "secrets_dir", "/a b", "with a blank");
	refuses_value("proxy", "secrets_dir", "/a;b", "';'");
	gives("nginx", "access_log", "off", "off");
	refuses_value("nginx", "access_log", "none", "neither a path nor off");
	gives("nginx", "error_log", "/var/log/x", "/var/log/x");
	gives("proxy", "health_listen", "*:8080", "*:8080");
	gives("proxy", "health_listen", "[::1]:8080", "[::1]:8080");
	gives("proxy", "health_listen", "localhost:1", "localhost:1");
	refuses_value("proxy", "health_listen", "8080", "not HOST:PORT");
	refuses_value("proxy", "health_listen", "a:0", "the port");
	refuses_value("proxy", "health_listen", "::1:80", "[ADDR]:PORT");
	refuses_value("proxy", "health_listen", "1.2.3:80", "neither address");
	refuses_value("proxy", "health_listen", "unix:/x", "");
	gives("control", "listen", "unix:/x/y", "unix:/x/y");
	refuses_value("control", "listen", "unix:x", "not an absolute path");
	gives("control", "url", "https://lb:8081", "https://lb:8081");
	refuses_value("control", "url", "https://lb:8081/", "slash");
	refuses_value("control", "url", "http://:80", "no host");
	refuses_value("control", "url", "lb:8081", "none of");
	refuses_value("proxy", "listen_address", "localhost", "not an IP");
	gives("proxy", "listen_address", "::1", "::1");
	gives("proxy", "cpu_limit", "0.5", "0.5");
	refuses_value("proxy", "cpu_limit", "0.0", "no CPU");
	refuses_value("proxy", "cpu_limit", ".5", "not a number of CPUs");
	refuses_value("proxy", "cpu_limit", "1.", "behind the point");
	gives("proxy", "image", "reg:5000/a/b:1@sha256:0",
	    "reg:5000/a/b:1@sha256:0");
	refuses_value("proxy", "image", "a b", "not an image");
	refuses_value("proxy", "service", "a.b", "not a Swarm service's name");
	refuses_value("nginx", "user", "root;x", "not a user");
	gives("nginx", "ssl_ciphers", "HIGH:!aNULL:@SECLEVEL=0",
	    "HIGH:!aNULL:@SECLEVEL=0");
	refuses_value(
	    "nginx", "ssl_ciphers", "HIGH;}", "not a list of ciphers");
}

static void
lists_are_split_checked_and_folded(void **state)
{
	(void)state;
	gives("cluster", "hosts_allow", "A.Example., *.B.c ,,*,",
	    "a.example, *.b.c, *");
	gives("cluster", "hosts_allow", "", "");
	gives("cluster", "hosts_allow", "*.internal", "*.internal");
	refuses_value("cluster", "hosts_allow", "a.*.b", "\"a.*.b\"");
	refuses_value("cluster", "hosts_allow", "**", "\"**\"");
	refuses_value("cluster", "hosts_allow", "a,10.0.0.1", "\"10.0.0.1\"");
	refuses_value("cluster", "hosts_allow", "a, A", "stands twice");
	refuses_value("cluster", "hosts_reserved", "a b", "\"a b\"");
	gives("cluster", "networks", "front,back_1", "front, back_1");
	refuses_value("cluster", "networks", "a/b", "not a network's name");
	refuses_value("control", "agent_secrets", "-a", "not a secret's name");
	gives("nginx", "real_ip_from", "10.0.0.0/8, fd00::1",
	    "10.0.0.0/8, fd00::1");
	refuses_value(
	    "nginx", "real_ip_from", "10.0.0.1/8", "behind the prefix");
	gives("nginx", "ssl_protocols", "TLSv1.3", "TLSv1.3");
	refuses_value("nginx", "ssl_protocols", "TLSv1.2 TLSv1.3", "commas");
	refuses_value("nginx", "ssl_protocols", "SSLv3", "none of");
	refuses_value("nginx", "ssl_protocols", "", "no value");
	gives("proxy", "constraints", "node.role == worker,node.labels.a!=b",
	    "node.role == worker, node.labels.a!=b");
	refuses_value("proxy", "constraints", "node.role", "not a constraint");
	gives("proxy", "placement_preferences", "spread=node.labels.zone",
	    "spread=node.labels.zone");
	refuses_value("proxy", "placement_preferences", "binpack=x", "spread");
}

static void
continued_lines_are_joined_by_the_kind_of_key(void **state)
{
	struct cluster_config *c = accepts("[cluster]\n"
					   "networks = a\n"
					   "\tb, c ; a comment\n"
					   "\n"
					   "  ; another\n"
					   "  d\n"
					   "[nginx]\n"
					   "http_options = gzip on;\n"
					   "\tgzip_types text/css\n"
					   "\t  text/plain;\n"
					   "main_log_format = a\n"
					   "  #b\n"
					   "  c #d\n"
					   "[proxy.env]\n"
					   "A =\n"
					   "  b\n"
					   "  c\n"
					   "B = x;y ; comment\n"
					   "C:z=1\n");

	(void)state;
	assert_int_equal(c->cluster.networks.items.len, 4);
	assert_string_equal(c->cluster.networks.items.at[3], "d");
	assert_string_equal(c->nginx.http_options,
	    "gzip on;\ngzip_types text/css\ntext/plain;");
	assert_string_equal(c->nginx.main_log_format, "a c #d");
	assert_int_equal(c->proxy.env.pairs.len, 3);
	assert_string_equal(c->proxy.env.pairs.at[0].value, "b c");
	assert_string_equal(c->proxy.env.pairs.at[1].value, "x;y");
	assert_string_equal(c->proxy.env.pairs.at[2].value, "z=1");
	cluster_config_free(c);
}

static void
what_inih_would_cut_or_merge_is_refused(void **state)
{
	char *line _cleanup_free_ = xmemdup0("", 0);
	char longest[400];

	(void)state;
	free(line);
	/* A tail that inih would take for a line of its own. */
	memset(longest, 'a', sizeof(longest));
	line = xasprintf("[proxy.env]\nX = %.195sdefault=true\n", longest);
	refuses(line, ":2: a line of 211 bytes, 190 are allowed");
	free(line);
	line = xasprintf("[proxy.env]\nX = %.186s\n", longest);
	cluster_config_free(accepts(line));
	free(line);
	line = xasprintf("[proxy.env]\n%.50s = 1\n", longest);
	refuses(line, ":2: a key's name has at most 49 bytes");
	refuses("[nginx]\nhttp_options = a ;\n",
	    ":2: [nginx] http_options: a blank before ';'");
	refuses("[nginx]\nhttp_options = a;\n\tb ; c\n",
	    ":3: [nginx] http_options: a blank");
	refuses("[nginx]\nmain_log_format = a ; b\n",
	    ":2: [nginx] main_log_format");
	refuses(
	    "[proxy]\nimage =;x\n", ":2: [proxy] image: a value cannot start");
	refuses("[cluster]\n  default = true\n", ":2: indented");
	refuses("[cluster]\nmax_hosts = 1\n  default = true\n",
	    ":3: indented, so it continues the value of max_hosts");
	refuses("[cluster]\nmax_hosts = 1\n  [proxy]\n", ":3: indented");
	refuses("  x\n", ":1: indented");
	refuses("[cluster] default = true\n", ":1: text behind [cluster]");
	refuses("[cluster\n", ":1: a section without its ]");
	refuses("max_hosts = 1\n", ":1: a key before the first [section]");
	refuses("[cluster]\nmax_hosts\n", ":2: neither KEY = VALUE");
	refuses("[cluster]\nmax_hosts = 1\nmax_hosts = 1\n",
	    ":3: [cluster] max_hosts stands a second time, after line 2");
	refuses("[cluster]\n[proxy]\n[cluster]\n",
	    ":3: [cluster] stands a second time, after line 1");
	refuses("[proxy.env]\nA = 1\nA = 1\n",
	    ":3: [proxy.env] A stands a second time");
	refuses("[cluster]\nmax_hosts = 1\a\n",
	    ":2: control character 0x07 in column 14");
	refuses("[cluster]\r\nmax_hosts = 1\r\n", ":1: lines end with CR LF");
	refuses("[proxy.labels]\n: x\n  = y\n", ":2: no key before");
	refuses("[proxy.env]\n1A = x\n", "not a variable's name");
	cluster_config_free(accepts("\xef\xbb\xbf[cluster]\nmax_hosts = 1"));
	cluster_config_free(
	    accepts("[cluster] ; comment\n# x\n ; y\nmax_hosts:1"));
}

static void
a_nul_is_a_control_character(void **state)
{
	static const char text[] = "[cluster]\nmax_hosts = 1\0\n[nonsense]\n";
	struct config_errors errors = { 0 };

	(void)state;
	assert_null(
	    cluster_config_parse("a.ini", text, sizeof(text) - 1, &errors));
	assert_int_equal(errors.lines.len, 2);
	config_errors_fini(&errors);
}

static void
unknown_names_come_with_the_nearest_known(void **state)
{
	(void)state;
	refuses("[cluter]\nx = 1\n",
	    ":1: unknown section \"[cluter]\"; is it [cluster]?");
	refuses("[zzzzzzz]\n", ":1: unknown section \"[zzzzzzz]\"");
	refuses("[proxy]\nreplica = 1\n  more\n",
	    ":2: unknown key \"replica\" in [proxy]; is it replicas?");
	refuses("[cluster]\nreplicas = 1\n",
	    ":2: unknown key \"replicas\" in [cluster]; it belongs to [proxy]");
	refuses("[cluster]\nqqqqqqq = 1\n",
	    ":2: unknown key \"qqqqqqq\" in [cluster]");
}

static void
a_file_with_ten_errors_reports_ten_lines(void **state)
{
	struct config_errors errors = { 0 };

	(void)state;
	assert_null(parse("[cluster]\n"
			  "nam = a\n"
			  "default = perhaps\n"
			  "max_hosts = 0\n"
			  "[proxy]\n"
			  "driver = swarn\n"
			  "replicas = 1\n"
			  "replicas = 2\n"
			  "published_port = http\n"
			  "\tmore\n"
			  "[nginxx]\n"
			  "whatever = 1\n"
			  "[nginx]\n"
			  "http_options = a ;\n"
			  "connect_timeout = soon\n"
			  "no key\n",
	    &errors));
	assert_int_equal(errors.lines.len, 10);
	for (size_t i = 0; i < errors.lines.len; i++) {
		static const int lines[] = { 2, 3, 4, 6, 8, 9, 11, 14, 15, 16 };
		char *start _cleanup_free_ =
		    xasprintf("/etc/x/blue.ini:%d: ", lines[i]);

		assert_ptr_equal(
		    strstr(errors.lines.at[i], start), errors.lines.at[i]);
	}
	config_errors_fini(&errors);
}

static void
a_flood_of_errors_is_counted(void **state)
{
	struct config_errors errors = { 0 };
	STR_AUTO(text, 100000);
	STR_AUTO(all, 100000);

	(void)state;
	for (int i = 0; i < 1000; i++)
		str_add(&text, "nonsense\n");
	assert_null(parse(text.p, &errors));
	assert_int_equal(errors.lines.len, 100);
	assert_int_equal(errors.more, 900);
	config_errors_print(&errors, &all);
	assert_non_null(strstr(all.p, "and 900 more\n"));
	config_errors_fini(&errors);
}

static void
one_key_completes_another(void **state)
{
	struct cluster_config *c = accepts("[cluster]\nname = red\n"
					   "[proxy]\npublish_mode = host\n"
					   "drain_delay = 1m\n");
	struct daemon_config *d;
	struct config_errors errors = { 0 };
	static const char run_dir[] = "[supervisor]\nrun_dir = /tmp/x\n";

	(void)state;
	assert_string_equal(c->cluster.name, "red");
	assert_string_equal(c->proxy.service, "bulkhead-proxy-red");
	assert_int_equal(c->proxy.stop_grace_period_ms, 75000);
	assert_int_equal(c->proxy.update_order, ORDER_STOP_FIRST);
	cluster_config_free(c);
	c = accepts("[proxy]\npublish_mode = host\npublished_port = 0\n"
		    "published_ssl_port = 0\n");
	assert_int_equal(c->proxy.update_order, ORDER_START_FIRST);
	cluster_config_free(c);
	d = daemon_config_parse("b.ini", run_dir, strlen(run_dir), &errors);
	assert_string_equal(d->admin.socket, "/tmp/x/admin.sock");
	daemon_config_free(d);
}

static void
keys_that_belong_together_are_missed(void **state)
{
	struct config_errors errors = { 0 };
	static const char tls[] = "[docker]\ntls_cert = /a\n";

	(void)state;
	refuses("[proxy]\ndrain_delay = 20s\nstop_grace_period = 20s\n",
	    ":3: [proxy] stop_grace_period must be longer");
	refuses("[control]\ntls_ca = /a\ntls_key = /b\n",
	    ":2: [control] tls_ca, tls_cert and tls_key stand together;"
	    " tls_cert is missing");
	refuses("[proxy]\ntarget_ssl_port = 80\n", ":2: [proxy] target_port");
	refuses("[proxy]\npublished_port = 443\n", ":2: [proxy] published");
	assert_null(daemon_config_parse("b.ini", tls, strlen(tls), &errors));
	assert_string_equal(
	    errors.lines.at[0], "b.ini:2: [docker] tls_cert needs tls_key");
	config_errors_fini(&errors);
}

static void
the_file_names_the_cluster(void **state)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c;

	(void)state;
	assert_null(cluster_config_parse("/x/My Blue.ini", "", 0, &errors));
	assert_int_equal(errors.lines.len, 1);
	assert_non_null(strstr(errors.lines.at[0], "rename it or set"));
	config_errors_fini(&errors);
	c = cluster_config_parse("green", "", 0, &errors);
	assert_string_equal(c->cluster.name, "green");
	cluster_config_free(c);
	c = cluster_config_parse(
	    "/x/My.ini", "[cluster]\nname=my", 17, &errors);
	assert_string_equal(c->cluster.name, "my");
	cluster_config_free(c);
}

static void
files_that_cannot_be_read_say_why(void **state)
{
	struct config_errors errors = { 0 };

	(void)state;
	assert_null(cluster_config_load("/nonexistent/a.ini", &errors));
	assert_null(cluster_config_load("/dev", &errors));
	assert_string_equal(errors.lines.at[0],
	    "/nonexistent/a.ini: No such file or directory");
	assert_string_equal(errors.lines.at[1], "/dev: not a file");
	config_errors_fini(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_cluster_file_has_every_default),
		cmocka_unit_test(an_empty_daemon_file_has_every_default),
		cmocka_unit_test(numbers_keep_to_their_range),
		cmocka_unit_test(durations_and_sizes_keep_to_their_range),
		cmocka_unit_test(booleans_and_words_are_of_their_list),
		cmocka_unit_test(texts_keep_to_their_grammar),
		cmocka_unit_test(lists_are_split_checked_and_folded),
		cmocka_unit_test(continued_lines_are_joined_by_the_kind_of_key),
		cmocka_unit_test(what_inih_would_cut_or_merge_is_refused),
		cmocka_unit_test(a_nul_is_a_control_character),
		cmocka_unit_test(unknown_names_come_with_the_nearest_known),
		cmocka_unit_test(a_file_with_ten_errors_reports_ten_lines),
		cmocka_unit_test(a_flood_of_errors_is_counted),
		cmocka_unit_test(one_key_completes_another),
		cmocka_unit_test(keys_that_belong_together_are_missed),
		cmocka_unit_test(the_file_names_the_cluster),
		cmocka_unit_test(files_that_cannot_be_read_say_why),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
