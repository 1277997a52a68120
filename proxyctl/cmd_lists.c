/* status, clusters, routes, services, proxies: what is there. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cmd_online.h"
#include "online.h"
#include "table.h"

/* "/v1/clusters/NAME/WHAT" with a name, "/v1/WHAT" without. */
static char *
list_target(int argc, char **argv, const char *what)
{
	if (argc > 1)
		return xasprintf("/v1/clusters/%s/%s", argv[1], what);
	return xasprintf("/v1/%s", what);
}

static void
print_clusters(const json_t *clusters)
{
	struct table t;
	const json_t *c;
	size_t i;

	table_init(&t,
	    "CLUSTER|STATE|GENERATION|SERVICES|REJECTED|PID|"
	    "RESTARTS|PINNED|FILE");
	json_array_foreach(clusters, i, c)
	{
		table_add(&t, "%s", online_text(c, "name"));
		table_add(&t, "%s", online_text(c, "state"));
		table_add(&t, "%lld", online_number(c, "generation"));
		table_add(&t, "%lld", online_number(c, "services"));
		table_add(&t, "%lld", online_number(c, "rejected"));
		table_add(&t, "%lld", online_number(c, "pid"));
		table_add(&t, "%lld", online_number(c, "restarts"));
		if (online_number(c, "pinned") != 0)
			table_add(&t, "%lld", online_number(c, "pinned"));
		else
			table_add(&t, "-");
		table_add(&t, "%s%s", online_text(c, "file"),
		    json_is_true(json_object_get(c, "kept"))
			? " (broken: its last good version is in force)"
			: "");
	}
	table_print(&t);
}

/* Clusters with driver = swarm: what Swarm makes of their proxies. */
static void
print_proxy_services(const json_t *clusters)
{
	const json_t *c;
	size_t i;

	json_array_foreach(clusters, i, c)
	{
		const json_t *s = json_object_get(c, "proxy_service");
		const char *error = online_text(s, "error");

		if (s == NULL)
			continue;
		(void)printf("%s: service %s: %s, %lld of %lld running%s%s\n",
		    online_text(c, "name"), online_text(s, "service"),
		    online_text(s, "state"), online_number(s, "running"),
		    online_number(s, "replicas"),
		    strcmp(error, "-") == 0 ? "" : "; ",
		    strcmp(error, "-") == 0 ? "" : error);
	}
}

static void
print_problems(const json_t *problems)
{
	const json_t *p;
	size_t i;

	json_array_foreach(problems, i, p)(void)
	    printf("not in force: %s\n", json_string_value(p));
}

static void
print_reader(const json_t *reader)
{
	const json_t *status = json_object_get(reader, "status");
	const json_t *docker = json_object_get(status, "docker");
	const char *error = online_text(docker, "error");

	(void)printf("reader: %s, pid %lld, restarts %lld; Docker: %s",
	    online_text(reader, "state"), online_number(reader, "pid"),
	    online_number(reader, "restarts"),
	    json_is_true(json_object_get(docker, "connected"))
		? "connected"
		: "not connected");
	if (strcmp(online_text(docker, "api_version"), "-") != 0)
		(void)printf(", API %s", online_text(docker, "api_version"));
	if (strcmp(error, "-") != 0)
		(void)printf(" (%s)", error);
	(void)printf("\n");
}

int
cmd_status(const struct cli *cli, int argc, char **argv)
{
	int code = CTL_OK;
	json_auto_t *j = online_ask(cli, "GET", "/v1/status", NULL, &code);

	(void)argc;
	(void)argv;
	if (j == NULL)
		return code;
	(void)printf("bulkhead %s: %s; task changes are learned by %s\n",
	    online_text(j, "version"),
	    json_is_true(json_object_get(j, "ready")) ? "ready" : "not ready",
	    json_is_true(json_object_get(j, "push")) ? "push" : "polling");
	print_reader(json_object_get(j, "reader"));
	print_problems(json_object_get(j, "problems"));
	(void)printf("\n");
	print_clusters(json_object_get(j, "clusters"));
	print_proxy_services(json_object_get(j, "clusters"));
	return CTL_OK;
}

