/* Files of the operator and their accepted copies: see accepted.h. */
#include "accepted.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accepted_read.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "config/check.h"
#include "config/template.h"

#define SOURCES_MAX (1024 * 1024)

void
accepted_changes_fini(struct accepted_changes *c)
{
	size_t i;

	for (i = 0; i < c->added.len; i++)
		free(c->added.at[i]);
	for (i = 0; i < c->changed.len; i++)
		free(c->changed.at[i]);
	for (i = 0; i < c->removed.len; i++)
		free(c->removed.at[i]);
	vec_fini(&c->added);
	vec_fini(&c->changed);
	vec_fini(&c->removed);
}

void
accepted_free(struct accepted *a)
{
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->clusters.len; i++)
		accepted_cluster_free(a->clusters.at[i]);
	vec_fini(&a->clusters);
	config_errors_fini(&a->problems);
	configs_fini(&a->configs);
	daemon_config_free(a->daemon);
	free(a->config_path);
	free(a->folder);
	free(a);
}

const struct accepted_cluster *
accepted_find(const struct accepted *a, const char *name)
{
	size_t i;

	for (i = 0; i < a->clusters.len; i++) {
		if (strcmp(a->clusters.at[i]->name, name) == 0)
			return a->clusters.at[i];
	}
	return NULL;
}

char *
accepted_path(const struct accepted *a, const char *name)
{
	return xasprintf("%s/clusters.d/%s.ini", a->folder, name);
}

static void __attribute__((format(printf, 2, 3)))
problem(struct accepted *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vec_push(&a->problems.lines, xvasprintf(fmt, ap));
	va_end(ap);
}

/* ---- the copies of the last run ---- */

/* "NAME FILE" lines: which file each accepted copy came from. */
static void
write_sources(struct accepted *a)
{
	char *path _cleanup_free_ = xasprintf("%s/sources", a->folder);
	STR_AUTO(text, SOURCES_MAX);
	STR_AUTO(was, SOURCES_MAX);
	struct error e;
	size_t i;

	for (i = 0; i < a->clusters.len; i++)
		str_addf(&text, "%s %s\n", a->clusters.at[i]->name,
		    a->clusters.at[i]->file);
	if (fs_read(path, &was, NULL) == 0 && strcmp(was.p, text.p) == 0)
		return;
	if (fs_write(path, text.p, text.len, 0644, &e) != 0)
		problem(a, "%s", e.msg);
}

static void
load_copy(struct accepted *a, const char *name, const char *file)
{
	char *path _cleanup_free_ = accepted_path(a, name);
	struct config_errors errors = { 0 };
	char *fragments _cleanup_free_ = config_templates_copy(path);
	struct accepted_cluster *c =
	    accepted_read_file(path, file, fragments, &errors);
	size_t i;

	if (c != NULL && strcmp(c->name, name) == 0)
		vec_push(&a->clusters, c);
	else
		accepted_cluster_free(c);
	for (i = 0; i < errors.lines.len; i++)
		log_warn("accepted copy not usable: %s", errors.lines.at[i]);
	config_errors_fini(&errors);
}

static void
load_copies(struct accepted *a)
{
	char *path _cleanup_free_ = xasprintf("%s/sources", a->folder);
	STR_AUTO(text, SOURCES_MAX);
	char *line, *next, *file;

	if (fs_read(path, &text, NULL) != 0)
		return;
	for (line = text.p; *line != '\0'; line = next) {
		next = line + strcspn(line, "\n");
		if (*next != '\0')
			*next++ = '\0';
		file = strchr(line, ' ');
		if (file == NULL)
			continue;
		*file++ = '\0';
		if (config_is_cluster_name(line, strlen(line)))
			load_copy(a, line, file);
	}
}

/* ---- scanning ---- */

static int
read_daemon(struct accepted *a, struct config_errors *errors,
    struct daemon_config **ret)
{
	char *copy _cleanup_free_ = NULL;
	STR_AUTO(text, CONFIG_FILE_MAX);
	struct daemon_config *config;
	struct error e;

