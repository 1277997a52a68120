/* Questions to the admin API: see ctl_client.h. */
#include "ctl_client.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/http_client.h"

#define LINE_MAX_BYTES (4U * 1024 * 1024)
#define BODY_MAX (512U * 1024 * 1024)

struct asking {
	struct ctl_answer *answer;
	struct error *e;
	int rc;
	struct http_client *client;
	struct str line;
	ctl_line_fn *on_line;
	void *arg;
};

void
ctl_answer_fini(struct ctl_answer *a)
{
	free(a->body);
	a->body = NULL;
}

static void
on_done(void *arg, const struct http_response *response)
{
	struct asking *a = arg;

	if (response->error != NULL && response->status == 0) {
		a->rc = error_set(
		    a->e, response->error->code, "%s", response->error->msg);
	} else if (a->answer != NULL) {
		a->answer->status = response->status;
		a->answer->body = xmemdup0(response->body, response->body_len);
		a->answer->len = response->body_len;
	}
	http_client_close(a->client, NULL, NULL);
}

static bool
on_data(void *arg, const char *bytes, size_t len)
{
	struct asking *a = arg;
	char *newline;

	str_addn(&a->line, bytes, len);
	while ((newline = memchr(a->line.p, '\n', a->line.len)) != NULL) {
		size_t n = (size_t)(newline - a->line.p);

		*newline = '\0';
		if (!a->on_line(a->arg, a->line.p, n))
			return false;
		str_drop(&a->line, n + 1);
	}
	return !a->line.overflow;
}

static int
run(const char *socket, const struct http_request_options *o, struct asking *a)
{
	char *url _cleanup_free_ = xasprintf("unix:%s", socket);
	struct http_endpoint endpoint = { .url = url };
	uv_loop_t loop;

	must(uv_loop_init(&loop) == 0);
	a->client = http_client_new(&loop, &endpoint, a->e);
	if (a->client == NULL) {
		a->rc = -1;
	} else {
		(void)http_request_start(a->client, o);
		(void)uv_run(&loop, UV_RUN_DEFAULT);
	}
	must(uv_loop_close(&loop) == 0);
	if (a->rc != 0)
		(void)error_wrap(a->e,
		    "no control plane answers on %s (is bulkhead-supervisor "
		    "running? --socket names another)",
		    socket);
	return a->rc;
}

int
ctl_ask(const char *socket, const char *method, const char *target,
    const char *body, struct ctl_answer *ret, struct error *e)
{
	struct asking a = { .answer = ret, .e = e };
	struct http_request_options o = {
		.method = method,
		.target = target,
		.body = body,
		.body_len = body == NULL ? 0 : strlen(body),
		.first_byte_ms = 35000,
		.total_ms = 60000,
		.max_body = BODY_MAX,
		.done = on_done,
		.arg = &a,
	};

	return run(socket, &o, &a);
}

int
ctl_follow(const char *socket, const char *target, ctl_line_fn *on_line,
    void *arg, struct error *e)
{
	struct asking a = { .e = e, .on_line = on_line, .arg = arg };
	struct http_request_options o = {
		.target = target,
		.total_ms = UINT64_MAX,
		.on_data = on_data,
		.done = on_done,
		.arg = &a,
	};
	int rc;

	str_init(&a.line, LINE_MAX_BYTES);
	rc = run(socket, &o, &a);
	str_fini(&a.line);
	return rc;
}
