/* CPU quotas: see cgroup.h. */
#include "base/cgroup.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/str.h"

#include <sched.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024 };

uint32_t
cgroup_parse_max(const char *text, size_t len)
{
	const char *blank = memchr(text, ' ', len);
	uint32_t quota, period;
	size_t first;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (blank == NULL || (size_t)(blank - text) >= len)
		return 0;
	first = (size_t)(blank - text);
	if (parse_u32(text, first, 1, UINT32_MAX, &quota, NULL) != 0 ||
	    parse_u32(
		blank + 1, len - first - 1, 1, UINT32_MAX, &period, NULL) != 0)
		return 0;
	return (uint32_t)(((uint64_t)quota + period - 1) / period);
}

/* Reads ROOT/sys/fs/cgroup/PATH/FILE; false where it is not there. */
static bool
read_at(const char *root, const char *path, const char *file, struct str *ret)
{
	_cleanup_free_ char *name =
	    xasprintf("%s/sys/fs/cgroup/%s/%s", root, path, file);

	str_clear(ret);
	if (fs_read(name, ret, NULL) != 0)
		return false;
	while (ret->len > 0 && ret->p[ret->len - 1] == '\n')
		str_trim(ret, ret->len - 1);
	return true;
}

/* The quota of the group 'path' itself, 0 = none. */
static uint32_t
quota_of(const char *root, const char *path, bool v2)
{
	STR_AUTO(text, FILE_MAX);
	STR_AUTO(period, FILE_MAX);

	if (v2)
		return read_at(root, path, "cpu.max", &text)
		    ? cgroup_parse_max(text.p, text.len)
		    : 0;
	if (!read_at(root, path, "cpu.cfs_quota_us", &text) ||
	    !read_at(root, path, "cpu.cfs_period_us", &period))
		return 0;
	str_addc(&text, ' ');
	str_addn(&text, period.p, period.len);
	return cgroup_parse_max(text.p, text.len);
}

/*
 * The smallest quota of PREFIX/group and the groups above it.  In a container
 * the names may be those of the host, which are not there: the walk then ends
 * at the mount's root, and that is the container's own group.
 */
static uint32_t
smallest(const char *root, const char *prefix, const char *group, size_t len,
    bool v2)
{
	_cleanup_free_ char *path =
	    xasprintf("%s%.*s", prefix, (int)len, group);
	uint32_t least = 0;

	for (;;) {
		uint32_t n = quota_of(root, path, v2);
		char *slash;

		if (n > 0 && (least == 0 || n < least))
			least = n;
		slash = strrchr(path, '/');
		if (slash == NULL || (size_t)(slash - path) < strlen(prefix))
			break;
		*slash = '\0';
	}
	return least;
}

/* True if the comma list 'list' names 'what'. */
static bool
lists(const char *list, size_t len, const char *what)
{
	while (len > 0) {
		const char *comma = memchr(list, ',', len);
		size_t n = comma == NULL ? len : (size_t)(comma - list);

		if (n == strlen(what) && memcmp(list, what, n) == 0)
			return true;
		if (comma == NULL)
			return false;
		list += n + 1;
		len -= n + 1;
	}
	return false;
}

/* One line of /proc/self/cgroup: "0::/a" (v2) or "4:cpu,cpuacct:/a". */
static uint32_t
line_quota(const char *root, const char *line, size_t len)
{
	const char *list = memchr(line, ':', len), *group;

	if (list == NULL)
		return 0;
	list++;
	group = memchr(list, ':', len - (size_t)(list - line));
	if (group == NULL || group[1] != '/')
		return 0;
	group++;
	len -= (size_t)(group - line);
	if (group - list == 1)
		return smallest(root, "", group, len, true);
	if (!lists(list, (size_t)(group - list) - 1, "cpu"))
		return 0;
	return smallest(root, "cpu", group, len, false);
}

uint32_t
cgroup_cpus_at(const char *root, uint32_t online)
{
	_cleanup_free_ char *name = xasprintf("%s/proc/self/cgroup", root);
	STR_AUTO(text, FILE_MAX);
	uint32_t cpus = online;
	const char *p;

	if (fs_read(name, &text, NULL) != 0)
		return cpus == 0 ? 1 : cpus;
	for (p = text.p; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		uint32_t n = line_quota(root, p, len);

		if (n > 0 && n < cpus)
			cpus = n;
		p += len;
		if (*p == '\n')
			p++;
	}
	return cpus == 0 ? 1 : cpus;
}

uint32_t
cgroup_cpus(void)
{
	cpu_set_t set;
	uint32_t online = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		online = (uint32_t)CPU_COUNT(&set);
	return cgroup_cpus_at("", online);
}
