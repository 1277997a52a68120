/*
 * The operator's own fragments of an engine's configuration: the files
 * main.conf, http.conf, server.conf and location.conf of [nginx]
 * template_dir, each may be absent.  Written as they stand into every block of
 * their kind; checked when they are loaded.
 */
#ifndef CONFIG_TEMPLATE_H
#define CONFIG_TEMPLATE_H

#include "base/error.h"
#include "config/config.h"

#define CONFIG_TEMPLATE_MAX (64 * 1024)

enum config_template {
	TEMPLATE_MAIN,
	TEMPLATE_HTTP,
	TEMPLATE_SERVER,
	TEMPLATE_LOCATION,
	TEMPLATE_COUNT
};
/* "main", "http" ... */
const char *config_template_name(enum config_template t);

struct config_templates {
	char *text[TEMPLATE_COUNT]; /* NULL: there is none */
};

/*
 * Reads the fragments into c->templates where template_dir is set; from there,
 * or from 'copy', where that folder is.  -1 with a
 * line per mistake ("FILE:LINE: ...") in 'errors': the folder or a file cannot
 * be read, a control character, a quote or brace that is not closed or closes
 * what the fragment did not open, a last directive without its end.
 */
int config_templates_load(struct cluster_config *c, const char *copy,
    struct config_errors *errors) _warn_unused_;
/* Where the fragments that were accepted with this file are. */
char *config_templates_copy(const char *ini_copy);
/* Writes them there; 't' may be NULL: none. */
int config_templates_save(const struct config_templates *t, const char *copy,
    struct error *e) _warn_unused_;
void config_templates_free(struct config_templates *t);

#endif
