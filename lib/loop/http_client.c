/* HTTP requests by libcurl on the loop: see http_client.h. */
#include "loop/http_client.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "base/version.h"
#include "loop/curl_glue.h"

/*
 * Curl reads on while there is more: a list of tasks kept the loop from all
 * else for 60 ms.  After so long a turn the rest waits for the next one.
 */
#define STEP_MS 10
#define CONNECT_MS 2000
#define FIRST_BYTE_MS 5000
#define TOTAL_MS 30000
#define BODY_MAX ((size_t)16 * 1024 * 1024)
#define NEVER UINT64_MAX

struct http_client {
	uv_loop_t *loop;
	struct curl_glue *glue;
	char *url;  /* as it was given, for messages */
	char *base; /* "http://host:port", in front of every target */
	char *unix_path;
	char *tls_ca;
	char *tls_cert;
	char *tls_key;
	bool tls_insecure;
	bool tls_any_name;
	char *authorization; /* whole header line, or NULL */
	VEC(struct http_request *) requests;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct http_request {
	struct http_client *client;
	uv_timer_t timer; /* start, cancel and deadlines */
	CURL *easy;
	struct curl_slist *headers;
	bool added; /* curl has it */
	bool canceled;
	bool finished; /* 'done' was called */
	long status;   /* of the answer's head; 0: not there yet */
	uint64_t started_us;
	uint64_t last_byte_ms;
	uint64_t first_byte_at; /* deadlines, monotonic ms */
	uint64_t total_at;
	uint64_t per_mib_ms;
	uint64_t came; /* bytes of the body */
	bool in_steps;
	bool paused; /* until the timer */
	uint64_t idle_ms;
	struct str body;
	http_data_fn *on_data;
	http_status_fn *on_status;
	http_done_fn *done;
	void *arg;
	bool failed; /* 'error' says why, whatever curl says */
	struct error error;
	char curl_says[CURL_ERROR_SIZE];
};

static void maybe_close_glue(struct http_client *c);

/* ------------------------------------------------------------------ end */

static void
on_request_closed(uv_handle_t *handle)
{
	struct http_request *r =
	    container_of(handle, struct http_request, timer);
	struct http_client *c = r->client;

	for (size_t i = 0; i < c->requests.len; i++) {
		if (c->requests.at[i] == r) {
			vec_remove(&c->requests, i);
			break;
		}
	}
	str_fini(&r->body);
	free(r);
	maybe_close_glue(c);
}

/* The only place that calls 'done'; curl is not on the stack. */
static void
finish(struct http_request *r)
{
	struct http_response response = {
		.status = r->status,
		.body = r->body.p,
		.body_len = r->body.len,
		.error = r->failed ? &r->error : NULL,
		.took_us = clock_mono_us() - r->started_us,
	};

	must(!r->finished);
	r->finished = true;
	if (r->added)
		curl_glue_remove(r->client->glue, r->easy);
	r->added = false;
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	uv_close((uv_handle_t *)&r->timer, on_request_closed);
	r->done(r->arg, &response);
}

static void
fail(struct http_request *r, int code, const char *what)
{
	if (r->failed)
		return;
	r->failed = true;
	(void)error_set(&r->error, code, "%s: %s", r->client->url, what);
}

/* What curl says as an error of ours. */
static void
fail_by_curl(struct http_request *r, CURLcode code)
{
	long os_error = 0;
	const char *what =
	    r->curl_says[0] != '\0' ? r->curl_says : curl_easy_strerror(code);

	(void)curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_error);
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		if (os_error == 0)
			os_error = ECONNREFUSED;
		/* Curl speaks of port 80 where it is a unix socket. */
		fail(r, (int)os_error, strerror((int)os_error));
		break;
	case CURLE_OPERATION_TIMEDOUT:
		fail(r, ETIMEDOUT, what);
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		fail(r, os_error != 0 ? (int)os_error : EPROTO, what);
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		fail(r, EHOSTUNREACH, what);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CONNECT_ERROR:
		fail(r, EACCES, what);
		break;
	default:
		fail(r, EPROTO, what);
		break;
	}
}

