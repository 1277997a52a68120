/* CPU quotas as v1 and v2 write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cgroup.h"
#include "base/fs.h"
#include "base/mem.h"

static char *root;

static void
put(const char *path, const char *text)
{
	char *name = xasprintf("%s/%s", root, path);
	char *slash = strrchr(name, '/');
	struct error e;

	*slash = '\0';
	assert_int_equal(fs_mkdirs(name, 0755, &e), 0);
	*slash = '/';
	assert_int_equal(fs_write(name, text, strlen(text), 0644, &e), 0);
	free(name);
}

static int
setup(void **state)
{
	(void)state;
	root = xstrdup("/tmp/bh-cgroup-XXXXXX");
	return mkdtemp(root) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(fs_remove_tree(root, NULL), 0);
	free(root);
	return 0;
}

static void
a_quota_is_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(cgroup_parse_max("150000 100000\n", 14), 2);
	assert_int_equal(cgroup_parse_max("100000 100000", 13), 1);
	assert_int_equal(cgroup_parse_max("1000 100000", 11), 1);
	assert_int_equal(cgroup_parse_max("max 100000", 10), 0);
	assert_int_equal(cgroup_parse_max("-1 100000", 9), 0);
	assert_int_equal(cgroup_parse_max("100000", 6), 0);
	assert_int_equal(cgroup_parse_max("1 0", 3), 0);
}

static void
the_smallest_quota_on_the_way_up_counts(void **state)
{
	(void)state;
	put("proc/self/cgroup", "0::/a/b/c\n");
	put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
	put("sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
	put("sys/fs/cgroup/a/cpu.max", "250000 100000\n");
	assert_int_equal(cgroup_cpus_at(root, 16), 3);
	put("sys/fs/cgroup/a/b/c/cpu.max", "100000 100000\n");
	assert_int_equal(cgroup_cpus_at(root, 16), 1);
}

static void
in_a_container_the_mounts_root_counts(void **state)
{
	(void)state;
	put("proc/self/cgroup", "0::/docker/0123456789ab\n");
	put("sys/fs/cgroup/cpu.max", "200000 100000\n");
	assert_int_equal(cgroup_cpus_at(root, 16), 2);
}

static void
version_1_is_read_too(void **state)
{
	(void)state;
	put("proc/self/cgroup",
	    "12:cpuset:/\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/\n");
	put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
	put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	assert_int_equal(cgroup_cpus_at(root, 16), 4);
	put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
	assert_int_equal(cgroup_cpus_at(root, 16), 16);
}

static void
without_a_quota_the_scheduler_decides(void **state)
{
	(void)state;
	assert_int_equal(cgroup_cpus_at(root, 6), 6);
	assert_int_equal(cgroup_cpus_at(root, 0), 1);
	put("proc/self/cgroup", "0::/\n");
	put("sys/fs/cgroup/cpu.max", "800000 100000\n");
	assert_int_equal(cgroup_cpus_at(root, 6), 6);
	assert_true(cgroup_cpus() >= 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quota_is_rounded_up),
		cmocka_unit_test_setup_teardown(
		    the_smallest_quota_on_the_way_up_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    in_a_container_the_mounts_root_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    version_1_is_read_too, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    without_a_quota_the_scheduler_decides, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
