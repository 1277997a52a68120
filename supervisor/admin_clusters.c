/* Adding clusters: see admin_clusters.h. */
#include "admin_clusters.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "admin_queries.h"
#include "base/base64.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/check.h"
#include "loop/http_server.h"
#include "supervisor.h"

/* What the Engine takes, and fits in a line to the reader. */
#define TEXT_MAX ((size_t)500 * 1024)

struct wish {
	const char *name;
	const char *text;
	size_t len;
	bool to_file;
	bool replace;
};

static void
answer_problems(struct http_exchange *x, const struct config_errors *errors)
{
	STR_AUTO(body, (size_t)4 * 1024 * 1024);
	STR_AUTO(text, (size_t)1024 * 1024);
	size_t i;

	for (i = 0; i < errors->lines.len; i++)
		str_addf(
		    &text, "%s%s", i == 0 ? "" : "\n", errors->lines.at[i]);
	str_add(&body, "{\"error\":");
	str_add_json(&body, text.p, text.len);
	str_add(&body, ",\"problems\":[");
	for (i = 0; i < errors->lines.len; i++) {
		if (i > 0)
			str_addc(&body, ',');
		str_add_json(
		    &body, errors->lines.at[i], strlen(errors->lines.at[i]));
	}
	str_add(&body, "]}\n");
	http_answer(x, 400, NULL, body.p, body.len);
}

/* What it contradicts in the clusters that are in force. */
static int
check_beside(const struct supervisor *s, const struct accepted_cluster *wanted,
    struct config_errors *errors)
{
	const struct accepted *a = s->accepted;
	const struct cluster_config **configs =
	    xcalloc(a->clusters.len + 1, sizeof(configs[0]));
	bool *bad = xcalloc(a->clusters.len + 1, sizeof(bad[0]));
	size_t n = 0, i;
	int rc;

	configs[n++] = wanted->config;
	for (i = 0; i < a->clusters.len; i++) {
		if (strcmp(a->clusters.at[i]->name, wanted->name) != 0)
			configs[n++] = a->clusters.at[i]->config;
	}
	rc = config_check_set(a->daemon, configs, n, bad, errors);
	rc = rc != 0 && bad[0] ? -1 : 0;
	free(configs);
	free(bad);
	return rc;
}

/* True: it may be tried; else it is answered. */
static bool
check(struct supervisor *s, struct http_exchange *x, const struct wish *w)
{
	struct config_errors errors = { 0 };
	struct accepted_cluster *c =
	    accepted_parse(w->name, w->name, w->text, w->len, &errors);
	bool right = c != NULL && check_beside(s, c, &errors) == 0;

	if (!right)
		answer_problems(x, &errors);
	accepted_cluster_free(c);
	config_errors_fini(&errors);
	return right;
}

static void
write_file(struct supervisor *s, struct http_exchange *x, const struct wish *w)
{
	char *path _cleanup_free_ = xasprintf(
	    "%s/%s.ini", s->accepted->daemon->supervisor.clusters_dir, w->name);
	STR_AUTO(text, CONFIG_FILE_MAX);
	STR_AUTO(body, 8192);
	struct error e;

	if (!w->replace && access(path, F_OK) == 0) {
		http_answer_error(x, 409, "%s is there already", path);
		return;
	}
	str_addn(&text, w->text, w->len);
	if (text.len > 0 && text.p[text.len - 1] != '\n')
		str_addc(&text, '\n');
	str_add(&text, REMOVAL_MARK);
	if (fs_write(path, text.p, text.len, 0644, &e) != 0) {
		http_answer_error(x, 502, "%s", e.msg);
		return;
	}
	supervisor_reload(s);
	if (accepted_find(s->accepted, w->name) == NULL) {
		http_answer_error(x, 409,
		    "%s was written and is not in force; \"proxyctl status\" "
		    "says why",
		    path);
		return;
	}
	str_addf(&body, "{\"cluster\":\"%s\",\"source\":\"file\"", w->name);
	str_add_member(&body, "where", path);
	str_add(&body, "}\n");
	http_answer(x, 200, NULL, body.p, body.len);
}

static void
make_config(struct supervisor *s, struct http_exchange *x, const struct wish *w)
{
	STR_AUTO(args, (size_t)1024 * 1024);

	str_addf(&args, "{\"cluster\":\"%s\",\"data\":\"", w->name);
	base64_encode(&args, w->text, w->len);
	str_add(&args, "\"}");
	must(!args.overflow);
	admin_ask_one(x, s->reader, "reader", "config_add", args.p);
}

/* True: there is no such cluster, or it may be replaced; else answered. */
static bool
may_be(struct supervisor *s, struct http_exchange *x, const struct wish *w)
{
	const struct accepted_cluster *a = accepted_find(s->accepted, w->name);

	if (removals_has(s, w->name))
		http_answer_error(x, 409, "it is being removed");
	else if (a != NULL && !w->replace)
		http_answer_error(x, 409,
		    "there is a cluster %s, from %s; --replace gives it this "
		    "file",
		    w->name, a->file);
	else if (a != NULL && a->from_config == w->to_file)
		http_answer_error(x, 409,
		    "cluster %s is in force from %s, which this would not "
		    "replace",
		    w->name, a->file);
	else
		return true;
	return false;
}

void
admin_cluster_add(
    struct supervisor *s, struct http_exchange *x, const char *body, size_t len)
{
	json_auto_t *j = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *text = json_object_get(j, "text");
	const char *to = json_string_value(json_object_get(j, "to"));
	struct wish w = {
		.name = json_string_value(json_object_get(j, "name")),
		.text = json_string_value(text),
		.len = json_string_length(text),
		.to_file = to != NULL && strcmp(to, "file") == 0,
		.replace = json_is_true(json_object_get(j, "replace")),
	};

	if (w.name == NULL || w.text == NULL || to == NULL ||
	    (!w.to_file && strcmp(to, "config") != 0)) {
		http_answer_error(x, 400,
		    "{\"name\",\"text\",\"to\":\"config\"|\"file\"} is wanted");
	} else if (!config_is_cluster_name(w.name, strlen(w.name))) {
		http_answer_error(x, 400,
		    "a cluster's name has 1 to 63 of a-z, 0-9 and -, and no - "
		    "at an edge");
	} else if (w.len > TEXT_MAX) {
		http_answer_error(x, 400, "the file is larger than 500 KB");
	} else if (may_be(s, x, &w) && check(s, x, &w)) {
		if (w.to_file)
			write_file(s, x, &w);
		else
			make_config(s, x, &w);
	}
}
