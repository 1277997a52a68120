/*
 * Two ends of the bus for its tests.  The state that travels is one number:
 * an update carries the next one, a snapshot the current one, so that a
 * message lost, doubled or out of order is seen at once.
 */
#ifndef TESTS_UNIT_BUS_PEER_H
#define TESTS_UNIT_BUS_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "bus/publisher.h"
#include "bus/subscriber.h"
#include <signal.h>

#include <string.h>
#include <uv.h>

/* Six times the figure to hold (5 s). */
#define DEADLINE_MS 30000
#define EPOCH_A "000000000000000a"
#define EPOCH_B "000000000000000b"

/* A loop that is turned until something holds. */
struct world {
	uv_loop_t loop;
	uv_timer_t tick; /* each 5 ms */
	char dir[64];
	uint64_t ticked_ms;
	uint64_t worst_gap_ms; /* between two ticks */
	int closed;
};

struct sender {
	struct publisher *p;
	uint64_t value;
	uint64_t asked;
};

struct receiver {
	struct subscriber *s;
	uint64_t value;
	bool heard;
	uint64_t silences;
	uint64_t snapshots;
	uint64_t wrong_versions;
	bool refuse_next; /* asks for everything at the next update */
	uint64_t *told;	  /* gets each value, or NULL */
};

static inline void
on_tick(uv_timer_t *timer)
{
	struct world *w = container_of(timer, struct world, tick);
	uint64_t now = uv_hrtime() / 1000000;

	if (w->ticked_ms != 0 && now - w->ticked_ms > w->worst_gap_ms)
		w->worst_gap_ms = now - w->ticked_ms;
	w->ticked_ms = now;
}

static inline void
world_init(struct world *w)
{
	/* As programs do. */
	(void)signal(SIGPIPE, SIG_IGN);
	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "/tmp/bulkhead-bus-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(uv_loop_init(&w->loop), 0);
	assert_int_equal(uv_timer_init(&w->loop, &w->tick), 0);
	assert_int_equal(uv_timer_start(&w->tick, on_tick, 5, 5), 0);
}

static inline void
world_fini(struct world *w)
{
	uv_close((uv_handle_t *)&w->tick, NULL);
	assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	assert_int_equal(fs_remove_tree(w->dir, NULL), 0);
}

static inline char *
world_path(const struct world *w, const char *name)
{
	return xasprintf("%s/%s", w->dir, name);
}

/* Turns the loop until 'cond'; a failed test after the deadline. */
#define RUN_UNTIL(w, cond) RUN_UNTIL_WITHIN(w, DEADLINE_MS, cond)
#define RUN_UNTIL_WITHIN(w, ms, cond)                                          \
	do {                                                                   \
		uint64_t end_ = uv_hrtime() / 1000000 + (ms);                  \
		while (!(cond)) {                                              \
			uv_run(&(w)->loop, UV_RUN_ONCE);                       \
			if (uv_hrtime() / 1000000 > end_)                      \
				fail_msg("not in time: %s", #cond);            \
		}                                                              \
	} while (0)

static inline void
run_for(struct world *w, uint64_t ms)
{
	uint64_t end = uv_hrtime() / 1000000 + ms;

	while (uv_hrtime() / 1000000 < end)
		uv_run(&w->loop, UV_RUN_ONCE);
}

static inline void
on_ask(void *arg, struct publisher *p, struct str *body)
{
	struct sender *s = arg;

	(void)p;
	s->asked++;
	str_addf(body, "%llu", (unsigned long long)s->value);
}

static inline void
sender_open(struct sender *s, uv_loop_t *loop, const char *cluster,
    const char *folder, const char *epoch)
{
	struct error e;

	s->p = publisher_new(loop, cluster, folder, epoch, on_ask, s, &e);
	if (s->p == NULL)
		fail_msg("%s", e.msg);
}

static inline void
sender_send(struct sender *s)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)++s->value);
	publisher_send(s->p, BUS_UPDATE, text, strlen(text), NULL);
}

static inline void
on_message(void *arg, const struct bus_message *m)
{
	struct receiver *r = arg;
	uint64_t value;

	must(m->body_len < 32);
	value = strtoull(m->body, NULL, 10);
	if (m->type == BUS_SNAPSHOT)
		r->snapshots++;
	else
		must(value == r->value + 1);
	r->value = value;
	if (r->told != NULL)
		*r->told = value;
	if (r->refuse_next && m->type != BUS_SNAPSHOT) {
		r->refuse_next = false;
		subscriber_resync(r->s);
	}
}

static inline void
on_contact(void *arg, bool heard)
{
	struct receiver *r = arg;

	must(heard != r->heard);
	r->heard = heard;
	if (!heard)
		r->silences++;
}

static inline void
on_wrong_version(void *arg, const struct error *e)
{
	struct receiver *r = arg;

	must(e->msg[0] != '\0');
	r->wrong_versions++;
}

static inline void
receiver_open(struct receiver *r, uv_loop_t *loop, const char *cluster,
    const char *folder)
{
	static const struct subscriber_handlers handlers = {
		.on_message = on_message,
		.on_contact = on_contact,
		.on_wrong_version = on_wrong_version,
	};
	struct error e;

	r->s = subscriber_new(loop, cluster, folder, &handlers, r, &e);
	if (r->s == NULL)
		fail_msg("%s", e.msg);
}

static inline void
on_end_closed(void *arg)
{
	struct world *w = arg;

	w->closed++;
}

static inline void
sender_close(struct sender *s, struct world *w)
{
	int before = w->closed;

	publisher_close(s->p, on_end_closed, w);
	publisher_close(s->p, on_end_closed, w);
	RUN_UNTIL(w, w->closed == before + 1);
	s->p = NULL;
}

static inline void
receiver_close(struct receiver *r, struct world *w)
{
	int before = w->closed;

	subscriber_close(r->s, on_end_closed, w);
	subscriber_close(r->s, on_end_closed, w);
	RUN_UNTIL(w, w->closed == before + 1);
	r->s = NULL;
}

#endif
