/* Certificates and keys, good and bad. */
#include "crypto/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "pem.h"

static struct error said;
static bool about_key;

/* 0 with '*ret', or -1 with 'said'. */
static int
read_pair(const char *cert, const char *key, struct certificate *ret)
{
	said.msg[0] = '\0';
	return certificate_read(
	    cert, strlen(cert), key, strlen(key), ret, &about_key, &said);
}

static void
refused(const char *cert, const char *key, bool of_key, const char *words)
{
	struct certificate c;

	assert_int_equal(read_pair(cert, key, &c), -1);
	if (strstr(said.msg, words) == NULL)
		fail_msg("says: %s", said.msg);
	assert_int_equal(about_key, of_key);
}

static void
a_certificate_tells_its_names_and_dates(void **state)
{
	struct pem p = pem_make((struct pem_wish){ .common = "ignored.example",
	    .names = { "A.Example", "*.b.example" } });
	struct certificate c;

	(void)state;
	assert_int_equal(read_pair(p.cert, p.key, &c), 0);
	assert_int_equal(c.names.len, 2);
	assert_string_equal(c.names.at[0], "a.example");
	assert_string_equal(c.names.at[1], "*.b.example");
	assert_int_equal(c.not_before_s, PEM_NOW - 180L * PEM_DAY);
	assert_int_equal(c.not_after_s, PEM_NOW + 180L * PEM_DAY);
	certificate_fini(&c);
	pem_fini(&p);
}

static void
the_common_name_counts_only_where_there_is_no_other(void **state)
{
	struct pem p = pem_make((struct pem_wish){ .common = "Old.Example" });
	struct certificate c;

	(void)state;
	assert_int_equal(read_pair(p.cert, p.key, &c), 0);
	assert_int_equal(c.names.len, 1);
	assert_string_equal(c.names.at[0], "old.example");
	certificate_fini(&c);
	pem_fini(&p);
}

static void
a_name_with_a_nul_or_too_long_names_nobody(void **state)
{
	char long_name[400];
	struct certificate c;
	struct pem p;

	(void)state;
	p = pem_make((struct pem_wish){
	    .names = { "a.example%.evil.example", "b.example" } });
	assert_int_equal(read_pair(p.cert, p.key, &c), 0);
	assert_int_equal(c.names.len, 1);
	assert_string_equal(c.names.at[0], "b.example");
	certificate_fini(&c);
	pem_fini(&p);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	p = pem_make((struct pem_wish){ .names = { long_name, "b.example" } });
	assert_int_equal(read_pair(p.cert, p.key, &c), 0);
	assert_int_equal(c.names.len, 1);
	assert_string_equal(c.names.at[0], "b.example");
	certificate_fini(&c);
	pem_fini(&p);
}

static void
both_may_stand_in_one_text_in_either_order(void **state)
{
	struct pem p = pem_make((struct pem_wish){ .names = { "a.example" } });
	char *one = xasprintf("%s%s", p.cert, p.key);
	char *other = xasprintf("# mine\n%s\n%s", p.key, p.cert);
	struct certificate c;

	(void)state;
	assert_int_equal(read_pair(one, one, &c), 0);
	certificate_fini(&c);
	assert_int_equal(read_pair(other, other, &c), 0);
	certificate_fini(&c);
	free(one);
	free(other);
	pem_fini(&p);
}

static void
of_a_chain_the_first_one_counts(void **state)
{
	struct pem leaf =
	    pem_make((struct pem_wish){ .names = { "a.example" } });
	struct pem above = pem_make((struct pem_wish){ .common = "Above" });
	char *chain = xasprintf("%s%s", leaf.cert, above.cert);
	char *reversed = xasprintf("%s%s", above.cert, leaf.cert);
	STR_AUTO(many, 1 << 20);
	struct certificate c;

	(void)state;
	assert_int_equal(read_pair(chain, leaf.key, &c), 0);
	assert_string_equal(c.names.at[0], "a.example");
	certificate_fini(&c);
	refused(reversed, leaf.key, true, "that of another certificate");
	for (int i = 0; i < 17; i++)
		str_add(&many, leaf.cert);
	refused(many.p, leaf.key, false, "at most");
	free(chain);
	free(reversed);
	pem_fini(&above);
	pem_fini(&leaf);
}

static void
what_is_missing_or_in_the_wrong_place_is_named(void **state)
{
	struct pem p = pem_make((struct pem_wish){ .names = { "a.example" } });
	struct pem q = pem_make((struct pem_wish){ .names = { "b.example" } });

	(void)state;
	refused("", p.key, false, "empty");
	refused(p.key, p.key, false, "a key in it and no certificate");
	refused("hello\n", p.key, false, "no PEM certificate");
	refused(p.cert, "", true, "empty");
	refused(p.cert, p.cert, true, "no PEM key");
	refused(p.cert, q.key, true, "that of another certificate");
	pem_fini(&p);
	pem_fini(&q);
}

static void
a_key_with_a_passphrase_is_named_as_such(void **state)
{
	static const char *const encrypted[] = {
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
		"-----END ENCRYPTED PRIVATE KEY-----\n",
		"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-128-CBC,00\n\nAAAA\n"
		"-----END RSA PRIVATE KEY-----\n",
	};
	struct pem p = pem_make((struct pem_wish){ .names = { "a.example" } });

	(void)state;
	for (size_t i = 0; i < countof(encrypted); i++)
		refused(p.cert, encrypted[i], true, "passphrase");
	pem_fini(&p);
}

