/*
 * A model out of any bytes, rendered: what is written reads back as the
 * routes it was made of (render() says so itself), and twice the same.  Then
 * one byte of one file is another: that is refused, or it says the same to
 * nginx in all that decides who is routed where.
 *
 * The input: a byte, file, place and byte of the edit; then services, one a
 * line, "KEY=VALUE|KEY=VALUE...".
 */
#include <stdint.h>
#include <string.h>

#include "../../extension/readback.h"
#include "../../extension/readback_token.h"
#include "../../extension/render.h"
#include "../unit/routes.h"
#include "docker/decode.h"
#include "model/label.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4096, SERVICES_MAX = 8, HEAD = 5 };

static const struct render_options offline = {
	.listen = "8080",
	.listen_ssl = "8443",
	.secrets_dir = "/run/secrets",
	.dir = "/srv/x",
};
static const struct render_options live = {
	.live = true,
	.secrets_dir = "/run/secrets",
};

/* ---- a model, by way of a snapshot document ---- */

static void
write_label(struct str *out, const char *p, size_t len)
{
	const char *equals = memchr(p, '=', len);
	char *key _cleanup_free_ = NULL;

	if (equals == NULL)
		return;
	key = xasprintf(LABEL_PREFIX "%.*s", (int)(equals - p), p);
	str_addc(out, ',');
	str_add_json(out, key, strlen(key));
	str_addc(out, ':');
	str_add_json(out, equals + 1, len - (size_t)(equals + 1 - p));
}

static void
write_service(struct str *out, const char *p, size_t len, unsigned number)
{
	str_addf(out,
	    "%s{\"ID\":\"s%u\",\"Version\":{\"Index\":1},"
	    "\"CreatedAt\":\"2024-01-0%uT00:00:00Z\",\"Spec\":{\"Name\":"
	    "\"n%u\",\"Mode\":{\"Replicated\":{\"Replicas\":2}},"
	    "\"TaskTemplate\":{\"Networks\":[{\"Target\":\"net\"}]},"
	    "\"Labels\":{\"x\":\"\"",
	    number == 0 ? "" : ",", number, number + 1, number);
	while (len > 0) {
		const char *bar = memchr(p, '|', len);
		size_t n = bar == NULL ? len : (size_t)(bar - p);

		write_label(out, p, n);
		n += bar != NULL;
		p += n;
		len -= n;
	}
	str_addf(out,
	    "}},\"Endpoint\":{\"Spec\":{\"Mode\":\"vip\"},\"VirtualIPs\":"
	    "[{\"NetworkID\":\"net\",\"Addr\":\"10.0.9.%u/24\"}]}}",
	    number + 1);
}

static void
write_task(struct str *out, unsigned of, unsigned number)
{
	str_addf(out,
	    "%s{\"ID\":\"t%ux%u\",\"ServiceID\":\"s%u\",\"Slot\":%u,"
	    "\"NodeID\":\"a\",\"Status\":{\"State\":\"running\"},"
	    "\"DesiredState\":\"running\",\"NetworksAttachments\":"
	    "[{\"Network\":{\"ID\":\"net\"},\"Addresses\":"
	    "[\"10.0.%u.%u/16\"]}]}",
	    of + number == 0 ? "" : ",", of, number, of, number + 1, of,
	    number + 1);
}

static struct model *
model_of(const char *p, size_t len)
{
	STR_AUTO(out, 64 * INPUT_MAX);
	unsigned n = 0, i;
	struct error e;

	str_add(&out, "{\"version\":1,\"services\":[");
	while (len > 0 && n < SERVICES_MAX) {
		const char *line = memchr(p, '\n', len);
		size_t part = line == NULL ? len : (size_t)(line - p);

		write_service(&out, p, part, n++);
		part += line != NULL;
		p += part;
		len -= part;
	}
	str_add(&out, "],\"tasks\":[");
	for (i = 0; i < 2 * n; i++)
		write_task(&out, i / 2, i % 2);
	str_add(&out,
	    "],\"networks\":[{\"Id\":\"net\",\"Name\":\"front\",\"Driver\":"
	    "\"overlay\",\"Scope\":\"swarm\",\"IPAM\":{\"Config\":"
	    "[{\"Subnet\":\"10.0.0.0/16\"}]}}]}");
	return docker_decode_snapshot(out.p, out.len, &e);
}

