/* Addresses: see inet.h. */
#include "base/inet.h"

#include "base/mem.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int
inet_parse(const char *s, size_t len, struct inet *ret, struct error *e)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];
	const char *slash = memchr(s, '/', len);
	size_t n = slash == NULL ? len : (size_t)(slash - s);
	struct inet a = { .v6 = memchr(s, ':', n) != NULL };
	uint32_t bits = a.v6 ? 128 : 32;

	if (n == 0 || n >= sizeof(text) || memchr(s, '\0', n) != NULL)
		return error_set(e, EINVAL, "not an IP address");
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(a.v6 ? AF_INET6 : AF_INET, text, a.bytes) != 1)
		return error_set(e, EINVAL, "not an IP address");
	if (a.v6 && memcmp(a.bytes, mapped, sizeof(mapped)) == 0)
		return error_set(e, EINVAL, "an IPv4 address written as IPv6");
	if (slash != NULL &&
	    parse_u32(slash + 1, len - n - 1, 0, bits, &bits, NULL) != 0)
		return error_set(e, EINVAL, "not a prefix length");
	a.bits = (uint8_t)bits;
	*ret = a;
	return 0;
}

void
inet_format_address(const struct inet *a, char ret[INET_TEXT_SIZE])
{
	must(inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->bytes, ret,
		 INET_TEXT_SIZE) != NULL);
}

void
inet_format_network(const struct inet *a, char ret[INET_TEXT_SIZE])
{
	size_t len;

	inet_format_address(a, ret);
	len = strlen(ret);
	(void)snprintf(ret + len, INET_TEXT_SIZE - len, "/%u", a->bits);
}

/* The bits of byte 'i' that belong to the prefix. */
static uint8_t
mask_byte(const struct inet *a, unsigned i)
{
	unsigned bits = a->bits;

	if (bits >= (i + 1) * 8)
		return 0xff;
	if (bits <= i * 8)
		return 0;
	return (uint8_t)(0xff00U >> (bits - i * 8));
}

static unsigned
bytes_of(const struct inet *a)
{
	return a->v6 ? 16 : 4;
}

bool
inet_contains(const struct inet *network, const struct inet *address)
{
	unsigned i;

	if (network->v6 != address->v6)
		return false;
	for (i = 0; i < bytes_of(network); i++) {
		if (((network->bytes[i] ^ address->bytes[i]) &
			mask_byte(network, i)) != 0)
			return false;
	}
	return true;
}

bool
inet_is_network(const struct inet *a)
{
	struct inet masked = *a;

	inet_mask(&masked);
	return memcmp(masked.bytes, a->bytes, sizeof(a->bytes)) == 0;
}

void
inet_mask(struct inet *a)
{
	unsigned i;

	for (i = 0; i < bytes_of(a); i++)
		a->bytes[i] &= mask_byte(a, i);
}

bool
inet_is_special(const struct inet *a)
{
	static const struct inet special[] = {
		{ false, 8, { 0 } },
		{ false, 16, { 169, 254 } },
		{ false, 4, { 224 } },
		{ false, 32, { 255, 255, 255, 255 } },
		{ true, 128, { 0 } },
		{ true, 10, { 0xfe, 0x80 } },
		{ true, 8, { 0xff } },
	};
	size_t i;

	for (i = 0; i < countof(special); i++) {
		if (inet_contains(&special[i], a))
			return true;
	}
	return false;
}

bool
inet_is_loopback(const struct inet *a)
{
	static const struct inet v4 = { false, 8, { 127 } };
	static const struct inet v6 = { true, 128, { [15] = 1 } };

	return inet_contains(&v4, a) || inet_contains(&v6, a);
}
