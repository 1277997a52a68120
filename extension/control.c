/* The control API: see control.h. */
#include "control.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/vec.h"
#include "loop/http_server.h"

#define POLL_MS 25000
#define POLLS_MAX 4096
#define TOKEN_MAX 4096
#define DELTA_MAX (64U * 1024 * 1024)
#define REPORT_MAX (8U * 1024 * 1024)

struct poll {
	struct http_exchange *x;
	uint64_t since_ms;
	char *proxy;	/* owned; NULL where it does not say */
	bool can_check; /* knows manifests that are only to be checked */
	char base[SHA256_HEX_SIZE]; /* whose files it has; "" : it says none */
};

struct control {
	const struct cluster_config *config;
	struct state *state;
	struct proxies *proxies;
	struct control_handlers handlers;
	void *arg;
	struct http_server *server;
	bool guarded; /* a token or a certificate is asked for */
	uv_timer_t tick;
	VEC(struct poll) polls; /* oldest first */
	bool offering;
	char *offer_to;	 /* owned; NULL: any */
	char *repeat_to; /* owned; NULL: nobody */
	bool closing;
	int open;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* What differs from 'base' ("": nothing is known), or the whole. */
static void
answer_manifest(struct control *c, struct http_exchange *x, const char *base)
{
	const struct str *m;
	STR_AUTO(delta, DELTA_MAX);

	if (base[0] != '\0' && state_delta(c->state, base, &delta)) {
		http_answer(x, 200, NULL, delta.p, delta.len);
		return;
	}
	m = state_manifest(c->state);
	http_answer(x, 200, NULL, m->p, m->len);
}

/* Takes the poll out of the list; its exchange is to be answered. */
static struct http_exchange *
take_poll(struct control *c, size_t i)
{
	struct http_exchange *x = c->polls.at[i].x;

	free(c->polls.at[i].proxy);
	vec_remove(&c->polls, i);
	http_on_gone(x, NULL, NULL);
	return x;
}

static void on_tick(uv_timer_t *timer);

/* Nothing wakes up where nobody waits. */
static void
expect_tick(struct control *c)
{
	uint64_t now = clock_mono_ms(), due;

	if (c->polls.len == 0)
		return;
	due = c->polls.at[0].since_ms + POLL_MS;
	must(uv_timer_start(&c->tick, on_tick, due > now ? due - now : 0, 0) ==
	    0);
}

static void
on_tick(uv_timer_t *timer)
{
	struct control *c = container_of(timer, struct control, tick);
	uint64_t now = clock_mono_ms();
	struct http_exchange *x;

	while (c->polls.len > 0 && now - c->polls.at[0].since_ms >= POLL_MS) {
		x = take_poll(c, 0);
		http_answer(x, 204, NULL, "", 0);
	}
	expect_tick(c);
}

static void
forget_poll(void *arg, struct http_exchange *x)
{
	struct control *c = arg;
	size_t i;

	for (i = 0; i < c->polls.len; i++) {
		if (c->polls.at[i].x == x) {
			free(c->polls.at[i].proxy);
			vec_remove(&c->polls, i);
			return;
		}
	}
}

/* Gives what is to be checked to the first poll that it is for. */
static void
give_offer(struct control *c)
{
	const struct str *m = state_offered_manifest(c->state);
	size_t i;

	for (i = 0; c->offering && i < c->polls.len; i++) {
		const struct poll *p = &c->polls.at[i];

		if (!p->can_check ||
		    (c->offer_to != NULL &&
			(p->proxy == NULL ||
			    strcmp(p->proxy, c->offer_to) != 0)))
			continue;
		c->offering = false;
		http_answer(take_poll(c, i), 200, NULL, m->p, m->len);
	}
}

void
control_offer(struct control *c, const char *proxy)
{
	free(c->offer_to);
	c->offer_to = proxy == NULL ? NULL : xstrdup(proxy);
	c->offering = state_offered_manifest(c->state)->len > 0;
	give_offer(c);
}

void
control_repeat(struct control *c, const char *proxy)
{
	char base[SHA256_HEX_SIZE];
	size_t i;

	for (i = 0; i < c->polls.len; i++) {
		const char *waits = c->polls.at[i].proxy;

		if (waits != NULL && strcmp(waits, proxy) == 0) {
			memcpy(base, c->polls.at[i].base, sizeof(base));
			answer_manifest(c, take_poll(c, i), base);
			return;
		}
	}
	free(c->repeat_to);
	c->repeat_to = xstrdup(proxy);
}

static bool
is_repeated(struct control *c, const char *proxy)
{
	if (proxy == NULL || c->repeat_to == NULL ||
	    strcmp(proxy, c->repeat_to) != 0)
		return false;
	free(c->repeat_to);
	c->repeat_to = NULL;
	return true;
}

/* 0 where it is not there or not a number. */
static uint64_t
get_number(struct http_exchange *x, const char *name)
{
	const char *text = http_query(x, name);
	uint32_t n;

	if (text == NULL ||
	    parse_u32(text, strlen(text), 0, UINT32_MAX, &n, NULL) != 0)
		return 0;
	return n;
}

static const char want_pin[] = "{\"version\":1,\"want\":\"pin\"}\n";

static void
get_config(struct control *c, struct http_exchange *x)
{
	const char *have = http_query(x, "have");
	const char *proxy = http_query(x, "proxy");
	const char *check = http_query(x, "check");
	enum control_claim claim;
	const char *base = http_query(x, "base");
	struct poll *poll;

	if (base == NULL || !sha256_is_hex(base))
		base = "";

	if (proxy != NULL)
		proxies_seen(c->proxies, proxy, clock_mono_ms());
	claim = c->handlers.on_claim(
	    c->arg, http_query(x, "pin"), get_number(x, "generation"));
	if (claim == CONTROL_WANT) {
		http_answer(x, 200, NULL, want_pin, sizeof(want_pin) - 1);
		return;
	}
	if (claim != CONTROL_HOLD && state_config(c->state)[0] != '\0' &&
	    (have == NULL || strcmp(have, state_config(c->state)) != 0 ||
		claim == CONTROL_TELL || is_repeated(c, proxy))) {
		answer_manifest(c, x, base);
		return;
	}
	if (c->polls.len >= POLLS_MAX) {
		http_answer_error(x, 503, "too many polls wait already");
		return;
	}
	poll = vec_add(&c->polls);
	poll->x = x;
	poll->since_ms = clock_mono_ms();
	poll->proxy = proxy == NULL ? NULL : xstrdup(proxy);
	memcpy(poll->base, base, strlen(base));
	poll->can_check = check != NULL && strcmp(check, "1") == 0;
	http_on_gone(x, forget_poll, c);
	if (c->polls.len == 1)
		expect_tick(c);
	give_offer(c);
}

static void
get_blob(struct control *c, struct http_exchange *x, const char *sha256)
{
	size_t len;
	const char *bytes =
	    sha256_is_hex(sha256) ? state_blob(c->state, sha256, &len) : NULL;

	if (bytes == NULL)
		http_answer_error(x, 404, "no file of that hash is in force");
	else
		http_answer(x, 200, "application/octet-stream", bytes, len);
}

static void
post_report(struct control *c, struct http_exchange *x,
    const struct http_received *received)
{
	struct proxy_news news;
	struct error e;

	if (proxies_report(c->proxies, c->config->cluster.name, received->body,
		received->body_len, clock_mono_ms(), &news, &e) != 0) {
		http_answer_error(x, 400, "%s", e.msg);
		return;
	}
	http_answer(x, 204, NULL, "", 0);
	c->handlers.on_report(c->arg, &news);
}

static void
post_check(struct control *c, struct http_exchange *x,
    const struct http_received *received)
{
	struct proxy_check check;
	struct error e;

	if (proxies_check(c->config->cluster.name, received->body,
		received->body_len, &check, &e) != 0) {
		http_answer_error(x, 400, "%s", e.msg);
		return;
	}
	http_answer(x, 204, NULL, "", 0);
	c->handlers.on_check(c->arg, &check);
	free(check.words);
}

static void
post_pin(struct control *c, struct http_exchange *x,
    const struct http_received *received)
{
	struct error e;

	if (c->handlers.on_document(
		c->arg, received->body, received->body_len, &e) != 0)
		http_answer_error(x, 409, "%s", e.msg);
	else
		http_answer(x, 204, NULL, "", 0);
}

static void
on_request(
    void *arg, struct http_exchange *x, const struct http_received *received)
{
	static const char blob[] = "/v1/blob/";
	struct control *c = arg;
	const char *path = received->path;
	bool get = strcmp(received->method, "GET") == 0;

	if (c->guarded && !received->authorized)
		http_answer_error(x, 401,
		    "this control API wants the cluster's token or a client "
		    "certificate");
	else if (get && strcmp(path, "/v1/proxy/config") == 0)
		get_config(c, x);
	else if (get && strncmp(path, blob, sizeof(blob) - 1) == 0)
		get_blob(c, x, path + sizeof(blob) - 1);
	else if (strcmp(received->method, "POST") == 0 &&
	    strcmp(path, "/v1/proxy/report") == 0)
		post_report(c, x, received);
	else if (strcmp(received->method, "POST") == 0 &&
	    strcmp(path, "/v1/proxy/check") == 0)
		post_check(c, x, received);
	else if (strcmp(received->method, "POST") == 0 &&
	    strcmp(path, "/v1/proxy/pin") == 0)
		post_pin(c, x, received);
	else
		http_answer_error(x, 404, "no such path");
}

void
control_publish(struct control *c)
{
	char base[SHA256_HEX_SIZE];

	while (c != NULL && c->polls.len > 0) {
		memcpy(base, c->polls.at[0].base, sizeof(base));
		answer_manifest(c, take_poll(c, 0), base);
	}
}

static int
read_token(const char *path, struct str *token, struct error *e)
{
	if (path == NULL)
		return 0;
	if (fs_read(path, token, e) != 0)
		return error_wrap(e, "[control] token_file");
	str_trim(token, strcspn(token->p, "\r\n"));
	if (token->len == 0)
		return error_set(
		    e, EINVAL, "[control] token_file: %s is empty", path);
	return 0;
}

struct control *
control_new(uv_loop_t *loop, const struct cluster_config *config,
    const char *run_dir, struct state *state, struct proxies *proxies,
    const struct control_handlers *h, void *arg, struct error *e)
{
	char *socket _cleanup_free_ =
	    xasprintf("unix:%s/control/%s.sock", run_dir, config->cluster.name);
	struct http_server_options o = {
		.listen = config->control.listen == NULL
		    ? socket
		    : config->control.listen,
		.socket_mode = 0660,
		.tls_ca = config->control.tls_ca,
		.tls_cert = config->control.tls_cert,
		.tls_key = config->control.tls_key,
		.max_body = REPORT_MAX,
		.max_connections = POLLS_MAX + 256,
	};
	struct control *c;
	STR_AUTO(token, TOKEN_MAX);

	if (read_token(config->control.token_file, &token, e) != 0)
		return NULL;
	if (token.len > 0)
		o.bearer_token = token.p;
	c = xcalloc(1, sizeof(*c));
	c->server = http_server_new(loop, &o, on_request, c, e);
	if (c->server == NULL) {
		free(c);
		(void)error_wrap(e, "[control] listen");
		return NULL;
	}
	c->config = config;
	c->state = state;
	c->proxies = proxies;
	c->handlers = *h;
	c->arg = arg;
	c->guarded = token.len > 0 || o.tls_cert != NULL;
	must(uv_timer_init(loop, &c->tick) == 0);
	c->open = 2;
	return c;
}

static void
part_closed(struct control *c)
{
	if (--c->open > 0)
		return;
	if (c->closed != NULL)
		c->closed(c->closed_arg);
	free(c->offer_to);
	free(c->repeat_to);
	vec_fini(&c->polls);
	free(c);
}

static void
on_server_closed(void *arg)
{
	part_closed(arg);
}

static void
on_tick_closed(uv_handle_t *handle)
{
	part_closed(container_of(handle, struct control, tick));
}

void
control_close(struct control *c, void (*closed)(void *arg), void *arg)
{
	if (c == NULL) {
		if (closed != NULL)
			closed(arg);
		return;
	}
	c->closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	uv_close((uv_handle_t *)&c->tick, on_tick_closed);
	http_server_close(c->server, on_server_closed, c);
}
