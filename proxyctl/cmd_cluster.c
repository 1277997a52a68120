/* cluster ls, add, rm: which clusters there are. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "config/config.h"
#include "online.h"
#include "table.h"

#define TEXT_MAX ((size_t)500 * 1024)

/* ---- ls ---- */

static void
add_cluster_row(struct table *t, const json_t *c)
{
	table_add(t, "%s", online_text(c, "name"));
	table_add(t, "%s", online_text(c, "state"));
	table_add(t, "%s", online_text(c, "driver"));
	table_add(t, "%s", online_text(c, "engine"));
	if (json_object_get(c, "replicas") == NULL)
		table_add(t, "-");
	else
		table_add(t, "%lld of %lld", online_number(c, "alive"),
		    online_number(c, "replicas"));
	if (online_number(c, "pinned") != 0)
		table_add(t, "%lld", online_number(c, "pinned"));
	else
		table_add(t, "-");
	table_add(t, "%s", online_text(c, "file"));
}

static int
list(const struct cli *cli, int argc, char **argv)
{
	int code = CTL_OK;
	json_auto_t *j = NULL;
	const json_t *c;
	struct table t;
	size_t i;

	if (argc > 0)
		return command_usage("cluster", "unknown: %s", argv[0]);
	j = online_ask(cli, "GET", "/v1/clusters", NULL, &code);
	if (j == NULL)
		return code;
	table_init(&t, "CLUSTER|STATE|DRIVER|ENGINE|PROXIES|PINNED|SOURCE");
	json_array_foreach(json_object_get(j, "clusters"), i, c)
	    add_cluster_row(&t, c);
	json_array_foreach(json_object_get(j, "retired"), i, c)
	    add_cluster_row(&t, c);
	table_print(&t);
	return CTL_OK;
}

/* ---- add ---- */

static int
send_cluster(const struct cli *cli, const char *name, const struct str *text,
    bool to_file, bool replace)
{
	STR_AUTO(body, TEXT_MAX * 7);
	json_auto_t *j = NULL;
	int code = CTL_OK;
	bool file;

	str_add(&body, "{\"name\":");
	str_add_json(&body, name, strlen(name));
	str_add(&body, ",\"text\":");
	str_add_json(&body, text->p, text->len);
	str_addf(&body, ",\"to\":\"%s\",\"replace\":%s}",
	    to_file ? "file" : "config", replace ? "true" : "false");
	j = online_ask(cli, "POST", "/v1/clusters", body.p, &code);
	if (j == NULL)
		return code;
	file = strcmp(online_text(j, "source"), "file") == 0;
	(void)printf("cluster %s: %s %s was made; \"proxyctl cluster ls\" "
		     "shows how it starts\n",
	    name, file ? "file" : "Docker config", online_text(j, "where"));
	return CTL_OK;
}

static int
add(const struct cli *cli, int argc, char **argv)
{
	const char *words[2] = { NULL, NULL };
	bool to_file = false, replace = false;
	STR_AUTO(text, TEXT_MAX);
	struct error e;
	size_t n = 0;
	int i;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--file") == 0)
			to_file = true;
		else if (strcmp(argv[i], "--replace") == 0)
			replace = true;
		else if (argv[i][0] == '-' || n == 2)
			return command_usage("cluster", "unknown: %s", argv[i]);
		else
			words[n++] = argv[i];
	}
	if (n < 2)
		return command_usage("cluster", "add wants NAME and FILE");
	if (!config_is_cluster_name(words[0], strlen(words[0])))
		return command_usage("cluster",
		    "%s is no name of a cluster (1 to 63 of a-z, 0-9 and -)",
		    words[0]);
	if (fs_read(words[1], &text, &e) != 0) {
		(void)fprintf(stderr, "proxyctl: %s\n", e.msg);
		return CTL_NO;
	}
	return send_cluster(cli, words[0], &text, to_file, replace);
}

/* ---- rm ---- */

static int
rm(const struct cli *cli, int argc, char **argv)
{
	char *target _cleanup_free_ = NULL;
	json_auto_t *j = NULL;
	int code = CTL_OK;

	if (argc != 1 || !config_is_cluster_name(argv[0], strlen(argv[0])))
		return command_usage("cluster", "rm wants the cluster's NAME");
	target = xasprintf("/v1/clusters/%s", argv[0]);
	j = online_ask(cli, "DELETE", target, NULL, &code);
	if (j == NULL)
		return code;
	(void)printf("cluster %s: ", argv[0]);
	if (strcmp(online_text(j, "source"), "-") != 0)
		(void)printf("its %s is removed; ",
		    strcmp(online_text(j, "source"), "file") == 0
			? "file"
			: "Docker config");
	if (json_is_true(json_object_get(j, "draining")))
		(void)printf("its proxies drain, which takes longer; they end "
			     "by themselves\n");
	else
		(void)printf("%lld local proxies have drained, %s proxy "
			     "service\n",
		    online_number(j, "local_proxies"),
		    json_is_true(json_object_get(j, "proxy_service"))
			? "removed its"
			: "no");
	return CTL_OK;
}

int
cmd_cluster(const struct cli *cli, int argc, char **argv)
{
	if (strcmp(argv[1], "ls") == 0)
		return list(cli, argc - 2, argv + 2);
	if (strcmp(argv[1], "add") == 0)
		return add(cli, argc - 2, argv + 2);
	if (strcmp(argv[1], "rm") == 0)
		return rm(cli, argc - 2, argv + 2);
	return command_usage(
	    "cluster", "%s is neither ls, add nor rm", argv[1]);
}
