/* What is rendered from hand-made routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../extension/readback.h"
#include "../../extension/render.h"
#include "routes.h"

static const struct render_options offline = {
	.listen = "127.0.0.1:8080",
	.listen_ssl = "127.0.0.1:8443",
	.secrets_dir = "/run/secrets",
};
static const struct render_options live = { .live = true };

static struct fixture
fixture(const char *ini)
{
	struct fixture f = { .config = routes_config(ini) };

	return f;
}

static struct rendered *
must_render(const struct fixture *f, const struct render_options *o)
{
	struct error e = { 0 };
	struct rendered *r = render(f->config, &f->routing, o, &e);

	if (r == NULL)
		print_error("%s\n", e.msg);
	assert_non_null(r);
	return r;
}

/* The site file with 'text' in it, or NULL. */
static const struct rendered_file *
file_with(const struct rendered *r, const char *text)
{
	size_t i;

	for (i = 0; i < r->files.len; i++)
		if (strncmp(r->files.at[i]->path, "sites/", 6) == 0 &&
		    strstr(r->files.at[i]->text, text) != NULL)
			return r->files.at[i];
	return NULL;
}

static void
assert_has(const struct rendered *r, const char *path, const char *text)
{
	const struct rendered_file *f = rendered_file(r, path);

	assert_non_null(f);
	if (strstr(f->text, text) == NULL)
		print_error("%s\n", f->text);
	assert_non_null(strstr(f->text, text));
}

static void
no_routes_still_answer(void **state)
{
	struct fixture f = fixture("");
	struct rendered *r = must_render(&f, &offline);

	(void)state;
	assert_int_equal(r->files.len, 2);
	assert_has(r, "nginx.conf", "include sites/*.conf;");
	assert_has(
	    r, "sites/default.conf", "listen 127.0.0.1:8080 default_server;");
	assert_has(r, "sites/default.conf", "return 503 ");
	assert_string_equal(r->listen_http, "default_server");
	assert_null(r->listen_https);
	rendered_free(r);
	routes_fini(&f);
}

static void
two_services(struct fixture *f)
{
	struct accepted *a = routes_service(f, "svca");
	struct accepted *b = routes_service(f, "svcb");

	routes_pool(routes_add(f, a, "a.example", "/", TLS_NONE), a, 1, 2, 1);
	routes_pool(
	    routes_add(f, b, "b.example", "/app", TLS_NONE), b, 2, 3, 1);
}

static void
the_same_routes_give_the_same_bytes(void **state)
{
	struct fixture f = fixture(""), g = fixture("");
	struct rendered *r, *s;
	size_t i;

	(void)state;
	two_services(&f);
	two_services(&g);
	r = must_render(&f, &offline);
	s = must_render(&g, &offline);
	assert_string_equal(r->config, s->config);
	assert_int_equal(r->files.len, s->files.len);
	for (i = 0; i < r->files.len; i++) {
		assert_string_equal(r->files.at[i]->path, s->files.at[i]->path);
		assert_string_equal(r->files.at[i]->text, s->files.at[i]->text);
	}
	rendered_free(r);
	rendered_free(s);
	routes_fini(&f);
	routes_fini(&g);
}

static void
a_change_touches_the_files_of_its_service_only(void **state)
{
	struct fixture f = fixture(""), g = fixture("");
	struct rendered *r, *s;
	size_t i, differ = 0;

	(void)state;
	two_services(&f);
	two_services(&g);
	routes_pool(&g.routing.routes.at[1], g.routing.accepted.at[1], 3, 1, 1);
	r = must_render(&f, &offline);
	s = must_render(&g, &offline);
	assert_int_equal(r->files.len, s->files.len);
	for (i = 0; i < r->files.len; i++) {
		assert_string_equal(r->files.at[i]->path, s->files.at[i]->path);
		differ +=
		    strcmp(r->files.at[i]->sha256, s->files.at[i]->sha256) != 0;
	}
	assert_int_equal(differ, 1);
	assert_string_not_equal(r->config, s->config);
	rendered_free(r);
	rendered_free(s);
	routes_fini(&f);
	routes_fini(&g);
}

static void
hosts_with_equal_routes_share_a_server(void **state)
{
	struct fixture f = fixture("");
	struct accepted *a = routes_service(&f, "svca");
	struct rendered *r;

	(void)state;
	routes_pool(routes_add(&f, a, "a.example", "/", TLS_NONE), a, 1, 1, 1);
	routes_pool(routes_add(&f, a, "b.example", "/", TLS_NONE), a, 1, 1, 1);
	routes_pool(routes_add(&f, a, "c.example", "/", TLS_NONE), a, 2, 1, 1);
	r = must_render(&f, &offline);
	assert_int_equal(r->files.len, 4);
	assert_non_null(file_with(r, "server_name a.example b.example;"));
	assert_non_null(file_with(r, "server_name c.example;"));
	rendered_free(r);
	routes_fini(&f);
}

