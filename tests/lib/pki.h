/* For unit tests: certificates made on the spot, as PEM files in a folder. */
#ifndef TESTS_LIB_PKI_H
#define TESTS_LIB_PKI_H

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/fs.h"
#include "base/mem.h"

struct pki_entity {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
};

static inline void
pki_write(const char *folder, const char *name, const char *suffix,
    gnutls_datum_t *pem)
{
	char *path _cleanup_free_ = xasprintf("%s/%s.%s", folder, name, suffix);

	must(fs_write(path, pem->data, pem->size, 0600, NULL) == 0);
	gnutls_free(pem->data);
}

/*
 * Writes FOLDER/NAME.crt and NAME.key, signed by 'ca' (NULL: by itself, an
 * authority).  'purpose' is GNUTLS_KP_TLS_WWW_CLIENT or _SERVER; expired
 * certificates ended an hour ago.
 */
static inline struct pki_entity
pki_make(const char *folder, const char *name, const struct pki_entity *ca,
    const char *purpose, bool expired)
{
	struct pki_entity x;
	gnutls_datum_t pem;
	unsigned char serial[8] = { 1 };
	static unsigned char count;
	time_t now = time(NULL);

	serial[7] = ++count;
	must(gnutls_x509_privkey_init(&x.key) == 0);
	must(gnutls_x509_privkey_generate(x.key, GNUTLS_PK_ECDSA,
		 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0);
	must(gnutls_x509_crt_init(&x.cert) == 0);
	must(gnutls_x509_crt_set_version(x.cert, 3) == 0);
	must(gnutls_x509_crt_set_key(x.cert, x.key) == 0);
	must(gnutls_x509_crt_set_serial(x.cert, serial, sizeof(serial)) == 0);
	must(gnutls_x509_crt_set_activation_time(x.cert, now - 7200) == 0);
	must(gnutls_x509_crt_set_expiration_time(
		 x.cert, expired ? now - 3600 : now + 86400) == 0);
	must(gnutls_x509_crt_set_dn_by_oid(x.cert, GNUTLS_OID_X520_COMMON_NAME,
		 0, name, (unsigned)strlen(name)) == 0);
	must(gnutls_x509_crt_set_basic_constraints(
		 x.cert, ca == NULL ? 1 : 0, -1) == 0);
	if (purpose != NULL)
		must(gnutls_x509_crt_set_key_purpose_oid(x.cert, purpose, 0) ==
		    0);
	must(gnutls_x509_crt_set_subject_alt_name(x.cert, GNUTLS_SAN_IPADDRESS,
		 "\x7f\0\0\1", 4, GNUTLS_FSAN_SET) == 0);
	must(gnutls_x509_crt_sign2(x.cert, ca == NULL ? x.cert : ca->cert,
		 ca == NULL ? x.key : ca->key, GNUTLS_DIG_SHA256, 0) == 0);
	must(gnutls_x509_crt_export2(x.cert, GNUTLS_X509_FMT_PEM, &pem) == 0);
	pki_write(folder, name, "crt", &pem);
	must(
	    gnutls_x509_privkey_export2(x.key, GNUTLS_X509_FMT_PEM, &pem) == 0);
	pki_write(folder, name, "key", &pem);
	return x;
}

static inline void
pki_free(struct pki_entity *x)
{
	gnutls_x509_crt_deinit(x->cert);
	gnutls_x509_privkey_deinit(x->key);
}

#endif
