/* Routing of the simulated Engine API; see sim_api.h. */
#include "sim_api.h"

#include <errno.h>

#include "base/parse.h"
#include "sim_control.h"
#include "sim_filter.h"
#include "sim_render.h"
#include "sim_store.h"

static const struct {
	const char *method;
	const char *path; /* {id} stands for one segment */
	sim_call_fn *fn;
} routes[] = {
	{ "GET", "/_ping", sim_api_ping },
	{ "HEAD", "/_ping", sim_api_ping },
	{ "GET", "/version", sim_api_version },
	{ "GET", "/info", sim_api_info },
	{ "GET", "/swarm", sim_api_swarm },
	{ "GET", "/events", sim_api_events },
	{ "GET", "/services", sim_api_service_list },
	{ "POST", "/services/create", sim_api_service_create },
	{ "GET", "/services/{id}", sim_api_service_inspect },
	{ "POST", "/services/{id}/update", sim_api_service_update },
	{ "DELETE", "/services/{id}", sim_api_service_remove },
	{ "GET", "/tasks", sim_api_task_list },
	{ "GET", "/tasks/{id}", sim_api_task_inspect },
	{ "GET", "/networks", sim_api_network_list },
	{ "POST", "/networks/create", sim_api_network_create },
	{ "GET", "/networks/{id}", sim_api_network_inspect },
	{ "DELETE", "/networks/{id}", sim_api_network_remove },
	{ "GET", "/secrets", sim_api_secret_list },
	{ "POST", "/secrets/create", sim_api_secret_create },
	{ "GET", "/secrets/{id}", sim_api_secret_inspect },
	{ "POST", "/secrets/{id}/update", sim_api_secret_update },
	{ "DELETE", "/secrets/{id}", sim_api_secret_remove },
	{ "GET", "/configs", sim_api_config_list },
	{ "POST", "/configs/create", sim_api_config_create },
	{ "GET", "/configs/{id}", sim_api_config_inspect },
	{ "POST", "/configs/{id}/update", sim_api_config_update },
	{ "DELETE", "/configs/{id}", sim_api_config_remove },
	{ "GET", "/nodes", sim_api_node_list },
	{ "GET", "/nodes/{id}", sim_api_node_inspect },
	{ "POST", "/nodes/{id}/update", sim_api_node_update },
	{ "GET", "/containers/json", sim_api_containers },
	{ "GET", "/images/json", sim_api_images },
};

void
sim_api_json(struct sim_call *c, int status, const char *text, size_t len)
{
	sim_http_answer(c->req, status, "application/json", text, len);
}

void
sim_api_error(struct sim_call *c, int status, const char *fmt, ...)
{
	STR_AUTO(message, 8192);
	STR_AUTO(out, 64 * 1024);
	va_list ap;

	va_start(ap, fmt);
	str_addv(&message, fmt, ap);
	va_end(ap);
	str_add(&out, "{\"message\":");
	str_add_json(&out, message.p, message.len);
	str_add(&out, "}\n");
	sim_api_json(c, status, out.p, out.len);
}

void
sim_api_created(struct sim_call *c, const char *key, const char *id)
{
	STR_AUTO(out, 512);

	str_addf(&out, "{\"%s\":\"%s\"%s}\n", key, id,
	    strcmp(key, "Id") == 0 ? ",\"Warning\":\"\"" : "");
	sim_api_json(c, 201, out.p, out.len);
}

void
sim_api_empty(struct sim_call *c, int status)
{
	sim_http_answer(c->req, status, NULL, "", 0);
}

const char *
sim_api_query(const struct sim_call *c, const char *name)
{
	return json_string_value(json_object_get(c->query, name));
}

json_t *
sim_api_body(struct sim_call *c)
{
	json_error_t je;

	if (c->req->body_len == 0) {
		sim_api_error(c, 400, "got EOF while reading request body");
		return NULL;
	}
	if (c->body == NULL)
		c->body = json_loadb(c->req->body, c->req->body_len,
		    JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &je);
	if (json_is_object(c->body))
		return c->body;
	sim_api_error(c, 400,
	    "invalid character '%c' looking for beginning of value",
	    c->req->body[0]);
	return NULL;
}

