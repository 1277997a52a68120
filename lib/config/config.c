/*
 * The two INI files as structs: what load() read, completed by what follows
 * from one key for another, and checked across keys.
 */
#include "config/config.h"

#include <string.h>

#include "config/load.h"
#include "config/template.h"
#include "config/value.h"

#define RUN_DIR_MAX 60 /* what is put behind it fits a socket's path */
#define ERRORS_MAX 100

void
config_errors_fini(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->lines.len; i++)
		free(errors->lines.at[i]);
	vec_fini(&errors->lines);
	errors->more = 0;
}

/* The line that an error of the file 'path' is about; -1: another file's. */
static int64_t
line_of(const char *error, const char *path)
{
	size_t n = strlen(path);

	if (strncmp(error, path, n) != 0 || error[n] != ':')
		return -1;
	return (int64_t)strtoul(error + n + 1, NULL, 10);
}

void
config_errors_add(struct config_errors *errors, const char *path, uint32_t line,
    const char *fmt, ...)
{
	char *text _cleanup_free_ = NULL;
	va_list ap;

	if (errors->lines.len == ERRORS_MAX) {
		errors->more++;
		return;
	}
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	vec_push(&errors->lines,
	    line == 0 ? xasprintf("%s: %s", path, text)
		      : xasprintf("%s:%u: %s", path, line, text));
	/* By line within the file, whichever check found it first. */
	for (size_t i = errors->lines.len - 1; i > 0; i--) {
		char **at = &errors->lines.at[i], *later;

		if (line_of(at[-1], path) <= (int64_t)line)
			break;
		later = at[-1];
		at[-1] = at[0];
		at[0] = later;
	}
}

void
config_errors_print(const struct config_errors *errors, struct str *out)
{
	for (size_t i = 0; i < errors->lines.len; i++)
		str_addf(out, "%s\n", errors->lines.at[i]);
	if (errors->more > 0)
		str_addf(out, "and %zu more\n", errors->more);
}

static void
free_values(const struct config_table *t, void *base)
{
	for (size_t i = 0; i < t->n_keys; i++)
		value_free(&t->keys[i], base);
}

void
daemon_config_free(struct daemon_config *c)
{
	if (c == NULL)
		return;
	free_values(&config_daemon_table, c);
	free(c->key_line);
	free(c->path);
	free(c);
}

void
cluster_config_free(struct cluster_config *c)
{
	if (c == NULL)
		return;
	free_values(&config_cluster_table, c);
	config_templates_free(c->templates);
	free(c->key_line);
	free(c->path);
	free(c);
}

static uint32_t
daemon_line(const struct daemon_config *c, const char *s, const char *name)
{
	return c->key_line[load_row(&config_daemon_table, s, name)];
}

static uint32_t
cluster_line(const struct cluster_config *c, const char *s, const char *name)
{
	return c->key_line[load_row(&config_cluster_table, s, name)];
}

/* One of two keys stands alone. */
static void
check_pair(struct config_errors *errors, const char *path, const char *section,
    uint32_t a_line, const char *a, uint32_t b_line, const char *b)
{
	if (a_line != 0 && b_line == 0)
		config_errors_add(
		    errors, path, a_line, "[%s] %s needs %s", section, a, b);
}

static void
complete_daemon(struct daemon_config *c, struct config_errors *errors)
{
	uint32_t cert = daemon_line(c, "docker", "tls_cert");
	uint32_t key = daemon_line(c, "docker", "tls_key");

	check_pair(errors, c->path, "docker", cert, "tls_cert", key, "tls_key");
	check_pair(errors, c->path, "docker", key, "tls_key", cert, "tls_cert");
	if (strlen(c->supervisor.run_dir) > RUN_DIR_MAX)
		config_errors_add(errors, c->path,
		    daemon_line(c, "supervisor", "run_dir"),
		    "[supervisor] run_dir: longer than %d bytes, too long for"
		    " the sockets in it",
		    RUN_DIR_MAX);
	if (c->admin.socket == NULL)
		c->admin.socket =
		    xasprintf("%s/admin.sock", c->supervisor.run_dir);
}

/* "blue" of "/etc/bulkhead/clusters.d/blue.ini". */
static char *
name_of_file(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = path;
	size_t len;

	if (slash != NULL)
		base = slash + 1;
	len = strlen(base);
	if (len > 4 && strcmp(base + len - 4, ".ini") == 0)
		len -= 4;
	return xmemdup0(base, len);
}

static void
complete_name(struct cluster_config *c, struct config_errors *errors)
{
	if (c->cluster.name == NULL) {
		c->cluster.name = name_of_file(c->path);
		if (!config_is_cluster_name(
			c->cluster.name, strlen(c->cluster.name)) &&
		    cluster_line(c, "cluster", "name") == 0)
			config_errors_add(errors, c->path, 0,
			    "the file's name is no cluster's name (1 to 63 of"
			    " a-z, 0-9 and -, no - at an edge); rename it or"
			    " set [cluster] name");
	}
	if (c->proxy.service == NULL) {
		c->proxy.service =
		    xasprintf("bulkhead-proxy-%s", c->cluster.name);
		if (strlen(c->proxy.service) > 63)
			config_errors_add(errors, c->path,
			    cluster_line(c, "cluster", "name"),
			    "[proxy] service: bulkhead-proxy-NAME is longer"
			    " than the 63 bytes of a Swarm service's name; set"
			    " it");
	}
}

