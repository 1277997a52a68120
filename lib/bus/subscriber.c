/*
 * The extension's side of the bus: see subscriber.h.
 *
 * One timer serves every deadline: silence, an ask that is not answered, an
 * ask that could not be sent.  One socket carries both questions, one at a
 * time: a snapshot that is wanted goes before what is needed.  While an ask is
 * under way, updates are held back, so that what was published meanwhile
 * follows the snapshot.
 */
#include "bus/subscriber.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "bus/channel.h"
#include "bus/order.h"

#define SILENCE_MS 3000
/* A process that was stopped first reads what came in the meantime. */
#define SUSPICION_MS 50
#define ASK_SPACING_MS 100
#define ASK_DEADLINE_MS 1500
#define ASK_DEADLINE_MAX_MS 24000
#define NEED_DEADLINE_MS 2000
#define HELD_MESSAGES 1024
#define HELD_BYTES (16U * 1024 * 1024)
#define HEADER_MAX 1024

struct held {
	char *bytes; /* owned */
	size_t len;
};

struct subscriber {
	uv_loop_t *loop;
	char cluster[64];
	char *events_path;
	char *snapshot_path;
	struct subscriber_handlers handlers;
	void *arg;
	struct channel *events;	  /* SUB; NULL while it cannot be made */
	struct channel *snapshot; /* REQ */
	struct bus_order order;
	VEC(struct held) held;
	size_t held_bytes;
	uint64_t received;
	bool heard;	     /* told to the owner */
	uint64_t heard_ms;   /* of the loop's clock */
	bool suspected;	     /* silent at the last look */
	bool want;	     /* a snapshot */
	bool asked;	     /* and the question is out */
	uint64_t asked_ms;   /* when that was last tried */
	uint64_t waiting_ms; /* since when nothing moved */
	uint64_t ask_deadline_ms;
	char *need; /* owned; NULL: nothing to tell */
	size_t need_len;
	bool need_due;	   /* the reader has not answered it */
	bool need_out;	   /* it was asked */
	uint64_t need_ms;  /* when that was last tried */
	uint64_t gate_seq; /* of the newest word that was published */
	uv_timer_t timer;
	bool closing;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_timer(uv_timer_t *timer);
static void ask(struct subscriber *s);
static void tell_need(struct subscriber *s);

static void
unref(void *arg)
{
	struct subscriber *s = arg;

	if (--s->open_handles > 0)
		return;
	if (s->closed != NULL)
		s->closed(s->closed_arg);
	free(s->events_path);
	free(s->snapshot_path);
	free(s->need);
	free(s);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	unref(handle->data);
}

static void
drop_held(struct subscriber *s)
{
	size_t i;

	for (i = 0; i < s->held.len; i++)
		free(s->held.at[i].bytes);
	vec_fini(&s->held);
	s->held_bytes = 0;
}

/* The question is not out, and there is somebody to ask. */
static bool
can_ask(const struct subscriber *s)
{
	return s->want && !s->asked && s->snapshot != NULL &&
	    channel_connected(s->snapshot);
}

/* Sets the timer to the next thing that may be due. */
static void
rearm(struct subscriber *s)
{
	uint64_t now = uv_now(s->loop), at;

	if (s->closing)
		return;
	at = s->suspected ? now + SUSPICION_MS : s->heard_ms + SILENCE_MS;
	if (s->want) {
		uint64_t due = can_ask(s) ? s->asked_ms + ASK_SPACING_MS
					  : s->waiting_ms + s->ask_deadline_ms;

		at = due < at ? due : at;
	} else if (s->need_due) {
		uint64_t due = s->need_ms + NEED_DEADLINE_MS;

		at = due < at ? due : at;
	}
	must(uv_timer_start(&s->timer, on_timer, at > now ? at - now : 0, 0) ==
	    0);
}

static void
want_snapshot(struct subscriber *s)
{
	if (s->want)
		return;
	s->want = true;
	s->asked = false;
	s->waiting_ms = uv_now(s->loop);
	if (uv_now(s->loop) >= s->asked_ms + ASK_SPACING_MS)
		ask(s);
	rearm(s);
}

static void
deliver(struct subscriber *s, const struct bus_message *m)
{
	if (m->type != BUS_GATE) {
		s->handlers.on_message(s->arg, m);
		return;
	}
	s->gate_seq = m->seq;
	if (s->handlers.on_gate != NULL)
		s->handlers.on_gate(s->arg, m->body, m->body_len);
}

static void
hold(struct subscriber *s, const char *bytes, size_t len)
{
	struct held h = { .len = len };

	/* Too many: the snapshot will leave a gap, and be asked for again. */
	if (s->held.len >= HELD_MESSAGES || s->held_bytes + len > HELD_BYTES)
		return;
	h.bytes = xmemdup0(bytes, len);
	s->held_bytes += len;
	vec_push(&s->held, h);
}

/* After a snapshot: what was held and follows on. */
static void
replay(struct subscriber *s)
{
	__typeof__(s->held) held = s->held;
	struct bus_message m;
	size_t i;

	memset(&s->held, 0, sizeof(s->held));
	s->held_bytes = 0;
	for (i = 0; i < held.len; i++) {
		struct held *h = &held.at[i];

		if (!s->closing && bus_decode(h->bytes, h->len, &m, NULL) == 0)
			switch (bus_order_next(&s->order, &m)) {
			case BUS_APPLY:
				deliver(s, &m);
				break;
			case BUS_AHEAD:
				hold(s, h->bytes, h->len);
				break;
			case BUS_OLD:
				break;
			}
		free(h->bytes);
	}
	vec_fini(&held);
	if (!s->closing && !s->order.synced)
		want_snapshot(s);
}

/* False: not ours, or the wrong version. */
static bool
decode(struct subscriber *s, const char *bytes, size_t len,
    struct bus_message *ret)
{
	struct error e;

