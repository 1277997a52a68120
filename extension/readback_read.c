/* Reading our files: see readback_read.h. */
#include "readback_read.h"

#include "base/parse.h"
#include "readback_grammar.h"

#include <errno.h>
#include <string.h>

enum { SERVERS_MAX = 64 * 1024 * 1024, DEPTH_MAX = 8 };

static void
server_free(struct read_server *s)
{
	size_t i, k;

	for (i = 0; i < s->names.len; i++)
		free(s->names.at[i]);
	for (i = 0; i < s->locations.len; i++) {
		struct read_location *l = &s->locations.at[i];

		free(l->path);
		free(l->target);
		free(l->rest);
		free(l->answer);
		for (k = 0; k < l->by_scheme.len; k++)
			free(l->by_scheme.at[k]);
		vec_fini(&l->by_scheme);
	}
	vec_fini(&s->names);
	vec_fini(&s->locations);
	free(s);
}

static void
free_values(struct map *m)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(m, &i)) != NULL;)
		free(e->value);
	map_fini(m);
}

void
readback_read_init(struct reading *r)
{
	*r = (struct reading){ 0 };
	str_init(&r->lines, SERVERS_MAX);
}

void
readback_read_fini(struct reading *r)
{
	size_t i;

	for (i = 0; i < r->servers.len; i++)
		server_free(r->servers.at[i]);
	vec_fini(&r->servers);
	free_values(&r->upstreams);
	free_values(&r->targets);
	str_fini(&r->lines);
	free(r->upstream);
}

/* location [=] PATH */
static int
open_location(struct reading *r, const struct token_reader *t, struct error *e)
{
	struct read_server *s = r->servers.at[r->servers.len - 1];
	struct read_location *l = vec_add(&s->locations);
	const char *path = token_word(t, t->words.len - 1);
	size_t len = strlen(path);

	l->exact = t->words.len == 3;
	if (l->exact && strcmp(token_word(t, 1), "=") != 0)
		return error_set(e, EPROTO, "location of another kind");
	if (!l->exact && path[0] != '@' && path[len - 1] != '/')
		return error_set(e, EPROTO, "location without a slash");
	if (!l->exact && len > 1 && path[len - 1] == '/')
		len--;
	l->path = xmemdup0(path, len);
	return 0;
}

static int
open_block(struct reading *r, const struct token_reader *t,
    enum grammar_context inside, struct error *e)
{
	switch (inside) {
	case IN_SERVER:
		vec_push(&r->servers, xcalloc(1, sizeof(struct read_server)));
		return 0;
	case IN_STREAM_SERVER:
		r->stages++;
		return 0;
	case IN_LOCATION:
		return open_location(r, t, e);
	case IN_UPSTREAM:
	case IN_STREAM_UPSTREAM:
		free(r->upstream);
		/* The two kinds have their names apart. */
		r->upstream = xasprintf("%s%s",
		    inside == IN_STREAM_UPSTREAM ? "stream " : "",
		    token_word(t, 1));
		str_clear(&r->lines);
		return 0;
	default:
		return 0;
	}
}

/* server ADDRESS [weight=N] ...: kept as "ADDRESS N\n". */
static int
add_upstream_server(
    struct reading *r, const struct token_reader *t, struct error *e)
{
	uint32_t weight = 1;
	size_t i;

	for (i = 2; i < t->words.len; i++) {
		const char *word = token_word(t, i);

		if (strncmp(word, "weight=", 7) == 0) {
			if (parse_u32(word + 7, strlen(word + 7), 1, UINT32_MAX,
				&weight, e) != 0)
				return -1;
		} else if (strcmp(word, "down") == 0) {
			return 0;
		} else if (strncmp(word, "max_fails=", 10) != 0 &&
		    strncmp(word, "fail_timeout=", 13) != 0) {
			return error_set(e, EPROTO, "server with %.60s", word);
		}
	}
	str_addf(&r->lines, "%s %u\n", token_word(t, 1), weight);
	return 0;
}

/* "http://ID/...": how, to whom, and what follows. */
static int
add_target(struct reading *r, const struct token_reader *t, struct error *e)
{
	struct read_server *s = r->servers.at[r->servers.len - 1];
	struct read_location *l = &s->locations.at[s->locations.len - 1];
	const char *p = token_word(t, 1);
	const char *scheme;

	l->grpc = strcmp(token_word(t, 0), "grpc_pass") == 0;
	scheme = l->grpc ? "grpc" : "http";
	if (l->target != NULL || strncmp(p, scheme, 4) != 0)
		return error_set(e, EPROTO, "second or odd target");
	p += 4;
	l->tls = *p == 's';
	p += l->tls;
	if (strncmp(p, "://", 3) != 0)
		return error_set(e, EPROTO, "second or odd target");
	p += 3;
	l->target = xmemdup0(p, strcspn(p, "/"));
	l->rest = xstrdup(p + strlen(l->target));
	return 0;
}

static int
add_answer(struct reading *r, const struct token_reader *t, bool always,
    struct error *e)
{
	struct read_server *s = r->servers.at[r->servers.len - 1];
	struct read_location *l = &s->locations.at[s->locations.len - 1];
	char *answer;

