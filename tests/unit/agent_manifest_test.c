/* Manifests: what is taken and what is refused whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../proxyctl/agent/manifest.h"
#include "base/str.h"

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEAD                                                                   \
	"{\"version\":1,\"cluster\":\"c\",\"engine\":\"nginx\","               \
	"\"generation\":7,\"config\":\"" SHA "\","
#define CONF "{\"path\":\"nginx.conf\",\"sha256\":\"" SHA "\",\"size\":0}"
#define LISTEN "\"listen\":{\"http\":\"default_server\",\"https\":null}"
#define FILES(more) "\"files\":[" CONF more "],"

static struct manifest *
decode(const char *text)
{
	struct error e = { .msg = "" };
	struct manifest *m = manifest_decode(text, strlen(text), &e);

	assert_true((m == NULL) == (e.msg[0] != '\0'));
	return m;
}

static void
refused(const char *text)
{
	struct manifest *m = decode(text);

	if (m != NULL)
		print_message("# accepted: %s\n", text);
	assert_null(m);
}

static void
a_whole_manifest_is_taken(void **state)
{
	static const char text[] =
	    HEAD FILES(",{\"path\":\"a/b.conf\",\"sha256\":\"" SHA
		       "\",\"size\":3}") "\"listen\":{\"http\":\"\",\"https\":"
					 "\"ssl http2 default_server\"},"
					 "\"settings\":{\"drain_delay_ms\":9,"
					 "\"worker_processes\":3},\"new\":[]}";
	struct manifest *m = decode(text);

	(void)state;
	assert_non_null(m);
	assert_int_equal(m->generation, 7);
	assert_int_equal(m->files.len, 2);
	assert_string_equal(m->files.at[0]->path, "a/b.conf");
	assert_int_equal(m->files.at[0]->size, 3);
	assert_string_equal(m->listen_http, "");
	assert_string_equal(m->listen_https, "ssl http2 default_server");
	assert_int_equal(m->drain_delay_ms, 9);
	assert_int_equal(m->worker_processes, 3);
	assert_false(m->builtin);
	assert_string_equal(m->text, text);
	manifest_free(m);
}

static void
what_is_not_said_has_its_default(void **state)
{
	struct manifest *m = decode(HEAD FILES("") LISTEN "}");

	(void)state;
	assert_non_null(m);
	assert_null(m->listen_https);
	assert_true(m->drain_delay_ms == UINT64_MAX);
	assert_int_equal(m->worker_processes, 0);
	manifest_free(m);
}

static void
paths_that_leave_the_folder_or_are_ours_are_refused(void **state)
{
	static const char *const bad[] = { "", "/", "/etc/x", "../x", "a/../x",
		"a/..", ".", "..", "./a", "a/./b", "a//b", "a/", "a b", "a\n",
		"a;b", "a{", "$a", "a\"b", "a\\b", "\xc3\xbc", "agent",
		"agent/main.conf", "lock", "worker.lock", "blobs/x", "gen/1",
		"current", "tmp/x", "temp", "nginx.pid", "agent.sock",
		"internal.sock", "manifest.json", "draining", "tls.sock" };
	static const char *const good[] = { "nginx.conf", "sites/a.conf", "a",
		"...", "a..b", "sites/agent", "agents/x", "A-Z_0.9",
		"a/b/c/d/e" };
	char name[MANIFEST_MAX_PATH + 2];

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		if (manifest_path_ok(bad[i]))
			fail_msg("accepted: %s", bad[i]);
	}
	for (size_t i = 0; i < countof(good); i++) {
		if (!manifest_path_ok(good[i]))
			fail_msg("refused: %s", good[i]);
	}
	memset(name, 'a', sizeof(name));
	name[MANIFEST_MAX_PATH + 1] = '\0';
	assert_false(manifest_path_ok(name));
	name[MANIFEST_MAX_PATH] = '\0';
	assert_true(manifest_path_ok(name));
}

static void
a_manifest_with_one_bad_thing_is_refused_whole(void **state)
{
	(void)state;
	refused("");
	refused("[]");
	refused("{}");
	refused(HEAD FILES("") LISTEN);
	refused(HEAD FILES("") LISTEN "} x");
	refused(HEAD FILES("") LISTEN ",\"version\":1}");
	refused(HEAD "\"files\":[]," LISTEN "}");
	refused(HEAD LISTEN "}");
	refused(HEAD FILES("") "\"listen\":{}}");
	refused(HEAD FILES("") "\"listen\":{\"http\":\"x; } y {\"}}");
	refused(
	    HEAD FILES("") "\"listen\":{\"http\":\"\",\"https\":\"a\\n\"}}");
	refused(HEAD FILES("") "\"listen\":{\"http\":\"\",\"https\":1}}");
	refused(HEAD FILES("," CONF) LISTEN "}");
	refused(HEAD FILES(",{\"path\":\"a\",\"sha256\":\"" SHA
			   "\",\"size\":16777217}") LISTEN "}");
	refused(HEAD FILES(
	    ",{\"path\":\"a\",\"sha256\":\"" SHA "\",\"size\":-1}") LISTEN "}");
	refused(HEAD FILES(",{\"path\":\"a\",\"sha256\":\"" SHA
			   "\",\"size\":\"1\"}") LISTEN "}");
	refused(HEAD FILES(",{\"path\":\"a\",\"sha256\":\"AA\",\"size\":1}")
		LISTEN "}");
	refused(HEAD FILES(",{\"path\":\"a\\u0000b\",\"sha256\":\"" SHA
			   "\",\"size\":1}") LISTEN "}");
	refused(HEAD FILES(",7") LISTEN "}");
	refused(
	    "{\"version\":2,\"cluster\":\"c\",\"engine\":\"nginx\","
	    "\"generation\":7,\"config\":\"" SHA "\"," FILES("") LISTEN "}");
	refused(
	    "{\"version\":1,\"cluster\":\"c\",\"engine\":\"nginx\","
	    "\"generation\":-7,\"config\":\"" SHA "\"," FILES("") LISTEN "}");
	refused("{\"version\":1,\"cluster\":\"c\",\"engine\":\"nginx\","
		"\"generation\":7,\"config\":\"zz\"," FILES("") LISTEN "}");
}

static void
more_files_than_the_limit_are_refused(void **state)
{
	STR_AUTO(text, MANIFEST_MAX_SIZE);
	struct manifest *m;

	(void)state;
	str_add(&text, HEAD "\"files\":[" CONF);
	for (int i = 0; i < MANIFEST_MAX_FILES - 1; i++)
		str_addf(&text,
		    ",{\"path\":\"s/%d\",\"sha256\":\"" SHA "\",\"size\":0}",
		    i);
	str_add(&text, "]," LISTEN "}");
	assert_false(text.overflow);
	m = decode(text.p);
	assert_non_null(m);
	assert_int_equal(m->files.len, MANIFEST_MAX_FILES);
	manifest_free(m);
	str_trim(&text, text.len - strlen("]," LISTEN "}"));
	str_add(&text,
	    ",{\"path\":\"x\",\"sha256\":\"" SHA "\",\"size\":0}]," LISTEN "}");
	refused(text.p);
}

static void
the_built_in_one_decodes_as_itself(void **state)
{
	struct manifest *m = manifest_builtin("a\"b", "conf");
	struct manifest *again = decode(m->text);

	(void)state;
	assert_non_null(again);
	assert_true(again->builtin);
	assert_string_equal(again->cluster, "a\"b");
	assert_string_equal(again->config, m->config);
	manifest_free(again);
	manifest_free(m);
}

#define OTHER "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"
#define FILE_(path, sha)                                                       \
	"{\"path\":\"" path "\",\"sha256\":\"" sha "\",\"size\":0}"

/* A manifest with these names of files, whose own name is right. */
static void
build(struct str *out, const char *const *paths, const char *sums,
    const char *more, const char *files)
{
	STR_AUTO(names, 65536);
	char config[SHA256_HEX_SIZE];

	for (size_t i = 0; paths[i] != NULL; i++)
		str_addf(
		    &names, "%s  %s\n", sums[i] == 'o' ? OTHER : SHA, paths[i]);
	str_add(&names, "default_server\n");
	sha256_hex(names.p, names.len, config);
	str_clear(out);
	str_addf(out,
	    "{\"version\":1,\"cluster\":\"c\",\"engine\":\"nginx\","
	    "\"generation\":7,\"config\":\"%s\",%s\"files\":[%s]," LISTEN
	    ",\"new\":[1]}",
	    config, more, files);
	assert_false(out->overflow);
}

