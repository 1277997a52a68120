/* Requests to the control server: see fetch.h. */
#include "fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_client.h"

#define POLL_MS 35000
#define PEER_MS 2000
#define BLOB_MS 60000
#define BLOB_IDLE_MS 15000
#define REPORT_MS 10000
#define AT_ONCE 8
#define SYNC_AT_MOST 8
#define TOKEN_MAX 4096

struct fetch {
	struct http_client *client;
	const struct agent_options *options;
	uint64_t poll_ms; /* an answer takes so long at most */
	struct http_request *poll;
	const struct manifest *const *base; /* borrowed; or NULL */
	bool whole; /* what differed was of no use: ask for all of it */
	fetch_poll_fn *on_poll;
	void *poll_arg;
	uv_idle_t idle; /* tells the end of a fetch that needed nothing */
	/* The blobs of one manifest. */
	struct folder *folder;
	struct manifest *manifest; /* borrowed; NULL: none under way */
	size_t next;
	unsigned running;
	bool sync;
	bool failed;
	struct error error;
	fetch_blobs_fn *on_blobs;
	void *blobs_arg;
	bool closing;
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct blob_request {
	struct fetch *fetch;
	struct manifest_file *file; /* of the manifest */
};

struct report_request {
	fetch_report_fn *done;
	void *arg;
};

int
fetch_read_token(
    const struct agent_options *o, struct str *ret, struct error *e)
{
	if (o->token_file == NULL)
		return 0;
	if (fs_read(o->token_file, ret, e) != 0)
		return error_wrap(e, "token");
	while (ret->len > 0 && strchr(" \t\r\n", ret->p[ret->len - 1]) != NULL)
		str_trim(ret, ret->len - 1);
	if (ret->len == 0)
		return error_set(e, EINVAL, "%s: empty", o->token_file);
	return 0;
}

static struct fetch *
new_fetch(uv_loop_t *loop, const struct agent_options *o,
    struct http_endpoint *endpoint, struct error *e)
{
	STR_AUTO(token, TOKEN_MAX);
	struct http_client *client;
	struct fetch *f;

	if (fetch_read_token(o, &token, e) != 0)
		return NULL;
	if (token.len > 0)
		endpoint->bearer_token = token.p;
	client = http_client_new(loop, endpoint, e);
	if (client == NULL)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->client = client;
	f->options = o;
	f->poll_ms = POLL_MS;
	must(uv_idle_init(loop, &f->idle) == 0);
	return f;
}

struct fetch *
fetch_new(uv_loop_t *loop, const struct agent_options *o, struct error *e)
{
	struct http_endpoint endpoint = {
		.url = o->control,
		.tls_ca = o->tls_ca,
		.tls_cert = o->tls_cert,
		.tls_key = o->tls_key,
	};

	return new_fetch(loop, o, &endpoint, e);
}

struct fetch *
fetch_peer_new(uv_loop_t *loop, const struct agent_options *o, const char *url,
    struct error *e)
{
	struct http_endpoint endpoint = {
		.url = url,
		.tls_ca = o->tls_ca,
		.tls_cert = o->tls_cert,
		.tls_key = o->tls_key,
		.tls_any_name = true,
	};
	struct fetch *f = new_fetch(loop, o, &endpoint, e);