struct sim_object *
sim_api_find(struct sim_call *c, enum sim_kind kind)
{
	struct sim_object *o = sim_find(c->sim, kind, c->id);

	if (o == NULL)
		sim_api_error(
		    c, 404, "%s %s not found", sim_kind_names[kind], c->id);
	return o;
}

bool
sim_api_version_is(struct sim_call *c, const struct sim_object *o)
{
	const char *text = sim_api_query(c, "version");
	unsigned long long n;
	char *end;

	if (text == NULL)
		text = "";
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0) {
		sim_api_error(c, 400,
		    "invalid %s version '%s': strconv.ParseUint: parsing "
		    "\"%s\": invalid syntax",
		    sim_kind_names[o->kind], text, text);
		return false;
	}
	if (n == o->version)
		return true;
	sim_api_error(
	    c, 500, "rpc error: code = Unknown desc = update out of sequence");
	return false;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp((*(struct sim_object *const *)a)->id,
	    (*(struct sim_object *const *)b)->id);
}

struct object_list {
	VEC(struct sim_object *) list;
};

/* As the engine does, tasks of certain services are found by an index. */
static void
add_tasks_of(struct sim *s, const json_t *filters, sim_wanted_fn *wanted,
    struct object_list *ret)
{
	const char *name;

	for (size_t i = 0;
	     (name = sim_filter_value(filters, "service", i)) != NULL; i++) {
		struct sim_service *v = (struct sim_service *)(void *)sim_find(
		    s, SIM_SERVICE, name);

		for (size_t k = 0; v != NULL && k < v->tasks.len; k++) {
			if (wanted(&v->tasks.at[k]->o, filters))
				vec_push(&ret->list, &v->tasks.at[k]->o);
		}
	}
}

void
sim_api_list(struct sim_call *c, enum sim_kind kind,
    const char *const *known_filters, sim_wanted_fn *wanted)
{
	struct sim *s = c->sim;
	bool status = sim_api_query(c, "status") != NULL && kind == SIM_SERVICE;
	struct object_list found = { 0 };
	json_t *filters = NULL;
	const char *comma = "";
	struct error e;
	struct str out;

	if (sim_filter_parse(sim_api_query(c, "filters"), known_filters,
		&filters, &e) != 0) {
		sim_api_error(c, 400, "%s", e.msg);
		return;
	}
	if (kind == SIM_TASK && sim_filter_has(filters, "service"))
		add_tasks_of(s, filters, wanted, &found);
	else
		for (size_t i = 0; i < s->lists[kind].len; i++) {
			if (wanted(s->lists[kind].at[i], filters))
				vec_push(&found.list, s->lists[kind].at[i]);
		}
	/* The engine's store is ordered by ID. */
	vec_sort(&found.list, by_id);
	str_init(&out, SIM_TEXT_MAX);
	str_addc(&out, '[');
	for (size_t i = 0; i < found.list.len; i++) {
		if (i > 0 && found.list.at[i] == found.list.at[i - 1])
			continue;
		str_add(&out, comma);
		if (status)
			sim_render_service_status(&out,
			    (struct sim_service *)(void *)found.list.at[i]);
		else
			str_add(&out, sim_render(found.list.at[i]));
		comma = ",";
	}
	sim_control_add_objects(s, kind, &out, comma);
	str_add(&out, "]\n");
	sim_control_answer(c, true, out.p, out.len);
	str_fini(&out);
	vec_fini(&found.list);
	json_decref(filters);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Percent-decodes in place; '+' is a blank in a query. */
static char *
decode(char *text, bool query)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0) {
			*to++ = (char)(hex(from[1]) << 4 | hex(from[2]));
			from += 2;
		} else {
			*to++ = query && *from == '+' ? ' ' : *from;
		}
	}
	*to = '\0';
	return text;
}

