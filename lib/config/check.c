/* Checks of running and of several files together: see check.h. */
#include "config/check.h"

#include <string.h>

#include "config/keys.h"
#include "config/load.h"
#include "config/template.h"
#include "config/values.h"

static uint32_t
line_of(const struct cluster_config *c, const char *section, const char *name)
{
	return c->key_line[load_row(&config_cluster_table, section, name)];
}

static void
check_swarm(const struct cluster_config *c, struct config_errors *errors)
{
	bool tls = c->control.tls_cert != NULL;

	if (c->control.listen == NULL)
		config_errors_add(errors, c->path,
		    line_of(c, "proxy", "driver"),
		    "driver swarm needs [control] listen = HOST:PORT, where"
		    " the proxies fetch their configuration");
	else if (strncmp(c->control.listen, "unix:", 5) == 0)
		config_errors_add(errors, c->path,
		    line_of(c, "control", "listen"),
		    "driver swarm needs HOST:PORT in [control] listen: proxies"
		    " on other nodes reach no unix socket");
	if (!tls && c->control.token_file == NULL)
		config_errors_add(errors, c->path,
		    line_of(c, "control", "listen"),
		    "driver swarm needs [control] tls_ca, tls_cert and"
		    " tls_key, or token_file: nobody else may fetch the"
		    " configuration");
	if (c->proxy.publish_mode == PUBLISH_HOST &&
	    (c->proxy.published_port != 0 ||
		c->proxy.published_ssl_port != 0) &&
	    c->proxy.update_order == ORDER_START_FIRST)
		config_errors_add(errors, c->path,
		    line_of(c, "proxy", "update_order"),
		    "[proxy] update_order = start-first never gets done with"
		    " publish_mode = host: the old proxy holds the port; leave"
		    " it out, or say stop-first");
}

static void
check_local_port(const struct cluster_config *c, const char *name,
    uint16_t port, struct config_errors *errors)
{
	if (port == 0)
		config_errors_add(errors, c->path, line_of(c, "proxy", name),
		    "[proxy] %s: driver local needs a port", name);
	else if (port + (c->proxy.replicas ? c->proxy.replicas - 1 : 0) > 65535)
		config_errors_add(errors, c->path, line_of(c, "proxy", name),
		    "[proxy] %s: %u + %u proxies go beyond port 65535", name,
		    port, c->proxy.replicas);
}

int
cluster_config_check_run(
    const struct cluster_config *c, struct config_errors *errors)
{
	size_t before = errors->lines.len + errors->more;

	if (c->proxy.driver == DRIVER_SWARM) {
		check_swarm(c, errors);
	} else if (c->proxy.driver == DRIVER_LOCAL) {
		check_local_port(
		    c, "published_port", c->proxy.published_port, errors);
		check_local_port(c, "published_ssl_port",
		    c->proxy.published_ssl_port, errors);
	}
	return errors->lines.len + errors->more == before ? 0 : -1;
}

/* Ports that one key of one file takes on this host. */
struct range {
	size_t cluster; /* index; n = the daemon's own file */
	const char *path;
	uint32_t line;
	const char *section;
	const char *name;
	char host[254];
	uint32_t first;
	uint32_t count;
};

struct ranges {
	VEC(struct range) list;
};

static void
add_range(struct ranges *r, size_t cluster, const struct cluster_config *c,
    const char *section, const char *name, const char *host, uint32_t first,
    uint32_t count)
{
	struct range *range;

	if (first == 0 || count == 0)
		return;
	range = vec_add(&r->list);
	range->cluster = cluster;
	range->path = c->path;
	range->line = line_of(c, section, name);
	range->section = section;
	range->name = name;
	must(strlen(host) < sizeof(range->host));
	memcpy(range->host, host, strlen(host) + 1);
	range->first = first;
	range->count = count;
}

static void
add_listen(struct ranges *r, size_t cluster, const struct cluster_config *c,
    const char *section, const char *name, const char *value, uint32_t count)
{
	struct config_listen l;

	if (value == NULL ||
	    config_listen_parse(value, strlen(value), true, &l, NULL) != 0 ||
	    l.is_unix)
		return;
	add_range(r, cluster, c, section, name, l.host, l.port, count);
}

