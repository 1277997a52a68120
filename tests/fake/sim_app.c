/* The application in every simulated task; see sim_app.h. */
#include "sim_app.h"

#include <errno.h>
#include <strings.h>

#include "base/log.h"
#include "base/parse.h"
#include "sim_net.h"
#include "sim_spec.h"
#include "sim_task.h"

#define DEFAULT_PORT 8080
#define SLOW_MAX_MS (600 * 1000)
#define BYTES_MAX (64 * 1024 * 1024)

/* A listener of a task, so that an answer can say where it was met. */
struct door {
	struct sim_task *task;
	const char *network; /* name, "" for a host port */
	char address[16];
	uint16_t port;
};

struct slow {
	uv_timer_t timer;
	struct sim_http_request *req; /* NULL once its client left */
	struct door *door;
};

static const char *
env_of(const struct sim_task *t, const char *name)
{
	json_t *list =
	    json_object_get(json_object_get(t->spec, "ContainerSpec"), "Env");
	json_t *item;
	size_t i, len = strlen(name);

	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text != NULL && strncmp(text, name, len) == 0 &&
		    text[len] == '=')
			return text + len + 1;
	}
	return NULL;
}

static const char *
version_of(const struct sim_task *t)
{
	const char *version = env_of(t, "VERSION");

	if (version == NULL)
		version = json_string_value(json_object_get(
		    json_object_get(t->spec, "ContainerSpec"), "Image"));
	return version != NULL ? version : "";
}

/* Ports in a comma list; false when there is none in it. */
static bool
add_ports(struct sim_task *t, const char *list)
{
	char *copy _cleanup_free_ = xstrdup(list != NULL ? list : "");
	char *save = NULL;
	uint32_t port;
	size_t before = t->listen_ports.len;

	for (char *word = strtok_r(copy, ", \t", &save); word != NULL;
	     word = strtok_r(NULL, ", \t", &save)) {
		if (parse_u32(word, strlen(word), 1, 65535, &port, NULL) == 0)
			vec_push(&t->listen_ports, (uint16_t)port);
	}
	return t->listen_ports.len > before;
}

static void
choose_ports(struct sim_task *t)
{
	struct sim_service *v = t->service;

	t->listen_ports.len = 0;
	if (add_ports(t, env_of(t, "SIM_PORTS")))
		return;
	if (v != NULL && add_ports(t, sim_spec_label(v, "sim.ports")))
		return;
	if (v != NULL && add_ports(t, sim_spec_label(v, "com.docker.lb.port")))
		return;
	vec_push(&t->listen_ports, (uint16_t)DEFAULT_PORT);
}

static void
add_member(struct str *out, const char *key, const char *value)
{
	str_addf(out, "\"%s\":", key);
	str_add_json(out, value, strlen(value));
	str_addc(out, ',');
}

/* Headers by lower-case name, repeated ones joined by ", ". */
static void
add_headers(struct str *out, const struct sim_http_request *req)
{
	const char *comma = "";

	str_add(out, "\"headers\":{");
	for (size_t i = 0; i < req->headers.len; i++) {
		const char *name = req->headers.at[i].name;
		STR_AUTO(value, SIM_HTTP_HEAD_MAX * 2);
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen |= strcmp(req->headers.at[k].name, name) == 0;
		if (seen)
			continue;
		for (size_t k = i; k < req->headers.len; k++) {
			if (strcmp(req->headers.at[k].name, name) != 0)
				continue;
			str_add(&value, k > i ? ", " : "");
			str_add(&value, req->headers.at[k].value);
		}
		str_add(out, comma);
		str_add_json(out, name, strlen(name));
		str_addc(out, ':');
		str_add_json(out, value.p, value.len);
		comma = ",";
	}
	str_addc(out, '}');
}

static void
answer_who(struct sim_http_request *req, const struct door *d, int status)
{
	const struct sim_task *t = d->task;
	STR_AUTO(out, SIM_HTTP_HEAD_MAX * 8);

	str_addc(&out, '{');
	add_member(&out, "service", t->service_name);
	add_member(&out, "service_id", t->service_id);
	add_member(&out, "task", t->o.id);
	str_addf(&out, "\"slot\":%u,", t->slot);
	add_member(&out, "version", version_of(t));
	add_member(&out, "node", t->node != NULL ? t->node->o.name : "");
	add_member(&out, "network", d->network);
	add_member(&out, "address", d->address);
	str_addf(&out, "\"port\":%u,", d->port);
	add_member(&out, "peer", req->peer);
	add_member(&out, "method", req->method);
	add_member(&out, "path", req->target);
	str_addf(&out, "\"body_length\":%zu,", req->body_len);
	add_headers(&out, req);
	str_add(&out, "}\n");
	sim_http_answer(req, status, "application/json", out.p, out.len);
}

/* The number behind /NAME/ in the path (never in the query); -1 for none. */
static long
command(const struct sim_http_request *req, const char *name, long max)
{
	const char *query = strchr(req->target, '?');
	const char *at = strstr(req->target, name);
	char *end;
	long n;

	if (at == NULL || (query != NULL && query < at))
		return -1;
	n = strtol(at + strlen(name), &end, 10);
	if (end == at + strlen(name) || n < 0 || n > max)
		return -1;
	return n;
}

static void
on_slow_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
on_slow_gone(struct sim_http_request *req)
{
	struct slow *w = req->data;

	w->req = NULL;
	uv_close((uv_handle_t *)&w->timer, on_slow_closed);
}