static void
live_files_include_what_the_agent_writes(void **state)
{
	struct fixture f = fixture("[proxy]\nstatus_listen = 127.0.0.1:9\n");
	struct accepted *a = routes_service(&f, "svca");
	struct rendered *r;
	size_t i;

	(void)state;
	a->labels.ssl_cert = (char *)(uintptr_t) "cert";
	routes_pool(
	    routes_add(&f, a, "a.example", "/", TLS_TERMINATE), a, 1, 1, 1);
	r = must_render(&f, &live);
	for (i = 0; i < r->files.len; i++)
		assert_null(strstr(r->files.at[i]->text, "listen 1"));
	assert_has(r, "nginx.conf", "include agent/main.conf;");
	assert_has(r, "nginx.conf", "include agent/http.conf;");
	assert_has(r, "nginx.conf", "include agent/listen_status.conf;");
	assert_has(r, "sites/default.conf", "include agent/default_http.conf;");
	assert_has(
	    r, "sites/default.conf", "include agent/default_https.conf;");
	assert_has(r, "sites/https.inc", "include agent/listen_https.conf;");
	assert_string_equal(r->listen_https, "default_server ssl http2");
	rendered_free(r);
	routes_fini(&f);
}

static void
behind_a_passthrough_tls_moves_to_a_socket(void **state)
{
	struct fixture f = fixture("");
	struct accepted *a = routes_service(&f, "svca");
	struct accepted *p = routes_service(&f, "svcp");
	struct rendered *r;

	(void)state;
	a->labels.ssl_cert = (char *)(uintptr_t) "cert";
	routes_pool(
	    routes_add(&f, a, "a.example", "/", TLS_TERMINATE), a, 1, 1, 1);
	routes_pool(
	    routes_add(&f, p, "p.example", "/", TLS_PASSTHROUGH), p, 2, 2, 1);
	r = must_render(&f, &live);
	assert_string_equal(r->listen_https, "");
	assert_has(r, "sites/https.inc", "listen unix:tls.sock;");
	assert_non_null(file_with(r, "p.example t-"));
	rendered_free(r);
	routes_fini(&f);
}

/* sites/https.inc of a TLS host without a passthrough. */
static void
assert_kept(const char *ini, const struct render_options *o, const char *want)
{
	struct fixture f = fixture(ini);
	struct accepted *a = routes_service(&f, "svca");
	struct rendered *r;

	a->labels.ssl_cert = (char *)(uintptr_t) "cert";
	routes_pool(
	    routes_add(&f, a, "a.example", "/", TLS_TERMINATE), a, 1, 1, 1);
	r = must_render(&f, o);
	assert_string_equal(rendered_file(r, "sites/https.inc")->text, want);
	rendered_free(r);
	routes_fini(&f);
}

static void
live_the_socket_of_a_passthrough_that_has_gone_is_still_there(void **state)
{
	static const char port[] = "include agent/listen_https.conf;\n";

	(void)state;
	assert_kept("", &live,
	    "include agent/listen_https.conf;\nlisten unix:tls.sock;\n"
	    "set_real_ip_from unix:;\nreal_ip_header proxy_protocol;\n");
	assert_kept("[nginx]\nreal_ip_from = 10.0.0.3\n", &live,
	    "include agent/listen_https.conf;\nlisten unix:front.sock;\n"
	    "set_real_ip_from unix:;\nset_real_ip_from 10.0.0.3;\n"
	    "real_ip_header X-Forwarded-For;\n");
	assert_kept("[nginx]\nreal_ip_from = 10.0.0.3\n"
		    "accept_proxy_protocol = true\n",
	    &live,
	    "include agent/listen_https.conf;\nlisten unix:tls.sock;\n"
	    "set_real_ip_from unix:;\nset_real_ip_from 10.0.0.3;\n"
	    "real_ip_header proxy_protocol;\n");
	/* What the operator says of addresses is not said against. */
	assert_kept("[nginx]\nhttp_options = set_real_ip_from 10.0.0.3;\n",
	    &live, port);
	assert_kept(
	    "[nginx]\nhttp_options = include /etc/real;\n", &live, port);
	assert_kept("", &offline, "listen 127.0.0.1:8443;\n");
}

