/*
 * Host names in labels and INI files, and what to tell who wrote something
 * else: label_check_host() of label.h.
 */
#include "model/label.h"

#include <errno.h>
#include <string.h>

#include "base/punycode.h"
#include "base/str.h"
#include "model/label_text.h"

#define HOST_MAX 253
#define DNS_LABEL_MAX 63

static const char wildcard_hint[] =
    "a wildcard is *. at the left, with at least two labels behind it "
    "(*.apps.example)";
static const char address_hint[] =
    "an IP address is no host name: give the name that clients ask for";

struct host {
	const char *s;
	size_t len;
	bool wildcard_allowed;
	size_t *ret_offset;
	struct error *e;
};

static int
wrong(const struct host *h, size_t at, int code, const char *what)
{
	STR_AUTO(text, 500);

	str_add_quoted(&text, h->s, h->len, 80);
	str_addf(&text, ": %s", what);
	*h->ret_offset = at;
	return error_set(h->e, code, "%s", text.p);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Says the xn-- form where that is certain and a host by itself. */
static int
wrong_idn(const struct host *h, size_t at)
{
	char ascii[256];
	size_t offset, len = h->len;
	STR_AUTO(text, 400);

	if (len > 0 && h->s[len - 1] == '.')
		len--;
	str_add(&text, "only ASCII is allowed");
	if (punycode_host(h->s, len, ascii, sizeof(ascii)) &&
	    label_check_host(ascii, strlen(ascii), false, &offset, NULL) == 0)
		str_addf(&text,
		    "; if you mean the international name, write %s", ascii);
	return wrong(h, at, EINVAL, text.p);
}

static int
wrong_colon(const struct host *h, size_t at)
{
	size_t i = at + 1;

	if (h->len - at >= 3 && memcmp(h->s + at, "://", 3) == 0)
		return wrong(
		    h, at, EINVAL, "leave out the scheme: a host name alone");
	while (i < h->len && is_digit(h->s[i]))
		i++;
	if (i == h->len)
		return wrong(h, at, EINVAL,
		    "drop the port: a host is matched on every port");
	if (memchr(h->s + at + 1, ':', h->len - at - 1) != NULL)
		return wrong(h, at, EINVAL, address_hint);
	return wrong(h, at, EINVAL, "':' is not allowed here");
}

/* A byte that no host has, with what was probably meant. */
static int
wrong_byte(const struct host *h, size_t at)
{
	char c = h->s[at];
	STR_AUTO(text, 200);

	if ((unsigned char)c > 0x7f)
		return wrong_idn(h, at);
	if (c == ':')
		return wrong_colon(h, at);
	if (c == '*')
		return wrong(h, at, EINVAL,
		    h->wildcard_allowed ? wildcard_hint
					: "no wildcard is allowed here");
	if (c == '[')
		return wrong(h, at, EINVAL, address_hint);
	if (c == '/')
		return wrong(h, at, EINVAL,
		    "a host name alone; a path goes into context_root");
	label_add_byte(&text, c);
	if (c == ' ' || c == '\t' || c == ';')
		str_add(&text, "; hosts are separated by commas");
	else if (c != '\0' && strchr("~^$()|?+\\{}", c) != NULL)
		str_add(&text, "; patterns and variables are not taken");
	return wrong(h, at, EINVAL, text.p);
}

/* What can be said only of the whole, 's' without its trailing dot. */
static int
check_whole(
    const struct host *h, size_t len, size_t last, size_t labels, bool wildcard)
{
	size_t i, digits = 0, alnum = 0;

	if (len > HOST_MAX)
		return wrong(
		    h, 0, ENAMETOOLONG, "a host name has at most 253 bytes");
	for (i = last; i < len; i++)
		digits += is_digit(h->s[i]);
	if (digits == len - last ||
	    (len - last >= 2 && h->s[last] == '0' &&
		(h->s[last + 1] | 0x20) == 'x'))
		return wrong(h, 0, EINVAL, address_hint);
	if (wildcard && labels < 2)
		return wrong(h, 0, EINVAL, wildcard_hint);
	for (i = 0; i < len; i++)
		alnum += is_digit(h->s[i]) || is_letter(h->s[i]);
	if (alnum == 0)
		return wrong(h, 0, EINVAL,
		    "a host name has at least one letter or digit");
	return 0;
}

int
label_check_host(const char *s, size_t len, bool wildcard_allowed,
    size_t *ret_offset, struct error *e)
{
	struct host h = { s, len, wildcard_allowed, ret_offset, e };
	size_t i, start, labels = 0;
	bool wildcard = len > 0 && s[0] == '*';

	if (len == 0)
		return wrong(&h, 0, EINVAL, "an empty host name");
	if (wildcard && (!wildcard_allowed || len < 2 || s[1] != '.'))
		return wrong_byte(&h, 0);
	for (i = start = wildcard ? 2 : 0; i < len; i++) {
		if (s[i] == '.') {
			if (i == start)
				return wrong(
				    &h, i, EINVAL, "nothing before the dot");
			if (s[i - 1] == '-')
				break;
			labels++;
			if (i == len - 1)
				return check_whole(
				    &h, i, start, labels, wildcard);
			start = i + 1;
		} else if (s[i] == '-' && i == start) {
			return wrong(&h, i, EINVAL,
			    "no label of a host name starts with -");
		} else if (!is_digit(s[i]) && !is_letter(s[i]) && s[i] != '-' &&
		    s[i] != '_') {
			return wrong_byte(&h, i);
		} else if (i - start == DNS_LABEL_MAX) {
			return wrong(&h, 0, ENAMETOOLONG,
			    "a label of a host name has at most 63 bytes");
		}
	}
	if (i == start)
		return wrong(&h, 0, EINVAL, wildcard_hint);
	if (s[i - 1] == '-')
		return wrong(
		    &h, i - 1, EINVAL, "no label of a host name ends with -");
	return check_whole(&h, len, start, labels + 1, wildcard);
}