	if (f != NULL)
		f->poll_ms = PEER_MS;
	return f;
}

/* A reason when 'r' is not the answer that was hoped for. */
static bool
is_wrong(const struct http_response *r, long wanted, struct error *ret)
{
	if (r->error != NULL) {
		*ret = *r->error;
		return true;
	}
	if (r->status == wanted)
		return false;
	(void)error_set(ret, EPROTO, "the control server answers %ld%s",
	    r->status,
	    r->status == 401 || r->status == 403
		? ": the token or certificate is not accepted"
		: "");
	return true;
}

/* {"version":1,"want":"pin"}: the document that we speak of is asked for. */
static bool
is_wish(const struct http_response *r)
{
	static const char start[] = "{\"version\":1,\"want\":\"pin\"}";

	return r->body_len >= sizeof(start) - 1 &&
	    r->body_len <= sizeof(start) + 1 &&
	    memcmp(r->body, start, sizeof(start) - 1) == 0;
}

static void
on_poll_done(void *arg, const struct http_response *r)
{
	struct fetch *f = arg;
	struct manifest *m;
	struct error e;

	f->poll = NULL;
	if (f->closing || f->on_poll == NULL)
		return;
	if (r->error == NULL && r->status == 204) {
		f->on_poll(f->poll_arg, FETCH_NOTHING, NULL, NULL);
		return;
	}
	if (is_wrong(r, 200, &e)) {
		f->on_poll(f->poll_arg, FETCH_ERROR, NULL, &e);
		return;
	}
	if (is_wish(r)) {
		f->on_poll(f->poll_arg, FETCH_WANTS_PIN, NULL, NULL);
		return;
	}
	m = manifest_decode_upon(
	    f->base == NULL ? NULL : *f->base, r->body, r->body_len, &e);
	f->whole = m == NULL;
	if (m != NULL && strcmp(m->engine, f->options->engine) != 0) {
		(void)error_set(&e, EPROTO, "manifest: for another engine");
		manifest_free(m);
		m = NULL;
	}
	if (m != NULL && strcmp(m->cluster, f->options->cluster) != 0) {
		(void)error_set(&e, EPROTO, "manifest: of another cluster");
		manifest_free(m);
		m = NULL;
	}
	if (m == NULL)
		f->on_poll(f->poll_arg, FETCH_ERROR, NULL, &e);
	else
		f->on_poll(f->poll_arg, FETCH_MANIFEST, m, NULL);
}

/* See extension/pin.h; "0": nothing was ever pinned. */
static void
add_pin(struct str *target, const struct manifest_pin *pin, uint64_t generation)
{
	str_addf(target, "&generation=%" PRIu64 "&pin=", generation);
	if (pin->counter == 0) {
		str_addc(target, '0');
		return;
	}
	str_addf(target, "%" PRIu64 ".%s.%c.%" PRIu64, pin->counter, pin->id,
	    pin->pinned ? 'p' : 'r', pin->generation);
	if (pin->document.path != NULL)
		str_addf(target, ".%s.%" PRIu64, pin->document.sha256,
		    pin->document.size);
}

void
fetch_poll_start(struct fetch *f, const char *have,
    const struct manifest *const *base, const struct manifest_pin *pin,
    fetch_poll_fn *done, void *arg)
{
	STR_AUTO(target, 1024);

	must(f->poll == NULL);
	str_add(&target, "/v1/proxy/config?proxy=");
	http_add_escaped(&target, f->options->id, strlen(f->options->id));
	str_add(&target, "&check=1&have=");
	str_add(&target, have);
	if (base != NULL && !f->whole && !(*base)->builtin) {
		str_add(&target, "&base=");
		str_add(&target, (*base)->config);
	}
	f->base = base;
	if (pin != NULL)
		add_pin(
		    &target, pin, (*base)->builtin ? 0 : (*base)->generation);
	f->on_poll = done;
	f->poll_arg = arg;
	f->poll = http_request_start(f->client,
	    &(struct http_request_options){
		.target = target.p,
		.first_byte_ms = f->poll_ms,
		.total_ms = f->poll_ms + BLOB_MS,
		.max_body = MANIFEST_MAX_SIZE,
		.done = on_poll_done,
		.arg = f,
	    });
}

void
fetch_poll_cancel(struct fetch *f)
{
	f->on_poll = NULL;
	if (f->poll != NULL)
		http_request_cancel(f->poll);
}

static void start_blobs(struct fetch *f);

static void
end_blobs(struct fetch *f)
{
	fetch_blobs_fn *done = f->on_blobs;

	if (f->manifest == NULL || f->running > 0)
		return;
	f->manifest = NULL;
	done(f->blobs_arg, f->failed ? &f->error : NULL);
}

static void
on_blob_done(void *arg, const struct http_response *r)
{
	struct blob_request *b = arg;
	struct fetch *f = b->fetch;
	struct manifest_file *file = b->file;
	struct error e;
	bool failed;

	free(b);
	f->running--;
	if (f->closing)
		return;
	failed = is_wrong(r, 200, &e) ||
	    folder_put_blob(
		f->folder, file, r->body, r->body_len, f->sync, &e) != 0;
	if (failed && !f->failed) {
		f->failed = true;
		f->error = e;
		(void)error_wrap(&f->error, "blob of %s", file->path);
	}
	start_blobs(f);
	end_blobs(f);
}

static void
start_blob(struct fetch *f, struct manifest_file *file)
{
	struct blob_request *b = xcalloc(1, sizeof(*b));
	STR_AUTO(target, 256);

	b->fetch = f;
	b->file = file;
	str_addf(&target, "/v1/blob/%s", file->sha256);
	f->running++;
	(void)http_request_start(f->client,
	    &(struct http_request_options){
		.target = target.p,
		.total_ms = BLOB_MS,
		.idle_ms = BLOB_IDLE_MS,
		.max_body = (size_t)file->size + 1,
		.done = on_blob_done,
		.arg = b,
	    });
}

static void
start_blobs(struct fetch *f)
{
	while (!f->failed && f->running < AT_ONCE &&
	    f->next < manifest_blobs(f->manifest)) {
		struct manifest_file *file =
		    manifest_blob(f->manifest, f->next++);

		if (!folder_has_blob(f->folder, file))
			start_blob(f, file);
	}
}

static void
on_idle(uv_idle_t *idle)
{
	struct fetch *f = container_of(idle, struct fetch, idle);

	(void)uv_idle_stop(idle);
	if (!f->closing)
		end_blobs(f);
}

void
fetch_blobs_start(struct fetch *f, struct folder *folder, struct manifest *m,
    fetch_blobs_fn *done, void *arg)
{
	size_t i, missing = 0;

	must(f->manifest == NULL);
	for (i = 0; i < manifest_blobs(m) && missing <= SYNC_AT_MOST; i++) {
		if (!folder_has_blob(folder, manifest_blob(m, i)))
			missing++;
	}
	f->folder = folder;
	f->manifest = m;
	f->next = 0;
	f->failed = false;
	/* Many at once would wait long; their hashes tell at a restart. */
	f->sync = missing <= SYNC_AT_MOST;
	f->on_blobs = done;
	f->blobs_arg = arg;
	start_blobs(f);
	if (f->running == 0)
		must(uv_idle_start(&f->idle, on_idle) == 0);
}

static void
on_report_done(void *arg, const struct http_response *r)
{
	struct report_request *q = arg;
	struct error e;
	bool wrong = is_wrong(r, 204, &e);

	if (r->error == NULL || r->error->code != ECANCELED)
		q->done(q->arg, wrong ? &e : NULL);
	free(q);
}

static void
post(struct fetch *f, const char *target, const char *json, size_t len,
    fetch_report_fn *done, void *arg)
{
	struct report_request *q = xcalloc(1, sizeof(*q));

	q->done = done;
	q->arg = arg;
	(void)http_request_start(f->client,
	    &(struct http_request_options){
		.method = "POST",
		.target = target,
		.body = json,
		.body_len = len,
		.total_ms = REPORT_MS,
		.done = on_report_done,
		.arg = q,
	    });
}

void
fetch_report(struct fetch *f, bool check, const char *json, size_t len,
    fetch_report_fn *done, void *arg)
{
	post(f, check ? "/v1/proxy/check" : "/v1/proxy/report", json, len, done,
	    arg);
}

void
fetch_send_pin(struct fetch *f, const char *json, size_t len,
    fetch_report_fn *done, void *arg)
{
	post(f, "/v1/proxy/pin", json, len, done, arg);
}

static void
drop(struct fetch *f)
{
	if (--f->open > 0)
		return;
	if (f->closed != NULL)
		f->closed(f->closed_arg);
	free(f);
}

static void
on_client_closed(void *arg)
{
	drop(arg);
}

static void
on_idle_closed(uv_handle_t *handle)
{
	drop(container_of(handle, struct fetch, idle));
}

void
fetch_close(struct fetch *f, void (*closed)(void *arg), void *arg)
{
	if (f == NULL || f->closing)
		return;
	f->closing = true;
	f->closed = closed;
	f->closed_arg = arg;
	f->open = 2;
	http_client_close(f->client, on_client_closed, f);
	uv_close((uv_handle_t *)&f->idle, on_idle_closed);
}
