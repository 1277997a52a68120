/* history, rollback: what was in force, and back to it. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "online.h"
#include "table.h"

#define TOLD_SERVICES 5

/* "INI +new changed -gone and 3 more services (5 files)" */
static void
add_changes(struct table *t, const json_t *changes)
{
	STR_AUTO(text, 65536);
	long long services = online_number(changes, "services_changed");
	const json_t *s;
	size_t i;

	if (json_is_true(json_object_get(changes, "ini_changed")))
		str_add(&text, "INI ");
	json_array_foreach(json_object_get(changes, "services"), i, s)
	{
		const char *change = online_text(s, "change");

		if (i == TOLD_SERVICES)
			break;
		if (strcmp(change, "changed") != 0)
			str_addc(
			    &text, strcmp(change, "added") == 0 ? '+' : '-');
		str_addf(&text, "%s ", online_text(s, "service"));
	}
	if (services > TOLD_SERVICES)
		str_addf(
		    &text, "and %lld more services ", services - TOLD_SERVICES);
	str_addf(
	    &text, "(%lld files)", online_number(changes, "files_changed"));
	table_add(t, "%s", text.p);
}

static void
print_history(const json_t *history)
{
	const json_t *h;
	struct table t;
	size_t i;

	table_init(&t, "GENERATION|TIME|RELOADS|ROLLBACK|CONFIG|CHANGES");
	json_array_foreach(history, i, h)
	{
		long long first = online_number(h, "generation");
		long long last = online_number(h, "last_generation");
		long long to = online_number(h, "rolled_back_to");

		if (last > first)
			table_add(&t, "%lld-%lld", first, last);
		else
			table_add(&t, "%lld", first);
		table_add(&t, "%s", online_text(h, "time"));
		table_add(&t, "%lld", online_number(h, "reloads"));
		if (to != 0)
			table_add(&t, "to %lld", to);
		else
			table_add(&t, "-");
		table_add(&t, "%.12s", online_text(h, "config"));
		add_changes(&t, json_object_get(h, "changes"));
	}
	table_print(&t);
}

int
cmd_history(const struct cli *cli, int argc, char **argv)
{
	int code = CTL_OK;
	json_auto_t *j =
	    online_ask_cluster(cli, "GET", argv[1], "history", NULL, &code);
	const json_t *pinned = json_object_get(j, "pinned");

	(void)argc;
	if (j == NULL)
		return code;
	if (json_is_object(pinned))
		(void)printf("pinned to generation %lld%s\n",
		    online_number(pinned, "generation"),
		    json_is_true(json_object_get(pinned, "changes_wait"))
			? "; changes wait for the release"
			: "");
	print_history(json_object_get(j, "history"));
	return CTL_OK;
}

int
cmd_rollback(const struct cli *cli, int argc, char **argv)
{
	const char *name = argv[1], *more = argc > 2 ? argv[2] : NULL;
	STR_AUTO(body, 256);
	json_auto_t *j = NULL;
	const json_t *pinned;
	int code = CTL_OK;
	uint32_t n;

	if (more != NULL && strcmp(name, "--release") == 0) {
		name = argv[2];
		more = argv[1];
	}
	if (more == NULL)
		str_add(&body, "{\"generation\":null}");
	else if (strcmp(more, "--release") == 0)
		str_add(&body, "{\"release\":true}");
	else if (parse_u32(more, strlen(more), 1, UINT32_MAX, &n, NULL) == 0)
		str_addf(&body, "{\"generation\":%u}", n);
	else
		return command_usage("rollback", "%s is no generation", more);
	j = online_ask_cluster(cli, "POST", name, "rollback", body.p, &code);
	if (j == NULL)
		return code;
	pinned = json_object_get(j, "pinned");
	if (json_is_object(pinned))
		(void)printf("cluster %s is pinned to generation %lld, "
			     "delivered as %lld, until \"proxyctl rollback %s "
			     "--release\"\n",
		    name, online_number(pinned, "generation"),
		    online_number(j, "generation"), name);
	else
		(void)printf("cluster %s is released; generation %lld\n", name,
		    online_number(j, "generation"));
	return CTL_OK;
}