static void
on_transfer_done(void *arg, void *easy, int code)
{
	struct http_request *r = NULL;

	(void)arg;
	must(
	    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r) == CURLE_OK);
	r->added = false;
	if (code != CURLE_OK)
		fail_by_curl(r, (CURLcode)code);
	else if (r->status == 0)
		/* Curl is content with half a head. */
		fail(r, EPROTO, "the answer ends within its head");
	finish(r);
}

/* ------------------------------------------------------------ deadlines */

static uint64_t
total_at(const struct http_request *r)
{
	if (r->total_at == NEVER)
		return NEVER;
	return r->total_at + (r->came >> 20) * r->per_mib_ms;
}

static uint64_t
next_deadline(const struct http_request *r)
{
	uint64_t at = total_at(r);

	if (r->status == 0 && r->first_byte_at < at)
		at = r->first_byte_at;
	if (r->idle_ms != 0 && r->last_byte_ms + r->idle_ms < at)
		at = r->last_byte_ms + r->idle_ms;
	return at;
}

static void on_timer(uv_timer_t *timer);

static void
arm(struct http_request *r)
{
	uint64_t now = clock_mono_ms();
	uint64_t at = r->paused ? now + 1 : next_deadline(r);

	if (at != NEVER)
		(void)uv_timer_start(
		    &r->timer, on_timer, at > now ? at - now : 0, 0);
}

static void
expire(struct http_request *r, uint64_t now)
{
	if (now >= total_at(r))
		fail(r, ETIMEDOUT, "no whole answer in time");
	else if (r->status == 0 && now >= r->first_byte_at)
		fail(r, ETIMEDOUT, "no answer in time");
	else
		fail(r, ETIMEDOUT, "silent for too long");
	finish(r);
}

static void
on_timer(uv_timer_t *timer)
{
	struct http_request *r =
	    container_of(timer, struct http_request, timer);
	uint64_t now = clock_mono_ms();

	if (r->finished)
		return;
	if (r->canceled) {
		fail(r, ECANCELED, "canceled");
		finish(r);
		return;
	}
	if (now >= next_deadline(r)) {
		expire(r, now);
		return;
	}
	if (r->paused) {
		r->paused = false;
		(void)curl_easy_pause(r->easy, CURLPAUSE_CONT);
	}
	if (!r->added) {
		curl_glue_add(r->client->glue, r->easy);
		r->added = true;
	}
	arm(r);
}

/* -------------------------------------------------------- curl's callbacks */

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)arg;
	(void)purpose;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* uv_now() is when the loop last came from its poll. */
static bool
turn_is_long(const struct http_request *r)
{
	return uv_hrtime() / 1000000 > uv_now(r->timer.loop) + STEP_MS;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	size_t len = size * n;

	if (r->canceled)
		return 0;
	r->last_byte_ms = clock_mono_ms();
	if (r->in_steps && turn_is_long(r)) {
		r->paused = true;
		arm(r);
		return CURL_WRITEFUNC_PAUSE;
	}
	r->came += len;
	if (r->on_data != NULL && r->status >= 200 && r->status < 300) {
		if (r->on_data(r->arg, bytes, len) && !r->canceled)
			return len;
		fail(r, ECANCELED, "canceled");
		return 0;
	}
	str_addn(&r->body, bytes, len);
	if (!r->body.overflow)
		return len;
	fail(r, EFBIG, "the answer is too large");
	return 0;
}

/* Called per header line; an empty one ends a head. */
static size_t
on_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	size_t len = size * n;
	long status = 0;

	if (r->canceled)
		return 0;
	r->last_byte_ms = clock_mono_ms();
	if (r->status != 0 || len > 2 ||
	    (len > 0 && !isspace((unsigned char)bytes[0])))
		return len;
	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return len;
	r->status = status;
	if (r->on_status != NULL)
		r->on_status(r->arg, status);
	return len;
}

/* ------------------------------------------------------------------ start */

