/* Punycode: see punycode.h. */
#include "base/punycode.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

/* A DNS label has no more. */
#define LABEL_MAX 63

/* RFC 3492, section 5. */
enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, BIAS = 72 };

static char
digit(uint32_t d)
{
	return (char)(d < 26 ? 'a' + d : '0' + (d - 26));
}

static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (k = 0; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static void
add_integer(struct str *out, uint32_t q, uint32_t bias)
{
	uint32_t k, t;

	for (k = BASE;; k += BASE) {
		t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
		if (q < t)
			break;
		str_addc(out, digit(t + (q - t) % (BASE - t)));
		q = (q - t) / (BASE - t);
	}
	str_addc(out, digit(q));
}

/* The label after "xn--"; RFC 3492, section 6.3. */
static void
add_encoded(struct str *out, const uint32_t *in, size_t len)
{
	uint32_t n = 0x80, delta = 0, bias = BIAS, m, i, done, basic = 0;

	for (i = 0; i < len; i++) {
		if (in[i] < 0x80) {
			str_addc(out, (char)in[i]);
			basic++;
		}
	}
	if (basic > 0)
		str_addc(out, '-');
	for (done = basic; done < len; delta++, n++) {
		for (m = UINT32_MAX, i = 0; i < len; i++) {
			if (in[i] >= n && in[i] < m)
				m = in[i];
		}
		/* At most 63 points up to 0x10ffff: no overflow. */
		delta += (m - n) * (done + 1);
		n = m;
		for (i = 0; i < len; i++) {
			if (in[i] < n)
				delta++;
			if (in[i] != n)
				continue;
			add_integer(out, delta, bias);
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
}

/* The code point at 's' and its length, or 0 for bad UTF-8. */
static size_t
decode(const char *s, size_t len, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80	    ? 1
	    : (p[0] & 0xe0) == 0xc0 ? 2
	    : (p[0] & 0xf0) == 0xe0 ? 3
	    : (p[0] & 0xf8) == 0xf0 ? 4
				    : 0,
	       i;
	uint32_t c;

	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

/* Lower case where it is a plain shift. */
static uint32_t
fold(uint32_t c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
	    (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
		return c + 0x20;
	if (c >= 0x400 && c <= 0x40f)
		return c + 0x50;
	return c;
}

/*
 * What IDNA maps, joins, ignores or refuses: controls, signs, combining marks
 * and their composed neighbours, punctuation and blanks, other full stops,
 * private use, full-width and presentation forms.
 */
static bool
is_certain(uint32_t c)
{
	static const uint32_t bad[][2] = {
		{ 0x00, 0x2c },
		{ 0x2f, 0x2f },
		{ 0x3a, 0x60 },
		{ 0x7b, 0xde },
		{ 0xf7, 0xf7 },
		{ 0x2b0, 0x36f },
		{ 0x37a, 0x38f },
		{ 0x483, 0x489 },
		{ 0x1ab0, 0x1aff },
		{ 0x1dc0, 0x1dff },
		{ 0x2000, 0x2bff },
		{ 0x2e00, 0x2fff },
		{ 0x3000, 0x3004 },
		{ 0x3008, 0x3029 },
		{ 0x3099, 0x309c },
		{ 0xd7b0, 0xfaff },
		{ 0xfb00, 0xffff },
		{ 0x1d000, 0x1ffff },
		{ 0xe0000, 0x10ffff },
	};
	size_t i;

	/* Latin Extended-A and B hold capitals among small letters. */
	if (c >= 0x100 && c <= 0x17f)
		return (c >= 0x139 && c <= 0x148) || c >= 0x179
		    ? c % 2 == 0
		    : c % 2 == 1 && c != 0x149 && c != 0x17f && c != 0x133;
	for (i = 0; i < countof(bad); i++) {
		if (c >= bad[i][0] && c <= bad[i][1])
			return false;
	}
	return true;
}

static bool
add_label(struct str *out, const uint32_t *label, size_t len, bool ascii)
{
	size_t start = out->len, i;

	if (len == 0)
		return false;
	if (!ascii) {
		str_add(out, "xn--");
		add_encoded(out, label, len);
	}
	for (i = 0; ascii && i < len; i++)
		str_addc(out, (char)label[i]);
	return out->len - start <= LABEL_MAX;
}

bool
punycode_host(const char *host, size_t len, char *ret, size_t size)
{
	STR_AUTO(out, 255);
	uint32_t label[LABEL_MAX], c = 0;
	size_t i, n, used = 0;
	bool ascii = true;

	for (i = 0; i < len; i += n) {
		n = decode(host + i, len - i, &c);
		if (n == 0)
			return false;
		if (c == '.') {
			if (!add_label(&out, label, used, ascii))
				return false;
			str_addc(&out, '.');
			used = 0;
			ascii = true;
			continue;
		}
		c = fold(c);
		if (!is_certain(c) || used == LABEL_MAX)
			return false;
		ascii = ascii && c < 0x80;
		label[used++] = c;
	}
	if (!add_label(&out, label, used, ascii) || out.overflow ||
	    out.len >= size)
		return false;
	memcpy(ret, out.p, out.len + 1);
	return true;
}
