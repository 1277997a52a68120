/* config, snapshot, reload, log, events, explain: ask for one thing. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "cmd_online.h"
#include "loop/http_client.h"
#include "online.h"
#include "sibling.h"

/* Each file's name, with its 'note' where there is one, and its 'member'. */
static void
print_files(const json_t *files, const char *note, const char *member)
{
	const json_t *f;
	size_t i;

	json_array_foreach(files, i, f)
	{
		const json_t *text = json_object_get(f, member);

		(void)printf("\n# file %s", online_text(f, "path"));
		if (note != NULL)
			(void)printf(": %s", online_text(f, note));
		(void)putchar('\n');
		(void)fwrite(json_string_value(text), 1,
		    json_string_length(text), stdout);
	}
}

int
cmd_config(const struct cli *cli, int argc, char **argv)
{
	int code = CTL_OK;
	json_auto_t *j =
	    online_ask_cluster(cli, "GET", argv[1], "config", NULL, &code);

	(void)argc;
	if (j == NULL)
		return code;
	(void)printf("# cluster %s, generation %lld\n", argv[1],
	    online_number(j, "generation"));
	print_files(json_object_get(j, "files"), NULL, "text");
	return CTL_OK;
}

int
cmd_diff(const struct cli *cli, int argc, char **argv)
{
	int code = CTL_OK;
	json_auto_t *j =
	    online_ask_cluster(cli, "GET", argv[1], "diff", NULL, &code);
	const json_t *against;

	(void)argc;
	if (j == NULL)
		return code;
	against = json_object_get(j, "against");
	(void)printf("# cluster %s, generation %lld, against %s\n", argv[1],
	    online_number(j, "generation"),
	    json_is_null(against) ? "nothing" : json_string_value(against));
	print_files(json_object_get(j, "files"), "change", "lines");
	return CTL_OK;
}

int
cmd_scale(const struct cli *cli, int argc, char **argv)
{
	char *body _cleanup_free_ = NULL;
	int code = CTL_OK;
	json_t *j;
	uint32_t n;
	struct error e;

	(void)argc;
	if (parse_u32(argv[2], strlen(argv[2]), 0, 1000000, &n, &e) != 0) {
		(void)fprintf(stderr, "proxyctl: %s: %s\n", argv[2], e.msg);
		return CTL_USAGE;
	}
	body = xasprintf("{\"replicas\":%u}", n);
	j = online_ask_cluster(cli, "POST", argv[1], "scale", body, &code);
	if (j != NULL)
		(void)printf("%s: %lld proxies are wanted now\n", argv[1],
		    online_number(j, "replicas"));
	json_decref(j);
	return code;
}

int
cmd_reload(const struct cli *cli, int argc, char **argv)
{
	struct ctl_answer a;
	struct error e;
	json_auto_t *j = NULL;
	const json_t *p;
	size_t i;
	int code;

	(void)argc;
	(void)argv;
	if (ctl_ask(cli->socket, "POST", "/v1/reload", NULL, &a, &e) != 0) {
		(void)fprintf(stderr, "proxyctl: %s\n", e.msg);
		return CTL_UNREACHABLE;
	}
	code = a.status == 200 ? CTL_OK : CTL_NO;
	j = json_loadb(a.body, a.len, 0, NULL);
	if (cli->json) {
		(void)fwrite(a.body, 1, a.len, stdout);
	} else if (code == CTL_OK) {
		(void)printf("read again: everything is in force\n");
	} else {
		json_array_foreach(json_object_get(j, "problems"), i, p)(void)
		    fprintf(stderr, "not in force: %s\n", json_string_value(p));
	}
	ctl_answer_fini(&a);
	return code;
}

int
cmd_log(const struct cli *cli, int argc, char **argv)
{
	STR_AUTO(body, 4096);
	int code = CTL_OK;
	json_auto_t *j = NULL;

	(void)argc;
	str_add(&body, "{\"level\":");
	str_add_json(&body, argv[1], strlen(argv[1]));
	str_addc(&body, '}');
	j = online_ask(cli, "POST", "/v1/log", body.p, &code);
	return code;
}