static void
on_slow(uv_timer_t *timer)
{
	struct slow *w = timer->data;

	answer_who(w->req, w->door, 200);
	uv_close((uv_handle_t *)timer, on_slow_closed);
}

static void
answer_slow(struct sim_http_request *req, struct door *d, long ms)
{
	struct slow *w = xcalloc(1, sizeof(*w));

	w->req = req;
	w->door = d;
	must(uv_timer_init(&d->task->sim->loop, &w->timer) == 0);
	w->timer.data = w;
	req->data = w;
	req->on_gone = on_slow_gone;
	must(uv_timer_start(&w->timer, on_slow, (uint64_t)ms, 0) == 0);
}

static void
answer_bytes(struct sim_http_request *req, long n)
{
	char *bytes _cleanup_free_ = xmalloc((size_t)n + 1);

	memset(bytes, 'x', (size_t)n);
	sim_http_answer(req, 200, "application/octet-stream", bytes, (size_t)n);
}

static void
answer_cookie(struct sim_http_request *req, const struct door *d)
{
	const char *name = strstr(req->target, "/cookie/") + 8;
	size_t len = strcspn(name, "/?");
	char *header _cleanup_free_ =
	    xasprintf("Set-Cookie: %.*s=%s; Path=/\r\n",
		(int)(len < 100 ? len : 100), name, d->task->o.id);

	req->extra_headers = header;
	answer_who(req, d, 200);
}

static void
answer_upgrade(struct sim_http_request *req, const struct door *d)
{
	const char *kind = sim_http_header(req, "upgrade");
	STR_AUTO(out, 4096);

	str_addf(&out,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %.100s\r\n"
	    "Connection: Upgrade\r\n\r\n%s\n",
	    kind, d->task->o.id);
	sim_http_take_over(req, out.p, out.len, sim_http_send);
}

static void
on_request(struct sim_http_request *req, void *arg)
{
	struct door *d = arg;
	long n;

	d->task->requests++;
	if (sim_http_header(req, "upgrade") != NULL)
		answer_upgrade(req, d);
	else if ((n = command(req, "/status/", 599)) >= 200)
		answer_who(req, d, (int)n);
	else if ((n = command(req, "/slow/", SLOW_MAX_MS)) >= 0)
		answer_slow(req, d, n);
	else if ((n = command(req, "/bytes/", BYTES_MAX)) >= 0)
		answer_bytes(req, n);
	else if (strstr(req->target, "/cookie/") != NULL)
		answer_cookie(req, d);
	else if (strcmp(req->target, "/die") == 0)
		sim_task_exit(d->task, 1);
	else
		answer_who(req, d, 200);
}

static int
open_door(struct sim_task *t, const char *network, uint32_t address,
    uint16_t port, struct error *e)
{
	struct sim_http_server *server;
	struct door *d = xcalloc(1, sizeof(*d));

	d->task = t;
	d->network = network;
	d->port = port;
	(void)sim_net_text(address, d->address);
	server = sim_http_listen(
	    &t->sim->loop, NULL, address, port, on_request, d, e);
	if (server == NULL) {
		free(d);
		return -1;
	}
	sim_http_own(server, d);
	vec_push(&t->servers, server);
	return 0;
}

int
sim_app_start(struct sim_task *t, struct error *e)
{
	choose_ports(t);
	if (t->sim->options.no_serve)
		return 0;
	for (size_t i = 0; i < t->addresses.len; i++) {
		const struct sim_address *a = &t->addresses.at[i];

		for (size_t k = 0; k < t->listen_ports.len; k++) {
			if (a->address != 0 &&
			    open_door(t, a->network->o.name, a->address,
				t->listen_ports.at[k], e) != 0)
				return -1;
		}
	}
	for (size_t i = 0; i < t->ports.len; i++) {
		const struct sim_port *p = &t->ports.at[i];

		if (strcmp(p->protocol, "tcp") == 0 &&
		    open_door(t, "", t->node->address, p->published, e) != 0)
			return -1;
	}
	return 0;
}

uint64_t
sim_app_lifetime_ms(const struct sim_task *t)
{
	const char *text = env_of(t, "DIE_AFTER_MS");
	uint32_t ms;

	if (text == NULL ||
	    parse_u32(text, strlen(text), 1, 86400000, &ms, NULL) != 0)
		return 0;
	return ms;
}

static void
on_drained(void *arg)
{
	struct sim_task *t = arg;

	if (--t->draining == 0)
		sim_task_stopped(t);
}

void
sim_app_stop(struct sim_task *t)
{
	const char *how = env_of(t, "SIM_STOP");
	uint64_t grace =
	    sim_spec_ms(t->spec, "ContainerSpec", "StopGracePeriod", 10 * 1000);

	if (how != NULL &&
	    (strcmp(how, "ignore") == 0 || strcmp(how, "drain") == 0))
		sim_task_kill_after(t, grace);
	if (how != NULL && strcmp(how, "ignore") == 0)
		return;
	if (how == NULL || strcmp(how, "drain") != 0 || t->servers.len == 0) {
		sim_app_kill(t);
		sim_task_stopped(t);
		return;
	}
	t->draining = t->servers.len;
	for (size_t i = 0; i < t->servers.len; i++)
		sim_http_drain(t->servers.at[i], on_drained, t);
}

void
sim_app_kill(struct sim_task *t)
{
	for (size_t i = 0; i < t->servers.len; i++)
		sim_http_close(t->servers.at[i]);
	t->servers.len = 0;
	t->draining = 0;
}
