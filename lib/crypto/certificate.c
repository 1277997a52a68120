/*
 * Certificates by GnuTLS: see certificate.h.  Held to what OpenSSL at its
 * security level 2 takes (Debian's default), since that is what the engines
 * are linked with and one refused certificate fails their whole check.
 */
#include "crypto/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/mem.h"

enum { RSA_BITS = 2048, EC_BITS = 224, NAME_MAX_LEN = 255, CHAIN_MAX = 16 };

struct chain {
	gnutls_x509_crt_t *at;
	unsigned n;
};

/* The text of a failure; no memory is not the certificate's fault. */
static const char *
fault(int rc)
{
	if (rc == GNUTLS_E_MEMORY_ERROR)
		oom();
	return gnutls_strerror(rc);
}

static gnutls_datum_t
datum(const char *p, size_t len)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)p, (unsigned)len };
}

static void
chain_fini(struct chain *c)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		gnutls_x509_crt_deinit(c->at[i]);
	gnutls_free(c->at);
	*c = (struct chain){ 0 };
}

static bool
has(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what)) != NULL;
}

/*
 * Whether every block that begins also ends, as OpenSSL wants it: GnuTLS
 * takes a text that was cut in its last line.
 */
static bool
is_whole(const char *pem, size_t len)
{
	static const char begin[] = "-----BEGIN ", dashes[] = "-----";
	const char *end = pem + len, *p = pem, *name, *rest;
	char last[80];
	int n;

	while (
	    (p = memmem(p, (size_t)(end - p), begin, strlen(begin))) != NULL) {
		name = p + strlen(begin);
		rest =
		    memmem(name, (size_t)(end - name), dashes, strlen(dashes));
		if (rest == NULL || rest - name > 40)
			return false;
		n = snprintf(last, sizeof(last), "-----END %.*s-----",
		    (int)(rest - name), name);
		p = memmem(rest, (size_t)(end - rest), last, (size_t)n);
		if (p == NULL)
			return false;
	}
	return true;
}

static int
read_chain(const char *pem, size_t len, struct chain *ret, struct error *e)
{
	gnutls_datum_t d = datum(pem, len);
	int rc;

	if (len == 0)
		return error_set(e, EINVAL, "it is empty");
	if (!has(pem, len, "-----BEGIN CERTIFICATE-----") &&
	    !has(pem, len, "-----BEGIN X509 CERTIFICATE-----"))
		return error_set(e, EINVAL,
		    has(pem, len, "PRIVATE KEY-----")
			? "there is a key in it and no certificate"
			: "there is no PEM certificate in it");
	if (!is_whole(pem, len))
		return error_set(
		    e, EINVAL, "it is cut off: a block in it has no end");
	rc = gnutls_x509_crt_list_import2(
	    &ret->at, &ret->n, &d, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0) {
		*ret = (struct chain){ 0 };
		return error_set(e, EINVAL,
		    "a certificate in it is damaged (%s)", fault(rc));
	}
	return 0;
}

static int
check_strength(gnutls_x509_crt_t c, unsigned position, struct error *e)
{
	unsigned bits = 0;
	int kind = gnutls_x509_crt_get_pk_algorithm(c, &bits);
	int sign = gnutls_x509_crt_get_signature_algorithm(c);
	gnutls_digest_algorithm_t hash = sign < 0
	    ? GNUTLS_DIG_UNKNOWN
	    : gnutls_sign_get_hash_algorithm((gnutls_sign_algorithm_t)sign);

	if ((kind == GNUTLS_PK_RSA || kind == GNUTLS_PK_RSA_PSS) &&
	    bits < RSA_BITS)
		return error_set(e, EINVAL,
		    "certificate %u has an RSA key of %u bits; %d are the "
		    "least that is taken",
		    position + 1, bits, RSA_BITS);
	if (kind == GNUTLS_PK_ECDSA && bits < EC_BITS)
		return error_set(e, EINVAL,
		    "certificate %u has an EC key of %u bits; %d are the least "
		    "that is taken",
		    position + 1, bits, EC_BITS);
	if (kind == GNUTLS_PK_DSA)
		return error_set(e, EINVAL,
		    "certificate %u has a DSA key, which TLS no longer knows",
		    position + 1);
	if ((hash == GNUTLS_DIG_MD5 || hash == GNUTLS_DIG_SHA1 ||
		hash == GNUTLS_DIG_MD2) &&
	    gnutls_x509_crt_check_issuer(c, c) == 0)
		return error_set(e, EINVAL,
		    "certificate %u is signed with %s, which is taken no "
		    "longer",
		    position + 1, gnutls_digest_get_name(hash));
	return 0;
}

