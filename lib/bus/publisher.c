/*
 * The reader's side of the bus: see publisher.h.
 *
 * Two channels that dial the extension's listeners, each with a timer of its
 * own: a dial that did not lead to a peer in its time is given up and made
 * again.  What cannot be delivered is dropped; the beacon tells of it.
 */
#include "bus/publisher.h"

#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/channel.h"

#define BEACON_MS 1000
/* Beacons of many clusters go out together, at such points of the clock. */
#define BEACON_GRID_MS 250
#define DIAL_MIN_MS 50
#define DIAL_MAX_MS 800
/* A subscriber that asks on and on is answered this often. */
#define ANSWER_SPACING_MS 50
#define HEADER_MAX 4096
#define ASK_MAX ((size_t)1024 * 1024)

/* A channel and the timer that dials it. */
struct line {
	struct publisher *publisher;
	struct channel *channel;
	struct backoff backoff;
	uv_timer_t redial;
};

struct publisher {
	uv_loop_t *loop;
	char cluster[64];
	char epoch[BUS_EPOCH_SIZE];
	uint64_t seq;
	uint64_t sent;
	publisher_snapshot_fn *on_ask;
	void *arg;
	publisher_need_fn *on_need; /* or NULL */
	void *need_arg;
	struct line events;   /* PUB */
	struct line snapshot; /* REP */
	uv_timer_t beacon;
	uv_timer_t spacing;
	bool closing;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static uint32_t
jitter_seed(void)
{
	uint32_t r = 0;

	if (uv_random(NULL, NULL, &r, sizeof(r), 0, NULL) != 0)
		r = (uint32_t)clock_mono_us();
	return r;
}

static void
send_message(struct publisher *p, struct channel *channel, enum bus_type type,
    const char *body, size_t len, const struct bus_stamps *stamps)
{
	struct bus_message m = { .type = type, .seq = p->seq };

	STR_AUTO(head, HEADER_MAX);
	memcpy(m.cluster, p->cluster, sizeof(m.cluster));
	memcpy(m.epoch, p->epoch, sizeof(m.epoch));
	if (stamps != NULL)
		m.stamps = *stamps;
	m.stamps.sent_us = clock_wall_us();
	bus_encode_header(&head, &m);
	must(!head.overflow);
	if (!channel_send(channel, head.p, head.len, body, len))
		log_debug("bus[%s]: nobody takes a message", p->cluster);
}

/*
 * About a second from now, at a point where other publishers wake up, too: a
 * reader of many clusters wakes up a few times a second, not once for each.
 */
static uint64_t
next_beacon(struct publisher *p)
{
	uint64_t now = uv_now(p->loop);
	uint64_t due = now + backoff_jitter(BEACON_MS, jitter_seed());

	return due - due % BEACON_GRID_MS - now;
}

static void
on_beacon(uv_timer_t *timer)
{
	struct publisher *p = container_of(timer, struct publisher, beacon);

	if (p->closing)
		return;
	send_message(p, p->events.channel, BUS_BEACON, NULL, 0, NULL);
	must(uv_timer_start(&p->beacon, on_beacon, next_beacon(p), 0) == 0);
}

static void
on_redial(uv_timer_t *timer)
{
	struct line *l = container_of(timer, struct line, redial);
	uint64_t patience;
	struct error e;

	if (l->publisher->closing || channel_connected(l->channel))
		return;
	if (channel_dial(l->channel, &e) != 0)
		log_debug("%s", e.msg);
	patience = backoff_jitter(backoff_next(&l->backoff, 0), jitter_seed());
	must(uv_timer_start(&l->redial, on_redial, patience, 0) == 0);
}

static void
on_peers(void *arg, bool connected)
{
	struct line *l = arg;
	struct publisher *p = l->publisher;

	if (connected) {
		l->backoff.next_ms = 0;
		must(uv_timer_stop(&l->redial) == 0);
		/* The newcomer learns at once what it has missed. */
		if (l == &p->events)
			must(uv_timer_start(&p->beacon, on_beacon, 0, 0) == 0);
		return;
	}
	must(uv_timer_start(&l->redial, on_redial, DIAL_MIN_MS, 0) == 0);
}

static void
on_spaced(uv_timer_t *timer)
{
	struct publisher *p = container_of(timer, struct publisher, spacing);

	if (!p->closing)
		channel_pause(p->snapshot.channel, false);
}

static void
on_message(void *arg, const char *bytes, size_t len)
{
	struct line *l = arg;
	struct publisher *p = l->publisher;
	struct bus_message m;
	struct error e;

	if (bus_decode(bytes, len, &m, &e) != 0 ||
	    (m.type != BUS_ASK && (m.type != BUS_NEED || p->on_need == NULL)) ||
	    strcmp(m.cluster, p->cluster) != 0) {
		log_debug("bus[%s]: an ask that is none", p->cluster);
		return;
	}
	STR_AUTO(body, BUS_MESSAGE_MAX - HEADER_MAX);
	if (m.type == BUS_ASK)
		p->on_ask(p->arg, p, &body);
	else
		p->on_need(p->need_arg, p, m.body, m.body_len, &body);
	if (p->closing)
		return;
	must(!body.overflow);
	send_message(p, p->snapshot.channel,
	    m.type == BUS_ASK ? BUS_SNAPSHOT : BUS_GATE, body.p, body.len,
	    NULL);
	channel_pause(p->snapshot.channel, true);
	must(uv_timer_start(&p->spacing, on_spaced, ANSWER_SPACING_MS, 0) == 0);
}

static void
unref(struct publisher *p)
{
	if (--p->open_handles > 0)
		return;
	if (p->closed != NULL)
		p->closed(p->closed_arg);
	free(p);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	unref(handle->data);
}

static void
on_channel_closed(void *arg)
{
	unref(arg);
}

static void
start_timer(struct publisher *p, uv_timer_t *timer)
{
	must(uv_timer_init(p->loop, timer) == 0);
	timer->data = p;
	p->open_handles++;
}

static int
open_line(struct publisher *p, struct line *l, enum channel_kind kind,
    const char *folder, const char *name, struct error *e)
{
	static const struct channel_handlers handlers = {
		.on_message = on_message,
		.on_peers = on_peers,
	};
	char *path = xasprintf("%s/%s", folder, name);

	l->publisher = p;
	l->backoff =
	    (struct backoff)BACKOFF_INIT(DIAL_MIN_MS, DIAL_MAX_MS, UINT64_MAX);
	start_timer(p, &l->redial);
	l->channel =
	    channel_open(p->loop, kind, path, ASK_MAX, &handlers, l, e);
	free(path);
	if (l->channel == NULL)
		return -1;
	p->open_handles++;
	must(uv_timer_start(&l->redial, on_redial, 0, 0) == 0);
	return 0;
}

struct publisher *
publisher_new(uv_loop_t *loop, const char *cluster, const char *folder,
    const char *epoch, publisher_snapshot_fn *on_ask, void *arg,
    struct error *e)
{
	struct publisher *p = xcalloc(1, sizeof(*p));

