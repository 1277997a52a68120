/* The admin API: see admin.h.  One row per path; one function per row. */
#include "admin.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "admin_answers.h"
#include "admin_clusters.h"
#include "admin_queries.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_server.h"
#include "supervisor.h"

#define ANSWER_MAX (256U * 1024 * 1024)
#define TOKEN_MAX 4096
#define RECENT_MAX 256
#define RECENT_BYTES 65536 /* a longer event is told only once */

struct admin {
	struct supervisor *supervisor;
	struct http_server *socket;
	struct http_server *address;	       /* or NULL */
	VEC(struct http_exchange *) followers; /* of /v1/events */
	VEC(char *) recent;		       /* events, the oldest first */
	bool closing;
	int open;
};

/* One request on its way through the rows. */
struct call {
	struct admin *admin;
	struct http_exchange *x;
	const struct http_received *received;
	const char *name; /* of the cluster, in paths that have one */
};

static void
answer_text(struct http_exchange *x, unsigned status, const struct str *body)
{
	http_answer(x, status, NULL, body->p, body->len);
}

static struct cluster *
named_cluster(struct call *call)
{
	struct cluster *c =
	    supervisor_cluster(call->admin->supervisor, call->name);

	if (c == NULL)
		http_answer_error(call->x, 404,
		    "there is no cluster of that name; \"proxyctl clusters\" "
		    "lists them");
	return c;
}

/* ---- the rows ---- */

static void
get_healthz(struct call *call)
{
	http_answer(call->x, 200, NULL, "{\"status\":\"ok\"}\n", 16);
}

static void
get_readyz(struct call *call)
{
	bool ready = supervisor_ready(call->admin->supervisor);
	const char *text = ready ? "{\"ready\":true}\n" : "{\"ready\":false}\n";

	http_answer(call->x, ready ? 200 : 503, NULL, text, strlen(text));
}

static void
get_status(struct call *call)
{
	STR_AUTO(body, ANSWER_MAX);

	answers_status(call->admin->supervisor, &body);
	answer_text(call->x, 200, &body);
}

static void
get_clusters(struct call *call)
{
	STR_AUTO(body, ANSWER_MAX);

	answers_clusters(call->admin->supervisor, &body);
	answer_text(call->x, 200, &body);
}

static void
get_cluster(struct call *call)
{
	STR_AUTO(body, ANSWER_MAX);
	struct cluster *c = named_cluster(call);

	if (c == NULL)
		return;
	answers_cluster(c, &body);
	answer_text(call->x, 200, &body);
}

static void
get_metrics(struct call *call)
{
	STR_AUTO(body, ANSWER_MAX);

	answers_metrics(call->admin->supervisor, &body);
	http_answer(
	    call->x, 200, "text/plain; version=0.0.4", body.p, body.len);
}

static void
get_services(struct call *call)
{
	admin_ask_all(
	    call->admin->supervisor, call->x, NULL, "services", "services");
}

static void
get_explain(struct call *call)
{
	const char *q = http_query(call->x, "q");

	if (q == NULL || *q == '\0')
		http_answer_error(call->x, 400,
		    "say what to explain: ?q=SERVICE or ?q=HOST/PATH");
	else
		admin_explain(call->admin->supervisor, call->x, q);
}

static void
get_routes(struct call *call)
{
	if (call->name == NULL || named_cluster(call) != NULL)
		admin_ask_all(call->admin->supervisor, call->x, call->name,
		    "routes", "routes");
}

static void
get_proxies(struct call *call)
{
	if (call->name == NULL || named_cluster(call) != NULL)
		admin_ask_all(call->admin->supervisor, call->x, call->name,
		    "proxies", "proxies");
}

static void
get_config(struct call *call)
{
	struct cluster *c = named_cluster(call);

	if (c != NULL)
		admin_ask_one(call->x, c->process, "extension", "config", NULL);
}

static void
get_diff(struct call *call)
{
	struct cluster *c = named_cluster(call);

	if (c != NULL)
		admin_ask_one(call->x, c->process, "extension", "diff", NULL);
}

static void
get_history(struct call *call)
{
	struct cluster *c = named_cluster(call);

	if (c != NULL)
		admin_ask_one(
		    call->x, c->process, "extension", "history", NULL);
}

/* The body goes on as it is, once it is one JSON object. */
static void
post_rollback(struct call *call)
{
	json_auto_t *j =
	    json_loadb(call->received->body, call->received->body_len, 0, NULL);
	struct cluster *c = named_cluster(call);
	char *args;

	if (c == NULL)
		return;
	if (!json_is_object(j)) {
		http_answer_error(call->x, 400,
		    "{\"generation\":N|null} or {\"release\":true} is wanted");
		return;
	}
	args = json_dumps(j, JSON_COMPACT);
	must(args != NULL);
	admin_ask_one(call->x, c->process, "extension", "rollback", args);
	free(args);
}

