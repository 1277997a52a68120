/*
 * nng on the loop: see channel.h.
 *
 * Receiving: a poll handle watches nng's RECVFD and messages are taken
 * without waiting.  Peers coming and going are told by nng on threads of its
 * own: they count and wake the loop, nothing else.
 */
#include "bus/channel.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* Bursts are dropped past these; nng's own are 16 and 128. */
#define SEND_MESSAGES 256
#define RECEIVE_MESSAGES 1024
/* Messages per turn of the loop. */
#define RECEIVE_TURN 128
/* Longer than any process lives: retries are ours, by the loop's clock. */
#define NEVER_MS (24 * 3600 * 1000)

struct channel {
	enum channel_kind kind;
	struct channel_handlers handlers;
	void *arg;
	char *url;
	nng_socket socket;
	nng_dialer dialer;
	bool dialing; /* 'dialer' is there */
	bool connected;
	bool paused;
	bool receives;
	uv_poll_t poll;
	uv_async_t wake;
	atomic_int peers; /* counted by nng's threads */
	bool closing;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static int
nng_fail(struct error *e, int rv, const char *what, const struct channel *c)
{
	if (rv == NNG_ENOMEM)
		oom();
	return error_set(e, rv == NNG_EADDRINUSE ? EADDRINUSE : EIO,
	    "bus: %s %s: %s", what, c->url, nng_strerror(rv));
}

static void
on_closed(uv_handle_t *handle)
{
	struct channel *c = handle->data;

	if (--c->open_handles > 0)
		return;
	if (c->closed != NULL)
		c->closed(c->closed_arg);
	free(c->url);
	free(c);
}

/* On a thread of nng. */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct channel *c = arg;

	(void)pipe;
	atomic_fetch_add(&c->peers, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
	uv_async_send(&c->wake);
}

static void
on_wake(uv_async_t *async)
{
	struct channel *c = container_of(async, struct channel, wake);
	bool connected = atomic_load(&c->peers) > 0;

	if (c->closing || connected == c->connected)
		return;
	c->connected = connected;
	c->handlers.on_peers(c->arg, connected);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct channel *c = container_of(poll, struct channel, poll);
	nng_msg *m;
	int i, rv;

	(void)events;
	if (status != 0)
		log_debug("bus: %s: %s", c->url, uv_strerror(status));
	for (i = 0; i < RECEIVE_TURN && !c->closing && !c->paused; i++) {
		rv = nng_recvmsg(c->socket, &m, NNG_FLAG_NONBLOCK);
		if (rv == NNG_ENOMEM)
			oom();
		/* NNG_ESTATE: a REQ socket that waits for no answer. */
		if (rv != 0)
			return;
		c->handlers.on_message(c->arg, nng_msg_body(m), nng_msg_len(m));
		nng_msg_free(m);
	}
}

static int
open_socket(struct channel *c)
{
	switch (c->kind) {
	case CHANNEL_PUB:
		return nng_pub0_open(&c->socket);
	case CHANNEL_SUB:
		return nng_sub0_open(&c->socket);
	case CHANNEL_REQ:
		return nng_req0_open(&c->socket);
	case CHANNEL_REP:
		return nng_rep0_open(&c->socket);
	}
	must(false);
	return -1;
}

static int
set_options(struct channel *c, size_t max)
{
	nng_socket s = c->socket;
	int rv = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, max);

	if (rv == 0 && c->kind == CHANNEL_PUB)
		rv = nng_socket_set_int(s, NNG_OPT_SENDBUF, SEND_MESSAGES);
	if (rv == 0 && c->kind == CHANNEL_SUB) {
		rv = nng_socket_set_int(s, NNG_OPT_RECVBUF, RECEIVE_MESSAGES);
		if (rv == 0)
			rv = nng_socket_set(s, NNG_OPT_SUB_SUBSCRIBE, "", 0);
	}
	if (rv == 0 && c->kind == CHANNEL_REQ)
		rv = nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NEVER_MS);
	if (rv == 0)
		rv = nng_pipe_notify(s, NNG_PIPE_EV_ADD_POST, on_pipe, c);
	if (rv == 0)
		rv = nng_pipe_notify(s, NNG_PIPE_EV_REM_POST, on_pipe, c);
	return rv;
}