	if (fs_read(a->config_path, &text, &e) != 0) {
		vec_push(&errors->lines, xstrdup(e.msg));
		return -1;
	}
	config = daemon_config_parse(a->config_path, text.p, text.len, errors);
	if (config == NULL)
		return -1;
	if (a->folder == NULL)
		a->folder =
		    xasprintf("%s/accepted", config->supervisor.run_dir);
	copy = xasprintf("%s/clusters.d", a->folder);
	if (fs_mkdirs(copy, 0755, &e) == 0) {
		free(copy);
		copy = xasprintf("%s/bulkhead.ini", a->folder);
		if (fs_write(copy, text.p, text.len, 0644, &e) == 0) {
			*ret = config;
			return 0;
		}
	}
	vec_push(&errors->lines, xstrdup(e.msg));
	daemon_config_free(config);
	return -1;
}

struct accepted *
accepted_open(const char *config_path, struct config_errors *errors)
{
	struct accepted *a = xcalloc(1, sizeof(*a));

	a->config_path = xstrdup(config_path);
	if (read_daemon(a, errors, &a->daemon) != 0) {
		accepted_free(a);
		return NULL;
	}
	load_copies(a);
	return a;
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	VEC(char *) list;
};

/* The *.ini files, sorted; -1 when the folder cannot be read. */
static int
list_files(struct accepted *a, struct names *ret)
{
	const char *folder = a->daemon->supervisor.clusters_dir;
	DIR *d = opendir(folder);
	struct dirent *entry;
	size_t len;

	if (d == NULL) {
		problem(a,
		    "%s: %s; the %zu clusters accepted before stay in force",
		    folder, strerror(errno), a->clusters.len);
		return -1;
	}
	for (;;) {
		errno = 0;
		entry = readdir(d);
		if (entry == NULL)
			break;
		len = strlen(entry->d_name);
		if (entry->d_name[0] != '.' && len > 4 &&
		    strcmp(entry->d_name + len - 4, ".ini") == 0)
			vec_push(&ret->list, xstrdup(entry->d_name));
	}
	if (errno != 0)
		problem(a, "%s: %s", folder, strerror(errno));
	(void)closedir(d);
	vec_sort(&ret->list, compare_strings);
	return errno != 0 ? -1 : 0;
}

/*
 * The version of a file, or of a cluster's Docker config whatever its name
 * was, that was accepted before: taken out of 'old', kept in force.
 */
static struct accepted_cluster *
keep_old(struct accepted *old, bool from_config, const char *which)
{
	struct accepted_cluster *c;
	size_t i;

	for (i = 0; i < old->clusters.len; i++) {
		c = old->clusters.at[i];
		if (c->from_config != from_config ||
		    strcmp(from_config ? c->name : c->file, which) != 0)
			continue;
		vec_remove(&old->clusters, i);
		c->kept = true;
		return c;
	}
	return NULL;
}

/* The same of what 'c' came from. */
static struct accepted_cluster *
keep_before(struct accepted *old, const struct accepted_cluster *c)
{
	return keep_old(
	    old, c->from_config, c->from_config ? c->name : c->file);
}

/* Reads every file of 'names' into 'next', each right or kept or absent. */
static void
read_files(
    struct accepted *next, struct accepted *old, const struct names *names)
{
	const char *folder = next->daemon->supervisor.clusters_dir;
	size_t i;

	for (i = 0; i < names->list.len; i++) {
		const char *file = names->list.at[i];
		char *path _cleanup_free_ = xasprintf("%s/%s", folder, file);
		struct accepted_cluster *c =
		    accepted_read_file(path, file, NULL, &next->problems);

		if (c == NULL)
			c = keep_old(old, false, file);
		if (c != NULL)
			vec_push(&next->clusters, c);
	}
}