static void
get_report(struct call *call)
{
	struct cluster *c = named_cluster(call);

	if (c != NULL)
		admin_ask_one(call->x, c->process, "extension", "report", NULL);
}

static void
get_snapshot(struct call *call)
{
	const char *full = http_query(call->x, "full");

	admin_ask_one(call->x, call->admin->supervisor->reader, "reader",
	    "snapshot",
	    full != NULL && strcmp(full, "true") == 0 ? "{\"full\":true}"
						      : "{\"full\":false}");
}

static void
follower_gone(void *arg, struct http_exchange *x)
{
	struct admin *a = arg;
	size_t i;

	for (i = 0; i < a->followers.len; i++) {
		if (a->followers.at[i] == x) {
			vec_remove(&a->followers, i);
			return;
		}
	}
}

/* With ?follow=0: what is remembered, and the end. */
static void
get_events(struct call *call)
{
	const char *follow = http_query(call->x, "follow");

	if (follow != NULL && strcmp(follow, "0") == 0) {
		STR_AUTO(body, ANSWER_MAX);
		size_t i;

		for (i = 0; i < call->admin->recent.len; i++)
			str_add(&body, call->admin->recent.at[i]);
		http_answer(
		    call->x, 200, "text/event-stream", body.p, body.len);
		return;
	}
	http_on_gone(call->x, follower_gone, call->admin);
	http_stream_begin(call->x, "text/event-stream");
	(void)http_stream_write(call->x, ": bulkhead\n\n", 12);
	vec_push(&call->admin->followers, call->x);
}

static void
post_reload(struct call *call)
{
	STR_AUTO(body, ANSWER_MAX);
	struct supervisor *s = call->admin->supervisor;

	supervisor_reload(s);
	answers_problems(s, &body);
	answer_text(
	    call->x, s->accepted->problems.lines.len == 0 ? 200 : 409, &body);
}

static void
post_clusters(struct call *call)
{
	admin_cluster_add(call->admin->supervisor, call->x,
	    call->received->body, call->received->body_len);
}

static void
delete_cluster(struct call *call)
{
	removal_start(call->admin->supervisor, call->x, call->name);
}

/* The reader's gate answers; local proxies follow their INI file. */
static void
post_scale(struct call *call)
{
	json_auto_t *j =
	    json_loadb(call->received->body, call->received->body_len, 0, NULL);
	const json_t *n = json_object_get(j, "replicas");
	char *args _cleanup_free_ = NULL;

	if (named_cluster(call) == NULL)
		return;
	if (!json_is_integer(n) || json_integer_value(n) < 0) {
		http_answer_error(
		    call->x, 400, "say how many: {\"replicas\":N}");
		return;
	}
	args = xasprintf("{\"cluster\":\"%s\",\"replicas\":%lld}", call->name,
	    (long long)json_integer_value(n));
	admin_ask_one(call->x, call->admin->supervisor->reader, "reader",
	    "gate_scale", args);
}

static void
post_log(struct call *call)
{
	json_auto_t *j =
	    json_loadb(call->received->body, call->received->body_len, 0, NULL);
	const char *level = json_string_value(json_object_get(j, "level"));

	if (level == NULL || log_level_parse(level) < 0) {
		http_answer_error(
		    call->x, 400, "level must be error, warn, info or debug");
		return;
	}
	supervisor_set_log_level(call->admin->supervisor, level);
	log_info("log level is now %s", level);
	http_answer(call->x, 200, NULL, "{\"ok\":true}\n", 12);
}

struct row {
	const char *method;
	const char *path; /* "*" stands for the cluster's name */
	void (*handle)(struct call *call);
};

static const struct row rows[] = {
	{ "GET", "/healthz", get_healthz },
	{ "GET", "/readyz", get_readyz },
	{ "GET", "/metrics", get_metrics },
	{ "GET", "/v1/status", get_status },
	{ "GET", "/v1/clusters", get_clusters },
	{ "POST", "/v1/clusters", post_clusters },
	{ "GET", "/v1/clusters/*", get_cluster },
	{ "DELETE", "/v1/clusters/*", delete_cluster },
	{ "GET", "/v1/clusters/*/routes", get_routes },
	{ "GET", "/v1/clusters/*/proxies", get_proxies },
	{ "GET", "/v1/clusters/*/config", get_config },
	{ "GET", "/v1/clusters/*/diff", get_diff },
	{ "GET", "/v1/clusters/*/report", get_report },
	{ "GET", "/v1/clusters/*/history", get_history },
	{ "POST", "/v1/clusters/*/rollback", post_rollback },
	{ "GET", "/v1/services", get_services },
	{ "GET", "/v1/routes", get_routes },
	{ "GET", "/v1/proxies", get_proxies },
	{ "GET", "/v1/explain", get_explain },
	{ "GET", "/v1/snapshot", get_snapshot },
	{ "GET", "/v1/events", get_events },
	{ "POST", "/v1/clusters/*/scale", post_scale },
	{ "POST", "/v1/reload", post_reload },
	{ "POST", "/v1/log", post_log },
};

