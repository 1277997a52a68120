/* The Engine API over HTTP: see client.h.  The reader's. */
#include "docker/client.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_cut.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "docker/client_text.h"
#include "loop/http_client.h"

/*
 * Lists of a large Swarm are hundreds of MiB: one that goes on arriving is let
 * arrive, one that only drips, or stands still, is not.
 */
#define LIST_PER_MIB_MS 3000
#define LIST_IDLE_MS 15000
#define OBJECT_MAX ((size_t)4 * 1024 * 1024)
#define EVENT_MAX ((size_t)1024 * 1024)

struct docker_client {
	struct http_client *http;
	char version[DOCKER_VERSION_SIZE];
	bool pinned;	  /* the configuration says the version */
	bool negotiating; /* while it is, new calls wait */
	bool closing;
	struct histogram seconds;
	VEC(struct docker_call *) waiting;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct docker_call {
	struct docker_client *client;
	struct http_request *request; /* NULL while it waits */
	uint64_t started_us;
	char *method;
	char *target;
	char *body; /* or NULL */
	size_t body_len;
	bool again; /* tried once more with another version */
	bool canceled;
	/* A list. */
	struct json_cut *cut;
	docker_object_fn *on_object;
	docker_object_fn *on_skipped;
	/* Events. */
	bool stream;
	struct docker_lines lines;
	void (*on_open)(void *arg);
	docker_object_fn *on_event;
	/* What ended it, where that was not the transfer. */
	bool broken;
	struct error why;
	/* One of the two. */
	docker_done_fn *done;
	docker_body_fn *body_done;
	void *arg;
};

static void start_call(struct docker_call *call);

static void
call_free(struct docker_call *call)
{
	free(call->method);
	free(call->target);
	free(call->body);
	json_cut_free(call->cut);
	docker_lines_fini(&call->lines);
	free(call);
}

static void
finish(struct docker_call *call, long status, const char *body, size_t len,
    struct error *e)
{
	if (e != NULL)
		(void)error_wrap(e, "%s %s", call->method, call->target);
	if (call->done != NULL)
		call->done(call->arg, status, e);
	else
		call->body_done(call->arg, status, body, len, e);
	call_free(call);
}

/* ----------------------------------------------------------- negotiation */

/* What waited goes on, or fails for the same reason. */
static void
release_waiting(struct docker_client *d, const struct error *why)
{
	VEC(struct docker_call *) calls = { 0 };

	for (size_t i = 0; i < d->waiting.len; i++)
		vec_push(&calls, d->waiting.at[i]);
	d->waiting.len = 0;
	for (size_t i = 0; i < calls.len; i++) {
		struct docker_call *call = calls.at[i];
		struct error e = { 0 };

		if (call->canceled || d->closing)
			(void)error_set(&e, ECANCELED, "canceled");
		else if (why != NULL)
			e = *why;
		if (e.code != 0)
			finish(call, 0, "", 0, &e);
		else
			start_call(call);
	}
	vec_fini(&calls);
}

static void
on_version(void *arg, const struct http_response *response)
{
	struct docker_client *d = arg;
	struct error e = { 0 };
	int rc = 0;

	d->negotiating = false;
	if (response->error != NULL) {
		e = *response->error;
		rc = -1;
	} else if (response->status != 200) {
		STR_AUTO(message, 1024);

		docker_error_message(
		    &message, response->body, response->body_len);
		rc = error_set(&e, EPROTO, "/version: status %ld: %s",
		    response->status, message.p);
	} else {
		rc = docker_choose_version(
		    response->body, response->body_len, d->version, &e);
	}
	release_waiting(d, rc == 0 ? NULL : &e);
}

static void
negotiate(struct docker_client *d)
{
	struct http_request_options o = {
		.target = "/version",
		.total_ms = 5000,
		.max_body = (size_t)1024 * 1024,
		.done = on_version,
		.arg = d,
	};

	if (d->negotiating)
		return;
	d->negotiating = true;
	d->version[0] = '\0';
	(void)http_request_start(d->http, &o);
}

/* ---------------------------------------------------------------- answers */

static void
break_call(struct docker_call *call, const struct error *why)
{
	if (call->broken)
		return;
	call->broken = true;
	call->why = *why;
}

static bool
on_list_data(void *arg, const char *bytes, size_t len)
{
	struct docker_call *call = arg;
	struct error e;

	if (json_cut_feed(call->cut, bytes, len, &e) == 0)
		return true;
	break_call(call, &e);
	return false;
}

static bool
on_event_line(void *arg, const char *line, size_t len)
{
	struct docker_call *call = arg;

	call->on_event(call->arg, line, len);
	return !call->canceled;
}

static bool
on_event_data(void *arg, const char *bytes, size_t len)
{
	struct docker_call *call = arg;
	struct error e;

	if (docker_lines_feed(
		&call->lines, bytes, len, on_event_line, call, &e) == 0)
		return true;
	break_call(call, &e);
	return false;
}

static void
on_event_status(void *arg, long status)
{
	struct docker_call *call = arg;

	if (status >= 200 && status < 300 && !call->canceled)
		call->on_open(call->arg);
}

static void
on_object(void *arg, const char *json, size_t len)
{
	struct docker_call *call = arg;

	if (!call->canceled)
		call->on_object(call->arg, json, len);
}

static void
on_skipped(void *arg, const char *json, size_t len)
{
	struct docker_call *call = arg;

	if (!call->canceled && call->on_skipped != NULL)
		call->on_skipped(call->arg, json, len);
}

/* What an answer means; 0 when all of it came and is well-formed. */
static int
judge(struct docker_call *call, const struct http_response *r, struct error *e)
{
	if (call->canceled)
		return error_set(e, ECANCELED, "canceled");
	if (call->broken) {
		*e = call->why;
		return -1;
	}
	if (r->error != NULL) {
		*e = *r->error;
		return -1;
	}
	if (r->status < 200 || r->status > 299) {
		STR_AUTO(message, 1024);

		docker_error_message(&message, r->body, r->body_len);
		return error_set(e, r->status == 404 ? ENOENT : EPROTO,
		    "status %ld: %s", r->status, message.p);
	}
	if (call->stream)
		return error_set(e, ECONNRESET, "the engine ended the stream");
	if (call->cut != NULL)
		return json_cut_end(call->cut, e);
	return 0;
}

static void
on_answer(void *arg, const struct http_response *response)
{
	struct docker_call *call = arg;
	struct docker_client *d = call->client;
	struct error e = { 0 };

	call->request = NULL;
	if (!call->stream && !call->canceled && !d->closing)
		histogram_add(&d->seconds,
		    (double)(clock_mono_us() - call->started_us) / 1e6);
	if (response->error == NULL && !call->again && !call->canceled &&
	    !d->pinned && !d->closing &&
	    docker_is_version_error(
		response->status, response->body, response->body_len)) {
		call->again = true;
		vec_push(&d->waiting, call);
		negotiate(d);
		return;
	}
	finish(call, response->status, response->body, response->body_len,
	    judge(call, response, &e) == 0 ? NULL : &e);
}

/* ------------------------------------------------------------------ calls */

static void
start_call(struct docker_call *call)
{
	struct docker_client *d = call->client;
	char *target _cleanup_free_ = NULL;
	struct http_request_options o = {
		.method = call->method,
		.body = call->body,
		.body_len = call->body_len,
		.done = on_answer,
		.arg = call,
	};

	if (d->negotiating || d->version[0] == '\0') {
		vec_push(&d->waiting, call);
		negotiate(d);
		return;
	}
	if (call->cut != NULL) {
		o.per_mib_ms = LIST_PER_MIB_MS;
		o.idle_ms = LIST_IDLE_MS;
		o.in_steps = true;
		o.on_data = on_list_data;
	} else if (call->stream) {
		o.total_ms = UINT64_MAX;
		o.on_data = on_event_data;
		o.on_status = on_event_status;
	}
	target = xasprintf("/v%s%s", d->version, call->target);
	o.target = target;
	call->started_us = clock_mono_us();
	call->request = http_request_start(d->http, &o);
}

static struct docker_call *
call_new(
    struct docker_client *d, const char *method, const char *target, void *arg)
{
	struct docker_call *call = xcalloc(1, sizeof(*call));