static bool
print_event(void *arg, const char *line, size_t len)
{
	static const char start[] = "data: ";
	const struct cli *cli = arg;
	json_auto_t *j = NULL;

	if (len < sizeof(start) || strncmp(line, start, sizeof(start) - 1) != 0)
		return true;
	line += sizeof(start) - 1;
	j = cli->json ? NULL : json_loads(line, 0, NULL);
	if (j == NULL)
		(void)printf("%s\n", line);
	else
		(void)printf("%s %s %s\n", online_text(j, "time"),
		    online_text(j, "cluster"), online_text(j, "text"));
	return fflush(stdout) == 0;
}

int
cmd_events(const struct cli *cli, int argc, char **argv)
{
	bool follow = argc > 1 && strcmp(argv[1], "-f") == 0;
	struct error e;

	if (argc > 1 && !follow) {
		(void)fprintf(stderr,
		    "proxyctl events: unknown option %s; see proxyctl events "
		    "--help\n",
		    argv[1]);
		return CTL_USAGE;
	}
	if (ctl_follow(cli->socket,
		follow ? "/v1/events" : "/v1/events?follow=0", print_event,
		(void *)(uintptr_t)cli, &e) != 0) {
		(void)fprintf(stderr, "proxyctl: %s\n", e.msg);
		return CTL_UNREACHABLE;
	}
	return CTL_OK;
}

/* Another Engine is asked by the supervisor's binary: it needs no daemon. */
static int
snapshot_of(char *url, bool full)
{
	char snapshot[] = "--snapshot", docker[] = "--docker", all[] = "--full";
	char *argv[] = { NULL, snapshot, docker, url, full ? all : NULL, NULL };

	sibling_exec("bulkhead-supervisor", argv);
	return CTL_NO;
}

int
cmd_snapshot(const struct cli *cli, int argc, char **argv)
{
	struct cli raw = *cli;
	char *url = NULL;
	bool full = false;
	int code = CTL_OK, i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--full") == 0)
			full = true;
		else if (strcmp(argv[i], "--docker") == 0 && i + 1 < argc)
			url = argv[++i];
		else if (strncmp(argv[i], "--docker=", 9) == 0)
			url = argv[i] + 9;
		else
			return command_usage(
			    "snapshot", "unexpected %s", argv[i]);
	}
	if (url != NULL)
		return snapshot_of(url, full);
	raw.json = true; /* the snapshot is the answer itself */
	json_decref(online_ask(&raw, "GET",
	    full ? "/v1/snapshot?full=true" : "/v1/snapshot", NULL, &code));
	return code;
}

int
explain_online(const struct cli *cli, const char *query)
{
	STR_AUTO(target, 65536);
	struct ctl_answer a;
	struct error e;
	json_auto_t *j = NULL;
	const char *state;
	int code = CTL_NO;

	str_add(&target, "/v1/explain?q=");
	http_add_escaped(&target, query, strlen(query));
	if (ctl_ask(cli->socket, "GET", target.p, NULL, &a, &e) != 0) {
		(void)fprintf(stderr, "proxyctl: %s\n", e.msg);
		return CTL_UNREACHABLE;
	}
	j = json_loadb(a.body, a.len, 0, NULL);
	state = json_string_value(json_object_get(j, "state"));
	if (state == NULL)
		(void)fprintf(
		    stderr, "proxyctl: %s\n", online_text(j, "error"));
	else if (strcmp(state, "unknown") == 0)
		code = CTL_UNKNOWN;
	else if (strcmp(state, "routed") == 0)
		code = CTL_OK;
	if (cli->json)
		(void)fwrite(a.body, 1, a.len, stdout);
	else if (state != NULL)
		(void)printf("%s\n", online_text(j, "text"));
	ctl_answer_fini(&a);
	return code;
}