/* The same with Docker configs; all of them stay while nobody tells. */
static void
read_configs(struct accepted *next, struct accepted *old)
{
	struct accepted_cluster *c;
	size_t i;

	for (i = 0; i < next->configs.list.len; i++) {
		const struct docker_config *d = next->configs.list.at[i];

		c = accepted_read_config(d, &next->problems);
		if (c == NULL)
			c = keep_old(old, true, d->cluster);
		if (c != NULL)
			vec_push(&next->clusters, c);
	}
	for (i = 0; !next->configs.known && i < old->clusters.len;) {
		c = old->clusters.at[i];
		if (!c->from_config) {
			i++;
			continue;
		}
		vec_remove(&old->clusters, i);
		vec_push(&next->clusters, c);
	}
}

static struct accepted_cluster *
find_from(const struct accepted *a, const char *name, bool from_config)
{
	size_t i;

	for (i = 0; i < a->clusters.len; i++) {
		struct accepted_cluster *c = a->clusters.at[i];

		if (c->from_config == from_config && strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

/* The later of a file and a Docker config of one name is not taken. */
static void
settle_clashes(
    struct accepted *next, struct accepted *old, const struct map *configs)
{
	size_t n = next->clusters.len, i, out = 0;

	for (i = 0; i < n; i++) {
		struct accepted_cluster *c = next->clusters.at[i];
		const struct accepted_cluster *other =
		    find_from(next, c->name, !c->from_config);
		bool first =
		    c->from_config == (map_get(configs, c->name) != NULL);

		c->late = other != NULL && !first;
		if (c->late)
			problem(next,
			    "%s: cluster %s is in force from %s, which was "
			    "accepted first; remove one of them",
			    c->config->path, c->name, other->config->path);
	}
	for (i = 0; i < n; i++) {
		struct accepted_cluster *c = next->clusters.at[i], *was;

		if (c->late) {
			was = keep_before(old, c);
			accepted_cluster_free(c);
			c = was;
		}
		if (c != NULL)
			next->clusters.at[out++] = c;
	}
	next->clusters.len = out;
}

/* Files that contradict each other fall back to what was in force. */
static void
check_together(struct accepted *next, struct accepted *old)
{
	size_t n = next->clusters.len, i, out = 0;
	const struct cluster_config **configs = xcalloc(n, sizeof(configs[0]));
	bool *bad = xcalloc(n, sizeof(bad[0]));

	for (i = 0; i < n; i++)
		configs[i] = next->clusters.at[i]->config;
	(void)!config_check_set(next->daemon, configs, n, bad, &next->problems);
	for (i = 0; i < n; i++) {
		struct accepted_cluster *c = next->clusters.at[i];

		if (bad[i] && !c->kept) {
			struct accepted_cluster *was = keep_before(old, c);

			accepted_cluster_free(c);
			c = was;
		}
		if (c != NULL)
			next->clusters.at[out++] = c;
	}
	next->clusters.len = out;
	free(configs);
	free(bad);
}

static int
compare_clusters(const void *a, const void *b)
{
	return strcmp((*(struct accepted_cluster *const *)a)->name,
	    (*(struct accepted_cluster *const *)b)->name);
}

/*
 * Writes the copy.  Where that fails the copy before stays in force, and what
 * it is is forgotten, so that the next scan tries again.
 */
static bool
write_copy(struct accepted *a, struct accepted_cluster *c)
{
	char *path _cleanup_free_ = accepted_path(a, c->name);
	char *fragments _cleanup_free_ = config_templates_copy(path);
	struct error e;

	if (config_templates_save(c->config->templates, fragments, &e) == 0 &&
	    fs_write(path, c->text, c->len, 0644, &e) == 0)
		return true;
	problem(a, "%s; the version before stays in force", e.msg);
	c->identity[0] = '\0';
	return false;
}

/* What to do to get from 'before' (name -> identity) to a->clusters. */
static void
compare(
    struct accepted *a, const struct map *before, struct accepted_changes *ret)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; i < a->clusters.len; i++) {
		struct accepted_cluster *c = a->clusters.at[i];
		const char *was = map_get(before, c->name);

		if (was != NULL && strcmp(was, c->identity) == 0)
			continue;
		if (!write_copy(a, c))
			continue;
		if (was == NULL)
			vec_push(&ret->added, xstrdup(c->name));
		else
			vec_push(&ret->changed, xstrdup(c->name));
	}
	for (i = 0; (e = map_next(before, &i)) != NULL;) {
		char *path _cleanup_free_ = accepted_path(a, e->key);
		char *fragments _cleanup_free_ = config_templates_copy(path);
		struct error error;

		if (accepted_find(a, e->key) != NULL)
			continue;
		if (config_templates_save(NULL, fragments, &error) != 0)
			problem(a, "%s", error.msg);
		if (unlink(path) != 0 && errno != ENOENT)
			problem(a, "%s: %s", path, strerror(errno));
		vec_push(&ret->removed, xstrdup(e->key));
	}
}

static void
scan_clusters(struct accepted *a, struct accepted_changes *ret)
{
	struct names names = { 0 };
	struct accepted old = { .clusters = { 0 } };
	struct map before = { 0 }, configs = { 0 };
	struct map_entry *e;
	size_t i;

	if (list_files(a, &names) == 0) {
		for (i = 0; i < a->clusters.len; i++) {
			const struct accepted_cluster *c = a->clusters.at[i];

			(void)map_set(&before, c->name, xstrdup(c->identity));
			if (c->from_config)
				(void)map_set(&configs, c->name, a);
		}
		memcpy(&old.clusters, &a->clusters, sizeof(old.clusters));
		memset(&a->clusters, 0, sizeof(a->clusters));
		read_files(a, &old, &names);
		read_configs(a, &old);
		settle_clashes(a, &old, &configs);
		check_together(a, &old);
		vec_sort(&a->clusters, compare_clusters);
		compare(a, &before, ret);
		write_sources(a);
		for (i = 0; i < old.clusters.len; i++)
			accepted_cluster_free(old.clusters.at[i]);
		vec_fini(&old.clusters);
		for (i = 0; (e = map_next(&before, &i)) != NULL;)
			free(e->value);
		map_fini(&before);
		map_fini(&configs);
	}
	for (i = 0; i < names.list.len; i++)
		free(names.list.at[i]);
	vec_fini(&names.list);
}

static void
scan_daemon(struct accepted *a, struct accepted_changes *ret)
{
	STR_AUTO(was, CONFIG_FILE_MAX * 2);
	STR_AUTO(is, CONFIG_FILE_MAX * 2);
	struct daemon_config *config;

	if (read_daemon(a, &a->problems, &config) != 0)
		return;
	daemon_config_dump(a->daemon, &was);
	daemon_config_dump(config, &is);
	ret->daemon_changed = strcmp(was.p, is.p) != 0;
	daemon_config_free(a->daemon);
	a->daemon = config;
}

void
accepted_scan(struct accepted *a, struct accepted_changes *ret)
{
	memset(ret, 0, sizeof(*ret));
	config_errors_fini(&a->problems);
	scan_daemon(a, ret);
	scan_clusters(a, ret);
}

int
accepted_check(
    const char *config_path, size_t *ret_clusters, struct config_errors *errors)
{
	struct accepted *a = xcalloc(1, sizeof(*a));
	struct accepted none = { .clusters = { 0 } };
	struct names names = { 0 };
	size_t i;

	a->config_path = xstrdup(config_path);
	a->daemon = daemon_config_load(config_path, errors);
	if (a->daemon != NULL && list_files(a, &names) == 0) {
		read_files(a, &none, &names);
		check_together(a, &none);
		*ret_clusters = a->clusters.len;
	}
	for (i = 0; i < a->problems.lines.len; i++)
		vec_push(&errors->lines, xstrdup(a->problems.lines.at[i]));
	for (i = 0; i < names.list.len; i++)
		free(names.list.at[i]);
	vec_fini(&names.list);
	accepted_free(a);
	return errors->lines.len == 0 ? 0 : -1;
}