	must(strlen(cluster) < sizeof(p->cluster));
	must(strlen(epoch) < sizeof(p->epoch));
	memcpy(p->cluster, cluster, strlen(cluster) + 1);
	memcpy(p->epoch, epoch, strlen(epoch) + 1);
	p->loop = loop;
	p->on_ask = on_ask;
	p->arg = arg;
	start_timer(p, &p->beacon);
	start_timer(p, &p->spacing);
	if (open_line(p, &p->events, CHANNEL_PUB, folder, "events", e) != 0 ||
	    open_line(p, &p->snapshot, CHANNEL_REP, folder, "snapshot", e) !=
		0) {
		publisher_close(p, NULL, NULL);
		return NULL;
	}
	must(uv_timer_start(&p->beacon, on_beacon, BEACON_MS, 0) == 0);
	return p;
}

void
publisher_send(struct publisher *p, enum bus_type type, const char *body,
    size_t len, const struct bus_stamps *stamps)
{
	must(type == BUS_UPDATE || type == BUS_REMOVE || type == BUS_GATE);
	p->seq++;
	p->sent++;
	send_message(p, p->events.channel, type, body, len, stamps);
}

void
publisher_on_need(struct publisher *p, publisher_need_fn *on_need, void *arg)
{
	p->on_need = on_need;
	p->need_arg = arg;
}

uint64_t
publisher_seq(const struct publisher *p)
{
	return p->seq;
}

uint64_t
publisher_sent(const struct publisher *p)
{
	return p->sent;
}

bool
publisher_connected(const struct publisher *p)
{
	return channel_connected(p->events.channel) &&
	    channel_connected(p->snapshot.channel);
}

static void
close_line(struct line *l)
{
	if (l->publisher == NULL)
		return;
	uv_close((uv_handle_t *)&l->redial, on_handle_closed);
	channel_close(l->channel, on_channel_closed, l->publisher);
}

void
publisher_close(struct publisher *p, void (*closed)(void *arg), void *arg)
{
	if (p == NULL || p->closing)
		return;
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	close_line(&p->events);
	close_line(&p->snapshot);
	uv_close((uv_handle_t *)&p->beacon, on_handle_closed);
	uv_close((uv_handle_t *)&p->spacing, on_handle_closed);
}
