/* TOML, as far as Interlock uses it: see toml.h. */
#include "toml.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"

#define DEPTH_MAX 16

struct path {
	VEC(char *) parts;
};

struct parser {
	const char *p;
	const char *end;
	uint32_t line;
	struct toml *ret;
	struct path table; /* of the last [header] */
	struct map seen;   /* "k\0"-less paths, joined by newlines */
	struct error *e;
};

#define FAIL(ps, ...) (error_set((ps)->e, EINVAL, __VA_ARGS__), false)

static char
peek(const struct parser *ps)
{
	return ps->p < ps->end ? *ps->p : '\0';
}

static bool
looking_at(const struct parser *ps, const char *s)
{
	size_t n = strlen(s);

	return (size_t)(ps->end - ps->p) >= n && memcmp(ps->p, s, n) == 0;
}

static void
skip_blanks(struct parser *ps)
{
	while (peek(ps) == ' ' || peek(ps) == '\t')
		ps->p++;
}

static void
skip_comment(struct parser *ps)
{
	if (peek(ps) == '#') {
		while (ps->p < ps->end && *ps->p != '\n')
			ps->p++;
	}
}

/* A line's end, with CR or without. */
static bool
skip_newline(struct parser *ps)
{
	if (looking_at(ps, "\r\n"))
		ps->p++;
	if (peek(ps) != '\n')
		return false;
	ps->p++;
	ps->line++;
	return true;
}

/* Blanks, comments and newlines. */
static void
skip_space(struct parser *ps)
{
	do {
		skip_blanks(ps);
		skip_comment(ps);
	} while (skip_newline(ps));
}

static void
path_clear(struct path *path, size_t keep)
{
	while (path->parts.len > keep)
		free(path->parts.at[--path->parts.len]);
}

