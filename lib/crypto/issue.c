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

enum { SERIAL_SIZE = 16, NAME_MAX_LEN = 1024 };

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

static bool
is_pair(const struct issued *x)
{
	unsigned char a[64], b[64];
	size_t a_len = sizeof(a), b_len = sizeof(b);

	return gnutls_x509_crt_get_key_id(x->cert, 0, a, &a_len) == 0 &&
	    gnutls_x509_privkey_get_key_id(x->key, 0, b, &b_len) == 0 &&
	    a_len == b_len && memcmp(a, b, a_len) == 0;
}

static gnutls_datum_t
pem(const char *s)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)s,
		(unsigned)strlen(s) };
}

static int
import(struct issued *x, const char *cert, const char *key, bool authority,
    struct error *e)
{
	gnutls_datum_t c = pem(cert), k;
	int rc = gnutls_x509_crt_import(x->cert, &c, GNUTLS_X509_FMT_PEM);

	if (rc != 0)
		return error_set(
		    e, EINVAL, "no certificate: %s", gnutls_strerror(rc));
	if (authority && gnutls_x509_crt_get_ca_status(x->cert, NULL) <= 0)
		return error_set(
		    e, EINVAL, "a certificate that is no authority's");
	if (key == NULL)
		return 0;
	k = pem(key);
	rc = gnutls_x509_privkey_import(x->key, &k, GNUTLS_X509_FMT_PEM);
	if (rc != 0)
		return error_set(e, EINVAL, "no key: %s", gnutls_strerror(rc));
	return is_pair(x)
	    ? 0
	    : error_set(e, EINVAL, "the key is not the certificate's");
}

struct issued *
issue_load(const char *cert, const char *key, bool authority, struct error *e)
{
	struct issued *x = xcalloc(1, sizeof(*x));

	must(gnutls_x509_privkey_init(&x->key) == 0);
	must(gnutls_x509_crt_init(&x->cert) == 0);
	x->cert_pem.data = (unsigned char *)gnutls_strdup(cert);
	must(x->cert_pem.data != NULL);
	if (import(x, cert, key, authority, e) != 0) {
		issued_free(x);
		return NULL;
	}
	return x;
}

int64_t
issued_until_s(const struct issued *x)
{
	return (int64_t)gnutls_x509_crt_get_expiration_time(x->cert);
}

char *
issued_name(const struct issued *x, size_t i)
{
	char name[NAME_MAX_LEN], text[INET6_ADDRSTRLEN];
	size_t size = sizeof(name) - 1;
	int type = gnutls_x509_crt_get_subject_alt_name(
	    x->cert, (unsigned)i, name, &size, NULL);

	if (type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16)) {
		must(inet_ntop(size == 4 ? AF_INET : AF_INET6, name, text,
			 sizeof(text)) != NULL);
		return xstrdup(text);
	}
	return type < 0 ? NULL : xmemdup0(name, size);
}