static void
a_value_that_got_past_the_grammar_is_refused(void **state)
{
	static const char *const hosts[] = { "a;b", "a b", "a\nb", "~.",
		"$host", "", "A.example", "a..b", "-a", "\"a", "a\\", "a{",
		"*.", ".a" };
	static const char *const paths[] = { "/a;b", "/a b", "a", "/a/", "/..",
		"/a/../b", "//a", "/$x", "/a{", "/a\"", "/%2e", "" };
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < countof(hosts) + countof(paths); i++) {
		struct fixture f = fixture("");
		struct accepted *a = routes_service(&f, "svca");
		bool host = i < countof(hosts);

		routes_pool(
		    routes_add(&f, a, host ? hosts[i] : "a.example",
			host ? "/" : paths[i - countof(hosts)], TLS_NONE),
		    a, 1, 1, 1);
		assert_null(render(f.config, &f.routing, &offline, &e));
		routes_fini(&f);
	}
}

static void
an_address_that_is_none_is_refused(void **state)
{
	static const char *const addresses[] = { "10.0.0.1", "10.0.0.1:0",
		"10.0.0.1:65536", "10.0.0.1:80; return", "h:80", "10.0.0:80",
		"fd00::1:80", "[fd00::1]", "[10.0.0.1]:80", "10.0.0.1:+80" };
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < countof(addresses); i++) {
		struct fixture f = fixture("");
		struct accepted *a = routes_service(&f, "svca");
		struct route *r = routes_add(&f, a, "a.example", "/", TLS_NONE);
		struct upstream *u;

		routes_pool(r, a, 1, 1, 1);
		u = &r->members.at[0].upstreams.at[0];
		free(u->address);
		u->address = xstrdup(addresses[i]);
		assert_null(render(f.config, &f.routing, &offline, &e));
		routes_fini(&f);
	}
}

static void
raw_options_stand_in_files_of_their_own(void **state)
{
	struct fixture f = fixture("[nginx]\n"
				   "http_options = map $x $y { default 1; }\n"
				   "stream_options = resolver 127.0.0.1\n"
				   "global_options = env PATH\n");
	struct rendered *r = must_render(&f, &offline);

	(void)state;
	assert_has(r, "sites/http.raw", "map $x $y { default 1; }\n");
	assert_has(r, "sites/stream.raw", "resolver 127.0.0.1\n");
	assert_has(r, "sites/main.raw", "env PATH\n");
	assert_has(r, "nginx.conf", "ngx_stream_module.so;");
	rendered_free(r);
	routes_fini(&f);
}

static void
a_held_host_is_nobody_s_under_another_s_wildcard(void **state)
{
	struct hold held = { .state = HOLD_HELD, .name = (char *)"web" };
	struct hold owned = { .state = HOLD_OWNED, .name = (char *)"web" };
	struct holds holds = { 0 };
	struct fixture f = fixture("");
	struct accepted *p = routes_service(&f, "p"), *w;
	struct rendered *r;

	(void)state;
	p->labels.ssl_passthrough = true;
	routes_pool(
	    routes_add(&f, p, "*.p.example", "/", TLS_PASSTHROUGH), p, 1, 1, 1);
	w = routes_service(&f, "w");
	routes_pool(
	    routes_add(&f, w, "*.w.example", "/", TLS_NONE), w, 2, 1, 1);
	(void)map_set(&holds.hosts, "a.p.example", &held);
	(void)map_set(&holds.hosts, "a.b.w.example", &held);
	(void)map_set(&holds.hosts, "b.w.example", &owned);
	(void)map_set(&holds.hosts, "far.example", &held);
	f.routing.holds = &holds;
	r = must_render(&f, &offline);
	assert_has(r, "sites/held.conf",
	    "\tserver_name a.b.w.example a.p.example;\n\tlocation / {\n"
	    "\t\treturn 503");
	assert_has(r, "sites/held.conf",
	    "\tinclude sites/https.inc;\n\tssl_reject_handshake on;\n");
	assert_has(r, "nginx.conf", "\t\ta.p.example tls;\n");
	rendered_free(r);
	f.routing.holds = NULL;
	r = must_render(&f, &offline);
	assert_null(rendered_file(r, "sites/held.conf"));
	rendered_free(r);
	map_fini(&holds.hosts);
	routes_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_routes_still_answer),
		cmocka_unit_test(the_same_routes_give_the_same_bytes),
		cmocka_unit_test(
		    a_change_touches_the_files_of_its_service_only),
		cmocka_unit_test(hosts_with_equal_routes_share_a_server),
		cmocka_unit_test(live_files_include_what_the_agent_writes),
		cmocka_unit_test(behind_a_passthrough_tls_moves_to_a_socket),
		cmocka_unit_test(
		    live_the_socket_of_a_passthrough_that_has_gone_is_still_there),
		cmocka_unit_test(a_value_that_got_past_the_grammar_is_refused),
		cmocka_unit_test(an_address_that_is_none_is_refused),
		cmocka_unit_test(raw_options_stand_in_files_of_their_own),
		cmocka_unit_test(
		    a_held_host_is_nobody_s_under_another_s_wildcard),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
