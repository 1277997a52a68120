/* Asking and printing: see online.h. */
#include "online.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void
print_refusal(const struct ctl_answer *a)
{
	json_auto_t *j = json_loadb(a->body, a->len, 0, NULL);
	const char *text = json_string_value(json_object_get(j, "error"));

	if (text != NULL)
		(void)fprintf(stderr, "proxyctl: %s\n", text);
	else
		(void)fprintf(
		    stderr, "proxyctl: HTTP %ld: %s\n", a->status, a->body);
}

struct json_t *
online_ask(const struct cli *cli, const char *method, const char *target,
    const char *body, int *ret_exit)
{
	struct ctl_answer a;
	struct error e;
	json_error_t je;
	json_t *j;

	if (ctl_ask(cli->socket, method, target, body, &a, &e) != 0) {
		(void)fprintf(stderr, "proxyctl: %s\n", e.msg);
		*ret_exit = CTL_UNREACHABLE;
		return NULL;
	}
	if (a.status < 200 || a.status > 299) {
		print_refusal(&a);
		ctl_answer_fini(&a);
		*ret_exit = CTL_NO;
		return NULL;
	}
	if (cli->json) {
		(void)fwrite(a.body, 1, a.len, stdout);
		if (a.len > 0 && a.body[a.len - 1] != '\n')
			(void)putchar('\n');
		ctl_answer_fini(&a);
		*ret_exit = CTL_OK;
		return NULL;
	}
	j = json_loadb(a.body, a.len, 0, &je);
	ctl_answer_fini(&a);
	if (j == NULL) {
		(void)fprintf(
		    stderr, "proxyctl: unreadable answer: %s\n", je.text);
		*ret_exit = CTL_NO;
	}
	return j;
}

struct json_t *
online_ask_cluster(const struct cli *cli, const char *method,
    const char *cluster, const char *what, const char *body, int *ret_exit)
{
	char *target _cleanup_free_ =
	    xasprintf("/v1/clusters/%s/%s", cluster, what);

	return online_ask(cli, method, target, body, ret_exit);
}

const char *
online_text(const struct json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (json_is_true(v))
		return "yes";
	if (json_is_false(v))
		return "no";
	return json_is_string(v) && json_string_length(v) > 0
	    ? json_string_value(v)
	    : "-";
}

long long
online_number(const struct json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}
