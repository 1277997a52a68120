/* Secrets as files, and what is said of them. */
#include "crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "pem.h"

struct fixture {
	char folder[40];
	struct pem pem;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	memcpy(f->folder, "/tmp/bulkhead-test-XXXXXX", 26);
	must(mkdtemp(f->folder) != NULL);
	f->pem = pem_make((struct pem_wish){ .names = { "a.example" } });
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	must(fs_remove_tree(f->folder, NULL) == 0);
	pem_fini(&f->pem);
	free(f);
	return 0;
}

static void
put(const struct fixture *f, const char *name, const void *bytes, size_t len)
{
	char *path = xasprintf("%s/%s", f->folder, name);

	must(fs_write(path, bytes, len, 0600, NULL) == 0);
	free(path);
}

/* The fact of 'name' (and 'key', or NULL), read from the folder. */
static struct secret_fact
judged(const struct fixture *f, enum secret_kind kind, const char *name,
    const char *key, int64_t now_s)
{
	struct secret_use u = { .kind = kind,
		.name = (char *)(uintptr_t)name,
		.key = (char *)(uintptr_t)key };
	struct secret_file file, key_file = { 0 };
	struct secret_fact fact;

	secret_file_read(f->folder, name, &file);
	if (key != NULL)
		secret_file_read(f->folder, key, &key_file);
	secret_judge(&u, &file, key == NULL ? NULL : &key_file, now_s, &fact);
	secret_file_fini(&file);
	secret_file_fini(&key_file);
	return fact;
}

static void
expect(struct secret_fact fact, enum secret_state wanted, bool in_key,
    const char *reason, const char *remark)
{
	if (fact.state != wanted || fact.in_key != in_key)
		fail_msg("%s: %s", secret_state_name(fact.state), fact.reason);
	if (reason == NULL)
		assert_null(fact.reason);
	else if (fact.reason == NULL || strstr(fact.reason, reason) == NULL)
		fail_msg("reason: %s", fact.reason);
	if (remark == NULL)
		assert_null(fact.remark);
	else if (fact.remark == NULL || strstr(fact.remark, remark) == NULL)
		fail_msg("remark: %s", fact.remark);
	secret_fact_fini(&fact);
}

static void
put_pair(const struct fixture *f)
{
	put(f, "cert", f->pem.cert, strlen(f->pem.cert));
	put(f, "key", f->pem.key, strlen(f->pem.key));
}

static void
a_pair_is_good_and_tells_its_names(void **state)
{
	struct fixture *f = *state;
	struct secret_fact fact;

	put_pair(f);
	fact = judged(f, SECRET_CERTIFICATE, "cert", "key", PEM_NOW);
	assert_int_equal(fact.names.len, 1);
	assert_true(fact.all_names);
	assert_string_equal(fact.names.at[0], "a.example");
	expect(fact, SECRET_GOOD, false, NULL, NULL);
}

static void
dates_are_judged_and_told_before(void **state)
{
	struct fixture *f = *state;
	int64_t end = PEM_NOW + 180L * PEM_DAY,
		begin = PEM_NOW - 180L * PEM_DAY;
	struct secret_fact fact;

	put_pair(f);
	expect(judged(f, SECRET_CERTIFICATE, "cert", "key", end), SECRET_GOOD,
	    false, NULL, "expires on");
	expect(judged(f, SECRET_CERTIFICATE, "cert", "key",
		   end - SECRET_EXPIRES_S),
	    SECRET_GOOD, false, NULL, NULL);
	expect(judged(f, SECRET_CERTIFICATE, "cert", "key", begin - 1),
	    SECRET_BAD, false, "not valid before", NULL);
	fact = judged(f, SECRET_CERTIFICATE, "cert", "key", end + 1);
	assert_true(fact.expired);
	expect(fact, SECRET_BAD, false, "expired on", "expired on");
}

static void
the_one_at_fault_is_named(void **state)
{
	struct fixture *f = *state;

	expect(judged(f, SECRET_CERTIFICATE, "cert", "key", PEM_NOW),
	    SECRET_MISSING, false, "no file of secret cert", NULL);
	put(f, "cert", f->pem.cert, strlen(f->pem.cert));
	expect(judged(f, SECRET_CERTIFICATE, "cert", "key", PEM_NOW),
	    SECRET_MISSING, true, "no file of secret key", NULL);
	put(f, "key", f->pem.cert, strlen(f->pem.cert));
	expect(judged(f, SECRET_CERTIFICATE, "cert", "key", PEM_NOW),
	    SECRET_BAD, true, "secret key: there is no PEM key", NULL);
	expect(judged(f, SECRET_CERTIFICATE, "cert", NULL, PEM_NOW), SECRET_BAD,
	    true, "secret cert: there is no PEM key", NULL);
}

static void
only_a_plain_file_of_a_plain_name_is_read(void **state)
{
	static const char *const odd[] = { "", ".", "..", "../x", "a/b",
		".hidden", "a b", "a\n" };
	struct fixture *f = *state;
	char *path = xasprintf("%s/pipe", f->folder);
	char long_name[300];
	struct secret_file file;

	for (size_t i = 0; i < countof(odd); i++) {
		assert_false(secret_name_ok(odd[i]));
		secret_file_read(f->folder, odd[i], &file);
		assert_true(file.bytes == NULL && file.missing);
	}
	memset(long_name, 'a', sizeof(long_name));
	long_name[255] = '\0';
	assert_true(secret_name_ok(long_name));
	long_name[255] = 'a';
	long_name[256] = '\0';
	assert_false(secret_name_ok(long_name));
	must(mkfifo(path, 0600) == 0);
	secret_file_read(f->folder, "pipe", &file);
	assert_true(file.bytes == NULL && !file.missing);
	assert_non_null(strstr(file.error.msg, "not a file"));
	free(path);
}

