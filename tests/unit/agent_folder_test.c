/* The agent's folder: generations that are whole, or not used. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../proxyctl/agent/disk.h"
#include "../../proxyctl/agent/folder.h"
#include "base/fs.h"

static char dir[64];
static const struct agent_options options = {
	.cluster = "c",
	.id = "c.0",
	.dir = dir,
	.engine = "nginx",
	.nginx = "/usr/sbin/nginx",
	.listen = "127.0.0.1:80",
	.listen_ssl = "127.0.0.1:443",
};

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/bulkhead-folder-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove_tree(dir, NULL);
}

/* A manifest of nginx.conf and sites/a.conf with these texts. */
static struct manifest *
make(const char *conf, const char *site)
{
	char conf_sha[SHA256_HEX_SIZE], site_sha[SHA256_HEX_SIZE];
	STR_AUTO(text, 4096);
	struct manifest *m;

	sha256_hex(conf, strlen(conf), conf_sha);
	sha256_hex(site, strlen(site), site_sha);
	str_addf(&text,
	    "{\"version\":1,\"cluster\":\"c\",\"engine\":\"nginx\","
	    "\"generation\":1,\"config\":\"%s\",\"files\":["
	    "{\"path\":\"nginx.conf\",\"sha256\":\"%s\",\"size\":%zu},"
	    "{\"path\":\"sites/a.conf\",\"sha256\":\"%s\",\"size\":%zu}],"
	    "\"listen\":{\"http\":\"default_server\",\"https\":null}}",
	    site_sha, conf_sha, strlen(conf), site_sha, strlen(site));
	m = manifest_decode(text.p, text.len, NULL);
	assert_non_null(m);
	return m;
}

static uint64_t
put(struct folder *f, const struct manifest *m, const char *conf,
    const char *site)
{
	struct fragments *fragments =
	    engine_nginx_fragments(&options, m, false);
	struct error e;
	uint64_t number = 0;
	char *scratch;

	assert_int_equal(
	    folder_put_blob(f, m->files.at[0], conf, strlen(conf), false, &e),
	    0);
	assert_int_equal(
	    folder_put_blob(f, m->files.at[1], site, strlen(site), true, &e),
	    0);
	scratch = folder_build(f, m, fragments, &e);
	assert_non_null(scratch);
	assert_int_equal(folder_commit(f, scratch, &number, &e), 0);
	assert_int_equal(folder_switch(f, number, m, &e), 0);
	assert_true(folder_has_fragments(f, number, fragments));
	free(scratch);
	fragments_free(fragments);
	return number;
}

static uint64_t
put_new(struct folder *f, const char *site)
{
	struct manifest *m = make("conf", site);
	uint64_t number = put(f, m, "conf", site);

	manifest_free(m);
	return number;
}

static void
reads_as(const char *name, const char *wanted)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", dir, name);
	STR_AUTO(text, 4096);

	assert_int_equal(fs_read(path, &text, NULL), 0);
	assert_string_equal(text.p, wanted);
}

/* Cuts the last byte of a file, as a lost write would. */
static void
cut(const char *name)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
}

static void
what_is_switched_to_is_read_through_the_links(void **state)
{
	struct folder f;
	uint64_t number;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	number = put_new(&f, "site 1");
	assert_int_equal(folder_current(&f), number);
	reads_as("nginx.conf", "conf");
	reads_as("sites/a.conf", "site 1");
	number = put_new(&f, "site 2");
	assert_int_equal(folder_current(&f), number);
	reads_as("sites/a.conf", "site 2");
	folder_fini(&f);
}