static void
a_text_cut_anywhere_is_refused_or_good(void **state)
{
	struct pem p = pem_make((struct pem_wish){ .names = { "a.example" } });
	char *both = xasprintf("%s%s", p.cert, p.key);
	size_t len = strlen(both);
	struct certificate c;
	struct error e;
	bool of_key;

	(void)state;
	for (size_t cut = 0; cut + 2 < len; cut++) {
		e.msg[0] = '\0';
		if (certificate_read(both, cut, both, cut, &c, &of_key, &e) ==
		    0) {
			/* Only the last newline may lack. */
			assert_true(cut + 1 >= len);
			certificate_fini(&c);
		} else {
			assert_true(e.msg[0] != '\0');
		}
	}
	free(both);
	pem_fini(&p);
}

static void
damage_and_half_a_megabyte_of_noise_are_refused(void **state)
{
	struct pem p = pem_make((struct pem_wish){ .names = { "a.example" } });
	char *damaged = xstrdup(p.cert);
	size_t size = 500 * 1024, i;
	char *noise = xmalloc(size + 1);

	(void)state;
	damaged[60] = damaged[60] == 'A' ? 'B' : 'A';
	damaged[61] = '!';
	refused(damaged, p.key, false, "damaged");
	for (i = 0; i < size; i++)
		noise[i] = (char)(33 + i * i % 90);
	noise[size] = '\0';
	refused(noise, p.key, false, "no PEM certificate");
	refused(p.cert, noise, true, "no PEM key");
	memcpy(noise, "-----BEGIN CERTIFICATE-----\n", 28);
	refused(noise, p.key, false, "cut off");
	memcpy(noise + size - 27, "\n-----END CERTIFICATE-----\n", 27);
	refused(noise, p.key, false, "damaged");
	memcpy(noise, "-----BEGIN PRIVATE KEY-----\n", 28);
	refused(p.cert, noise, true, "cut off");
	memcpy(noise + size - 27, "\n-----END PRIVATE KEY-----\n", 27);
	refused(p.cert, noise, true, "damaged");
	free(noise);
	free(damaged);
	pem_fini(&p);
}

static void
weak_keys_are_refused_with_their_size(void **state)
{
	struct pem p = pem_make((struct pem_wish){
	    .names = { "a.example" }, .kind = GNUTLS_PK_RSA, .bits = 1024 });
	struct certificate c;

	(void)state;
	refused(p.cert, p.key, false, "RSA key of 1024 bits");
	pem_fini(&p);
	p = pem_make((struct pem_wish){
	    .names = { "a.example" }, .kind = GNUTLS_PK_RSA, .bits = 2048 });
	assert_int_equal(read_pair(p.cert, p.key, &c), 0);
	certificate_fini(&c);
	pem_fini(&p);
}

static void
names_cover_hosts_as_tls_does(void **state)
{
	static const char *const names[] = { "a.example", "*.b.example" };
	static const struct {
		const char *host;
		bool covered;
	} cases[] = {
		{ "a.example", true },
		{ "b.example", false },
		{ "x.b.example", true },
		{ "x.y.b.example", false },
		{ "*.b.example", true },
		{ "*.a.example", false },
		{ "xb.example", false },
		{ ".b.example", false },
		{ "", false },
		{ "a.example.", false },
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++)
		if (certificate_names_cover(names, 2, cases[i].host) !=
		    cases[i].covered)
			fail_msg("%s", cases[i].host);
	assert_false(certificate_names_cover(NULL, 0, "a.example"));
}

static void
authorities_need_a_certificate_and_no_noise(void **state)
{
	struct pem p = pem_make((struct pem_wish){ .common = "Above" });
	char *two = xasprintf("%s\n%s", p.cert, p.cert);
	char *damaged = xasprintf("%s-----BEGIN CERTIFICATE-----\n!!\n"
				  "-----END CERTIFICATE-----\n",
	    p.cert);
	struct error e;

	(void)state;
	assert_int_equal(certificate_read_authorities(two, strlen(two), &e), 0);
	assert_int_equal(certificate_read_authorities("", 0, &e), -1);
	assert_int_equal(
	    certificate_read_authorities(p.key, strlen(p.key), &e), -1);
	assert_int_equal(
	    certificate_read_authorities(damaged, strlen(damaged), &e), -1);
	free(damaged);
	free(two);
	pem_fini(&p);
}

static void
dates_are_written_or_unknown(void **state)
{
	char date[16];

	(void)state;
	certificate_date(0, date);
	assert_string_equal(date, "1970-01-01");
	certificate_date(1700000000, date);
	assert_string_equal(date, "2023-11-14");
	certificate_date(253402300799, date);
	assert_string_equal(date, "9999-12-31");
	certificate_date(INT64_MAX, date);
	assert_string_equal(date, "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_tells_its_names_and_dates),
		cmocka_unit_test(
		    the_common_name_counts_only_where_there_is_no_other),
		cmocka_unit_test(a_name_with_a_nul_or_too_long_names_nobody),
		cmocka_unit_test(both_may_stand_in_one_text_in_either_order),
		cmocka_unit_test(of_a_chain_the_first_one_counts),
		cmocka_unit_test(
		    what_is_missing_or_in_the_wrong_place_is_named),
		cmocka_unit_test(a_key_with_a_passphrase_is_named_as_such),
		cmocka_unit_test(a_text_cut_anywhere_is_refused_or_good),
		cmocka_unit_test(
		    damage_and_half_a_megabyte_of_noise_are_refused),
		cmocka_unit_test(weak_keys_are_refused_with_their_size),
		cmocka_unit_test(names_cover_hosts_as_tls_does),
		cmocka_unit_test(authorities_need_a_certificate_and_no_noise),
		cmocka_unit_test(dates_are_written_or_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
