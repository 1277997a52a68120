/*
 * The Watch stream by libcurl on the loop: see watch.h.  One transfer at a
 * time; a timer opens it, watches over its start, and ends it where curl
 * itself is on the stack.
 */
#include "docker/watch.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/mem.h"
#include "docker/grpc_frames.h"
#include "loop/curl_glue.h"

#define URL "https://localhost/docker.swarmkit.v1.Watch/Watch"
#define CONNECT_MS 2000
/* From the start of a try to the engine's start message. */
#define START_MS 5000
/* Largest message; the engine's transactions stay under 2 MiB. */
#define MESSAGE_MAX ((size_t)16 * 1024 * 1024)
#define GRPC_UNAVAILABLE 14

enum watch_state {
	WAITING, /* for the next try */
	OPENING, /* no start message yet */
	UP,
};

struct docker_watch {
	uv_loop_t *loop;
	struct curl_glue *glue;
	uv_timer_t timer;
	char *path;
	unsigned kinds;
	struct docker_watch_handlers on;
	void *arg;
	enum watch_state state;
	struct backoff backoff;
	uint64_t up_since_ms;
	uint64_t last_version;
	uint64_t resume_from; /* of this stream; 0: it starts afresh */
	const char *gap;      /* why the next stream is no continuation */
	struct docker_watch_counts counts;

	/* Of the transfer. */
	CURL *easy; /* NULL: none */
	struct curl_slist *headers;
	struct str request;
	struct grpc_frames frames;
	char curl_says[CURL_ERROR_SIZE];
	bool is_grpc;	  /* the answer's content type */
	long grpc_status; /* -1: not told */
	char grpc_message[200];
	bool doomed; /* 'error' says why; the timer or curl ends it */
	struct error error;

	bool closing;
	unsigned open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_timer(uv_timer_t *timer);

/* ------------------------------------------------------------------ end */

static void
end_transfer(struct docker_watch *w)
{
	curl_easy_cleanup(w->easy);
	curl_slist_free_all(w->headers);
	w->easy = NULL;
	w->headers = NULL;
	grpc_frames_clear(&w->frames);
}

/* The transfer is over, for the reason in 'error'; the next one follows. */
static void
lost(struct docker_watch *w)
{
	bool was_up = w->state == UP;
	uint64_t ran = was_up ? clock_mono_ms() - w->up_since_ms : 0;
	uint64_t delay;
	uint32_t random = 0;

	end_transfer(w);
	w->state = WAITING;
	w->doomed = false;
	/*
	 * An engine that refuses to go on there: from the start, at once and
	 * without another word, as on_gap will tell.
	 */
	if (!was_up && w->resume_from != 0 && w->grpc_status > 0 &&
	    w->grpc_status != GRPC_UNAVAILABLE) {
		w->last_version = 0;
		w->gap = "the engine's log does not reach back far enough";
		(void)uv_timer_start(&w->timer, on_timer, 0, 0);
		return;
	}
	w->counts.failures++;
	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	delay = backoff_jitter(backoff_next(&w->backoff, ran), random);
	(void)uv_timer_start(&w->timer, on_timer, delay, 0);
	(void)error_wrap(&w->error, "%s", w->path);
	w->on.on_down(w->arg, &w->error, was_up, delay);
}

static void
doom(struct docker_watch *w, const struct error *e)
{
	if (w->doomed)
		return;
	w->doomed = true;
	w->error = *e;
}

/* Ends the transfer now, or from the timer where curl is on the stack. */
static void
stop_transfer(struct docker_watch *w)
{
	if (curl_glue_busy(w->glue)) {
		(void)uv_timer_start(&w->timer, on_timer, 0, 0);
		return;
	}
	curl_glue_remove(w->glue, w->easy);
	lost(w);
}

static int
explain_curl(struct docker_watch *w, CURLcode code, struct error *e)
{
	long os_error = 0;

	(void)curl_easy_getinfo(w->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT)
		return error_errno(
		    e, os_error != 0 ? (int)os_error : ECONNREFUSED, "connect");
	return error_set(e,
	    code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EPROTO, "%s",
	    w->curl_says[0] != '\0' ? w->curl_says : curl_easy_strerror(code));
}

static int
explain_status(struct docker_watch *w, struct error *e)
{
	STR_AUTO(text, 1024);

	str_add_quoted(&text, w->grpc_message, strlen(w->grpc_message), 200);
	return error_set(e, EPROTO, "the engine ended the watch: status %ld %s",
	    w->grpc_status, text.p);
}

/* What ended a transfer that ended by itself. */
static void
explain_end(struct docker_watch *w, int code, struct error *e)
{
	long status = 0;

	(void)curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		(void)explain_curl(w, (CURLcode)code, e);
	else if (!w->is_grpc)
		(void)error_set(e, EPROTO,
		    "not SwarmKit: an answer of status %ld that is no gRPC",
		    status);
	else if (w->grpc_status > 0)
		(void)explain_status(w, e);
	else if (grpc_frames_open(&w->frames))
		(void)error_set(e, EPROTO, "ended within a message");
	else
		(void)error_set(e, EPIPE, "the engine ended the watch");
}

static void
on_transfer_done(void *arg, void *easy, int code)
{
	struct docker_watch *w = arg;
	struct error e;

	must(easy == w->easy);
	if (w->closing) {
		end_transfer(w);
		return;
	}
	explain_end(w, code, &e);
	doom(w, &e);
	lost(w);
}

/* --------------------------------------------------------------- the answer */

static void
came_up(struct docker_watch *w)
{
	w->state = UP;
	w->up_since_ms = clock_mono_ms();
	w->counts.streams++;
	(void)uv_timer_stop(&w->timer);
	w->on.on_up(w->arg, w->resume_from != 0);
	if (w->resume_from != 0 || w->closing || w->doomed)
		return;
	w->counts.gaps++;
	w->on.on_gap(w->arg, w->gap);
	if (!w->doomed)
		w->gap = "no version to go on from is known";
}

static void
on_watch_event(void *arg, const struct watch_event *event)
{
	struct docker_watch *w = arg;

	if (w->closing || w->doomed)
		return;
	w->counts.events++;
	w->on.on_event(w->arg, event);
}

static bool
on_message(void *arg, const unsigned char *message, size_t len)
{
	struct docker_watch *w = arg;
	struct watch_message m;
	struct error e;

	if (w->state == OPENING && len > 0) {
		(void)error_set(&e, EPROTO, "no start message");
		doom(w, &e);
		return false;
	}
	if (w->state == OPENING) {
		came_up(w);
		return !w->doomed && !w->closing;
	}
	if (watch_message_decode(message, len, on_watch_event, w, &m, &e) !=
	    0) {
		(void)error_wrap(&e, "a message that cannot be read");
		doom(w, &e);
		return false;
	}
	/* A handler that reopens has set what the next stream starts from. */
	if (w->doomed || w->closing)
		return false;
	w->counts.messages++;
	w->counts.skipped += m.skipped;
	if (m.version > w->last_version)
		w->last_version = m.version;
	else
		w->counts.late++;
	if (w->on.on_end != NULL && m.events > 0)
		w->on.on_end(w->arg);
	return !w->doomed && !w->closing;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct docker_watch *w = arg;
	struct error e;

	if (w->closing || w->doomed)
		return 0;
	if (!w->is_grpc) {
		(void)error_set(
		    &e, EPROTO, "not SwarmKit: an answer that is no gRPC");
		doom(w, &e);
		return 0;
	}
	if (grpc_frames_feed(&w->frames, bytes, size * n, on_message, w, &e) !=
	    0)
		doom(w, &e);
	return w->closing || w->doomed ? 0 : size * n;
}

/* The value of header 'name' in a line, or NULL. */
static const char *
header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	len -= n + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && (unsigned char)line[len - 1] <= ' ')
		len--;
	*ret_len = len;
	return line;
}

