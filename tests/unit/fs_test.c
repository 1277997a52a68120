/* base/fs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/bulkhead-fs-XXXXXX";

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove_tree(folder, NULL);
}

static char *
path(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static mode_t
mode_of(const char *p)
{
	struct stat st;

	return lstat(p, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
what_is_written_is_read_with_its_mode(void **state)
{
	char *p _cleanup_free_ = path("file");
	STR_AUTO(text, 100000);
	STR_AUTO(back, 100000);
	struct error e;
	size_t i;
	mode_t old = umask(077);

	(void)state;
	for (i = 0; i < 50000; i++)
		str_addc(&text, (char)i);
	assert_int_equal(fs_write(p, text.p, text.len, 0644, &e), 0);
	assert_int_equal(mode_of(p), 0644);
	assert_int_equal(fs_read(p, &back, &e), 0);
	assert_int_equal(back.len, text.len);
	assert_memory_equal(back.p, text.p, text.len);
	assert_int_equal(fs_write(p, "", 0, 0600, &e), 0);
	assert_int_equal(mode_of(p), 0600);
	str_clear(&back);
	assert_int_equal(fs_read(p, &back, &e), 0);
	assert_int_equal(back.len, 0);
	umask(old);
}

static void
a_file_larger_than_the_maximum_is_refused(void **state)
{
	char *p _cleanup_free_ = path("large");
	STR_AUTO(back, 3);
	struct error e;

	(void)state;
	assert_int_equal(fs_write(p, "123", 3, 0600, &e), 0);
	assert_int_equal(fs_read(p, &back, &e), 0);
	assert_int_equal(fs_write(p, "1234", 4, 0600, &e), 0);
	str_clear(&back);
	assert_int_equal(fs_read(p, &back, &e), -1);
	assert_int_equal(e.code, EFBIG);
	assert_non_null(strstr(e.msg, "larger than 3 bytes"));
}

static void
errors_name_the_file(void **state)
{
	char *p _cleanup_free_ = path("absent/file");
	STR_AUTO(back, 10);
	struct error e;

	(void)state;
	assert_int_equal(fs_read(p, &back, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_non_null(strstr(e.msg, "absent/file: No such file"));
	assert_int_equal(fs_write(p, "x", 1, 0600, &e), -1);
	assert_non_null(strstr(e.msg, "absent/file"));
	assert_int_equal(fs_read(folder, &back, &e), -1);
	assert_int_equal(e.code, EISDIR);
}

static void
a_failed_write_leaves_the_old_file_and_no_other(void **state)
{
	char *p _cleanup_free_ = path("target");
	char *tmp _cleanup_free_ = xasprintf("%s.tmp.%d", p, (int)getpid());
	struct error e;

	(void)state;
	assert_int_equal(fs_mkdirs(p, 0700, &e), 0);
	assert_int_equal(fs_write(p, "x", 1, 0600, &e), -1);
	assert_int_equal(access(tmp, F_OK), -1);
	assert_int_equal(access(p, F_OK), 0);
}

static void
folders_are_made_with_their_parents(void **state)
{
	char *p _cleanup_free_ = path("a/b//c/");
	char *file _cleanup_free_ = path("a/b/c/file");
	char *below _cleanup_free_ = path("a/b/c/file/d");
	struct error e;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(fs_mkdirs(p, 0750, &e), 0);
	assert_int_equal(mode_of(p), 0750);
	umask(old);
	assert_int_equal(fs_mkdirs(p, 0700, &e), 0);
	assert_int_equal(mode_of(p), 0750);
	assert_int_equal(fs_write(file, "x", 1, 0600, &e), 0);
	assert_int_equal(fs_mkdirs(file, 0700, &e), -1);
	assert_int_equal(e.code, ENOTDIR);
	assert_int_equal(fs_mkdirs(below, 0700, &e), -1);
	assert_int_equal(e.code, ENOTDIR);
}

static void
a_tree_is_removed_but_not_what_its_links_point_to(void **state)
{
	char *tree _cleanup_free_ = path("tree");
	char *inner _cleanup_free_ = path("tree/x/y");
	char *link _cleanup_free_ = path("tree/x/link");
	char *kept _cleanup_free_ = path("kept");
	char *kept_file _cleanup_free_ = path("kept/file");
	struct error e;

	(void)state;
	assert_int_equal(fs_mkdirs(inner, 0700, &e), 0);
	assert_int_equal(fs_mkdirs(kept, 0700, &e), 0);
	assert_int_equal(fs_write(kept_file, "x", 1, 0600, &e), 0);
	assert_int_equal(symlink(kept, link), 0);
	assert_int_equal(fs_remove_tree(tree, &e), 0);
	assert_int_equal(access(tree, F_OK), -1);
	assert_int_equal(access(kept_file, F_OK), 0);
	assert_int_equal(fs_remove_tree(tree, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_with_its_mode),
		cmocka_unit_test(a_file_larger_than_the_maximum_is_refused),
		cmocka_unit_test(errors_name_the_file),
		cmocka_unit_test(
		    a_failed_write_leaves_the_old_file_and_no_other),
		cmocka_unit_test(folders_are_made_with_their_parents),
		cmocka_unit_test(
		    a_tree_is_removed_but_not_what_its_links_point_to),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fs", tests, setup, teardown);
}
