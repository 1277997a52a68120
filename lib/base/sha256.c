/* SHA-256 by nettle, which GnuTLS brings anyway: see sha256.h. */
#include "base/sha256.h"

#include <nettle/sha2.h>
#include <string.h>

void
sha256_hex(const void *bytes, size_t len, char ret[SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;
	size_t i;

	sha256_init(&ctx);
	sha256_update(&ctx, len, bytes);
	sha256_digest(&ctx, sizeof(sum), sum);
	for (i = 0; i < sizeof(sum); i++) {
		ret[2 * i] = digits[sum[i] >> 4];
		ret[2 * i + 1] = digits[sum[i] & 15];
	}
	ret[2 * sizeof(sum)] = '\0';
}

bool
sha256_is_hex(const char *s)
{
	return strlen(s) == SHA256_HEX_SIZE - 1 &&
	    strspn(s, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}