static void
collect_cluster(struct ranges *r, size_t i, const struct cluster_config *c)
{
	uint32_t n = c->proxy.replicas;

	if (c->proxy.driver == DRIVER_NONE)
		return;
	add_listen(r, i, c, "control", "listen", c->control.listen, 1);
	if (c->proxy.driver != DRIVER_LOCAL)
		return;
	add_range(r, i, c, "proxy", "published_port", c->proxy.listen_address,
	    c->proxy.published_port, n);
	add_range(r, i, c, "proxy", "published_ssl_port",
	    c->proxy.listen_address, c->proxy.published_ssl_port, n);
	add_listen(
	    r, i, c, "proxy", "health_listen", c->proxy.health_listen, n);
	add_listen(
	    r, i, c, "proxy", "status_listen", c->proxy.status_listen, n);
}

static void
collect_daemon(struct ranges *r, size_t i, const struct daemon_config *d)
{
	struct config_listen l;
	struct range *range;

	if (d == NULL || d->admin.listen == NULL ||
	    config_listen_parse(
		d->admin.listen, strlen(d->admin.listen), false, &l, NULL) != 0)
		return;
	range = vec_add(&r->list);
	range->cluster = i;
	range->path = d->path;
	range->line =
	    d->key_line[load_row(&config_daemon_table, "admin", "listen")];
	range->section = "admin";
	range->name = "listen";
	memcpy(range->host, l.host, sizeof(l.host));
	range->first = l.port;
	range->count = 1;
}

static bool
is_any(const char *host)
{
	return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 ||
	    strcmp(host, "::") == 0;
}

static bool
overlap(const struct range *a, const struct range *b)
{
	if (!is_any(a->host) && !is_any(b->host) &&
	    strcmp(a->host, b->host) != 0)
		return false;
	return a->first < b->first + b->count && b->first < a->first + a->count;
}

static void
mark(bool *bad, size_t i, size_t n)
{
	if (bad != NULL && i < n)
		bad[i] = true;
}

static void
check_ranges(
    const struct ranges *r, size_t n, bool *bad, struct config_errors *errors)
{
	for (size_t i = 0; i < r->list.len; i++) {
		const struct range *a = &r->list.at[i];

		for (size_t j = 0; j < r->list.len; j++) {
			const struct range *b = &r->list.at[j];

			/* Within one file it is said once. */
			if (i == j || !overlap(a, b) ||
			    (a->cluster == b->cluster && j < i))
				continue;
			config_errors_add(errors, a->path, a->line,
			    "[%s] %s: of the ports %u to %u some belong to"
			    " [%s] %s of %s too (%u to %u)",
			    a->section, a->name, a->first,
			    a->first + a->count - 1, b->section, b->name,
			    b->path, b->first, b->first + b->count - 1);
			mark(bad, a->cluster, n);
			break;
		}
	}
}

/* What must differ between two files. */
static void
check_two(const struct cluster_config *a, const struct cluster_config *b,
    bool *bad, struct config_errors *errors)
{
	bool before = *bad;

	*bad = true;
	if (strcmp(a->cluster.name, b->cluster.name) == 0)
		config_errors_add(errors, a->path,
		    line_of(a, "cluster", "name"),
		    "%s is a cluster named %s too", b->path, b->cluster.name);
	else if (a->cluster.is_default == DEFAULT_YES &&
	    b->cluster.is_default == DEFAULT_YES)
		config_errors_add(errors, a->path,
		    line_of(a, "cluster", "default"),
		    "%s says default = true too; one cluster can be the"
		    " default",
		    b->path);
	else if (a->proxy.driver == DRIVER_SWARM &&
	    b->proxy.driver == DRIVER_SWARM &&
	    strcmp(a->proxy.service, b->proxy.service) == 0)
		config_errors_add(errors, a->path,
		    line_of(a, "proxy", "service"),
		    "%s has the proxy service %s too", b->path,
		    b->proxy.service);
	else
		*bad = before;
}

int
config_check_set(const struct daemon_config *d,
    const struct cluster_config *const *clusters, size_t n, bool *ret_bad,
    struct config_errors *errors)
{
	size_t before = errors->lines.len + errors->more;
	struct ranges r = { 0 };

