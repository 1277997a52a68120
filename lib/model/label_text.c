/* Texts in labels: see label_text.h and label.h. */
#include "model/label_text.h"

#include <errno.h>
#include <string.h>

#include "model/label.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

void
label_add_byte(struct str *out, char c)
{
	if (c > 0x20 && c < 0x7f)
		str_addf(out, "'%c' is not allowed here", c);
	else if (c == ' ' || c == '\t')
		str_add(out, "a blank is not allowed here");
	else
		str_addf(out, "byte 0x%02x is not allowed here",
		    (unsigned)(unsigned char)c);
}

/* -1 with "ITEM: WHAT". */
static int
wrong(const char *s, size_t len, size_t at, size_t *ret_offset, int code,
    const char *what, struct error *e)
{
	STR_AUTO(text, 500);

	str_add_quoted(&text, s, len, 80);
	str_add(&text, ": ");
	if (what == NULL)
		label_add_byte(&text, s[at]);
	else
		str_add(&text, what);
	*ret_offset = at;
	return error_set(e, code, "%s", text.p);
}

struct name_rule {
	const char *first, *middle, *last;
	size_t max;
	const char *what; /* for who wrote it */
};

static int
check_name(const struct name_rule *r, const char *s, size_t len,
    size_t *ret_offset, struct error *e)
{
	STR_AUTO(text, 300);
	size_t i;

	for (i = 0; i < len; i++) {
		if (!is_one_of(s[i], i == 0 ? r->first : r->middle))
			break;
	}
	if (i == len && len > 0 && !is_one_of(s[len - 1], r->last))
		i = len - 1;
	if (i < len || len == 0) {
		if (len > 0)
			label_add_byte(&text, s[i]);
		str_addf(&text, "%s%s", len > 0 ? "; " : "", r->what);
		return wrong(s, len, i, ret_offset, EINVAL, text.p, e);
	}
	if (len <= r->max)
		return 0;
	str_addf(&text, "longer than %zu bytes", r->max);
	return wrong(s, len, 0, ret_offset, ENAMETOOLONG, text.p, e);
}

int
label_check_secret(
    const char *s, size_t len, size_t *ret_offset, struct error *e)
{
	static const struct name_rule rule = { LOWER UPPER DIGITS,
		LOWER UPPER DIGITS "_.-", LOWER UPPER DIGITS, 64,
		"give the name of a Docker secret or config" };

	return check_name(&rule, s, len, ret_offset, e);
}

int
label_check_network(
    const char *s, size_t len, size_t *ret_offset, struct error *e)
{
	static const struct name_rule rule = { LOWER UPPER DIGITS,
		LOWER UPPER DIGITS "_.-", LOWER UPPER DIGITS "_.-", 255,
		"give the name or ID of one network, as docker network ls "
		"has it" };

	return check_name(&rule, s, len, ret_offset, e);
}

int
label_check_cookie(
    const char *s, size_t len, size_t *ret_offset, struct error *e)
{
	static const struct name_rule rule = { LOWER UPPER DIGITS "_",
		LOWER UPPER DIGITS "_", LOWER UPPER DIGITS "_", 64,
		"a cookie's name has letters, digits and _ only" };

	return check_name(&rule, s, len, ret_offset, e);
}

int
label_check_cluster(
    const char *s, size_t len, size_t *ret_offset, struct error *e)
{
	static const struct name_rule rule = { LOWER DIGITS, LOWER DIGITS "-",
		LOWER DIGITS, 63,
		"a cluster's name has small letters, digits and - inside" };

	return check_name(&rule, s, len, ret_offset, e);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The length of the %HH at 's', or 0. */
static size_t
escape_len(const char *s, size_t len)
{
	int high, low, c;

	if (len < 3 || s[0] != '%')
		return 0;
	high = hex_value(s[1]);
	low = hex_value(s[2]);
	if (high < 0 || low < 0)
		return 0;
	c = high * 16 + low;
	return c == 0 || c == '\n' || c == '\r' ? 0 : 3;
}

static const char *
path_hint(char c, bool escapes)
{
	if (c == '%')
		return escapes ? "'%' starts a byte that is not %HH, or one "
				 "that is never allowed"
			       : "'%' is not allowed here: write the path as "
				 "it is when decoded";
	if (c == '$' || c == '(' || c == '*' || c == '^')
		return "patterns and variables are not taken: give a plain "
		       "path, and all below it is matched too";
	return NULL;
}

static int
check_path(const char *s, size_t len, bool escapes, size_t *ret_offset,
    struct error *e)
{
	static const char bytes[] = LOWER UPPER DIGITS "._~/-";
	size_t i = 0, start = 1, n;

	if (len == 0 || s[0] != '/')
		return wrong(
		    s, len, 0, ret_offset, EINVAL, "a path starts with /", e);
	for (i = 1; i <= len; i += n) {
		n = 1;
		if (i < len && escapes && s[i] == '%')
			n = escape_len(s + i, len - i);
		if (n == 0 || (i < len && n == 1 && !is_one_of(s[i], bytes)))
			return wrong(s, len, i, ret_offset, EINVAL,
			    path_hint(s[i], escapes), e);
		if (i < len && s[i] != '/')
			continue;
		if (i == start && i < len)
			return wrong(s, len, i, ret_offset, EINVAL,
			    "// is not allowed in a path", e);
		if ((i == start + 1 && s[start] == '.') ||
		    (i == start + 2 && s[start] == '.' && s[start + 1] == '.'))
			return wrong(s, len, start, ret_offset, EINVAL,
			    ". and .. are not allowed in a path", e);
		start = i + 1;
	}
	if (len <= LABEL_PATH_MAX)
		return 0;
	return wrong(s, len, 0, ret_offset, ENAMETOOLONG,
	    "a path has at most 256 bytes", e);
}

int
label_check_path(const char *s, size_t len, size_t *ret_offset, struct error *e)
{
	return check_path(s, len, false, ret_offset, e);
}

int
label_check_url_path(
    const char *s, size_t len, size_t *ret_offset, struct error *e)
{
	return check_path(s, len, true, ret_offset, e);
}