	if (bus_decode(bytes, len, ret, &e) != 0) {
		if (e.code == EPROTONOSUPPORT)
			s->handlers.on_wrong_version(s->arg, &e);
		else
			log_debug("bus: ignored: %s", e.msg);
		return false;
	}
	if (strcmp(ret->cluster, s->cluster) != 0) {
		log_debug("bus: ignored: for another cluster");
		return false;
	}
	return true;
}

static void
hear(struct subscriber *s)
{
	s->heard_ms = uv_now(s->loop);
	s->suspected = false;
	if (s->heard)
		return;
	s->heard = true;
	s->handlers.on_contact(s->arg, true);
}

static void
on_event(void *arg, const char *bytes, size_t len)
{
	struct subscriber *s = arg;
	struct bus_message m;

	if (!decode(s, bytes, len, &m))
		return;
	if (m.type == BUS_ASK || m.type == BUS_SNAPSHOT || m.type == BUS_NEED)
		return;
	hear(s);
	if (s->closing)
		return;
	if (m.type != BUS_BEACON)
		s->received++;
	switch (bus_order_next(&s->order, &m)) {
	case BUS_APPLY:
		deliver(s, &m);
		break;
	case BUS_AHEAD:
		if (m.type != BUS_BEACON)
			hold(s, bytes, len);
		want_snapshot(s);
		break;
	case BUS_OLD:
		break;
	}
}

/* The answer to what is needed; a newer word may have overtaken it. */
static void
take_gate(struct subscriber *s, const struct bus_message *m)
{
	if (s->closing || !s->need_out || strcmp(m->epoch, s->order.epoch) != 0)
		return;
	s->need_due = s->need_out = false;
	if (m->seq >= s->gate_seq)
		deliver(s, m);
	if (!s->closing)
		rearm(s);
}

static void
on_snapshot(void *arg, const char *bytes, size_t len)
{
	struct subscriber *s = arg;
	struct bus_message m;

	if (!decode(s, bytes, len, &m) ||
	    (m.type != BUS_SNAPSHOT && m.type != BUS_GATE))
		return;
	hear(s);
	if (m.type == BUS_GATE) {
		take_gate(s, &m);
		return;
	}
	if (s->closing || !s->want)
		return;
	s->received++;
	s->want = s->asked = false;
	s->ask_deadline_ms = ASK_DEADLINE_MS;
	(void)bus_order_next(&s->order, &m);
	/* It may be another reader's: that one has heard of no need. */
	s->need_due = s->need != NULL;
	s->gate_seq = 0;
	deliver(s, &m);
	if (!s->closing)
		replay(s);
	if (!s->closing)
		tell_need(s);
	rearm(s);
}

static void
on_event_peers(void *arg, bool connected)
{
	(void)arg;
	log_debug("bus: reader %s", connected ? "connected" : "gone");
}

static void
on_snapshot_peers(void *arg, bool connected)
{
	struct subscriber *s = arg;

	/* What was asked of the one that went is never answered. */
	s->asked = s->need_out = false;
	if (connected && s->want)
		ask(s);
	else if (connected)
		tell_need(s);
	rearm(s);
}

static void
ask(struct subscriber *s)
{
	struct bus_message m = { .type = BUS_ASK, .seq = s->order.seq };

	s->asked_ms = uv_now(s->loop);
	if (!can_ask(s))
		return;
	s->waiting_ms = s->asked_ms;
	STR_AUTO(head, HEADER_MAX);
	memcpy(m.cluster, s->cluster, sizeof(m.cluster));
	memcpy(m.epoch, s->order.epoch, sizeof(m.epoch));
	m.stamps.sent_us = clock_wall_us();
	bus_encode_header(&head, &m);
	/* Another question on this socket is given up. */
	s->need_out = false;
	s->asked = channel_send(s->snapshot, head.p, head.len, NULL, 0);
}

static void
tell_need(struct subscriber *s)
{
	struct bus_message m = { .type = BUS_NEED, .seq = s->order.seq };
	STR_AUTO(head, HEADER_MAX);

	if (!s->need_due || s->want || s->need_out || s->snapshot == NULL ||
	    !channel_connected(s->snapshot))
		return;
	s->need_ms = uv_now(s->loop);
	memcpy(m.cluster, s->cluster, sizeof(m.cluster));
	memcpy(m.epoch, s->order.epoch, sizeof(m.epoch));
	m.stamps.sent_us = clock_wall_us();
	bus_encode_header(&head, &m);
	s->need_out =
	    channel_send(s->snapshot, head.p, head.len, s->need, s->need_len);
}

void
subscriber_need(struct subscriber *s, const char *body, size_t len)
{
	if (s->closing)
		return;
	free(s->need);
	s->need = xmemdup0(body, len);
	s->need_len = len;
	s->need_due = true;
	/* An answer to the one before says nothing of this one. */
	s->need_out = false;
	tell_need(s);
	rearm(s);
}

static struct channel *
listen_on(struct subscriber *s, enum channel_kind kind, const char *path,
    const struct channel_handlers *h, struct error *e)
{
	struct channel *c =
	    channel_open(s->loop, kind, path, BUS_MESSAGE_MAX, h, s, e);

	if (c == NULL)
		return NULL;
	s->open_handles++;
	if (channel_listen(c, e) != 0) {
		channel_close(c, unref, s);
		return NULL;
	}
	return c;
}

static int
listen_events(struct subscriber *s, struct error *e)
{
	static const struct channel_handlers h = {
		.on_message = on_event,
		.on_peers = on_event_peers,
	};

	channel_close(s->events, unref, s);
	s->events = listen_on(s, CHANNEL_SUB, s->events_path, &h, e);
	return s->events != NULL ? 0 : -1;
}

static int
listen_snapshot(struct subscriber *s, struct error *e)
{
	static const struct channel_handlers h = {
		.on_message = on_snapshot,
		.on_peers = on_snapshot_peers,
	};

	channel_close(s->snapshot, unref, s);
	s->asked = s->need_out = false;
	s->snapshot = listen_on(s, CHANNEL_REQ, s->snapshot_path, &h, e);
	return s->snapshot != NULL ? 0 : -1;
}

/*
 * Nothing was heard: the listeners may be deaf (one connection that ends
 * before nng's handshake is enough), so they are made anew.
 */
static void
on_silence(struct subscriber *s)
{
	struct error e;

	log_debug("bus: nothing heard for 3 s: listening anew");
	s->heard_ms = uv_now(s->loop);
	s->suspected = false;
	s->order.synced = false;
	s->want = true;
	s->waiting_ms = s->heard_ms;
	s->ask_deadline_ms = ASK_DEADLINE_MS;
	if (listen_events(s, &e) != 0)
		log_debug("%s", e.msg);
	if (listen_snapshot(s, &e) != 0)
		log_debug("%s", e.msg);
	if (!s->heard)
		return;
	s->heard = false;
	s->handlers.on_contact(s->arg, false);
}

/* The reader is heard, and either does not come here or does not answer. */
static void
on_unanswered(struct subscriber *s)
{
	struct error e;

	log_debug("bus: no answer: asking anew");
	s->waiting_ms = uv_now(s->loop);
	if (s->asked && s->ask_deadline_ms < ASK_DEADLINE_MAX_MS)
		s->ask_deadline_ms *= 2;
	if (s->heard && listen_snapshot(s, &e) != 0)
		log_debug("%s", e.msg);
}

static void
on_timer(uv_timer_t *timer)
{
	struct subscriber *s = container_of(timer, struct subscriber, timer);
	uint64_t now = uv_now(s->loop);

	if (s->closing)
		return;
	if (now >= s->heard_ms + SILENCE_MS) {
		if (s->suspected)
			on_silence(s);
		else
			s->suspected = true;
	} else if (can_ask(s) && now >= s->asked_ms + ASK_SPACING_MS) {
		ask(s);
	} else if (s->want && now >= s->waiting_ms + s->ask_deadline_ms) {
		on_unanswered(s);
	} else if (s->need_due && !s->want &&
	    now >= s->need_ms + NEED_DEADLINE_MS) {
		s->need_out = false;
		tell_need(s);
		s->need_ms = now;
	}
	if (!s->closing)
		rearm(s);
}

struct subscriber *
subscriber_new(uv_loop_t *loop, const char *cluster, const char *folder,
    const struct subscriber_handlers *h, void *arg, struct error *e)
{
	struct subscriber *s;

	if (fs_mkdirs(folder, 0750, e) != 0)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	must(strlen(cluster) < sizeof(s->cluster));
	memcpy(s->cluster, cluster, strlen(cluster) + 1);
	s->loop = loop;
	s->events_path = xasprintf("%s/events", folder);
	s->snapshot_path = xasprintf("%s/snapshot", folder);
	s->handlers = *h;
	s->arg = arg;
	s->ask_deadline_ms = ASK_DEADLINE_MS;
	s->heard_ms = s->asked_ms = s->waiting_ms = uv_now(loop);
	s->want = true;
	s->timer.data = s;
	must(uv_timer_init(loop, &s->timer) == 0);
	s->open_handles = 1;
	if (listen_events(s, e) != 0 || listen_snapshot(s, e) != 0) {
		subscriber_close(s, NULL, NULL);
		return NULL;
	}
	rearm(s);
	return s;
}

void
subscriber_resync(struct subscriber *s)
{
	s->order.synced = false;
	drop_held(s);
	want_snapshot(s);
}

uint64_t
subscriber_received(const struct subscriber *s)
{
	return s->received;
}

void
subscriber_close(struct subscriber *s, void (*closed)(void *arg), void *arg)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	drop_held(s);
	channel_close(s->events, unref, s);
	channel_close(s->snapshot, unref, s);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