static void
check_control(struct cluster_config *c, struct config_errors *errors)
{
	static const char *const keys[] = { "tls_ca", "tls_cert", "tls_key" };
	uint32_t first = 0, lines[countof(keys)];

	for (size_t i = 0; i < countof(keys); i++) {
		lines[i] = cluster_line(c, "control", keys[i]);
		if (first == 0)
			first = lines[i];
	}
	for (size_t i = 0; i < countof(keys) && first != 0; i++) {
		if (lines[i] == 0)
			config_errors_add(errors, c->path, first,
			    "[control] tls_ca, tls_cert and tls_key stand"
			    " together; %s is missing",
			    keys[i]);
	}
}

static void
check_ports(struct cluster_config *c, struct config_errors *errors)
{
	uint32_t line = cluster_line(c, "proxy", "target_ssl_port");

	if (c->proxy.target_port == c->proxy.target_ssl_port)
		config_errors_add(errors, c->path,
		    line != 0 ? line : cluster_line(c, "proxy", "target_port"),
		    "[proxy] target_port and target_ssl_port are both %u",
		    c->proxy.target_port);
	line = cluster_line(c, "proxy", "published_ssl_port");
	if (c->proxy.published_port == c->proxy.published_ssl_port &&
	    c->proxy.published_port != 0)
		config_errors_add(errors, c->path,
		    line != 0 ? line
			      : cluster_line(c, "proxy", "published_port"),
		    "[proxy] published_port and published_ssl_port are both"
		    " %u",
		    c->proxy.published_port);
}

static void
complete_cluster(struct cluster_config *c, struct config_errors *errors)
{
	bool fixed_port =
	    c->proxy.published_port != 0 || c->proxy.published_ssl_port != 0;

	complete_name(c, errors);
	if (c->proxy.stop_grace_period_ms == 0)
		c->proxy.stop_grace_period_ms = c->proxy.drain_delay_ms + 15000;
	if (c->proxy.stop_grace_period_ms <= c->proxy.drain_delay_ms)
		config_errors_add(errors, c->path,
		    cluster_line(c, "proxy", "stop_grace_period"),
		    "[proxy] stop_grace_period must be longer than"
		    " drain_delay");
	if (cluster_line(c, "proxy", "update_order") == 0 && fixed_port &&
	    c->proxy.publish_mode == PUBLISH_HOST)
		c->proxy.update_order = ORDER_STOP_FIRST;
	check_control(c, errors);
	check_ports(c, errors);
}

struct daemon_config *
daemon_config_parse(const char *path, const char *text, size_t len,
    struct config_errors *errors)
{
	const struct config_table *t = &config_daemon_table;
	struct daemon_config *c = xcalloc(1, sizeof(*c));
	size_t before = errors->lines.len + errors->more;

	c->path = xstrdup(path);
	c->key_line = xcalloc(t->n_keys, sizeof(c->key_line[0]));
	load(t, path, text, len, c, c->key_line, errors);
	complete_daemon(c, errors);
	if (errors->lines.len + errors->more == before)
		return c;
	daemon_config_free(c);
	return NULL;
}

struct cluster_config *
cluster_config_parse(const char *path, const char *text, size_t len,
    struct config_errors *errors)
{
	const struct config_table *t = &config_cluster_table;
	struct cluster_config *c = xcalloc(1, sizeof(*c));
	size_t before = errors->lines.len + errors->more;

	c->path = xstrdup(path);
	c->key_line = xcalloc(t->n_keys, sizeof(c->key_line[0]));
	load(t, path, text, len, c, c->key_line, errors);
	complete_cluster(c, errors);
	if (errors->lines.len + errors->more == before)
		return c;
	cluster_config_free(c);
	return NULL;
}

struct daemon_config *
daemon_config_load(const char *path, struct config_errors *errors)
{
	STR_AUTO(text, CONFIG_FILE_MAX);

	if (load_file(path, &text, errors) != 0)
		return NULL;
	return daemon_config_parse(path, text.p, text.len, errors);
}

struct cluster_config *
cluster_config_load(const char *path, struct config_errors *errors)
{
	STR_AUTO(text, CONFIG_FILE_MAX);

	if (load_file(path, &text, errors) != 0)
		return NULL;
	return cluster_config_parse(path, text.p, text.len, errors);
}

struct daemon_config *
daemon_config_default(void)
{
	struct config_errors errors = { 0 };
	struct daemon_config *c =
	    daemon_config_parse("bulkhead.ini", "", 0, &errors);

	must(c != NULL);
	return c;
}