/* Head and trailers alike. */
static size_t
on_header(char *bytes, size_t size, size_t n, void *arg)
{
	static const char grpc[] = "application/grpc";
	struct docker_watch *w = arg;
	const char *value;
	size_t len;

	value = header_value(bytes, size * n, "content-type", &len);
	if (value != NULL) {
		long status = 0;
		long version = 0;

		(void)curl_easy_getinfo(
		    w->easy, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_easy_getinfo(
		    w->easy, CURLINFO_HTTP_VERSION, &version);
		w->is_grpc = status == 200 &&
		    version == CURL_HTTP_VERSION_2_0 &&
		    len >= sizeof(grpc) - 1 &&
		    memcmp(value, grpc, sizeof(grpc) - 1) == 0;
	}
	value = header_value(bytes, size * n, "grpc-status", &len);
	if (value != NULL && len > 0 && len < 4) {
		w->grpc_status = 0;
		for (size_t i = 0; i < len; i++) {
			if (value[i] < '0' || value[i] > '9')
				return 0;
			w->grpc_status = w->grpc_status * 10 + value[i] - '0';
		}
	}
	value = header_value(bytes, size * n, "grpc-message", &len);
	if (value != NULL) {
		if (len > sizeof(w->grpc_message) - 1)
			len = sizeof(w->grpc_message) - 1;
		memcpy(w->grpc_message, value, len);
		w->grpc_message[len] = '\0';
	}
	return size * n;
}

/* -------------------------------------------------------------------- start */

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)arg;
	(void)purpose;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static void
set_request(struct docker_watch *w)
{
	CURL *h = w->easy;
	STR_AUTO(message, 1024);

	watch_request_encode(&message, w->kinds, w->resume_from);
	str_clear(&w->request);
	grpc_frame_add(&w->request, message.p, message.len);
	(void)curl_easy_setopt(h, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)w->request.len);
	(void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, w->request.p);
	w->headers =
	    curl_slist_append(w->headers, "content-type: application/grpc");
	w->headers = curl_slist_append(w->headers, "te: trailers");
	w->headers = curl_slist_append(w->headers, "accept:");
	w->headers = curl_slist_append(w->headers, "expect:");
	if (w->headers == NULL)
		oom();
	(void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, w->headers);
}

