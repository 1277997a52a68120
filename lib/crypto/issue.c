/* Making certificates by GnuTLS: see issue.h.  For "proxyctl pki" alone. */
#include "crypto/issue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/mem.h"

enum { SERIAL_SIZE = 16 };

struct issued {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t key_pem;
	gnutls_datum_t cert_pem;
};

void
issued_free(struct issued *x)
{
	if (x == NULL)
		return;
	gnutls_free(x->key_pem.data);
	gnutls_free(x->cert_pem.data);
	gnutls_x509_crt_deinit(x->cert);
	gnutls_x509_privkey_deinit(x->key);
	free(x);
}

const char *
issued_certificate(const struct issued *x)
{
	return (const char *)x->cert_pem.data;
}

const char *
issued_key(const struct issued *x)
{
	return (const char *)x->key_pem.data;
}

static int
add_name(gnutls_x509_crt_t c, const char *name)
{
	unsigned char address[16];
	unsigned size = 0;

	if (inet_pton(AF_INET, name, address) == 1)
		size = 4;
	else if (inet_pton(AF_INET6, name, address) == 1)
		size = 16;
	if (size > 0)
		return gnutls_x509_crt_set_subject_alt_name(
		    c, GNUTLS_SAN_IPADDRESS, address, size, GNUTLS_FSAN_APPEND);
	return gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, name,
	    (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static int
add_purposes(gnutls_x509_crt_t c, enum issue_kind kind)
{
	int rc;

	if (kind == ISSUE_AUTHORITY)
		return gnutls_x509_crt_set_key_usage(
		    c, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
	rc = gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (rc == 0)
		rc = gnutls_x509_crt_set_key_purpose_oid(
		    c, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (rc == 0 && kind == ISSUE_CLIENT)
		rc = gnutls_x509_crt_set_key_purpose_oid(
		    c, GNUTLS_KP_TLS_WWW_CLIENT, 0);
	return rc;
}

static int
fill(struct issued *x, const struct issue_request *r)
{
	unsigned char serial[SERIAL_SIZE];
	unsigned char id[64];
	size_t id_len = sizeof(id), i;
	int rc;

	rc = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
	serial[0] &= 0x7f; /* a positive number */
	serial[0] |= 0x40;
	if (rc == 0)
		rc = gnutls_x509_crt_set_version(x->cert, 3);
	if (rc == 0)
		rc = gnutls_x509_crt_set_key(x->cert, x->key);
	if (rc == 0)
		rc =
		    gnutls_x509_crt_set_serial(x->cert, serial, sizeof(serial));
	if (rc == 0)
		rc = gnutls_x509_crt_set_activation_time(
		    x->cert, (time_t)r->from_s);
	if (rc == 0)
		rc = gnutls_x509_crt_set_expiration_time(
		    x->cert, (time_t)r->until_s);
	if (rc == 0)
		rc = gnutls_x509_crt_set_dn_by_oid(x->cert,
		    GNUTLS_OID_X520_COMMON_NAME, 0, r->common_name,
		    (unsigned)strlen(r->common_name));
	if (rc == 0)
		rc = gnutls_x509_crt_set_basic_constraints(x->cert,
		    r->kind == ISSUE_AUTHORITY,
		    r->kind == ISSUE_AUTHORITY ? 0 : -1);
	if (rc == 0)
		rc = add_purposes(x->cert, r->kind);
	for (i = 0; rc == 0 && i < r->names_len; i++)
		rc = add_name(x->cert, r->names[i]);
	if (rc == 0)
		rc = gnutls_x509_crt_get_key_id(x->cert, 0, id, &id_len);
	if (rc == 0)
		rc = gnutls_x509_crt_set_subject_key_id(x->cert, id, id_len);
	return rc;
}

static int
sign(struct issued *x, const struct issued *by)
{
	unsigned char id[64];
	size_t id_len = sizeof(id);
	int rc = gnutls_x509_crt_get_key_id(by->cert, 0, id, &id_len);

	if (rc == 0 && x != by)
		rc = gnutls_x509_crt_set_authority_key_id(x->cert, id, id_len);
	if (rc == 0)
		rc = gnutls_x509_crt_sign2(
		    x->cert, by->cert, by->key, GNUTLS_DIG_SHA256, 0);
	if (rc == 0)
		rc = gnutls_x509_crt_export2(
		    x->cert, GNUTLS_X509_FMT_PEM, &x->cert_pem);
	if (rc == 0)
		rc = gnutls_x509_privkey_export2_pkcs8(x->key,
		    GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &x->key_pem);
	return rc;
}

struct issued *
issue(const struct issue_request *r, const struct issued *by, struct error *e)
{
	struct issued *x = xcalloc(1, sizeof(*x));
	int rc;

	must(gnutls_x509_privkey_init(&x->key) == 0);
	must(gnutls_x509_crt_init(&x->cert) == 0);
	rc = gnutls_x509_privkey_generate(x->key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (rc == 0)
		rc = fill(x, r);
	if (rc == 0)
		rc = sign(x, by == NULL ? x : by);
	if (rc != 0) {
		error_set(e, EIO, "the certificate of %s: %s", r->common_name,
		    gnutls_strerror(rc));
		issued_free(x);
		return NULL;
	}
	return x;
}