int
cmd_clusters(const struct cli *cli, int argc, char **argv)
{
	int code = CTL_OK;
	json_auto_t *j = online_ask(cli, "GET", "/v1/clusters", NULL, &code);

	(void)argc;
	(void)argv;
	if (j == NULL)
		return code;
	print_clusters(json_object_get(j, "clusters"));
	print_proxy_services(json_object_get(j, "clusters"));
	return code;
}

static void
add_upstreams(struct table *t, const json_t *upstreams)
{
	STR_AUTO(text, 1U << 20);
	const json_t *u;
	size_t i;

	json_array_foreach(upstreams, i, u)
	{
		if (i > 0)
			str_addc(&text, ' ');
		str_add(&text, online_text(u, "address"));
		if (online_number(u, "weight") != 1)
			str_addf(&text, "*%lld", online_number(u, "weight"));
	}
	table_add(t, "%s", text.len == 0 ? "none: 503" : text.p);
}

int
cmd_routes(const struct cli *cli, int argc, char **argv)
{
	char *target _cleanup_free_ = list_target(argc, argv, "routes");
	int code = CTL_OK;
	json_auto_t *j = online_ask(cli, "GET", target, NULL, &code);
	const json_t *r;
	struct table t;
	size_t i;

	if (j == NULL)
		return code;
	table_init(&t, "CLUSTER|HOST|PATH|TLS|SERVICE|UPSTREAMS");
	json_array_foreach(json_object_get(j, "routes"), i, r)
	{
		table_add(&t, "%s", online_text(r, "cluster"));
		table_add(&t, "%s", online_text(r, "host"));
		table_add(&t, "%s", online_text(r, "path"));
		table_add(&t, "%s", online_text(r, "tls"));
		table_add(&t, "%s", online_text(r, "service"));
		add_upstreams(&t, json_object_get(r, "upstreams"));
	}
	table_print(&t);
	return CTL_OK;
}

int
cmd_services(const struct cli *cli, int argc, char **argv)
{
	int code = CTL_OK;
	json_auto_t *j = online_ask(cli, "GET", "/v1/services", NULL, &code);
	const json_t *s;
	struct table t;
	size_t i;

	(void)argc;
	(void)argv;
	if (j == NULL)
		return code;
	table_init(&t, "CLUSTER|SERVICE|STATE|CODE|LABEL|REASON");
	json_array_foreach(json_object_get(j, "services"), i, s)
	{
		table_add(&t, "%s", online_text(s, "cluster"));
		table_add(&t, "%s", online_text(s, "service"));
		table_add(&t, "%s", online_text(s, "state"));
		table_add(&t, "%s", online_text(s, "code"));
		table_add(&t, "%s", online_text(s, "label"));
		table_add(&t, "%s", online_text(s, "reason"));
	}
	table_print(&t);
	return CTL_OK;
}

int
cmd_proxies(const struct cli *cli, int argc, char **argv)
{
	char *target _cleanup_free_ = list_target(argc, argv, "proxies");
	int code = CTL_OK;
	json_auto_t *j = online_ask(cli, "GET", target, NULL, &code);
	const json_t *p;
	struct table t;
	size_t i;

	if (j == NULL)
		return code;
	table_init(
	    &t, "CLUSTER|PROXY|ALIVE|APPLIED|GENERATION|PINNED|VERSION|ERROR");
	json_array_foreach(json_object_get(j, "proxies"), i, p)
	{
		table_add(&t, "%s", online_text(p, "cluster"));
		table_add(&t, "%s", online_text(p, "id"));
		table_add(&t, "%s", online_text(p, "alive"));
		table_add(&t, "%lld", online_number(p, "applied"));
		table_add(&t, "%lld", online_number(p, "generation"));
		table_add(&t, "%s", online_text(p, "pinned"));
		table_add(&t, "%s", online_text(p, "version"));
		table_add(&t, "%s", online_text(p, "error"));
	}
	table_print(&t);
	return CTL_OK;
}