static void
set_options(struct docker_watch *w)
{
	CURL *h = w->easy;

	(void)curl_easy_setopt(h, CURLOPT_URL, URL);
	(void)curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, w->path);
	(void)curl_easy_setopt(
	    h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* The socket's permissions are the protection; its name proves nothing.
	 */
	(void)curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	/* Nor need the system's certificates be read for it. */
	(void)curl_easy_setopt(h, CURLOPT_CAINFO, NULL);
	(void)curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(h, CURLOPT_ERRORBUFFER, w->curl_says);
	(void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(h, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L);
	(void)curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
	(void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	(void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(h, CURLOPT_WRITEDATA, w);
	(void)curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(h, CURLOPT_HEADERDATA, w);
}

static void
open_stream(struct docker_watch *w)
{
	w->easy = curl_easy_init();
	if (w->easy == NULL)
		oom();
	w->state = OPENING;
	w->resume_from = w->last_version;
	w->is_grpc = false;
	w->grpc_status = -1;
	w->grpc_message[0] = '\0';
	w->curl_says[0] = '\0';
	set_options(w);
	set_request(w);
	(void)uv_timer_start(&w->timer, on_timer, START_MS, 0);
	curl_glue_add(w->glue, w->easy);
}

static void close_all(struct docker_watch *w);

static void
on_timer(uv_timer_t *timer)
{
	struct docker_watch *w =
	    container_of(timer, struct docker_watch, timer);
	struct error e;

	if (w->closing) {
		close_all(w);
		return;
	}
	if (w->state == WAITING) {
		open_stream(w);
		return;
	}
	if (!w->doomed) {
		(void)error_set(&e, ETIMEDOUT, "no start message within %d s",
		    START_MS / 1000);
		doom(w, &e);
	}
	stop_transfer(w);
}

/* ---------------------------------------------------------------------- API */

char *
docker_watch_socket(const struct daemon_config *c)
{
	const char *url = c->docker.url, *path, *slash;

	if (strcmp(c->docker.watch, "off") == 0)
		return NULL;
	if (strcmp(c->docker.watch, "auto") != 0)
		return xstrdup(c->docker.watch);
	if (strncmp(url, "unix:", 5) != 0)
		return NULL;
	path = url + (strncmp(url, "unix://", 7) == 0 ? 7 : 5);
	slash = strrchr(path, '/');
	if (slash == NULL)
		return NULL;
	return xasprintf(
	    "%.*s/docker/swarm/control.sock", (int)(slash - path), path);
}

struct docker_watch *
docker_watch_new(uv_loop_t *loop, const char *socket_path, unsigned kinds,
    const struct docker_watch_handlers *handlers, void *arg)
{
	static const struct backoff backoff = BACKOFF_INIT(100, 2000, 10000);
	struct docker_watch *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	w->path = xstrdup(socket_path);
	w->kinds = kinds;
	w->on = *handlers;
	w->arg = arg;
	w->backoff = backoff;
	w->gap = "the first stream";
	str_init(&w->request, 2048);
	grpc_frames_init(&w->frames, MESSAGE_MAX);
	w->glue = curl_glue_new(loop, on_transfer_done, w);
	must(uv_timer_init(loop, &w->timer) == 0);
	(void)uv_timer_start(&w->timer, on_timer, 0, 0);
	return w;
}

static void
part_closed(struct docker_watch *w)
{
	must(w->open_handles > 0);
	w->open_handles--;
	if (w->open_handles > 0)
		return;
	if (w->closed != NULL)
		w->closed(w->closed_arg);
	str_fini(&w->request);
	grpc_frames_fini(&w->frames);
	free(w->path);
	free(w);
}

static void
on_glue_closed(void *arg)
{
	part_closed(arg);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	part_closed(container_of(handle, struct docker_watch, timer));
}

static void
close_all(struct docker_watch *w)
{
	if (w->easy != NULL) {
		curl_glue_remove(w->glue, w->easy);
		end_transfer(w);
	}
	w->open_handles = 2;
	curl_glue_close(w->glue, on_glue_closed, w);
	uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

void
docker_watch_close(struct docker_watch *w, void (*closed)(void *arg), void *arg)
{
	if (w == NULL || w->closing)
		return;
	w->closing = true;
	w->closed = closed;
	w->closed_arg = arg;
	/* Also from on_down, which may stand between two transfers. */
	(void)uv_timer_start(&w->timer, on_timer, 0, 0);
}

void
docker_watch_reopen(struct docker_watch *w, const char *why)
{
	struct error e;

	if (w->closing || w->doomed || w->state != UP)
		return;
	(void)error_set(&e, ESTALE, "%s", why);
	doom(w, &e);
	w->last_version = 0;
	w->gap = "the stream before missed changes";
	(void)uv_timer_start(&w->timer, on_timer, 0, 0);
}

bool
docker_watch_is_up(const struct docker_watch *w)
{
	return w->state == UP && !w->doomed && !w->closing;
}

uint64_t
docker_watch_last_version(const struct docker_watch *w)
{
	return w->last_version;
}

struct docker_watch_counts
docker_watch_counts(const struct docker_watch *w)
{
	return w->counts;
}
