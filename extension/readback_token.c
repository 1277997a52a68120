/* Statements of our own files: see readback_token.h. */
#include "readback_token.h"

#include <errno.h>
#include <string.h>

enum { STATEMENT_MAX = 1024 * 1024 };

#define FIRST_LINE "# Written by Bulkhead; do not edit.\n"

void
token_init(struct token_reader *t, const char *text, size_t len)
{
	*t = (struct token_reader){
		.start = text, .p = text, .end = text + len
	};
	str_init(&t->text, STATEMENT_MAX);
	if (len >= strlen(FIRST_LINE) &&
	    memcmp(text, FIRST_LINE, strlen(FIRST_LINE)) == 0)
		t->p += strlen(FIRST_LINE);
}

void
token_fini(struct token_reader *t)
{
	str_fini(&t->text);
	vec_fini(&t->words);
}

const char *
token_word(const struct token_reader *t, size_t i)
{
	must(i < t->words.len);
	return t->text.p + t->words.at[i];
}

static int
bad(const struct token_reader *t, struct error *e, const char *what)
{
	size_t line = 1;
	const char *p;

	for (p = t->start; p < t->p; p++)
		line += *p == '\n';
	return error_set(e, EPROTO, "line %zu: %s", line, what);
}

/* "...": an escape is a backslash before a quote or a backslash. */
static int
read_quoted(struct token_reader *t, struct error *e)
{
	t->p++;
	while (t->p < t->end && *t->p != '"') {
		if (*t->p == '\\' &&
		    (t->p + 1 == t->end || strchr("\"\\", t->p[1]) == NULL))
			return bad(t, e, "escape");
		if (*t->p == '\\')
			t->p++;
		if ((unsigned char)*t->p < 0x20 || *t->p == 0x7f)
			return bad(t, e, "control character in quotes");
		str_addc(&t->text, *t->p++);
	}
	if (t->p == t->end)
		return bad(t, e, "quote without end");
	t->p++;
	if (t->p == t->end || strchr(" ;", *t->p) == NULL)
		return bad(t, e, "text behind a quote");
	t->quoted++;
	return 0;
}

static int
read_plain(struct token_reader *t, struct error *e)
{
	while (t->p < t->end && strchr(" ;{}\n\t", *t->p) == NULL) {
		unsigned char c = (unsigned char)*t->p;

		if (c < 0x21 || c > 0x7e || strchr("\"'\\#`", c) != NULL)
			return bad(t, e, "character outside quotes");
		str_addc(&t->text, *t->p++);
	}
	return 0;
}

static int
read_word(struct token_reader *t, struct error *e)
{
	int result;

	vec_push(&t->words, t->text.len);
	result = *t->p == '"' ? read_quoted(t, e) : read_plain(t, e);
	/* An empty word is "" in quotes, and keeps its place by this NUL. */
	str_addc(&t->text, '\0');
	if (result == 0 && t->text.overflow)
		return bad(t, e, "statement too long");
	return result;
}

int
token_next(struct token_reader *t, enum token_kind *ret, struct error *e)
{
	str_clear(&t->text);
	t->words.len = 0;
	t->quoted = 0;
	for (;;) {
		while (t->p < t->end && strchr(" \t\n", *t->p) != NULL &&
		    *t->p != '\0')
			t->p++;
		if (t->p == t->end) {
			*ret = TOKEN_END;
			break;
		}
		if (*t->p == ';') {
			*ret = TOKEN_LINE;
			t->p++;
			return t->words.len > 0 ? 0 : bad(t, e, "nothing said");
		}
		if (*t->p == '{') {
			*ret = TOKEN_BLOCK;
			t->p++;
			return t->words.len > 0 ? 0 : bad(t, e, "nothing said");
		}
		if (*t->p == '}') {
			*ret = TOKEN_CLOSE;
			t->p++;
			break;
		}
		if (*t->p == '\0')
			return bad(t, e, "NUL");
		if (read_word(t, e) != 0)
			return -1;
	}
	return t->words.len == 0 ? 0 : bad(t, e, "statement without end");
}
