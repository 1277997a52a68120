/* What peers are given: see peer_server.h. */
#include "peer_server.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "fetch.h"
#include "loop/http_server.h"
#include "peer_address.h"

#define TRY_MS 1000
#define TOKEN_MAX 4096
#define CONNECTIONS 64

struct peer_server {
	uv_loop_t *loop;
	const struct agent_options *options;
	peer_in_force_fn *in_force;
	void *arg;
	struct peer_listen listen;
	struct http_server *server; /* NULL: not yet */
	struct inet address, network;
	uv_timer_t timer;
	uv_getaddrinfo_t lookup;
	bool looking;
	struct log_limit limit;
	bool closing;
	int open;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void
get_manifest(struct peer_server *s, struct http_exchange *x)
{
	const struct manifest *m = s->in_force(s->arg);

	if (m == NULL || m->builtin)
		http_answer(x, 204, NULL, "", 0);
	else
		http_answer(x, 200, NULL, m->text, m->len);
}

static void
get_blob(struct peer_server *s, struct http_exchange *x, const char *sha256)
{
	STR_AUTO(bytes, MANIFEST_MAX_FILE_SIZE);
	char *path _cleanup_free_ = NULL;

	if (sha256_is_hex(sha256))
		path = xasprintf("%s/blobs/%s", s->options->dir, sha256);
	if (path == NULL || fs_read(path, &bytes, NULL) != 0)
		http_answer_error(x, 404, "no file of that hash is here");
	else
		http_answer(
		    x, 200, "application/octet-stream", bytes.p, bytes.len);
}

static void
on_request(
    void *arg, struct http_exchange *x, const struct http_received *received)
{
	static const char blob[] = "/v1/blob/";
	struct peer_server *s = arg;
	bool get = strcmp(received->method, "GET") == 0;

	if (!received->authorized)
		http_answer_error(x, 401,
		    "a peer wants the cluster's token or a client certificate");
	else if (get && strcmp(received->path, "/v1/proxy/config") == 0)
		get_manifest(s, x);
	else if (get && strncmp(received->path, blob, sizeof(blob) - 1) == 0)
		get_blob(s, x, received->path + sizeof(blob) - 1);
	else
		http_answer_error(x, 404, "no such path");
}

static void
try_listen(struct peer_server *s, const struct inet *from)
{
	const struct agent_options *o = s->options;
	STR_AUTO(token, TOKEN_MAX);
	char where[INET_TEXT_SIZE + 16];
	struct http_server_options options = {
		.listen = where,
		.tls_ca = o->tls_ca,
		.tls_cert = o->tls_cert,
		.tls_key = o->tls_key,
		.max_connections = CONNECTIONS,
	};
	struct error e;

	if (peer_listen_choose(
		&s->listen, from, &s->address, &s->network, &e) == 0 &&
	    fetch_read_token(o, &token, &e) == 0) {
		peer_format(&s->address, s->listen.port, where, sizeof(where));
		if (token.len > 0)
			options.bearer_token = token.p;
		s->server =
		    http_server_new(s->loop, &options, on_request, s, &e);
	}
	if (s->server != NULL)
		log_info("peers are served on %s", where);
	else
		log_limited(
		    &s->limit, LOG_WARN, "peers are not served: %s", e.msg);
}

/* The address that packets to the control server leave from. */
static bool
address_towards(const struct addrinfo *to, struct inet *ret)
{
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	char text[INET6_ADDRSTRLEN];
	const void *bytes = to->ai_family == AF_INET
	    ? (void *)&((struct sockaddr_in *)(void *)&own)->sin_addr
	    : (void *)&((struct sockaddr_in6 *)(void *)&own)->sin6_addr;
	bool ok = fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
	    getsockname(fd, (struct sockaddr *)(void *)&own, &len) == 0 &&
	    inet_ntop(to->ai_family, bytes, text, sizeof(text)) != NULL &&
	    inet_parse(text, strlen(text), ret, NULL) == 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static void drop(struct peer_server *s);

static void
on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct peer_server *s = container_of(req, struct peer_server, lookup);
	struct inet from;

	s->looking = false;
	if (!s->closing)
		try_listen(s,
		    status == 0 && address_towards(list, &from) ? &from : NULL);
	uv_freeaddrinfo(list);
	drop(s);
}

/* "https://HOST:PORT" of --control is looked up. */
static void
look_up(struct peer_server *s)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	const char *rest = strstr(s->options->control, "://"), *text;
	char host[256], port[8];
	STR_AUTO(item, 1024);

	if (rest == NULL)
		return;
	str_addn(&item, rest + 3, strcspn(rest + 3, "/"));
	text = item.p;
	if (!peers_next(&text, host, sizeof(host), port) ||
	    uv_getaddrinfo(
		s->loop, &s->lookup, on_lookup, host, port, &hints) != 0)
		return;
	s->looking = true;
	s->open++;
}

static void
on_timer(uv_timer_t *timer)
{
	struct peer_server *s = container_of(timer, struct peer_server, timer);

	if (s->closing || s->server != NULL)
		return;
	if (s->listen.control && !s->looking)
		look_up(s);
	else if (!s->listen.control)
		try_listen(s, NULL);
	must(uv_timer_start(timer, on_timer, TRY_MS, 0) == 0);
}

struct peer_server *
peer_server_new(uv_loop_t *loop, const struct agent_options *o,
    peer_in_force_fn *in_force, void *arg)
{
	struct peer_server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->options = o;
	s->in_force = in_force;
	s->arg = arg;
	s->limit = (struct log_limit)LOG_LIMIT_INIT(1, 60000);
	must(peer_listen_parse(o->peer_listen, &s->listen, NULL) == 0);
	must(uv_timer_init(loop, &s->timer) == 0);
	must(uv_timer_start(&s->timer, on_timer, 0, 0) == 0);
	s->open = 1;
	return s;
}

bool
peer_server_address(const struct peer_server *s, struct inet *ret_address,
    struct inet *ret_network, uint16_t *ret_port)
{
	if (s == NULL || s->server == NULL)
		return false;
	*ret_address = s->address;
	*ret_network = s->network;
	*ret_port = s->listen.port;
	return true;
}

static void
drop(struct peer_server *s)
{
	if (--s->open > 0)
		return;
	if (s->closed != NULL)
		s->closed(s->closed_arg);
	free(s);
}

static void
on_server_closed(void *arg)
{
	drop(arg);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	drop(container_of(handle, struct peer_server, timer));
}

void
peer_server_close(struct peer_server *s, void (*closed)(void *arg), void *arg)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	if (s->server != NULL) {
		s->open++;
		http_server_close(s->server, on_server_closed, s);
	}
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
