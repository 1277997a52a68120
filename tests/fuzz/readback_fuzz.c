/*
 * Any bytes as one of our files, and any bytes as a host and a path: what
 * render() lets through, read-back has compared with the routes.
 */
#include <string.h>

#include "../../extension/readback.h"
#include "../../extension/readback_grammar.h"
#include "../../extension/render.h"
#include "../unit/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct render_options offline = {
	.listen = "8080",
	.listen_ssl = "8443",
	.secrets_dir = "/run/secrets",
};

/* Every statement is refused or has a place; none of it may crash. */
static void
try_text(const char *text, size_t len)
{
	enum grammar_context in, inside;
	struct token_reader t;
	enum token_kind kind;
	struct error e;

	for (in = IN_MAIN; in < IN_COUNT; in++) {
		token_init(&t, text, len);
		while (token_next(&t, &kind, &e) == 0 && kind != TOKEN_END)
			if (kind != TOKEN_CLOSE)
				(void)!grammar_check(&t, kind, in, &inside, &e);
		token_fini(&t);
	}
}

/* A file of ours replaced by 'text' never adds a name or an address. */
static void
try_file(const char *text, size_t len)
{
	struct fixture f = { .config = routes_config("") };
	struct accepted *a = routes_service(&f, "svc");
	struct rendered *r;
	struct error e;
	size_t i;

	routes_pool(routes_add(&f, a, "a.example", "/", TLS_NONE), a, 1, 2, 1);
	r = render(f.config, &f.routing, &offline, &e);
	must(r != NULL);
	for (i = 0; i < r->files.len; i++) {
		struct rendered_file *file = r->files.at[i];

		if (strcmp(file->path, "nginx.conf") == 0 ||
		    strcmp(file->path, "sites/default.conf") == 0)
			continue;
		free(file->text);
		file->text = xmemdup0(text, len);
		file->len = len;
	}
	if (readback_check(r, &f.routing, &e) == 0) {
		must(strstr(text, "a.example") != NULL);
		must(strstr(text, "10.0.1.1:8080") != NULL);
		must(strstr(text, "10.0.1.2:8080") != NULL);
	}
	rendered_free(r);
	routes_fini(&f);
}

/* render() is its own oracle: it reads back what it wrote. */
static void
try_values(const char *host, const char *path)
{
	struct fixture f = { .config = routes_config("") };
	struct accepted *a = routes_service(&f, "svc");
	struct rendered *r;
	struct error e;

	routes_pool(routes_add(&f, a, host, path, TLS_NONE), a, 1, 1, 1);
	r = render(f.config, &f.routing, &offline, &e);
	must(r != NULL || strncmp(e.msg, "read-back", 9) != 0);
	rendered_free(r);
	routes_fini(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmemdup0(data, size);
	char *path = memchr(text, '\n', size);

	try_text(text, size);
	try_file(text, size);
	if (path != NULL) {
		*path = '\0';
		if (strcmp(text, "*") != 0)
			try_values(text, path + 1);
	}
	free(text);
	return 0;
}