/* ---- what decides who is routed where ---- */

/* An upstream's name counts where something is passed to it. */
static const char *const telling[] = { "server_name", "server", "location",
	"proxy_pass", "grpc_pass", "include" };

/* Whether word 'i' of a statement is a name, a path, an address, a weight. */
static bool
tells(const char *directive, const char *word, size_t i)
{
	size_t k;

	if (strcmp(directive, "server") == 0 && i > 1)
		return strncmp(word, "weight=", 7) == 0;
	for (k = 0; k < countof(telling); k++)
		if (strcmp(directive, telling[k]) == 0)
			return true;
	return false;
}

/* The statements in order: what tells of them, and their first words. */
static int
gist(const char *text, size_t len, struct str *out)
{
	struct token_reader t;
	enum token_kind kind;
	struct error e;
	size_t i;
	int rc;

	token_init(&t, text, len);
	while ((rc = token_next(&t, &kind, &e)) == 0 && kind != TOKEN_END) {
		str_addf(out, "%d", kind);
		for (i = 0; i < t.words.len; i++)
			if (i == 0 ||
			    tells(token_word(&t, 0), token_word(&t, i), i))
				str_addf(out, " %s", token_word(&t, i));
		str_addc(out, '\n');
	}
	token_fini(&t);
	return rc;
}

/* A byte of a file is another one. */
static void
edit(struct rendered *r, const struct routing *routing, const uint8_t *head)
{
	struct rendered_file *f = r->files.at[head[0] % r->files.len];
	size_t at = ((size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]);
	STR_AUTO(before, 1 << 22);
	STR_AUTO(after, 1 << 22);
	struct error e;
	char was;

	if (f->len == 0 || strstr(f->path, ".raw") != NULL)
		return;
	at %= f->len;
	was = f->text[at];
	must(gist(f->text, f->len, &before) == 0);
	f->text[at] = (char)head[4];
	e.msg[0] = '\0';
	if (readback_check(r, routing, &e) != 0) {
		must(e.msg[0] != '\0');
	} else {
		must(gist(f->text, f->len, &after) == 0);
		if (strcmp(before.p, after.p) != 0) {
			fprintf(stderr, "%s at %zu: '%c' to '%c':\n%s", f->path,
			    at, was, f->text[at], f->text);
			must(false);
		}
	}
	f->text[at] = was;
	must(readback_check(r, routing, &e) == 0);
}

static void
try_render(const struct cluster_config *c, const struct routing *routing,
    const struct render_options *o, const uint8_t *head)
{
	struct error e;
	struct rendered *r = render(c, routing, o, &e), *again;

	if (r == NULL)
		fprintf(stderr, "%s\n", e.msg);
	must(r != NULL);
	again = render(c, routing, o, &e);
	must(again != NULL && strcmp(r->config, again->config) == 0);
	rendered_free(again);
	edit(r, routing, head);
	rendered_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cluster_config *c;
	struct routing_options o = { 0 };
	struct routing *routing;
	struct model *m;

	if (size < HEAD || size > INPUT_MAX)
		return 0;
	m = model_of((const char *)data + HEAD, size - HEAD);
	if (m == NULL)
		return 0;
	c = routes_config("[cluster]\ndefault = true\n");
	routing = routing_build(c, m, &o);
	try_render(c, routing, &offline, data);
	try_render(c, routing, &live, data);
	routing_free(routing);
	cluster_config_free(c);
	model_free(m);
	return 0;
}
