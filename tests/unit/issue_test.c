/* Certificates that are made are ones that we take ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/mem.h"
#include "crypto/certificate.h"
#include "crypto/issue.h"

#define NOW 1700000000

static struct issued *
made(enum issue_kind kind, const struct issued *by, const char *name)
{
	const char *names[] = { name, "10.0.0.1", "::1" };
	struct issue_request r = { kind, "somebody", names, 3, NOW, NOW + 99 };
	struct issued *x = issue(&r, by, NULL);

	assert_non_null(x);
	return x;
}

static gnutls_x509_crt_t
read_back(const struct issued *x)
{
	const char *pem = issued_certificate(x);
	gnutls_datum_t d = { (unsigned char *)(uintptr_t)pem,
		(unsigned)strlen(pem) };
	gnutls_x509_crt_t c;

	must(gnutls_x509_crt_init(&c) == 0);
	assert_int_equal(gnutls_x509_crt_import(c, &d, GNUTLS_X509_FMT_PEM), 0);
	return c;
}

static bool
signed_by(const struct issued *x, const struct issued *ca)
{
	gnutls_x509_crt_t a = read_back(x), b = read_back(ca);
	unsigned status = 0;
	int rc = gnutls_x509_crt_verify(
	    a, &b, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status);

	gnutls_x509_crt_deinit(a);
	gnutls_x509_crt_deinit(b);
	return rc == 0 && status == 0;
}

static void
what_the_authority_signs_is_a_pair_with_its_names_and_dates(void **state)
{
	struct issued *ca = made(ISSUE_AUTHORITY, NULL, "ca.example");
	struct issued *x = made(ISSUE_SERVER, ca, "bulkhead-control");
	const char *cert = issued_certificate(x), *key = issued_key(x);
	struct certificate c;
	bool in_key;

	(void)state;
	assert_int_equal(certificate_read(cert, strlen(cert), key, strlen(key),
			     &c, &in_key, NULL),
	    0);
	assert_int_equal(c.names.len, 1);
	assert_string_equal(c.names.at[0], "bulkhead-control");
	assert_int_equal(c.not_before_s, NOW);
	assert_int_equal(c.not_after_s, NOW + 99);
	certificate_fini(&c);
	assert_true(signed_by(x, ca));
	issued_free(x);
	issued_free(ca);
}

static void
another_authority_did_not_sign_it_and_a_client_cannot_sign(void **state)
{
	struct issued *ca = made(ISSUE_AUTHORITY, NULL, "a");
	struct issued *other = made(ISSUE_AUTHORITY, NULL, "a");
	struct issued *client = made(ISSUE_CLIENT, ca, "c");
	struct issued *forged = made(ISSUE_CLIENT, client, "d");

	(void)state;
	assert_true(signed_by(client, ca));
	assert_false(signed_by(client, other));
	assert_false(signed_by(forged, client));
	issued_free(forged);
	issued_free(client);
	issued_free(other);
	issued_free(ca);
}

static unsigned
usable_for(const struct issued *x, const char *purpose)
{
	gnutls_x509_crt_t c = read_back(x);
	unsigned ok = gnutls_x509_crt_check_key_purpose(c, purpose, 0);

	gnutls_x509_crt_deinit(c);
	return ok;
}

static void
a_server_is_no_client_and_an_agent_is_both(void **state)
{
	struct issued *ca = made(ISSUE_AUTHORITY, NULL, "a");
	struct issued *server = made(ISSUE_SERVER, ca, "s");
	struct issued *client = made(ISSUE_CLIENT, ca, "c");

	(void)state;
	assert_true(usable_for(server, GNUTLS_KP_TLS_WWW_SERVER));
	assert_false(usable_for(server, GNUTLS_KP_TLS_WWW_CLIENT));
	assert_true(usable_for(client, GNUTLS_KP_TLS_WWW_CLIENT));
	assert_true(usable_for(client, GNUTLS_KP_TLS_WWW_SERVER));
	issued_free(client);
	issued_free(server);
	issued_free(ca);
}

static void
an_authority_that_is_loaded_signs_and_its_names_are_read(void **state)
{
	struct issued *ca = made(ISSUE_AUTHORITY, NULL, "a");
	struct issued *again =
	    issue_load(issued_certificate(ca), issued_key(ca), true, NULL);
	struct issued *x = made(ISSUE_SERVER, again, "s.example");
	struct issued *read =
	    issue_load(issued_certificate(x), NULL, false, NULL);
	static const char *const names[] = { "s.example", "10.0.0.1", "::1" };

	(void)state;
	assert_true(signed_by(x, ca));
	assert_string_equal(issued_certificate(again), issued_certificate(ca));
	assert_int_equal(issued_until_s(again), NOW + 99);
	for (size_t i = 0; i < 3; i++) {
		char *name = issued_name(read, i);

		assert_string_equal(name, names[i]);
		free(name);
	}
	assert_null(issued_name(read, 3));
	issued_free(read);
	issued_free(x);
	issued_free(again);
	issued_free(ca);
}

static void
what_is_no_authority_or_no_pair_is_not_loaded(void **state)
{
	struct issued *ca = made(ISSUE_AUTHORITY, NULL, "a");
	struct issued *x = made(ISSUE_SERVER, ca, "s");
	struct error e;

	(void)state;
	assert_null(issue_load(issued_certificate(x), issued_key(x), true, &e));
	assert_non_null(strstr(e.msg, "authority"));
	assert_null(
	    issue_load(issued_certificate(ca), issued_key(x), true, &e));
	assert_non_null(strstr(e.msg, "key"));
	assert_null(issue_load("nothing", NULL, false, &e));
	assert_null(issue_load(issued_certificate(ca), "noise", true, &e));
	issued_free(x);
	issued_free(ca);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_the_authority_signs_is_a_pair_with_its_names_and_dates),
		cmocka_unit_test(
		    another_authority_did_not_sign_it_and_a_client_cannot_sign),
		cmocka_unit_test(a_server_is_no_client_and_an_agent_is_both),
		cmocka_unit_test(
		    an_authority_that_is_loaded_signs_and_its_names_are_read),
		cmocka_unit_test(what_is_no_authority_or_no_pair_is_not_loaded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
