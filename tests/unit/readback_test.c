/* Read-back refuses every file that is not what the routes say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../extension/readback.h"
#include "../../extension/readback_grammar.h"
#include "../../extension/render.h"
#include "routes.h"

static const struct render_options offline = {
	.listen = "127.0.0.1:8080",
	.listen_ssl = "127.0.0.1:8443",
	.secrets_dir = "/run/secrets",
	.dir = "/run/x",
};

/* Two plain hosts, one with a path; a terminated one; a passthrough. */
static struct fixture
fixture(void)
{
	struct fixture f = { .config = routes_config("") };
	struct accepted *a = routes_service(&f, "svca");
	struct accepted *b = routes_service(&f, "svcb");
	struct accepted *c = routes_service(&f, "svcc");
	struct accepted *p = routes_service(&f, "svcp");

	c->labels.ssl_cert = (char *)(uintptr_t) "cert";
	routes_pool(routes_add(&f, a, "a.example", "/", TLS_NONE), a, 1, 2, 1);
	routes_pool(
	    routes_add(&f, b, "a.example", "/app", TLS_NONE), b, 2, 2, 3);
	f.routing.routes.at[1].host_owner = a;
	routes_pool(routes_add(&f, b, "b.example", "/", TLS_NONE), b, 2, 1, 1);
	routes_pool(
	    routes_add(&f, c, "c.example", "/", TLS_TERMINATE), c, 3, 1, 1);
	routes_pool(
	    routes_add(&f, p, "p.example", "/", TLS_PASSTHROUGH), p, 4, 2, 1);
	return f;
}

/* The first file with 'old' gets 'new' in its place; false: no such file. */
static bool
tamper(struct rendered *r, const char *old, const char *new)
{
	size_t i;

	for (i = 0; i < r->files.len; i++) {
		struct rendered_file *f = r->files.at[i];
		char *at = strstr(f->text, old);
		char *text;

		if (at == NULL)
			continue;
		text = xasprintf("%.*s%s%s", (int)(at - f->text), f->text, new,
		    at + strlen(old));
		free(f->text);
		f->text = text;
		f->len = strlen(text);
		return true;
	}
	return false;
}

static void
what_was_rendered_is_accepted(void **state)
{
	struct fixture f = fixture();
	struct error e = { 0 };
	struct rendered *r = render(f.config, &f.routing, &offline, &e);

	(void)state;
	if (r == NULL)
		print_error("%s\n", e.msg);
	assert_non_null(r);
	assert_int_equal(readback_check(r, &f.routing, &e), 0);
	rendered_free(r);
	routes_fini(&f);
}

static const struct {
	const char *old, *new;
} tampers[] = {
	/* names */
	{ "server_name b.example;", "server_name x.example;" },
	{ "server_name b.example;", "server_name b.example x.example;" },
	{ "server_name b.example;", "server_name a.example;" },
	{ "server_name b.example;", "server_name b.example a.example;" },
	{ "server_name b.example;", "server_name ~^b;" },
	{ "server_name b.example;", "" },
	{ "server_name b.example;",
	    "server_name b.example; server_name q.example;" },
	{ "p.example t-", "q.example t-" },
	{ "p.example t-", "c.example t-" },
	{ "p.example t-", "p.example p-" },
	{ "p.example t-", "# p.example t-" },
	/* addresses and weights */
	{ "server 10.0.2.1:8080 weight=3;", "server 10.0.2.9:8080 weight=3;" },
	{ "server 10.0.2.1:8080 weight=3;", "server 10.0.2.1:8080 weight=4;" },
	{ "server 10.0.2.1:8080 weight=3;", "server 10.0.2.1:8080;" },
	{ "server 10.0.2.1:8080 weight=3;", "" },
	{ "server 10.0.2.1:8080 weight=3;",
	    "server 10.0.2.1:8080 weight=3; server 10.9.9.9:80;" },
	{ "server 10.0.2.1:8080 weight=3;",
	    "server 10.0.2.1:8080 weight=3 down;" },
	{ "server 10.0.2.1:8080 weight=3;",
	    "server 10.0.2.1:8080 weight=3 resolve;" },
	{ "server 10.0.4.1:8080;", "server 10.0.1.1:8080;" },
	/* locations */
	{ "location = /app {", "location = /apq {" },
	{ "location = /app {", "location ^~ /app {" },
	{ "location = /app {", "location ~ /app {" },
	{ "location /app/ {", "location /app {" },
	{ "location /app/ {", "location /other/ {" },
	{ "proxy_pass http://", "return 200; proxy_pass http://" },
	{ "proxy_pass http://", "proxy_pass http://127.0.0.1:1; proxy_pass " },
	{ "proxy_pass http://", "proxy_pass http://unix:/run/docker.sock:/" },
	{ "return 503", "proxy_pass http://127.0.0.1:2375; return 503" },
	/* the way to a target */
	{ "proxy_pass http://", "proxy_pass https://" },
	{ "proxy_pass http://", "proxy_pass h.tp://" },
	{ "proxy_pass http://", "proxy_pass grpc://" },
	{ "proxy_pass http://", "grpc_pass grpc://" },
	{ ";\n\t}\n", "/;\n\t}\n" },
	{ ";\n\t}\n", "/other/;\n\t}\n" },
	/* directives and their places */
	{ "location / {", "location / { alias /etc/;" },
	{ "location / {", "location / { root /; autoindex on;" },
	{ "location / {", "location / { content_by_lua x;" },
	{ "location / {", "location / { if ($host = a) { return 200; }" },
	{ "location / {", "location / { proxy_set_header X $http_cookie;" },
	{ "location / {", "location / { proxy_set_header X;" },
	{ "location / {", "location / { include /etc/passwd;" },
	{ "location / {", "location / { stub_status on; x" },
	{ "server {", "server { include /etc/nginx/x;" },
	{ "server {", "lua_code_cache off; server {" },
	{ "server {", "server { } server {" },
	{ "events {", "daemon off; events {" },
	{ "events {", "load_module a b; events {" },
	{ "default $request_id;", "default $http_x_request_id;" },
	{ "{1,64}$\"", "{1,65}$\"" },
	{ "default 0;", "default 1;" },
	{ "include sites/*.conf;", "include /etc/*.conf;" },
	/* the text itself */
	{ "}\n", "" },
	{ "}\n", "}\n}\n" },
	{ ";\n", "\n" },
	{ ";\n", ";;\n" },
	{ ";\n", "; # a comment\n" },
	{ "a.example;", "a.example\\;" },
	{ "a.example;", "'a.example';" },
	{ "a.example;", "\"a.example\";" },
	{ "a.example;", "${host};" },
	{ "a.example;", "a.example\x01;" },
	{ "a.example;", "a.example\xc3\xa9;" },
	{ "a.example;", "\"a.example;" },
};