/* Whether 'path' is 'pattern'; fills the name that stands for "*". */
static bool
matches(const char *pattern, const char *path, char *name, size_t size)
{
	const char *star = strchr(pattern, '*');
	size_t head, n;

	if (star == NULL)
		return strcmp(pattern, path) == 0;
	head = (size_t)(star - pattern);
	if (strncmp(pattern, path, head) != 0)
		return false;
	n = strcspn(path + head, "/");
	if (n == 0 || n >= size || strcmp(star + 1, path + head + n) != 0)
		return false;
	memcpy(name, path + head, n);
	name[n] = '\0';
	return true;
}

static void
on_request(
    void *arg, struct http_exchange *x, const struct http_received *received)
{
	struct admin *a = arg;
	char name[CLUSTER_NAME_MAX + 1];
	struct call call = { .admin = a, .x = x, .received = received };
	bool known = false;
	size_t i;

	for (i = 0; i < countof(rows); i++) {
		name[0] = '\0';
		if (!matches(rows[i].path, received->path, name, sizeof(name)))
			continue;
		known = true;
		if (strcmp(rows[i].method, received->method) != 0)
			continue;
		if (strcmp(received->method, "GET") != 0 && !received->local &&
		    !received->authorized) {
			http_answer_error(x, 401,
			    "changes need the admin socket or the token");
			return;
		}
		call.name = name[0] == '\0' ? NULL : name;
		rows[i].handle(&call);
		return;
	}
	if (known)
		http_answer_error(x, 405, "not with %s", received->method);
	else
		http_answer_error(x, 404, "no such path");
}

/* ---- events ---- */

static void
remember(struct admin *a, const struct str *text)
{
	if (text->overflow || text->len > RECENT_BYTES)
		return;
	if (a->recent.len == RECENT_MAX) {
		free(a->recent.at[0]);
		vec_remove(&a->recent, 0);
	}
	vec_push(&a->recent, xstrdup(text->p));
}

void
admin_event(struct admin *a, const char *line, size_t len)
{
	static const char start[] = "{\"type\":\"event\",\"event\":";
	STR_AUTO(text, 2U * 1024 * 1024);
	size_t i = a->followers.len;

	if (len < sizeof(start) || strncmp(line, start, sizeof(start) - 1) != 0)
		return;
	/* {"type":"event","event":{...}}: the inner object is told. */
	str_addf(&text, "data: %.*s\n\n", (int)(len - sizeof(start)),
	    line + sizeof(start) - 1);
	remember(a, &text);
	while (i-- > 0) {
		struct http_exchange *x = a->followers.at[i];

		if (!http_stream_write(x, text.p, text.len)) {
			http_on_gone(x, NULL, NULL);
			vec_remove(&a->followers, i);
			http_stream_end(x);
		}
	}
}

/* ---- life ---- */

struct admin *
admin_new(struct supervisor *s)
{
	struct admin *a = xcalloc(1, sizeof(*a));

	a->supervisor = s;
	return a;
}

static int
read_token(const struct daemon_config *c, struct str *token, struct error *e)
{
	if (c->admin.token_file == NULL)
		return 0;
	if (fs_read(c->admin.token_file, token, e) != 0)
		return error_wrap(e, "[admin] token_file");
	str_trim(token, strcspn(token->p, "\r\n"));
	if (token->len == 0)
		return error_set(e, EINVAL, "[admin] token_file: %s is empty",
		    c->admin.token_file);
	return 0;
}

int
admin_start(struct admin *a, struct error *e)
{
	struct supervisor *s = a->supervisor;
	const struct daemon_config *c = s->accepted->daemon;
	char *path _cleanup_free_ = xasprintf("unix:%s", c->admin.socket);
	struct http_server_options o = { .listen = path, .socket_mode = 0660 };
	STR_AUTO(token, TOKEN_MAX);

	if (read_token(c, &token, e) != 0)
		return -1;
	a->socket = http_server_new(s->loop, &o, on_request, a, e);
	if (a->socket == NULL)
		return error_wrap(e, "admin socket");
	a->open++;
	if (c->admin.listen == NULL)
		return 0;
	o.listen = c->admin.listen;
	o.bearer_token = token.len > 0 ? token.p : NULL;
	a->address = http_server_new(s->loop, &o, on_request, a, e);
	if (a->address == NULL)
		return error_wrap(e, "[admin] listen");
	a->open++;
	return 0;
}

static void
on_server_closed(void *arg)
{
	struct admin *a = arg;

	if (--a->open > 0)
		return;
	vec_fini(&a->followers);
	for (size_t i = 0; i < a->recent.len; i++)
		free(a->recent.at[i]);
	vec_fini(&a->recent);
	free(a);
}

void
admin_close(struct admin *a)
{
	a->closing = true;
	a->open++;
	if (a->socket != NULL)
		http_server_close(a->socket, on_server_closed, a);
	if (a->address != NULL)
		http_server_close(a->address, on_server_closed, a);
	on_server_closed(a);
}
