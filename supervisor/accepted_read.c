/* One cluster's INI: see accepted_read.h. */
#include "accepted_read.h"

#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/check.h"
#include "config/template.h"

/* No file's name in clusters_dir has a slash. */
#define CONFIG_PREFIX "config/"

void
accepted_cluster_free(struct accepted_cluster *c)
{
	if (c == NULL)
		return;
	free(c->name);
	free(c->file);
	free(c->text);
	cluster_config_free(c->config);
	free(c);
}

/* A hash of the text and of the operator's fragments. */
static void
identify(struct accepted_cluster *c)
{
	const struct config_templates *t = c->config->templates;
	STR_AUTO(all, CONFIG_FILE_MAX + TEMPLATE_COUNT * CONFIG_TEMPLATE_MAX);
	size_t i;

	str_addn(&all, c->text, c->len);
	for (i = 0; t != NULL && i < TEMPLATE_COUNT; i++)
		str_addf(
		    &all, "\n%zu\n%s", i, t->text[i] != NULL ? t->text[i] : "");
	sha256_hex(all.p, all.len, c->identity);
}

/*
 * Takes 'config' (parsed of 'text', or NULL); what running it needs beyond
 * that is checked.
 */
static struct accepted_cluster *
make_cluster(struct cluster_config *config, const char *fragments,
    const char *text, size_t len, struct config_errors *errors)
{
	struct accepted_cluster *c;

	if (config == NULL)
		return NULL;
	if (cluster_config_check_run(config, errors) != 0 ||
	    config_templates_load(config, fragments, errors) != 0) {
		cluster_config_free(config);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->name = xstrdup(config->cluster.name);
	c->len = len;
	c->text = xmemdup0(text, len);
	c->config = config;
	identify(c);
	return c;
}

struct accepted_cluster *
accepted_read_file(const char *path, const char *file, const char *fragments,
    struct config_errors *errors)
{
	STR_AUTO(text, CONFIG_FILE_MAX);
	struct accepted_cluster *c;
	struct error e;

	if (fs_read(path, &text, &e) != 0) {
		vec_push(&errors->lines, xstrdup(e.msg));
		return NULL;
	}
	c = make_cluster(cluster_config_parse(path, text.p, text.len, errors),
	    fragments, text.p, text.len, errors);
	if (c == NULL)
		return NULL;
	c->file = xstrdup(file);
	c->from_config =
	    strncmp(file, CONFIG_PREFIX, sizeof(CONFIG_PREFIX) - 1) == 0;
	return c;
}

struct accepted_cluster *
accepted_parse(const char *origin, const char *cluster, const char *text,
    size_t len, struct config_errors *errors)
{
	char *path _cleanup_free_ = xasprintf("%s.ini", cluster);
	struct config_errors found = { 0 };
	struct cluster_config *config =
	    cluster_config_parse(path, text, len, &found);
	size_t n = strlen(path), i;

	/* The path gives the name; people know it by another. */
	for (i = 0; i < found.lines.len; i++) {
		const char *line = found.lines.at[i];

		if (strncmp(line, path, n) == 0 && line[n] == ':')
			vec_push(&errors->lines,
			    xasprintf("%s%s", origin, line + n));
		else
			vec_push(&errors->lines, xstrdup(line));
	}
	errors->more += found.more;
	config_errors_fini(&found);
	if (config == NULL)
		return NULL;
	free(config->path);
	config->path = xstrdup(origin);
	if (strcmp(config->cluster.name, cluster) != 0) {
		config_errors_add(errors, origin, 0,
		    "[cluster] name is \"%s\", but this is to be cluster "
		    "\"%s\"",
		    config->cluster.name, cluster);
		cluster_config_free(config);
		return NULL;
	}
	return make_cluster(config, NULL, text, len, errors);
}

struct accepted_cluster *
accepted_read_config(
    const struct docker_config *d, struct config_errors *errors)
{
	struct accepted_cluster *c;

	if (!config_is_cluster_name(d->cluster, strlen(d->cluster))) {
		STR_AUTO(shown, 16384);

		str_add_shown(&shown, d->cluster);
		config_errors_add(errors, d->name, 0,
		    "its label bulkhead.cluster, \"%s\", is no name of a "
		    "cluster",
		    shown.p);
		return NULL;
	}
	if (d->text == NULL) {
		config_errors_add(
		    errors, d->name, 0, "larger than a cluster's INI can be");
		return NULL;
	}
	c = accepted_parse(d->name, d->cluster, d->text, d->len, errors);
	if (c == NULL)
		return NULL;
	c->file = xasprintf(CONFIG_PREFIX "%s", d->name);
	c->from_config = true;
	return c;
}
