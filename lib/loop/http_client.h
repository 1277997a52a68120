/*
 * HTTP requests on the loop: one curl multi handle per client.
 *
 * Serves the Docker client, the agent's worker and proxyctl.  Every request
 * has deadlines, can be cancelled, and completes exactly once, never from
 * inside http_request_start().
 */
#ifndef LOOP_HTTP_CLIENT_H
#define LOOP_HTTP_CLIENT_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct http_client;
struct http_request;

/* Where requests go.  Strings are copied. */
struct http_endpoint {
	/*
	 * "unix:///path", "unix:path", "tcp://host:port",
	 * "http://host:port" or "https://host:port".  "tcp" speaks TLS where
	 * one of the three files below is given.
	 */
	const char *url;
	const char *tls_ca;   /* file; NULL: the system's */
	const char *tls_cert; /* client certificate and key, or NULL */
	const char *tls_key;
	bool tls_insecure; /* skips the check of the server's certificate */
	bool tls_any_name; /* tls_ca signed it: for whom does not matter */
	const char *bearer_token; /* or NULL */
};

struct http_response {
	long status;	  /* 0: no answer */
	const char *body; /* what was gathered, ends with a NUL */
	size_t body_len;
	/*
	 * NULL: a whole answer arrived, whatever its status.  Codes: ECANCELED,
	 * ETIMEDOUT, EFBIG, EPROTO (cut short, not HTTP), else the system's.
	 */
	const struct error *error;
	uint64_t took_us;
};

/* Called once, from the loop.  The request is gone afterwards. */
typedef void http_done_fn(void *arg, const struct http_response *response);
/*
 * Streamed bytes of a 2xx answer (any other body is gathered); false stops
 * the transfer with ECANCELED.
 */
typedef bool http_data_fn(void *arg, const char *bytes, size_t len);
/* The answer's head arrived whole; the body may take for ever. */
typedef void http_status_fn(void *arg, long status);

struct http_request_options {
	const char *method; /* "GET" where NULL */
	const char *target; /* "/v1.41/services?..." */
	const char *body;   /* copied; NULL: none */
	size_t body_len;
	const char *content_type; /* "application/json" where NULL */
	uint64_t connect_ms;	  /* 0: 2,000 */
	uint64_t first_byte_ms;	  /* 0: 5,000; from start to status line */
	uint64_t total_ms;	  /* 0: 30,000; UINT64_MAX: none (streams) */
	/* 'total_ms' is so much longer for each MiB of the body that came. */
	uint64_t per_mib_ms;
	uint64_t idle_ms; /* 0: none; no byte for so long ends it */
	/* Of a gathered body; 0: 16 MiB.  Larger fails with EFBIG. */
	size_t max_body;
	http_data_fn *on_data; /* NULL: gather the body */
	bool in_steps; /* much work: a few ms of it in a turn of the loop */
	http_status_fn *on_status; /* NULL: nobody asks */
	http_done_fn *done;
	void *arg;
};

/* Fails for a URL of another form and for files that cannot be read. */
struct http_client *http_client_new(uv_loop_t *loop,
    const struct http_endpoint *endpoint, struct error *e) _warn_unused_;
/*
 * Cancels what runs ('done' is called with ECANCELED), then frees; nothing
 * may be started any more.  NULL is allowed; 'closed' may be NULL.
 */
void
http_client_close(struct http_client *c, void (*closed)(void *arg), void *arg);
/* May be called from any callback of this header. */
struct http_request *
http_request_start(struct http_client *c, const struct http_request_options *o);
/* 'done' follows with ECANCELED, from the loop, and nothing before it. */
void http_request_cancel(struct http_request *r);
/* Percent-encodes everything but unreserved characters. */
void http_add_escaped(struct str *s, const char *text, size_t len);

#endif
