/*
 * Files of any bytes as certificates, keys, authorities and passwords: each is
 * good, or bad for a reason that is one sentence.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_sentence(const char *s)
{
	must(s == NULL || s[0] != '\0');
	for (; s != NULL && *s != '\0'; s++)
		must(*s != '\n');
}

static void
judge(enum secret_kind kind, const struct secret_file *file,
    const struct secret_file *key)
{
	const struct secret_use u = { .kind = kind,
		.name = (char[]){ "name" },
		.key = key == NULL ? NULL : (char[]){ "key" } };
	struct secret_fact f, copy;
	size_t i;

	secret_judge(&u, file, key, 1700000000, &f);
	must((f.state == SECRET_GOOD) == (f.reason == NULL));
	check_sentence(f.reason);
	check_sentence(f.remark);
	for (i = 0; i < f.names.len; i++)
		must(f.names.at[i] != NULL);
	secret_fact_copy(&f, &copy);
	must(secret_fact_same(&f, &copy));
	secret_fact_fini(&copy);
	secret_fact_fini(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret_file whole = { .bytes = xmemdup0(data, size),
		.len = size };
	/* A NUL parts the certificate from its key. */
	struct secret_file cert = whole, key = { 0 };
	const uint8_t *end = memchr(data, '\0', size);

	judge(SECRET_CERTIFICATE, &whole, NULL);
	judge(SECRET_AUTHORITIES, &whole, NULL);
	judge(SECRET_PASSWORDS, &whole, NULL);
	if (end != NULL) {
		cert.len = (size_t)(end - data);
		key.bytes = whole.bytes + cert.len + 1;
		key.len = size - cert.len - 1;
		judge(SECRET_CERTIFICATE, &cert, &key);
	}
	free(whole.bytes);
	return 0;
}
