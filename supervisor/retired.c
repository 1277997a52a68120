/* Retired clusters: see retired.h. */
#include "retired.h"

#include <dirent.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "config/config.h"

#define FILE_MAX ((size_t)1024 * 1024)
#define INDEX_MAX 10000

static bool
is_driver(const char *s)
{
	return strcmp(s, "local") == 0 || strcmp(s, "swarm") == 0 ||
	    strcmp(s, "none") == 0 || strcmp(s, "unknown") == 0;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct retired_cluster *)a)->name,
	    ((const struct retired_cluster *)b)->name);
}

/* Lines "NAME DRIVER". */
void
retired_load(struct retired *r, const char *run_dir)
{
	STR_AUTO(text, FILE_MAX);
	char *line, *next, *driver;

	r->path = xasprintf("%s/accepted/retired", run_dir);
	if (fs_read(r->path, &text, NULL) != 0)
		return;
	for (line = text.p; *line != '\0'; line = next) {
		next = line + strcspn(line, "\n");
		if (*next != '\0')
			*next++ = '\0';
		driver = strchr(line, ' ');
		if (driver == NULL)
			continue;
		*driver++ = '\0';
		if (config_is_cluster_name(line, strlen(line)) &&
		    is_driver(driver) && retired_find(r, line) == NULL)
			vec_push(&r->list,
			    ((struct retired_cluster){
				xstrdup(line), xstrdup(driver) }));
	}
	vec_sort(&r->list, compare);
}

static void
store(const struct retired *r)
{
	STR_AUTO(text, FILE_MAX);
	struct error e;
	size_t i;

	for (i = 0; i < r->list.len; i++)
		str_addf(
		    &text, "%s %s\n", r->list.at[i].name, r->list.at[i].driver);
	if (fs_write(r->path, text.p, text.len, 0644, &e) != 0)
		log_error("%s; which clusters are retired is not known after "
			  "a restart",
		    e.msg);
}

static bool
take_out(struct retired *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->list.len; i++) {
		if (strcmp(r->list.at[i].name, name) != 0)
			continue;
		free(r->list.at[i].name);
		free(r->list.at[i].driver);
		vec_remove(&r->list, i);
		return true;
	}
	return false;
}

void
retired_fini(struct retired *r)
{
	while (r->list.len > 0)
		(void)take_out(r, r->list.at[0].name);
	vec_fini(&r->list);
	free(r->path);
}

void
retired_add(struct retired *r, const char *name, const char *driver)
{
	(void)take_out(r, name);
	vec_push(&r->list,
	    ((struct retired_cluster){ xstrdup(name), xstrdup(driver) }));
	vec_sort(&r->list, compare);
	store(r);
}

void
retired_drop(struct retired *r, const char *name)
{
	if (take_out(r, name))
		store(r);
}

const struct retired_cluster *
retired_find(const struct retired *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->list.len; i++) {
		if (strcmp(r->list.at[i].name, name) == 0)
			return &r->list.at[i];
	}
	return NULL;
}

void
retired_json(const struct retired *r, struct str *out)
{
	size_t i;

	str_addc(out, '[');
	for (i = 0; i < r->list.len; i++)
		str_addf(out,
		    "%s{\"name\":\"%s\",\"state\":\"retired\","
		    "\"driver\":\"%s\"}",
		    i == 0 ? "" : ",", r->list.at[i].name,
		    r->list.at[i].driver);
	str_addc(out, ']');
}

uint32_t
retired_local_proxies(const char *run_dir, const char *name)
{
	char *path _cleanup_free_ = xasprintf("%s/proxies", run_dir);
	size_t len = strlen(name);
	DIR *d = opendir(path);
	struct dirent *entry;
	uint32_t most = 0, n;

	if (d == NULL)
		return 0;
	while ((entry = readdir(d)) != NULL) {
		const char *p = entry->d_name;

		if (strncmp(p, name, len) != 0 || p[len] != '.' ||
		    parse_u32(p + len + 1, strlen(p + len + 1), 0, INDEX_MAX,
			&n, NULL) != 0)
			continue;
		if (n + 1 > most)
			most = n + 1;
	}
	(void)closedir(d);
	return most;
}