	if (always && l->answer != NULL)
		return error_set(e, EPROTO, "two answers");
	answer = xasprintf("%s %s", token_word(t, 1),
	    t->words.len > 2 ? token_word(t, 2) : "");
	if (always)
		l->answer = answer;
	else
		vec_push(&l->by_scheme, answer);
	return 0;
}

/* HOST TARGET; "" is for all others. */
static int
add_name(
    struct reading *r, const char *name, const char *target, struct error *e)
{
	const char *key = name[0] == '\\'  ? name + 1
	    : strcmp(name, "default") == 0 ? ""
					   : name;
	char *old = map_set(&r->targets, key, xstrdup(target));

	free(old);
	return old == NULL ? 0
			   : error_set(e, EPROTO, "name twice: %.60s", name);
}

static int
add_line(struct reading *r, const struct token_reader *t,
    enum grammar_context in, struct error *e)
{
	const char *name = token_word(t, 0);
	size_t i;

	if (in == IN_UPSTREAM || in == IN_STREAM_UPSTREAM)
		return strcmp(name, "server") == 0
		    ? add_upstream_server(r, t, e)
		    : 0;
	if (in == IN_LOCATION &&
	    (strcmp(name, "proxy_pass") == 0 || strcmp(name, "grpc_pass") == 0))
		return add_target(r, t, e);
	if ((in == IN_LOCATION || in == IN_IF) && strcmp(name, "return") == 0)
		return add_answer(r, t, in == IN_LOCATION, e);
	if (in == IN_SERVER && strcmp(name, "server_name") == 0) {
		struct read_server *s = r->servers.at[r->servers.len - 1];

		if (s->names.len > 0)
			return error_set(e, EPROTO, "two server_name");
		for (i = 1; i < t->words.len; i++)
			vec_push(&s->names, xstrdup(token_word(t, i)));
	}
	if (in == IN_NAMES && t->words.len == 2 && strcmp(name, "include") != 0)
		return add_name(r, name, token_word(t, 1), e);
	return 0;
}

static int
close_block(struct reading *r, enum grammar_context inside, struct error *e)
{
	char *old;

	if (inside != IN_UPSTREAM && inside != IN_STREAM_UPSTREAM)
		return 0;
	if (r->lines.overflow)
		return error_set(e, EPROTO, "upstream too large");
	old = map_set(&r->upstreams, r->upstream, xstrdup(r->lines.p));
	free(old);
	return old == NULL ? 0 : error_set(e, EPROTO, "upstream twice");
}

static int
read_statements(struct reading *r, struct token_reader *t,
    enum grammar_context in, struct error *e)
{
	enum grammar_context stack[DEPTH_MAX] = { in }, inside;
	enum token_kind kind;
	size_t depth = 0;

	for (;;) {
		if (token_next(t, &kind, e) != 0)
			return -1;
		if (kind == TOKEN_END)
			return depth == 0 ? 0
					  : error_set(e, EPROTO, "open block");
		if (kind == TOKEN_CLOSE) {
			if (depth == 0)
				return error_set(e, EPROTO, "brace too many");
			if (close_block(r, stack[depth--], e) != 0)
				return -1;
			continue;
		}
		if (grammar_check(t, kind, stack[depth], &inside, e) != 0)
			return -1;
		if (kind == TOKEN_LINE) {
			if (add_line(r, t, stack[depth], e) != 0)
				return -1;
			continue;
		}
		if (open_block(r, t, inside, e) != 0)
			return -1;
		if (depth + 1 == DEPTH_MAX)
			return error_set(e, EPROTO, "too deep");
		stack[++depth] = inside;
	}
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t len = strlen(s), n = strlen(tail);

	return len >= n && strcmp(s + len - n, tail) == 0;
}

int
readback_read_file(
    struct reading *r, const struct rendered_file *f, struct error *e)
{
	size_t first = r->servers.len, i;
	enum grammar_context in;
	struct token_reader t;
	int result;

	if (strcmp(f->path, "nginx.conf") == 0)
		in = IN_MAIN;
	else if (ends_with(f->path, ".conf"))
		in = IN_HTTP;
	else if (ends_with(f->path, ".stream"))
		in = IN_STREAM;
	else if (ends_with(f->path, ".sni"))
		in = IN_NAMES;
	else if (strcmp(f->path, "sites/https.inc") == 0 ||
	    strcmp(f->path, "sites/https_front.inc") == 0)
		in = IN_SERVER;
	else if (ends_with(f->path, ".raw"))
		return 0;
	else
		return error_set(e, EPROTO, "%s: not ours", f->path);
	token_init(&t, f->text, f->len);
	result = read_statements(r, &t, in, e);
	token_fini(&t);
	if (result != 0)
		return error_wrap(e, "%s", f->path);
	for (i = first; i < r->servers.len; i++) {
		r->servers.at[i]->fallback =
		    strcmp(f->path, "sites/default.conf") == 0;
		r->servers.at[i]->own = in == IN_MAIN;
	}
	return 0;
}