static void
a_blob_with_other_bytes_is_not_stored(void **state)
{
	struct manifest *m = make("conf", "site");
	struct folder f;
	struct error e;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	assert_int_equal(
	    folder_put_blob(&f, m->files.at[1], "sitf", 4, false, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	assert_int_equal(
	    folder_put_blob(&f, m->files.at[1], "site+", 5, false, &e), -1);
	assert_false(folder_has_blob(&f, m->files.at[1]));
	assert_int_equal(
	    folder_put_blob(&f, m->files.at[1], "site", 4, false, &e), 0);
	assert_true(folder_has_blob(&f, m->files.at[1]));
	manifest_free(m);
	folder_fini(&f);
}

static void
a_blob_damaged_on_disk_is_noticed_by_the_next_process(void **state)
{
	struct manifest *m = make("conf", "site");
	struct folder f;
	char *name _cleanup_free_ = NULL;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	assert_int_equal(
	    folder_put_blob(&f, m->files.at[1], "site", 4, false, NULL), 0);
	folder_fini(&f);
	name = xasprintf("blobs/%s", m->files.at[1]->sha256);
	cut(name);
	manifest_free(m);
	m = make("conf", "site");
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	assert_false(folder_has_blob(&f, m->files.at[1]));
	manifest_free(m);
	folder_fini(&f);
}

static void
old_generations_go_and_three_stay(void **state)
{
	struct folder f;
	uint64_t number, n;
	char site[32];
	int count = 0;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	for (int i = 0; i < 6; i++) {
		(void)snprintf(site, sizeof(site), "site %d", i);
		number = put_new(&f, site);
	}
	assert_int_equal(folder_clean(&f, NULL), 0);
	for (n = UINT64_MAX; (n = folder_previous(&f, n)) != 0;)
		count++;
	assert_int_equal(count, FOLDER_KEEP);
	assert_int_equal(folder_current(&f), number);
	reads_as("sites/a.conf", "site 5");
	folder_fini(&f);
}

/* nginx.conf and those of sites/0 to sites/9 that 'set' has, as generation. */
static struct manifest *
make_set(unsigned set, const char *salt)
{
	STR_AUTO(text, 8192);
	char sha[SHA256_HEX_SIZE];
	struct manifest *m;

	sha256_hex("conf", 4, sha);
	str_addf(&text,
	    "{\"version\":1,\"cluster\":\"c\",\"engine\":\"nginx\","
	    "\"generation\":1,\"config\":\"%s\",\"files\":["
	    "{\"path\":\"nginx.conf\",\"sha256\":\"%s\",\"size\":4}",
	    sha, sha);
	for (unsigned i = 0; i < 10; i++) {
		char bytes[64];

		if ((set & 1U << i) == 0)
			continue;
		/* Only the even ones change with 'salt'. */
		(void)snprintf(
		    bytes, sizeof(bytes), "%u %s", i, i % 2 == 0 ? salt : "");
		sha256_hex(bytes, strlen(bytes), sha);
		str_addf(&text,
		    ",{\"path\":\"sites/%u\",\"sha256\":\"%s\",\"size\":%zu}",
		    i, sha, strlen(bytes));
	}
	str_add(&text,
	    "],\"listen\":{\"http\":\"default_server\",\"https\":null}}");
	m = manifest_decode(text.p, text.len, NULL);
	assert_non_null(m);
	return m;
}

static void
bring(struct folder *f, struct manifest *m, const char *salt)
{
	for (size_t i = 0; i < m->files.len; i++) {
		struct manifest_file *file = m->files.at[i];
		unsigned n = (unsigned)(file->path[6] - '0');
		char bytes[64] = "conf";

		if (strcmp(file->path, "nginx.conf") != 0)
			(void)snprintf(bytes, sizeof(bytes), "%u %s", n,
			    n % 2 == 0 ? salt : "");
		if (!folder_has_blob(f, file))
			assert_int_equal(folder_put_blob(f, file, bytes,
					     strlen(bytes), false, NULL),
			    0);
	}
}

static size_t
entries(const char *name)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", dir, name);
	DIR *d = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

/* Puts a set in force; everything on disk is then as the manifest says. */
static uint64_t
put_set(struct folder *f, unsigned set, const char *salt)
{
	struct manifest *m = make_set(set, salt);
	struct fragments *fragments =
	    engine_nginx_fragments(&options, m, false);
	struct manifest *again;
	uint64_t number = 0;
	char *scratch;
	struct error e = { .msg = "" };

	bring(f, m, salt);
	scratch = folder_build(f, m, fragments, &e);
	assert_string_equal(e.msg, "");
	assert_non_null(scratch);
	assert_int_equal(folder_commit(f, scratch, &number, &e), 0);
	assert_int_equal(folder_switch(f, number, m, &e), 0);
	assert_true(folder_has_fragments(f, number, fragments));
	again = folder_load(f, number, &e);
	assert_non_null(again);
	assert_int_equal(entries("sites"), m->files.len - 1);
	manifest_free(again);
	free(scratch);
	fragments_free(fragments);
	manifest_free(m);
	return number;
}

static ino_t
inode(const char *name)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void
an_old_generation_becomes_the_next_by_what_differs(void **state)
{
	static const unsigned sets[] = { 0x3ff, 0x3fe, 0x1ff, 0x2aa, 0x155,
		0x3ff, 0x001, 0x3ff, 0x0ff, 0x3c3, 0x3ff, 0x3fb };
	struct folder f;
	ino_t sites[countof(sets)];
	size_t again = 0;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	for (size_t i = 0; i < countof(sets); i++) {
		char salt[16];

		(void)snprintf(salt, sizeof(salt), "%zu", i / 3);
		(void)put_set(&f, sets[i], salt);
		assert_int_equal(folder_clean(&f, NULL), 0);
		assert_int_equal(entries("gen"), i < 3 ? i + 1 : 3);
		sites[i] = inode("sites");
		again += i >= 4 && sites[i] == sites[i - 4];
	}
	assert_int_equal(again, countof(sets) - 4);
	/* conf, the odd ones, and two sets of even ones at the most. */
	assert_in_range(entries("blobs"), 11, 16);
	folder_fini(&f);
}

static void
a_spare_generation_that_was_touched_is_not_used(void **state)
{
	struct folder f;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	for (int i = 0; i < 4; i++) {
		(void)put_set(&f, 0x3ff, "a");
		assert_int_equal(folder_clean(&f, NULL), 0);
	}
	{
		char *path _cleanup_free_ =
		    xasprintf("%s/tmp/spare/sites/3", dir);

		assert_int_equal(unlink(path), 0);
	}
	(void)put_set(&f, 0x3ff, "b");
	folder_fini(&f);
}

static void
what_is_discarded_is_used_for_the_next(void **state)
{
	struct folder f;
	ino_t was;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	(void)put_set(&f, 0x3ff, "a");
	for (int i = 0; i < 3; i++) {
		struct manifest *m = make_set(0x3ff, "bad");
		struct fragments *fragments =
		    engine_nginx_fragments(&options, m, false);
		char *scratch;

		bring(&f, m, "bad");
		scratch = folder_build(&f, m, fragments, NULL);
		assert_non_null(scratch);
		folder_discard(&f, scratch);
		free(scratch);
		fragments_free(fragments);
		manifest_free(m);
	}
	was = inode("tmp/spare/sites");
	(void)put_set(&f, 0x3ff, "c");
	assert_int_equal(inode("sites"), was);
	assert_int_equal(folder_clean(&f, NULL), 0);
	/* conf, odd ones, and the even ones of "a" and "c". */
	assert_int_equal(entries("blobs"), 16);
	folder_fini(&f);
}

static void
a_blob_that_somebody_removed_is_fetched_again(void **state)
{
	struct folder f;
	struct manifest *m = make_set(0x3ff, "a");
	struct fragments *fragments =
	    engine_nginx_fragments(&options, m, false);
	char *name _cleanup_free_ = NULL;
	char *scratch;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	bring(&f, m, "a");
	name = xasprintf("%s/blobs/%s", dir, m->files.at[3]->sha256);
	assert_int_equal(unlink(name), 0);
	assert_null(folder_build(&f, m, fragments, NULL));
	assert_false(folder_has_blob(&f, m->files.at[3]));
	bring(&f, m, "a");
	scratch = folder_build(&f, m, fragments, NULL);
	assert_non_null(scratch);
	free(scratch);
	fragments_free(fragments);
	manifest_free(m);
	folder_fini(&f);
}

/* After going back: what is in force may be older than all that is kept. */
static void
the_one_in_force_keeps_its_blobs_however_old(void **state)
{
	struct manifest *m, *again;
	struct folder f;
	uint64_t first;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	first = put_set(&f, 0x3ff, "first");
	for (int i = 0; i < 6; i++)
		(void)put_set(&f, 0x3ff, i % 2 == 0 ? "x" : "y");
	m = make_set(0x3ff, "first");
	assert_int_equal(folder_switch(&f, first, m, NULL), 0);
	assert_int_equal(folder_clean(&f, NULL), 0);
	assert_int_equal(entries("gen"), 4);
	again = folder_load(&f, first, NULL);
	assert_non_null(again);
	for (size_t i = 0; i < again->files.len; i++)
		assert_true(folder_has_blob(&f, again->files.at[i]));
	manifest_free(again);
	manifest_free(m);
	folder_fini(&f);
}

/* What is pinned is no file of the configuration, and stays with it. */
static void
the_document_of_a_pin_stays_while_a_generation_names_it(void **state)
{
	struct manifest *m = make_set(0x3ff, "pinned");
	struct fragments *fragments =
	    engine_nginx_fragments(&options, m, false);
	char *name _cleanup_free_ = NULL;
	struct folder f;
	uint64_t number;
	struct stat st;
	char *scratch;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	m->pin.document.path = xstrdup("what is pinned");
	m->pin.document.size = 3;
	sha256_hex("pin", 3, m->pin.document.sha256);
	name = xasprintf("%s/blobs/%s", dir, m->pin.document.sha256);
	assert_int_equal(
	    folder_put_blob(&f, &m->pin.document, "pin", 3, false, NULL), 0);
	bring(&f, m, "pinned");
	scratch = folder_build(&f, m, fragments, NULL);
	assert_non_null(scratch);
	assert_int_equal(folder_commit(&f, scratch, &number, NULL), 0);
	assert_int_equal(folder_switch(&f, number, m, NULL), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(folder_clean(&f, NULL), 0);
		assert_int_equal(stat(name, &st) == 0, i < 3);
		(void)put_set(&f, 0x3ff, i % 2 == 0 ? "x" : "y");
	}
	free(scratch);
	fragments_free(fragments);
	manifest_free(m);
	folder_fini(&f);
}

static void
the_first_start_makes_the_built_in_one(void **state)
{
	struct folder f;
	struct manifest *m;

	(void)state;
	m = disk_settle(&f, &options, NULL);
	assert_non_null(m);
	assert_true(m->builtin);
	reads_as("nginx.conf", engine_nginx_builtin);
	reads_as("agent/listen_http.conf", "listen 127.0.0.1:80;\n");
	manifest_free(m);
	folder_fini(&f);
}

static void
settle_with(const char *wanted_site, bool builtin)
{
	struct folder f;
	struct manifest *m;

	m = disk_settle(&f, &options, NULL);
	assert_non_null(m);
	assert_int_equal(m->builtin, builtin);
	if (wanted_site != NULL)
		reads_as("sites/a.conf", wanted_site);
	manifest_free(m);
	folder_fini(&f);
}

static void
a_sound_generation_is_left_alone_at_the_start(void **state)
{
	struct folder f;
	uint64_t number;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	(void)put_new(&f, "old");
	number = put_new(&f, "new");
	settle_with("new", false);
	assert_int_equal(folder_current(&f), number);
	folder_fini(&f);
}

static void
damage_of_any_file_falls_back_to_the_one_before(void **state)
{
	static const char *const names[] = { "current/nginx.conf",
		"current/sites/a.conf", "current/manifest.json" };
	struct folder f;

	(void)state;
	for (size_t i = 0; i < countof(names); i++) {
		assert_int_equal(fs_remove_tree(dir, NULL), 0);
		assert_int_equal(mkdir(dir, 0755), 0);
		assert_int_equal(folder_open(&f, dir, NULL), 0);
		/* Other bytes for all files: no inode is shared. */
		{
			struct manifest *m = make("conf 1", "old");

			(void)put(&f, m, "conf 1", "old");
			manifest_free(m);
		}
		(void)put_new(&f, "new");
		cut(names[i]);
		settle_with("old", false);
		folder_fini(&f);
	}
}

static void
fragments_that_were_cut_are_written_again(void **state)
{
	struct folder f;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	(void)put_new(&f, "new");
	cut("current/agent/listen_http.conf");
	settle_with("new", false);
	reads_as("agent/listen_http.conf", "listen 127.0.0.1:80;\n");
	folder_fini(&f);
}

static void
with_everything_damaged_the_built_in_one_serves(void **state)
{
	struct folder f;

	(void)state;
	assert_int_equal(folder_open(&f, dir, NULL), 0);
	(void)put_new(&f, "old");
	(void)put_new(&f, "new");
	cut("gen/1/nginx.conf");
	cut("gen/2/nginx.conf");
	settle_with(NULL, true);
	reads_as("nginx.conf", engine_nginx_builtin);
	folder_fini(&f);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_switched_to_is_read_through_the_links),
		T(a_blob_with_other_bytes_is_not_stored),
		T(a_blob_damaged_on_disk_is_noticed_by_the_next_process),
		T(old_generations_go_and_three_stay),
		T(an_old_generation_becomes_the_next_by_what_differs),
		T(a_spare_generation_that_was_touched_is_not_used),
		T(what_is_discarded_is_used_for_the_next),
		T(a_blob_that_somebody_removed_is_fetched_again),
		T(the_one_in_force_keeps_its_blobs_however_old),
		T(the_document_of_a_pin_stays_while_a_generation_names_it),
		T(the_first_start_makes_the_built_in_one),
		T(a_sound_generation_is_left_alone_at_the_start),
		T(damage_of_any_file_falls_back_to_the_one_before),
		T(fragments_that_were_cut_are_written_again),
		T(with_everything_damaged_the_built_in_one_serves),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