	for (size_t i = 0; i < n; i++) {
		bool bad = false;

		for (size_t j = 0; j < n; j++) {
			if (i != j)
				check_two(
				    clusters[i], clusters[j], &bad, errors);
		}
		if (ret_bad != NULL)
			ret_bad[i] = bad;
		collect_cluster(&r, i, clusters[i]);
	}
	collect_daemon(&r, n, d);
	check_ranges(&r, n, ret_bad, errors);
	vec_fini(&r.list);
	return errors->lines.len + errors->more == before ? 0 : -1;
}

ssize_t
config_default_cluster(const struct cluster_config *const *clusters, size_t n)
{
	ssize_t found = -1;

	for (size_t i = 0; i < n; i++) {
		if (clusters[i]->cluster.is_default == DEFAULT_YES)
			return (ssize_t)i;
		if (n == 1 || strcmp(clusters[i]->cluster.name, "default") == 0)
			found = (ssize_t)i;
	}
	if (found >= 0 && clusters[found]->cluster.is_default == DEFAULT_NO)
		return -1;
	return found;
}

static bool
has_section(const struct config_table *t, const char *s, size_t len)
{
	for (size_t i = 0; i < t->n_sections; i++) {
		if (strlen(t->sections[i].name) == len &&
		    memcmp(t->sections[i].name, s, len) == 0)
			return true;
	}
	return false;
}

/* The first section that either table knows decides. */
static bool
is_daemon_file(const struct str *text)
{
	const char *p = text->p, *end = p + text->len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *close;

		if (nl == NULL)
			nl = end;
		close = memchr(p, ']', (size_t)(nl - p));
		if (*p == '[' && close != NULL) {
			size_t len = (size_t)(close - p) - 1;

			if (has_section(&config_daemon_table, p + 1, len))
				return true;
			if (has_section(&config_cluster_table, p + 1, len))
				return false;
		}
		p = nl + 1;
	}
	return false;
}

/* Files of one call, as they were read. */
struct checked {
	struct daemon_config *daemon;
	VEC(struct cluster_config *) clusters;
};

static int
check_one(const char *path, struct checked *all, struct config_errors *errors)
{
	STR_AUTO(text, CONFIG_FILE_MAX);
	struct daemon_config *d;
	struct cluster_config *c;

	if (load_file(path, &text, errors) != 0)
		return -1;
	if (is_daemon_file(&text)) {
		d = daemon_config_parse(path, text.p, text.len, errors);
		if (d == NULL)
			return -1;
		daemon_config_free(all->daemon);
		all->daemon = d;
		return 0;
	}
	c = cluster_config_parse(path, text.p, text.len, errors);
	if (c == NULL || config_templates_load(c, NULL, errors) != 0) {
		cluster_config_free(c);
		return -1;
	}
	vec_push(&all->clusters, c);
	return 0;
}

/* What is no error of a file, because render and validate can use it. */
static void
report_needs(const struct checked *all, struct str *out)
{
	for (size_t i = 0; i < all->clusters.len; i++) {
		struct config_errors needs = { 0 };

		if (cluster_config_check_run(all->clusters.at[i], &needs) !=
		    0) {
			str_addf(out, "%s: but to run it, this is needed:\n",
			    all->clusters.at[i]->path);
			config_errors_print(&needs, out);
		}
		config_errors_fini(&needs);
	}
}

int
config_check_files(char *const *paths, size_t n, struct str *out_report)
{
	struct checked all = { 0 };
	struct config_errors errors = { 0 };
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		if (check_one(paths[i], &all, &errors) != 0)
			result = -1;
	}
	if (config_check_set(all.daemon,
		(const struct cluster_config *const *)all.clusters.at,
		all.clusters.len, NULL, &errors) != 0)
		result = -1;
	config_errors_print(&errors, out_report);
	for (size_t i = 0; i < n && result == 0; i++)
		str_addf(out_report, "%s: no errors\n", paths[i]);
	report_needs(&all, out_report);
	config_errors_fini(&errors);
	daemon_config_free(all.daemon);
	for (size_t i = 0; i < all.clusters.len; i++)
		cluster_config_free(all.clusters.at[i]);
	vec_fini(&all.clusters);
	return result;
}

int
config_check_file(const char *path, struct str *out_report)
{
	char *const paths[] = { (char *)(uintptr_t)path };

	return config_check_files(paths, 1, out_report);
}