static json_t *
parse_query(char *text)
{
	json_t *out = json_object();

	while (text != NULL && *text != '\0') {
		char *next = strchr(text, '&'), *value;

		if (next != NULL)
			*next++ = '\0';
		value = strchr(text, '=');
		if (value != NULL)
			*value++ = '\0';
		(void)json_object_set_new(out, decode(text, true),
		    json_string(value != NULL ? decode(value, true) : ""));
		text = next;
	}
	return out;
}

/* Matches 'path' against a route; the {id} segment goes to 'ret_id'. */
static bool
route_matches(const char *route, const char *path, char **ret_id)
{
	const char *brace = strstr(route, "{id}");
	size_t front, len;

	if (brace == NULL)
		return strcmp(route, path) == 0;
	front = (size_t)(brace - route);
	if (strncmp(route, path, front) != 0)
		return false;
	len = strcspn(path + front, "/");
	if (len == 0 || strcmp(path + front + len, brace + 4) != 0)
		return false;
	*ret_id = decode(xmemdup0(path + front, len), false);
	return true;
}

/* Clients before 1.24 do not know error bodies in JSON. */
static void
too_old(struct sim_call *c, uint32_t minor)
{
	static const char format[] =
	    "client version 1.%u is too old. Minimum supported API version is "
	    "1.%u, please upgrade your client to a newer version";
	STR_AUTO(text, 512);

	str_addf(&text, format, minor, c->sim->options.api_min_minor);
	if (minor >= 24) {
		sim_api_error(c, 400, "%s", text.p);
		return;
	}
	str_addc(&text, '\n');
	sim_http_answer(
	    c->req, 400, "text/plain; charset=utf-8", text.p, text.len);
}

/* Skips "/v1.NN"; answers and NULL when that version is not spoken. */
static const char *
skip_version(struct sim_call *c, const char *path)
{
	const struct sim_options *o = &c->sim->options;
	size_t len;
	uint32_t minor;

	if (strncmp(path, "/v1.", 4) != 0)
		return path;
	len = strspn(path + 4, "0123456789");
	if (path[4 + len] != '/' ||
	    parse_u32(path + 4, len, 0, 9999, &minor, NULL) != 0)
		return path;
	if (minor > o->api_minor) {
		sim_api_error(c, 400,
		    "client version 1.%u is too new. Maximum supported API "
		    "version is 1.%u",
		    minor, o->api_minor);
		return NULL;
	}
	if (minor < o->api_min_minor) {
		too_old(c, minor);
		return NULL;
	}
	return path + 4 + len;
}

static void
dispatch(struct sim_call *c, const char *path)
{
	for (size_t i = 0; i < countof(routes); i++) {
		char *id _cleanup_free_ = NULL;

		if (strcmp(routes[i].method, c->req->method) != 0 ||
		    !route_matches(routes[i].path, path, &id))
			continue;
		c->id = id;
		routes[i].fn(c);
		return;
	}
	sim_api_error(c, 404, "page not found");
}

void
sim_api_request(struct sim_http_request *req, void *arg)
{
	struct sim *s = arg;
	struct sim_call c = { .sim = s, .req = req };
	char *target _cleanup_free_ = xstrdup(req->target);
	char *query = strchr(target, '?');
	char *headers _cleanup_free_ = NULL;
	const char *path;

	if (query != NULL)
		*query++ = '\0';
	c.query = parse_query(query);
	headers =
	    xasprintf("Api-Version: 1.%u\r\nDocker-Experimental: false\r\n"
		      "Ostype: linux\r\nServer: Docker/20.10.24 (linux)"
		      "\r\n",
		s->options.api_minor);
	req->extra_headers = headers;
	path = skip_version(&c, target);
	if (path != NULL && !sim_control_request(&c, path))
		dispatch(&c, path);
	/* An answer that comes later goes without them. */
	req->extra_headers = NULL;
	if (c.body != NULL)
		json_decref(c.body);
	json_decref(c.query);
}