static void
what_differs_is_made_whole(void **state)
{
	static const char *const before[] = { "a", "b", "nginx.conf", "z",
		NULL };
	static const char *const after[] = { "a", "b", "c", "nginx.conf",
		NULL };
	STR_AUTO(text, 65536);
	STR_AUTO(more, 65536);
	struct error e = { .msg = "" };
	struct manifest *m, *base, *again;

	(void)state;
	build(&text, before, "ssss", "",
	    FILE_("a", SHA) "," FILE_("b", SHA) "," FILE_(
		"nginx.conf", SHA) "," FILE_("z", SHA));
	base = decode(text.p);
	assert_non_null(base);
	str_addf(&more, "\"base\":\"%s\",\"removed\":[\"z\",\"never\"],",
	    base->config);
	build(&text, after, "soss", more.p,
	    FILE_("c", SHA) "," FILE_("b", OTHER));
	refused(text.p);
	m = manifest_decode_upon(base, text.p, text.len, &e);
	assert_string_equal(e.msg, "");
	assert_int_equal(m->files.len, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(m->files.at[i]->path, after[i]);
	assert_ptr_equal(m->files.at[0], base->files.at[0]);
	assert_ptr_equal(m->files.at[3], base->files.at[2]);
	assert_string_equal(m->files.at[1]->sha256, OTHER);
	/* Its text is a whole one, with what we do not know. */
	assert_non_null(strstr(m->text, "\"new\":[1]"));
	assert_null(strstr(m->text, "\"base\""));
	again = decode(m->text);
	assert_non_null(again);
	assert_int_equal(again->files.len, 4);
	assert_string_equal(again->config, m->config);
	/* It is a base itself; and a whole one does not mind a base. */
	manifest_free(base);
	base = manifest_decode_upon(m, m->text, m->len, &e);
	assert_non_null(base);
	manifest_free(base);
	manifest_free(again);
	manifest_free(m);
}

static void
what_differs_and_does_not_make_it_up_is_refused(void **state)
{
	static const char *const before[] = { "a", "nginx.conf", NULL };
	static const char *const after[] = { "b", "nginx.conf", NULL };
	static const char *const tries[][2] = {
		/* not removed, nothing added, another's bytes */
		{ "\"removed\":[],", FILE_("b", SHA) },
		{ "\"removed\":[\"a\"],", "" },
		{ "\"removed\":[\"a\"],", FILE_("b", OTHER) },
		{ "\"removed\":[\"a\",\"nginx.conf\"],", FILE_("b", SHA) },
		{ "\"removed\":[1],", FILE_("b", SHA) },
		{ "\"removed\":\"a\",", FILE_("b", SHA) },
		{ "", FILE_("b", SHA) },
		{ "\"removed\":[\"a\"],", FILE_("b", SHA) "," FILE_("b", SHA) },
	};
	STR_AUTO(text, 65536);
	STR_AUTO(more, 65536);
	struct manifest *base, *m;

	(void)state;
	build(&text, before, "ss", "",
	    FILE_("a", SHA) "," FILE_("nginx.conf", SHA));
	base = decode(text.p);
	for (size_t i = 0; i <= countof(tries); i++) {
		bool good = i == countof(tries);

		str_clear(&more);
		str_addf(&more, "\"base\":\"%s\",%s", base->config,
		    good ? "\"removed\":[\"a\"]," : tries[i][0]);
		build(&text, after, "ss", more.p,
		    good ? FILE_("b", SHA) : tries[i][1]);
		m = manifest_decode_upon(base, text.p, text.len, NULL);
		assert_int_equal(m != NULL, good);
		manifest_free(m);
	}
	/* Upon another one than ours. */
	str_clear(&more);
	str_add(&more, "\"base\":\"" OTHER "\",\"removed\":[\"a\"],");
	build(&text, after, "ss", more.p, FILE_("b", SHA));
	assert_null(manifest_decode_upon(base, text.p, text.len, NULL));
	assert_null(manifest_decode_upon(NULL, text.p, text.len, NULL));
	manifest_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_manifest_is_taken),
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(
		    paths_that_leave_the_folder_or_are_ours_are_refused),
		cmocka_unit_test(
		    a_manifest_with_one_bad_thing_is_refused_whole),
		cmocka_unit_test(more_files_than_the_limit_are_refused),
		cmocka_unit_test(the_built_in_one_decodes_as_itself),
		cmocka_unit_test(what_differs_is_made_whole),
		cmocka_unit_test(
		    what_differs_and_does_not_make_it_up_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