static void
add_utf8(struct str *s, uint32_t c)
{
	if (c < 0x80) {
		str_addc(s, (char)c);
	} else if (c < 0x800) {
		str_addc(s, (char)(0xc0 | c >> 6));
		str_addc(s, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		str_addc(s, (char)(0xe0 | c >> 12));
		str_addc(s, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(s, (char)(0x80 | (c & 0x3f)));
	} else {
		str_addc(s, (char)(0xf0 | c >> 18));
		str_addc(s, (char)(0x80 | (c >> 12 & 0x3f)));
		str_addc(s, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(s, (char)(0x80 | (c & 0x3f)));
	}
}

static bool
parse_hex(struct parser *ps, int digits, struct str *s)
{
	uint32_t c = 0;

	for (int i = 0; i < digits; i++) {
		static const char hex[] = "0123456789abcdef";
		char d = peek(ps);
		const char *at;

		if (d >= 'A' && d <= 'F')
			d = (char)(d - 'A' + 'a');
		at = d == '\0' ? NULL : strchr(hex, d);
		if (at == NULL)
			return FAIL(
			    ps, "%d hexadecimal digits expected", digits);
		c = c << 4 | (uint32_t)(at - hex);
		ps->p++;
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return FAIL(ps, "an escape for a character that is not one");
	add_utf8(s, c);
	return true;
}

/* Behind a backslash. */
static bool
parse_escape(struct parser *ps, bool multi_line, struct str *s)
{
	static const char from[] = "btnfr\"\\";
	static const char to[] = "\b\t\n\f\r\"\\";
	char c = peek(ps);
	const char *at = c == '\0' ? NULL : strchr(from, c);

	if (at != NULL) {
		ps->p++;
		str_addc(s, to[at - from]);
		return true;
	}
	if (c == 'u' || c == 'U') {
		ps->p++;
		return parse_hex(ps, c == 'u' ? 4 : 8, s);
	}
	if (multi_line && (c == '\n' || c == '\r' || c == ' ' || c == '\t')) {
		skip_blanks(ps);
		if (!skip_newline(ps))
			return FAIL(ps, "unknown escape in a string");
		do
			skip_blanks(ps);
		while (skip_newline(ps));
		return true;
	}
	return FAIL(ps, "unknown escape in a string");
}

/* At the closing quotes of a """ string: up to two more belong to it. */
static void
close_multi_line(struct parser *ps, char quote, struct str *s)
{
	ps->p += 3;
	for (int i = 0; i < 2 && peek(ps) == quote; i++) {
		str_addc(s, quote);
		ps->p++;
	}
}

static bool
parse_string(struct parser *ps, bool key, struct str *s)
{
	char quote = peek(ps);
	const char three[] = { quote, quote, quote, '\0' };
	bool multi = !key && looking_at(ps, three);

	ps->p += multi ? 3 : 1;
	if (multi)
		(void)skip_newline(ps);
	for (;;) {
		unsigned char c = (unsigned char)peek(ps);

		if (ps->p == ps->end)
			return FAIL(ps, "a string does not end");
		if (multi && looking_at(ps, three)) {
			close_multi_line(ps, quote, s);
			return true;
		}
		if (!multi && c == (unsigned char)quote) {
			ps->p++;
			return true;
		}
		if (multi && skip_newline(ps)) {
			str_addc(s, '\n');
			continue;
		}
		if (c == '\n' || c == '\r')
			return FAIL(ps, "a string does not end on its line");
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return FAIL(ps, "control character 0x%02x", c);
		ps->p++;
		if (c != '\\' || quote == '\'')
			str_addc(s, (char)c);
		else if (!parse_escape(ps, multi, s))
			return false;
	}
}

static bool
is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* "a.b.'c d'" behind what 'path' holds. */
static bool
parse_key(struct parser *ps, struct path *path)
{
	for (;;) {
		STR_AUTO(s, TOML_MAX);

		skip_blanks(ps);
		if (peek(ps) == '"' || peek(ps) == '\'') {
			if (!parse_string(ps, true, &s))
				return false;
		} else {
			while (is_bare(peek(ps)))
				str_addc(&s, *ps->p++);
			if (s.len == 0)
				return FAIL(ps, "a key expected");
		}
		if (path->parts.len == DEPTH_MAX)
			return FAIL(
			    ps, "a key of more than %d parts", DEPTH_MAX);
		vec_push(&path->parts, str_take(&s));
		skip_blanks(ps);
		if (peek(ps) != '.')
			return true;
		ps->p++;
	}
}

/* False if 'path' was there before.  'kind' keeps tables and keys apart. */
static bool
note(struct parser *ps, const struct path *path, const char *kind)
{
	STR_AUTO(s, 2 * TOML_MAX);

	str_add(&s, kind);
	for (size_t i = 0; i < path->parts.len; i++)
		str_addf(&s, "\n%s", path->parts.at[i]);
	if (map_set(&ps->seen, s.p, ps) != NULL)
		return FAIL(ps, "%s stands a second time",
		    path->parts.at[path->parts.len - 1]);
	return true;
}

/* true, 80, -1, 1_000, 0x1f: what is left when no string begins. */
static bool
parse_word(struct parser *ps, enum toml_type *type, struct str *s)
{
	const char *start = ps->p;
	size_t digits;

	while (is_bare(peek(ps)) || peek(ps) == '+' || peek(ps) == '.' ||
	    peek(ps) == ':')
		ps->p++;
	for (const char *c = start; c < ps->p; c++) {
		if (*c != '_' && !(*c == '+' && c == start))
			str_addc(s, *c);
	}
	if (strcmp(s->p, "true") == 0 || strcmp(s->p, "false") == 0) {
		*type = TOML_BOOL;
		return true;
	}
	*type = TOML_INTEGER;
	digits = strspn(s->p + (s->p[0] == '-'), "0123456789");
	if (digits > 0 && s->p[(s->p[0] == '-') + digits] == '\0')
		return true;
	if (s->len == 0)
		return FAIL(ps, "a value expected");
	return FAIL(
	    ps, "%.40s is neither string, integer, true nor false", s->p);
}

static bool
parse_scalar(struct parser *ps, enum toml_type *type, struct str *s)
{
	if (peek(ps) == '"' || peek(ps) == '\'') {
		*type = TOML_STRING;
		return parse_string(ps, false, s);
	}
	return parse_word(ps, type, s);
}

static bool
parse_array(struct parser *ps, struct toml_entry *entry)
{
	entry->type = TOML_ARRAY;
	entry->text = xstrdup("");
	ps->p++;
	for (;;) {
		STR_AUTO(s, TOML_MAX);
		enum toml_type type;

		skip_space(ps);
		if (peek(ps) == ']') {
			ps->p++;
			return true;
		}
		if (peek(ps) == '[' || peek(ps) == '{')
			return FAIL(ps, "an array of arrays or tables");
		if (!parse_scalar(ps, &type, &s))
			return false;
		vec_push(&entry->items, str_take(&s));
		skip_space(ps);
		if (peek(ps) == ',')
			ps->p++;
		else if (peek(ps) != ']')
			return FAIL(ps, "a comma or ] expected in an array");
	}
}

static bool parse_pair(struct parser *ps, struct path *path);

/* { a = 1, b = 2 }, as if its keys were dotted ones. */
static bool
parse_inline_table(struct parser *ps, struct path *path)
{
	ps->p++;
	skip_blanks(ps);
	if (peek(ps) == '}') {
		ps->p++;
		return true;
	}
	for (;;) {
		if (!parse_pair(ps, path))
			return false;
		skip_blanks(ps);
		if (peek(ps) == '}') {
			ps->p++;
			return true;
		}
		if (peek(ps) != ',')
			return FAIL(ps, "a comma or } expected");
		ps->p++;
	}
}

/* KEY = VALUE behind 'path', which is as before afterwards. */
static bool
parse_pair(struct parser *ps, struct path *path)
{
	size_t keep = path->parts.len;
	struct toml_entry *entry;
	uint32_t line = ps->line;
	STR_AUTO(s, TOML_MAX);
	bool ok;

	if (!parse_key(ps, path))
		return false;
	if (peek(ps) != '=')
		return FAIL(ps, "= expected behind a key");
	ps->p++;
	skip_blanks(ps);
	if (!note(ps, path, "key"))
		return false;
	if (peek(ps) == '{') {
		ok = parse_inline_table(ps, path);
		path_clear(path, keep);
		return ok;
	}
	entry = vec_add(&ps->ret->entries);
	entry->line = line;
	for (size_t i = 0; i < path->parts.len; i++)
		vec_push(&entry->path, xstrdup(path->parts.at[i]));
	path_clear(path, keep);
	if (peek(ps) == '[')
		return parse_array(ps, entry);
	ok = parse_scalar(ps, &entry->type, &s);
	entry->text = str_take(&s);
	return ok;
}

/* [a.b] or [[a.b]]; of the latter each but the first gets its number. */
static bool
parse_header(struct parser *ps)
{
	bool many = looking_at(ps, "[[");
	size_t n = 1;

	ps->p += many ? 2 : 1;
	path_clear(&ps->table, 0);
	if (!parse_key(ps, &ps->table))
		return false;
	if (!looking_at(ps, many ? "]]" : "]"))
		return FAIL(ps, "] expected behind a table's name");
	ps->p += many ? 2 : 1;
	if (!many)
		return note(ps, &ps->table, "table");
	if (ps->table.parts.len == DEPTH_MAX)
		return FAIL(ps, "a key of more than %d parts", DEPTH_MAX);
	for (;; n++) {
		STR_AUTO(s, 2 * TOML_MAX);

		for (size_t i = 0; i < ps->table.parts.len; i++)
			str_addf(&s, "\n%s", ps->table.parts.at[i]);
		str_addf(&s, "\n%zu", n);
		if (map_set(&ps->seen, s.p, ps) == NULL)
			break;
		if (n == 1000)
			return FAIL(ps, "too many tables of one name");
	}
	vec_push(&ps->table.parts, xasprintf("%zu", n));
	return true;
}

static bool
parse_document(struct parser *ps)
{
	if (looking_at(ps, "\xef\xbb\xbf"))
		ps->p += 3;
	for (skip_space(ps); ps->p < ps->end; skip_space(ps)) {
		if (peek(ps) == '[') {
			if (!parse_header(ps))
				return false;
		} else if (!parse_pair(ps, &ps->table)) {
			return false;
		}
		skip_blanks(ps);
		skip_comment(ps);
		if (ps->p < ps->end && peek(ps) != '\n' &&
		    !looking_at(ps, "\r\n"))
			return FAIL(ps, "nothing more expected on this line");
	}
	return true;
}

int
toml_parse(const char *text, size_t len, struct toml *ret, struct error *e)
{
	struct error ignored = { 0 };
	struct parser ps = { .p = text,
		.end = text + len,
		.line = 1,
		.ret = ret,
		.e = e != NULL ? e : &ignored };
	bool ok;

	memset(ret, 0, sizeof(*ret));
	if (len > TOML_MAX)
		return error_set(e, EFBIG, "larger than %d bytes", TOML_MAX);
	ok = parse_document(&ps);
	path_clear(&ps.table, 0);
	vec_fini(&ps.table.parts);
	map_fini(&ps.seen);
	if (ok)
		return 0;
	toml_fini(ret);
	return error_wrap(e, "line %u", ps.line);
}

void
toml_fini(struct toml *t)
{
	for (size_t i = 0; i < t->entries.len; i++) {
		struct toml_entry *entry = &t->entries.at[i];

		for (size_t j = 0; j < entry->path.len; j++)
			free(entry->path.at[j]);
		for (size_t j = 0; j < entry->items.len; j++)
			free(entry->items.at[j]);
		vec_fini(&entry->path);
		vec_fini(&entry->items);
		free(entry->text);
	}
	vec_fini(&t->entries);
}