static int
start_receiving(struct channel *c, uv_loop_t *loop, struct error *e)
{
	int fd, rv = nng_socket_get_int(c->socket, NNG_OPT_RECVFD, &fd);

	if (rv != 0)
		return nng_fail(e, rv, "descriptor of", c);
	rv = uv_poll_init(loop, &c->poll, fd);
	if (rv != 0)
		return error_set(e, -rv, "bus: poll: %s", uv_strerror(rv));
	c->poll.data = c;
	c->open_handles++;
	c->receives = true;
	must(uv_poll_start(&c->poll, UV_READABLE, on_readable) == 0);
	return 0;
}

struct channel *
channel_open(uv_loop_t *loop, enum channel_kind kind, const char *path,
    size_t max, const struct channel_handlers *h, void *arg, struct error *e)
{
	struct channel *c = xcalloc(1, sizeof(*c));
	int rv;

	c->kind = kind;
	c->handlers = *h;
	c->arg = arg;
	c->url = xasprintf("ipc://%s", path);
	c->wake.data = c;
	rv = open_socket(c);
	if (rv != 0) {
		(void)nng_fail(e, rv, "open", c);
		free(c->url);
		free(c);
		return NULL;
	}
	must(uv_async_init(loop, &c->wake, on_wake) == 0);
	c->open_handles = 1;
	rv = set_options(c, max);
	if (rv != 0)
		(void)nng_fail(e, rv, "options of", c);
	else if (kind != CHANNEL_PUB && start_receiving(c, loop, e) != 0)
		rv = -1;
	if (rv != 0) {
		channel_close(c, NULL, NULL);
		return NULL;
	}
	return c;
}

int
channel_listen(struct channel *c, struct error *e)
{
	nng_listener listener;
	int rv = nng_listener_create(&listener, c->socket, c->url);

	if (rv == 0)
		rv = nng_listener_set_int(
		    listener, NNG_OPT_IPC_PERMISSIONS, 0660);
	if (rv == 0)
		rv = nng_listener_start(listener, 0);
	return rv == 0 ? 0 : nng_fail(e, rv, "listen on", c);
}

int
channel_dial(struct channel *c, struct error *e)
{
	int rv;

	if (c->dialing)
		(void)nng_dialer_close(c->dialer);
	c->dialing = false;
	rv = nng_dialer_create(&c->dialer, c->socket, c->url);
	if (rv != 0)
		return nng_fail(e, rv, "dial", c);
	c->dialing = true;
	rv = nng_dialer_set_ms(c->dialer, NNG_OPT_RECONNMINT, NEVER_MS);
	if (rv == 0)
		rv = nng_dialer_set_ms(c->dialer, NNG_OPT_RECONNMAXT, NEVER_MS);
	if (rv == 0)
		rv = nng_dialer_start(c->dialer, NNG_FLAG_NONBLOCK);
	return rv == 0 ? 0 : nng_fail(e, rv, "dial", c);
}

bool
channel_connected(const struct channel *c)
{
	return c->connected;
}

bool
channel_send(struct channel *c, const char *head, size_t head_len,
    const char *body, size_t body_len)
{
	nng_msg *m;
	int rv;

	if (nng_msg_alloc(&m, head_len + body_len) != 0)
		oom();
	memcpy(nng_msg_body(m), head, head_len);
	if (body_len > 0)
		memcpy((char *)nng_msg_body(m) + head_len, body, body_len);
	rv = nng_sendmsg(c->socket, m, NNG_FLAG_NONBLOCK);
	if (rv == 0)
		return true;
	nng_msg_free(m);
	return false;
}

void
channel_pause(struct channel *c, bool paused)
{
	if (c->closing || c->paused == paused)
		return;
	c->paused = paused;
	if (paused)
		must(uv_poll_stop(&c->poll) == 0);
	else
		must(uv_poll_start(&c->poll, UV_READABLE, on_readable) == 0);
}

void
channel_close(struct channel *c, void (*closed)(void *arg), void *arg)
{
	if (c == NULL || c->closing)
		return;
	c->closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	/* The loop lets go of the descriptor before nng closes it. */
	if (c->receives)
		uv_close((uv_handle_t *)&c->poll, on_closed);
	(void)nng_close(c->socket);
	/* No thread of nng calls on_pipe any more. */
	uv_close((uv_handle_t *)&c->wake, on_closed);
}