static void
what_is_too_large_is_refused_before_it_is_read(void **state)
{
	struct fixture *f = *state;
	char *path = xasprintf("%s/huge", f->folder);

	put(f, "huge", "x", 1);
	must(truncate(path, (off_t)1 << 40) == 0);
	expect(judged(f, SECRET_CERTIFICATE, "huge", NULL, PEM_NOW), SECRET_BAD,
	    false, "secret huge", NULL);
	free(path);
}

static void
passwords_need_a_login(void **state)
{
	static const struct {
		const char *text;
		bool somebody;
	} cases[] = { { "u:hash\n", true }, { "u:hash", true },
		{ "# c:omment\nu:h\n", true }, { "", false }, { "\n\n", false },
		{ "u\n", false }, { "u:\n", false }, { ":hash\n", false },
		{ "#u:hash\n", false } };
	struct fixture *f = *state;

	for (size_t i = 0; i < countof(cases); i++) {
		put(f, "users", cases[i].text, strlen(cases[i].text));
		expect(judged(f, SECRET_PASSWORDS, "users", NULL, PEM_NOW),
		    SECRET_GOOD, false, NULL,
		    cases[i].somebody ? NULL : "nobody can");
	}
}

static void
authorities_are_certificates(void **state)
{
	struct fixture *f = *state;

	put_pair(f);
	expect(judged(f, SECRET_AUTHORITIES, "cert", NULL, PEM_NOW),
	    SECRET_GOOD, false, NULL, NULL);
	expect(judged(f, SECRET_AUTHORITIES, "key", NULL, PEM_NOW), SECRET_BAD,
	    false, "no certificate", NULL);
}

static void
an_id_names_the_use_and_nothing_else(void **state)
{
	char text[4][8] = { "a", "b", "a\nb", "" };
	struct secret_use uses[] = {
		{ .kind = SECRET_CERTIFICATE, .name = text[0] },
		{ .kind = SECRET_AUTHORITIES, .name = text[0] },
		{ .kind = SECRET_CERTIFICATE, .name = text[1] },
		{ .kind = SECRET_CERTIFICATE, .name = text[0], .key = text[1] },
	};
	char ids[countof(uses)][SECRET_ID_SIZE], again[SECRET_ID_SIZE];
	struct secret_use copy;

	(void)state;
	for (size_t i = 0; i < countof(uses); i++) {
		secret_use_id(&uses[i], ids[i]);
		assert_int_equal(strlen(ids[i]), SECRET_ID_SIZE - 1);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
		secret_use_copy(&uses[i], &copy);
		secret_use_id(&copy, again);
		assert_string_equal(ids[i], again);
		secret_use_fini(&copy);
	}
}

static void
words_are_parsed_as_they_are_written(void **state)
{
	(void)state;
	for (int i = 0; i < SECRET_KIND_COUNT; i++)
		assert_int_equal(
		    secret_kind_parse(secret_kind_name((enum secret_kind)i)),
		    i);
	for (int i = SECRET_GOOD; i <= SECRET_BAD; i++)
		assert_int_equal(
		    secret_state_parse(secret_state_name((enum secret_state)i)),
		    i);
	assert_int_equal(secret_kind_parse("other"), -1);
	assert_int_equal(secret_kind_parse(NULL), -1);
	assert_int_equal(secret_state_parse(""), -1);
}

static void
facts_differ_by_each_member(void **state)
{
	struct secret_fact a = { .state = SECRET_GOOD, .reason = NULL }, b;
	char word[] = "x";

	(void)state;
	vec_push(&a.names, xstrdup("a.example"));
	secret_fact_copy(&a, &b);
	assert_true(secret_fact_same(&a, &b));
#define DIFFERS(member, value)                                                 \
	do {                                                                   \
		__typeof__(b.member) was_ = b.member;                          \
                                                                               \
		b.member = value;                                              \
		assert_false(secret_fact_same(&a, &b));                        \
		b.member = was_;                                               \
	} while (0)
	DIFFERS(state, SECRET_BAD);
	DIFFERS(kept, true);
	DIFFERS(in_key, true);
	DIFFERS(all_names, true);
	DIFFERS(reason, word);
	DIFFERS(remark, word);
	DIFFERS(names.at[0], word);
	DIFFERS(names.len, 0);
#undef DIFFERS
	assert_true(secret_fact_same(&a, &b));
	secret_fact_fini(&a);
	secret_fact_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_pair_is_good_and_tells_its_names),
		T(dates_are_judged_and_told_before),
		T(the_one_at_fault_is_named),
		T(only_a_plain_file_of_a_plain_name_is_read),
		T(what_is_too_large_is_refused_before_it_is_read),
		T(passwords_need_a_login),
		T(authorities_are_certificates),
		T(an_id_names_the_use_and_nothing_else),
		T(words_are_parsed_as_they_are_written),
		T(facts_differ_by_each_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