static void
what_was_tampered_with_is_refused(void **state)
{
	struct fixture f = fixture();
	struct error e;
	size_t i;

	(void)state;
	for (i = 0; i < countof(tampers); i++) {
		struct rendered *r = render(f.config, &f.routing, &offline, &e);

		assert_non_null(r);
		if (!tamper(r, tampers[i].old, tampers[i].new))
			fail_msg("nowhere: %s", tampers[i].old);
		if (readback_check(r, &f.routing, &e) == 0)
			fail_msg("accepted: %s -> %s", tampers[i].old,
			    tampers[i].new);
		rendered_free(r);
	}
	routes_fini(&f);
}

static void
a_missing_or_foreign_file_is_refused(void **state)
{
	struct fixture f = fixture();
	struct error e;
	size_t i, n;

	(void)state;
	for (i = n = 0; i == 0 || i < n; i++) {
		struct rendered *r = render(f.config, &f.routing, &offline, &e);
		const char *path;

		assert_non_null(r);
		n = r->files.len;
		path = r->files.at[i]->path;
		/* The cluster's own files hold no route. */
		if (strstr(path, "nginx.conf") == NULL &&
		    strstr(path, ".inc") == NULL &&
		    strstr(path, "default.conf") == NULL) {
			r->files.at[i]->len = 0;
			assert_int_not_equal(
			    readback_check(r, &f.routing, &e), 0);
		}
		rendered_free(r);
	}
	{
		struct rendered *r = render(f.config, &f.routing, &offline, &e);

		free(r->files.at[0]->path);
		r->files.at[0]->path = xstrdup("sites/x.lua");
		assert_int_not_equal(readback_check(r, &f.routing, &e), 0);
		rendered_free(r);
	}
	routes_fini(&f);
}

static void
a_file_cut_at_any_byte_is_refused(void **state)
{
	struct fixture f = fixture();
	struct error e;
	struct rendered *r = render(f.config, &f.routing, &offline, &e);
	size_t i, cut, accepted = 0;

	(void)state;
	assert_non_null(r);
	for (i = 0; i < r->files.len; i++) {
		struct rendered_file *file = r->files.at[i];
		size_t len = file->len;

		if (strstr(file->path, "sites/") == NULL ||
		    strstr(file->path, "default") != NULL ||
		    strstr(file->path, ".inc") != NULL)
			continue;
		/* The newline behind the last brace does not matter. */
		for (cut = 0; cut + 1 < len; cut++) {
			file->len = cut;
			accepted += readback_check(r, &f.routing, &e) == 0;
		}
		file->len = len;
	}
	assert_int_equal(accepted, 0);
	rendered_free(r);
	routes_fini(&f);
}

static void
the_list_of_directives_is_sorted(void **state)
{
	(void)state;
	assert_true(grammar_is_sorted());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_rendered_is_accepted),
		cmocka_unit_test(what_was_tampered_with_is_refused),
		cmocka_unit_test(a_missing_or_foreign_file_is_refused),
		cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
		cmocka_unit_test(the_list_of_directives_is_sorted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