static void
set_method(struct http_request *r, const struct http_request_options *o)
{
	CURL *h = r->easy;
	const char *method = o->method == NULL ? "GET" : o->method;
	char *type;

	if (o->body != NULL || strcmp(method, "POST") == 0) {
		(void)curl_easy_setopt(h, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(
		    h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body_len);
		if (curl_easy_setopt(h, CURLOPT_COPYPOSTFIELDS,
			o->body == NULL ? "" : o->body) != CURLE_OK)
			oom();
		type = xasprintf("Content-Type: %s",
		    o->content_type == NULL ? "application/json"
					    : o->content_type);
		r->headers = curl_slist_append(r->headers, type);
		free(type);
	} else if (strcmp(method, "HEAD") == 0) {
		(void)curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0 &&
	    strcmp(method, "HEAD") != 0)
		(void)curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	/* No waiting for "100 Continue". */
	r->headers = curl_slist_append(r->headers, "Expect:");
	if (r->client->authorization != NULL)
		r->headers =
		    curl_slist_append(r->headers, r->client->authorization);
	if (r->headers == NULL)
		oom();
	(void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, r->headers);
}

static void
set_peer(struct http_request *r)
{
	const struct http_client *c = r->client;
	CURL *h = r->easy;

	if (c->unix_path != NULL)
		(void)curl_easy_setopt(
		    h, CURLOPT_UNIX_SOCKET_PATH, c->unix_path);
	if (c->tls_ca != NULL) {
		/* This one alone, not the system's besides. */
		(void)curl_easy_setopt(h, CURLOPT_CAINFO, c->tls_ca);
		(void)curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	}
	if (c->tls_cert != NULL)
		(void)curl_easy_setopt(h, CURLOPT_SSLCERT, c->tls_cert);
	if (c->tls_key != NULL)
		(void)curl_easy_setopt(h, CURLOPT_SSLKEY, c->tls_key);
	if (c->tls_insecure) {
		(void)curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (c->tls_any_name)
		(void)curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
}

static void
set_options(struct http_request *r, const struct http_request_options *o)
{
	CURL *h = r->easy;
	char *url _cleanup_free_ =
	    xasprintf("%s%s", r->client->base, o->target);

	if (curl_easy_setopt(h, CURLOPT_URL, url) != CURLE_OK)
		oom();
	(void)curl_easy_setopt(h, CURLOPT_PRIVATE, r);
	(void)curl_easy_setopt(h, CURLOPT_ERRORBUFFER, r->curl_says);
	(void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(h, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(
	    h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(
	    h, CURLOPT_USERAGENT, "bulkhead/" BULKHEAD_VERSION);
	/* Who was started elsewhere has a new address at once, not in 60 s. */
	(void)curl_easy_setopt(h, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	(void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(o->connect_ms == 0 ? CONNECT_MS : o->connect_ms));
	(void)curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	(void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(h, CURLOPT_WRITEDATA, r);
	(void)curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(h, CURLOPT_HEADERDATA, r);
	set_peer(r);
	set_method(r, o);
}

static uint64_t
deadline(uint64_t now, uint64_t given, uint64_t otherwise)
{
	if (given == NEVER)
		return NEVER;
	return now + (given == 0 ? otherwise : given);
}

struct http_request *
http_request_start(struct http_client *c, const struct http_request_options *o)
{
	struct http_request *r = xcalloc(1, sizeof(*r));
	uint64_t now = clock_mono_ms();

	must(!c->closing && o->done != NULL && o->target[0] == '/');
	r->client = c;
	r->started_us = clock_mono_us();
	r->last_byte_ms = now;
	r->first_byte_at = deadline(now, o->first_byte_ms, FIRST_BYTE_MS);
	r->total_at = deadline(now, o->total_ms, TOTAL_MS);
	r->per_mib_ms = o->per_mib_ms;
	r->in_steps = o->in_steps;
	r->idle_ms = o->idle_ms;
	r->on_data = o->on_data;
	r->on_status = o->on_status;
	r->done = o->done;
	r->arg = o->arg;
	str_init(&r->body, o->max_body == 0 ? BODY_MAX : o->max_body);
	r->easy = curl_easy_init();
	if (r->easy == NULL)
		oom();
	set_options(r, o);
	vec_push(&c->requests, r);
	must(uv_timer_init(c->loop, &r->timer) == 0);
	if (curl_glue_busy(c->glue)) {
		/* Called from on_data or on_status: the timer adds it. */
		(void)uv_timer_start(&r->timer, on_timer, 0, 0);
		return r;
	}
	curl_glue_add(c->glue, r->easy);
	r->added = true;
	arm(r);
	return r;
}

void
http_request_cancel(struct http_request *r)
{
	if (r->finished || r->canceled)
		return;
	r->canceled = true;
	(void)uv_timer_start(&r->timer, on_timer, 0, 0);
}

/* ----------------------------------------------------------------- client */

/* Fills base and unix_path from the URL. */
static int
parse_url(struct http_client *c, struct error *e)
{
	bool tls = c->tls_ca != NULL || c->tls_cert != NULL;
	const char *url = c->url, *rest = strstr(url, "://");
	size_t scheme = rest == NULL ? 0 : (size_t)(rest - url);

	if (strncmp(url, "unix:", 5) == 0) {
		const char *path = url + (rest == NULL ? 5 : 7);

		if (path[0] != '/')
			return error_set(e, EINVAL,
			    "%s: a unix socket is given by its whole path",
			    url);
		if (strlen(path) > 107)
			return error_set(e, ENAMETOOLONG,
			    "%s: a unix socket's path has at most 107 bytes",
			    url);
		c->unix_path = xstrdup(path);
		c->base = xstrdup("http://localhost");
		return 0;
	}
	if (rest == NULL || rest[3] == '\0' || strpbrk(rest + 3, "/ @?#"))
		return error_set(e, EINVAL,
		    "%s: neither unix:///PATH nor tcp://HOST:PORT nor "
		    "http(s)://HOST:PORT",
		    url);
	if (scheme == 3 && strncmp(url, "tcp", 3) == 0)
		c->base =
		    xasprintf("%s://%s", tls ? "https" : "http", rest + 3);
	else if ((scheme == 4 && strncmp(url, "http", 4) == 0) ||
	    (scheme == 5 && strncmp(url, "https", 5) == 0))
		c->base = xstrdup(url);
	else
		return error_set(e, EINVAL, "%s: unknown scheme", url);
	return 0;
}

static int
check_file(const char *path, struct error *e)
{
	if (path != NULL && access(path, R_OK) != 0)
		return error_errno(e, errno, "%s", path);
	return 0;
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

static void
client_free(struct http_client *c)
{
	free(c->url);
	free(c->base);
	free(c->unix_path);
	free(c->tls_ca);
	free(c->tls_cert);
	free(c->tls_key);
	free(c->authorization);
	vec_fini(&c->requests);
	free(c);
}

static int
set_token(struct http_client *c, const char *token, struct error *e)
{
	if (token == NULL)
		return 0;
	for (const char *p = token; *p != '\0'; p++) {
		if (*p < 0x21 || *p > 0x7e)
			return error_set(e, EINVAL,
			    "the token has a blank or a control character");
	}
	c->authorization = xasprintf("Authorization: Bearer %s", token);
	return 0;
}

struct http_client *
http_client_new(
    uv_loop_t *loop, const struct http_endpoint *endpoint, struct error *e)
{
	struct http_client *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->url = xstrdup(endpoint->url);
	c->tls_ca = copy(endpoint->tls_ca);
	c->tls_cert = copy(endpoint->tls_cert);
	c->tls_key = copy(endpoint->tls_key);
	c->tls_insecure = endpoint->tls_insecure;
	c->tls_any_name = endpoint->tls_any_name;
	if (parse_url(c, e) != 0 || check_file(c->tls_ca, e) != 0 ||
	    check_file(c->tls_cert, e) != 0 || check_file(c->tls_key, e) != 0 ||
	    set_token(c, endpoint->bearer_token, e) != 0) {
		client_free(c);
		return NULL;
	}
	c->glue = curl_glue_new(loop, on_transfer_done, c);
	return c;
}

static void
on_glue_closed(void *arg)
{
	struct http_client *c = arg;

	if (c->closed != NULL)
		c->closed(c->closed_arg);
	client_free(c);
}

static void
maybe_close_glue(struct http_client *c)
{
	if (c->closing && c->requests.len == 0)
		curl_glue_close(c->glue, on_glue_closed, c);
}

void
http_client_close(struct http_client *c, void (*closed)(void *arg), void *arg)
{
	if (c == NULL || c->closing)
		return;
	c->closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	for (size_t i = 0; i < c->requests.len; i++)
		http_request_cancel(c->requests.at[i]);
	/* Else with the last request, whose timer is closed by then. */
	maybe_close_glue(c);
}

void
http_add_escaped(struct str *s, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (isascii(c) && (isalnum(c) || strchr("-._~", c) != NULL) &&
		    c != '\0')
			str_addc(s, (char)c);
		else
			str_addf(s, "%%%02X", c);
	}
}