	must(!d->closing && target[0] == '/');
	call->client = d;
	call->method = xstrdup(method);
	call->target = xstrdup(target);
	call->arg = arg;
	docker_lines_init(&call->lines, EVENT_MAX);
	return call;
}

struct docker_call *
docker_list(struct docker_client *d, const char *target,
    docker_object_fn *object, docker_object_fn *skipped, docker_done_fn *done,
    void *arg)
{
	struct docker_call *call = call_new(d, "GET", target, arg);

	call->on_object = object;
	call->on_skipped = skipped;
	call->done = done;
	call->cut = json_cut_new(OBJECT_MAX, on_object, on_skipped, call);
	start_call(call);
	return call;
}

struct docker_call *
docker_request(struct docker_client *d, const char *method, const char *target,
    const char *body, size_t len, docker_body_fn *done, void *arg)
{
	struct docker_call *call = call_new(d, method, target, arg);

	if (body != NULL) {
		call->body = xmemdup0(body, len);
		call->body_len = len;
	}
	call->body_done = done;
	start_call(call);
	return call;
}

struct docker_call *
docker_events(struct docker_client *d, const char *target,
    void (*on_open)(void *arg), docker_object_fn *on_event,
    docker_done_fn *done, void *arg)
{
	struct docker_call *call = call_new(d, "GET", target, arg);

	call->stream = true;
	call->on_open = on_open;
	call->on_event = on_event;
	call->done = done;
	start_call(call);
	return call;
}

void
docker_call_cancel(struct docker_call *call)
{
	call->canceled = true;
	if (call->request != NULL)
		http_request_cancel(call->request);
	/* Else it ends with the negotiation that it waits for. */
}

/* ----------------------------------------------------------------- client */

struct docker_client *
docker_client_new(
    uv_loop_t *loop, const struct daemon_config *c, struct error *e)
{
	struct docker_client *d = xcalloc(1, sizeof(*d));
	struct http_endpoint endpoint = {
		.url = c->docker.url,
		.tls_ca = c->docker.tls_ca,
		.tls_cert = c->docker.tls_cert,
		.tls_key = c->docker.tls_key,
		.tls_insecure = c->docker.allow_insecure,
	};

	if (c->docker.api_version != NULL) {
		d->pinned = true;
		(void)snprintf(d->version, sizeof(d->version), "%.*s",
		    (int)sizeof(d->version) - 1, c->docker.api_version);
	}
	d->http = http_client_new(loop, &endpoint, e);
	if (d->http == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

const char *
docker_client_version(const struct docker_client *d)
{
	return d->version;
}

const struct histogram *
docker_client_seconds(const struct docker_client *d)
{
	return &d->seconds;
}

static void
on_http_closed(void *arg)
{
	struct docker_client *d = arg;

	must(d->waiting.len == 0);
	vec_fini(&d->waiting);
	if (d->closed != NULL)
		d->closed(d->closed_arg);
	free(d);
}

void
docker_client_close(
    struct docker_client *d, void (*closed)(void *arg), void *arg)
{
	if (d == NULL || d->closing)
		return;
	d->closing = true;
	d->closed = closed;
	d->closed_arg = arg;
	http_client_close(d->http, on_http_closed, d);
}
