/* Certificates and keys as PEM texts, made on the spot. */
#ifndef TESTS_UNIT_PEM_H
#define TESTS_UNIT_PEM_H

#include <stdint.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/mem.h"

#define PEM_NOW 1700000000
#define PEM_DAY 86400

struct pem_wish {
	const char *common;   /* NULL: none */
	const char *names[4]; /* a percent sign stands for a NUL */
	gnutls_pk_algorithm_t kind;
	unsigned bits;
	gnutls_digest_algorithm_t hash; /* 0: SHA-256 */
	int64_t from_s, to_s;		/* 0: a year around PEM_NOW */
};

struct pem {
	char *cert;
	char *key;
};

static inline char *
pem_text(gnutls_datum_t *d)
{
	char *text = xmemdup0(d->data, d->size);

	gnutls_free(d->data);
	return text;
}

static inline gnutls_x509_privkey_t
pem_key(gnutls_pk_algorithm_t kind, unsigned bits)
{
	gnutls_x509_privkey_t key;

	must(gnutls_x509_privkey_init(&key) == 0);
	must(gnutls_x509_privkey_generate(key, kind, bits, 0) == 0);
	return key;
}

static inline void
pem_names(gnutls_x509_crt_t c, const struct pem_wish *w)
{
	size_t i;

	if (w->common != NULL)
		must(gnutls_x509_crt_set_dn_by_oid(c,
			 GNUTLS_OID_X520_COMMON_NAME, 0, w->common,
			 (unsigned)strlen(w->common)) == 0);
	for (i = 0; i < countof(w->names) && w->names[i] != NULL; i++)
		must(gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME,
			 w->names[i], (unsigned)strlen(w->names[i]),
			 GNUTLS_FSAN_APPEND) == 0);
}

/* GnuTLS writes no NUL into a name: it is put there afterwards. */
static inline char *
pem_certificate(gnutls_x509_crt_t c, const struct pem_wish *w)
{
	gnutls_datum_t der, out;
	unsigned char *p;
	size_t i;

	must(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_DER, &der) == 0);
	for (i = 0; i < countof(w->names) && w->names[i] != NULL; i++) {
		p = memmem(
		    der.data, der.size, w->names[i], strlen(w->names[i]));
		must(p != NULL);
		p = memchr(p, '%', strlen(w->names[i]));
		if (p != NULL)
			*p = '\0';
	}
	must(gnutls_pem_base64_encode2("CERTIFICATE", &der, &out) == 0);
	gnutls_free(der.data);
	return pem_text(&out);
}

static inline struct pem
pem_make(struct pem_wish w)
{
	gnutls_pk_algorithm_t kind = w.kind == 0 ? GNUTLS_PK_ECDSA : w.kind;
	gnutls_x509_privkey_t key = pem_key(kind,
	    w.bits == 0 ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
			: w.bits);
	gnutls_x509_crt_t c;
	gnutls_datum_t out;
	struct pem ret;

	must(gnutls_x509_crt_init(&c) == 0);
	must(gnutls_x509_crt_set_version(c, 3) == 0);
	must(gnutls_x509_crt_set_key(c, key) == 0);
	must(gnutls_x509_crt_set_serial(c, "\1", 1) == 0);
	must(gnutls_x509_crt_set_activation_time(
		 c, w.from_s != 0 ? w.from_s : PEM_NOW - 180L * PEM_DAY) == 0);
	must(gnutls_x509_crt_set_expiration_time(
		 c, w.to_s != 0 ? w.to_s : PEM_NOW + 180L * PEM_DAY) == 0);
	pem_names(c, &w);
	must(gnutls_x509_crt_sign2(
		 c, c, key, w.hash == 0 ? GNUTLS_DIG_SHA256 : w.hash, 0) == 0);
	ret.cert = pem_certificate(c, &w);
	must(gnutls_x509_privkey_export2_pkcs8(
		 key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &out) == 0);
	ret.key = pem_text(&out);
	gnutls_x509_crt_deinit(c);
	gnutls_x509_privkey_deinit(key);
	return ret;
}

static inline void
pem_fini(struct pem *p)
{
	free(p->cert);
	free(p->key);
}

#endif