static int
read_key(
    const char *pem, size_t len, gnutls_x509_privkey_t key, struct error *e)
{
	gnutls_datum_t d = datum(pem, len);
	int rc;

	if (len == 0)
		return error_set(e, EINVAL, "it is empty");
	if (!has(pem, len, "PRIVATE KEY-----"))
		return error_set(e, EINVAL, "there is no PEM key in it");
	if (!is_whole(pem, len))
		return error_set(
		    e, EINVAL, "it is cut off: a block in it has no end");
	if (has(pem, len, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
	    has(pem, len, "Proc-Type: 4,ENCRYPTED"))
		return error_set(e, EINVAL,
		    "the key is encrypted, and a proxy has nobody to ask for "
		    "its passphrase");
	rc = gnutls_x509_privkey_import2(
	    key, &d, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
	if (rc < 0)
		return error_set(
		    e, EINVAL, "the key is damaged (%s)", fault(rc));
	return 0;
}

/* Both are hashes of the public key. */
static int
check_match(gnutls_x509_crt_t c, gnutls_x509_privkey_t key, struct error *e)
{
	unsigned char of_cert[64], of_key[64];
	size_t cert_len = sizeof(of_cert), key_len = sizeof(of_key);
	int rc = gnutls_x509_crt_get_key_id(
	    c, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_len);

	if (rc == 0)
		rc = gnutls_x509_privkey_get_key_id(
		    key, GNUTLS_KEYID_USE_SHA256, of_key, &key_len);
	if (rc != 0)
		return error_set(
		    e, EINVAL, "the key cannot be compared (%s)", fault(rc));
	if (cert_len != key_len || memcmp(of_cert, of_key, key_len) != 0)
		return error_set(
		    e, EINVAL, "the key is that of another certificate");
	return 0;
}

static void
add_name(struct certificate *ret, const char *name, size_t len)
{
	char *copy;
	size_t i;

	/* "a.example\0.evil" is not "a.example". */
	if (memchr(name, '\0', len) != NULL)
		return;
	copy = xmemdup0(name, len);
	for (i = 0; i < len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] + ('a' - 'A'));
	vec_push(&ret->names, copy);
}

/* The alternative names; only where there are none, the common one. */
static void
read_names(gnutls_x509_crt_t c, struct certificate *ret)
{
	char name[NAME_MAX_LEN + 1];
	size_t len;
	unsigned i;
	int kind;

	for (i = 0;; i++) {
		len = sizeof(name);
		kind = gnutls_x509_crt_get_subject_alt_name(
		    c, i, name, &len, NULL);
		if (kind == GNUTLS_E_MEMORY_ERROR)
			oom();
		/* A name that is longer than any host is nobody's. */
		if (kind < 0 && kind != GNUTLS_E_SHORT_MEMORY_BUFFER)
			break;
		if (kind == GNUTLS_SAN_DNSNAME)
			add_name(ret, name, len);
	}
	len = sizeof(name);
	if (i == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(
		c, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) == 0)
		add_name(ret, name, len);
}

static int
read_all(struct chain *chain, gnutls_x509_privkey_t key, const char *cert,
    size_t cert_len, const char *key_text, size_t key_len, bool *ret_in_key,
    struct error *e)
{
	unsigned i;

	*ret_in_key = false;
	if (read_chain(cert, cert_len, chain, e) != 0)
		return -1;
	if (chain->n > CHAIN_MAX)
		return error_set(e, EINVAL,
		    "there are %u certificates in it; a chain has %d at most",
		    chain->n, CHAIN_MAX);
	for (i = 0; i < chain->n; i++)
		if (check_strength(chain->at[i], i, e) != 0)
			return -1;
	*ret_in_key = true;
	if (read_key(key_text, key_len, key, e) != 0)
		return -1;
	return check_match(chain->at[0], key, e);
}

int
certificate_read(const char *cert, size_t cert_len, const char *key,
    size_t key_len, struct certificate *ret, bool *ret_in_key, struct error *e)
{
	struct chain chain = { 0 };
	gnutls_x509_privkey_t k;
	int rc;

	if (gnutls_x509_privkey_init(&k) != 0)
		oom();
	rc = read_all(&chain, k, cert, cert_len, key, key_len, ret_in_key, e);
	if (rc == 0) {
		*ret = (struct certificate){ 0 };
		ret->not_before_s =
		    gnutls_x509_crt_get_activation_time(chain.at[0]);
		ret->not_after_s =
		    gnutls_x509_crt_get_expiration_time(chain.at[0]);
		read_names(chain.at[0], ret);
	}
	gnutls_x509_privkey_deinit(k);
	chain_fini(&chain);
	return rc;
}

void
certificate_fini(struct certificate *c)
{
	size_t i;

	for (i = 0; i < c->names.len; i++)
		free(c->names.at[i]);
	vec_fini(&c->names);
}

/* "*.x.y" stands for one label before "x.y", and for itself. */
static bool
name_covers(const char *name, const char *host)
{
	const char *dot = strchr(host, '.');

	if (strcmp(name, host) == 0)
		return true;
	return name[0] == '*' && name[1] == '.' && host[0] != '*' &&
	    dot != NULL && dot != host && strcmp(name + 1, dot) == 0;
}

bool
certificate_names_cover(const char *const *names, size_t n, const char *host)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (name_covers(names[i], host))
			return true;
	return false;
}

int
certificate_read_authorities(const char *pem, size_t len, struct error *e)
{
	struct chain chain = { 0 };
	int rc = read_chain(pem, len, &chain, e);

	chain_fini(&chain);
	return rc;
}

void
certificate_date(int64_t s, char ret[16])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(ret, 16, "%Y-%m-%d", &tm) == 0)
		memcpy(ret, "?", 2);
}
