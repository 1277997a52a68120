/* Growing strings: see str.h. */
#include "base/str.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char empty[1];

void
str_init(struct str *s, size_t max)
{
	must(max < SIZE_MAX / 4);
	*s = (struct str){ .p = empty, .max = max };
}

void
str_fini(struct str *s)
{
	if (s->p != empty)
		free(s->p);
	s->p = empty;
	s->len = s->size = 0;
}

void
str_clear(struct str *s)
{
	s->len = 0;
	s->overflow = false;
	if (s->size > 0)
		s->p[0] = '\0';
}

/* Makes room for 'more' bytes and the NUL; false on overflow. */
static bool
reserve(struct str *s, size_t more)
{
	size_t need, size;

	if (s->overflow || more > s->max - s->len) {
		s->overflow = true;
		return false;
	}
	need = s->len + more + 1;
	if (need <= s->size)
		return true;
	size = s->size == 0 ? 64 : s->size;
	while (size < need)
		size *= 2;
	s->p = xreallocarray(s->p == empty ? NULL : s->p, size, 1);
	s->size = size;
	return true;
}

void
str_addn(struct str *s, const void *bytes, size_t len)
{
	if (!reserve(s, len))
		return;
	if (len > 0)
		memcpy(s->p + s->len, bytes, len);
	s->len += len;
	s->p[s->len] = '\0';
}

void
str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void
str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void
str_addv(struct str *s, const char *fmt, va_list ap)
{
	va_list copy;
	int n;

	va_copy(copy, ap);
	n = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	must(n >= 0);
	if (!reserve(s, (size_t)n))
		return;
	(void)vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
	s->len += (size_t)n;
}

void
str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_addv(s, fmt, ap);
	va_end(ap);
}

void
str_trim(struct str *s, size_t len)
{
	must(len <= s->len);
	s->len = len;
	if (s->size > 0)
		s->p[len] = '\0';
}

void
str_drop(struct str *s, size_t n)
{
	must(n <= s->len);
	if (n == 0)
		return;
	memmove(s->p, s->p + n, s->len - n + 1);
	s->len -= n;
}

char *
str_take(struct str *s)
{
	char *p = s->p == empty ? xstrdup("") : s->p;

	s->p = empty;
	s->len = s->size = 0;
	return p;
}

/*
 * Length of the valid UTF-8 sequence at 'p' (RFC 3629: shortest form, no
 * surrogates, at most U+10FFFF) and its character, or 0.
 */
static size_t
utf8_decode(const unsigned char *p, size_t left, uint32_t *ret)
{
	size_t n, i;
	uint32_t c;

	*ret = p[0];
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (left < n)
		return 0;
	c = p[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	if (n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	if (n == 4 && (c < 0x10000 || c > 0x10ffff))
		return 0;
	*ret = c;
	return n;
}

void
str_add_json(struct str *s, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	uint32_t c;
	size_t i, n;

	str_addc(s, '"');
	for (i = 0; i < len; i += n) {
		n = utf8_decode(p + i, len - i, &c);
		if (n == 0) {
			str_add(s, "\\ufffd");
			n = 1;
		} else if (p[i] == '"' || p[i] == '\\') {
			str_addc(s, '\\');
			str_addc(s, (char)p[i]);
		} else if (c >= 0x10000) {
			str_addf(s, "\\u%04x\\u%04x",
			    0xd7c0 + (unsigned)(c >> 10),
			    0xdc00 + (unsigned)(c & 0x3ff));
		} else if (c < 0x20 || c > 0x7e) {
			str_addf(s, "\\u%04x", (unsigned)c);
		} else {
			str_addc(s, (char)c);
		}
	}
	str_addc(s, '"');
}

void
str_add_member(struct str *s, const char *key, const char *text)
{
	str_addf(s, ",\"%s\":", key);
	if (text == NULL)
		str_add(s, "null");
	else
		str_add_json(s, text, strlen(text));
}

void
str_add_quoted(struct str *s, const char *text, size_t len, size_t max)
{
	size_t i;
	unsigned char c;

	str_addc(s, '"');
	for (i = 0; i < len && i < max; i++) {
		c = (unsigned char)text[i];
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			str_addf(s, "\\x%02x", c);
		else
			str_addc(s, (char)c);
	}
	str_add(s, i < len ? "...\"" : "\"");
}

void
str_add_shown(struct str *s, const char *text)
{
	const char *p;

	for (p = text; *p > 0x20 && *p < 0x7f; p++)
		;
	if (*p == '\0')
		str_add(s, text);
	else
		str_add_quoted(s, text, strlen(text), 200);
}

bool
str_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}
