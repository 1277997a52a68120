/* Base64: see base64.h. */
#include "base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct str *out, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (; len > 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t v = (uint32_t)p[0] << 16;
		char four[4];

		if (n > 1)
			v |= (uint32_t)p[1] << 8;
		if (n > 2)
			v |= p[2];
		four[0] = digits[v >> 18];
		four[1] = digits[(v >> 12) & 63];
		four[2] = n > 1 ? digits[(v >> 6) & 63] : '=';
		four[3] = n > 2 ? digits[v & 63] : '=';
		str_addn(out, four, sizeof(four));
		len -= n;
	}
}

/* The value of one digit, or -1. */
static int
value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* One group of four; how many bytes it holds, or 0. */
static size_t
decode_group(const char *p, bool last, unsigned char ret[3])
{
	size_t n = 3, i;
	uint32_t v = 0;

	if (last && p[3] == '=')
		n = p[2] == '=' ? 1 : 2;
	for (i = 0; i < n + 1; i++) {
		int digit = value_of(p[i]);

		if (digit < 0)
			return 0;
		v |= (uint32_t)digit << (18 - 6 * i);
	}
	/* Bits that belong to no byte. */
	if ((n == 1 && (v & 0xffff) != 0) || (n == 2 && (v & 0xff) != 0))
		return 0;
	ret[0] = (unsigned char)(v >> 16);
	ret[1] = (unsigned char)(v >> 8);
	ret[2] = (unsigned char)v;
	return n;
}

int
base64_decode(struct str *out, const char *text, size_t len, struct error *e)
{
	size_t i;

	if (len % 4 != 0)
		return error_set(e, EINVAL, "not base64: %zu bytes", len);
	for (i = 0; i < len; i += 4) {
		unsigned char bytes[3];
		size_t n = decode_group(text + i, i + 4 == len, bytes);

		if (n == 0)
			return error_set(e, EINVAL, "not base64 at %zu", i);
		str_addn(out, bytes, n);
	}
	return 0;
}
