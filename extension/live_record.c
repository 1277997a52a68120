/* Entries of the history: see live_record.h. */
#include "live_record.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "live_object.h"

#define RECORD_MS 1000
/* Of so many services one may differ from the base, and some in any case. */
#define NEAR_SHARE 4
#define NEAR_LEAST 16

struct items {
	VEC(struct recording_item) list;
};

/* ---- what changed ---- */

static void
know_nothing(struct live_record *x)
{
	map_fini(&x->since);
	map_fini(&x->changed);
	x->base = 0;
	x->all_changed = true;
}

void
live_record_touched(struct live *l, const struct routing_changes *c)
{
	struct live_record *x = &l->pin.record;
	struct map_entry *e;
	size_t i;

	if (c->all_services)
		know_nothing(x);
	for (i = 0; !x->all_changed && (e = map_next(&c->services, &i));) {
		(void)map_set(&x->since, e->key, x);
		(void)map_set(&x->changed, e->key, x);
	}
}

static void
add_items(const struct live *l, const struct map *ids, struct items *ret)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(ids, &i)) != NULL;) {
		const struct accepted *a = router_accepted(l->router, e->key);
		struct recording_item item = { .id = e->key };

		item.now = a == NULL ? NULL : a->service;
		vec_push(&ret->list, item);
	}
}

static void
add_accepted(const struct routing *r, struct items *ret)
{
	size_t i;

	for (i = 0; i < r->accepted.len; i++) {
		const struct service *s = r->accepted.at[i]->service;
		struct recording_item item = { .id = s->id, .now = s };

		vec_push(&ret->list, item);
	}
}

static bool
is_near(const struct live_record *x, const struct routing *r)
{
	return !x->all_changed && x->base != 0 &&
	    (x->since.len <= NEAR_LEAST ||
		x->since.len <= r->accepted.len / NEAR_SHARE);
}

/* ---- an entry ---- */

static int
add(struct live *l, const struct history_news *what, struct error *e)
{
	struct history_news news = *what;

	news.generation = state_generation(l->state);
	news.files = state_newest(l->state);
	news.wall_s = clock_wall_us() / 1000000;
	news.reloads = l->pin.record.due_reloads;
	return history_add(&l->pin.history, &news, e);
}

static int
add_whole(struct live *l, struct error *e)
{
	struct live_record *x = &l->pin.record;
	const struct routing *r = l->routing;
	struct history_news news = { .whole = true,
		.settings = l->config,
		.config = state_config(l->state) };
	struct items items = { 0 };
	STR_AUTO(text, RECORDING_MAX);
	int rc;

	recording_encode(&text, l->config, l->pin.ini.p, r,
	    state_generation(l->state), state_config(l->state));
	if (text.overflow) {
		x->too_many = r->accepted.len;
		return error_set(
		    e, EFBIG, "more than %u MiB", RECORDING_MAX / 1024 / 1024);
	}
	add_accepted(r, &items);
	news.text = &text;
	news.items = items.list.at;
	news.n = items.list.len;
	rc = add(l, &news, e);
	vec_fini(&items.list);
	if (rc != 0)
		return -1;
	know_nothing(x);
	x->base = state_generation(l->state);
	x->all_changed = false;
	x->too_many = 0;
	return 0;
}

static int
add_change(struct live *l, struct error *e)
{
	struct live_record *x = &l->pin.record;
	struct history_news news = { .base = x->base,
		.settings = l->config,
		.config = state_config(l->state) };
	struct items since = { 0 }, changed = { 0 };
	STR_AUTO(text, RECORDING_MAX);
	int rc;

	add_items(l, &x->since, &since);
	add_items(l, &x->changed, &changed);
	recording_encode_delta(&text, l->config, x->base, since.list.at,
	    since.list.len, state_generation(l->state), state_config(l->state));
	news.text = &text;
	news.items = changed.list.at;
	news.n = changed.list.len;
	rc = text.overflow ? error_set(e, EFBIG, "too much changed")
			   : add(l, &news, e);
	vec_fini(&since.list);
	vec_fini(&changed.list);
	if (rc == 0)
		map_fini(&x->changed);
	return rc;
}

static void
record(struct live *l)
{
	struct live_record *x = &l->pin.record;
	struct error e;

	x->due = 0;
	/* It was told, and costs much to find out. */
	if (x->too_many > 0 && l->routing->accepted.len >= x->too_many)
		return;
	if ((is_near(x, l->routing) ? add_change(l, &e) : add_whole(l, &e)) ==
	    0)
		return;
	log_warn("generation %" PRIu64 " is not in the history: %s",
	    state_generation(l->state), e.msg);
	know_nothing(x);
}

void
live_record_pinned(struct live *l, uint64_t rolled_back_to)
{
	const struct recording *what = l->pin.what;
	struct history_news news = { .whole = true,
		.settings = what->config,
		.config = what->config_hash,
		.rolled_back_to = rolled_back_to };
	struct items items = { 0 };
	struct map_entry *m;
	STR_AUTO(text, RECORDING_MAX);
	struct error e;
	size_t i;

	l->pin.record.due = 0;
	know_nothing(&l->pin.record);
	str_addn(&text, what->text, what->len);
	for (i = 0; (m = map_next(&what->services->services, &i)) != NULL;) {
		struct recording_item item = { .id = m->key, .now = m->value };

		vec_push(&items.list, item);
	}
	news.text = &text;
	news.items = items.list.at;
	news.n = items.list.len;
	if (add(l, &news, &e) != 0)
		log_warn("generation %" PRIu64 " is not in the history: %s",
		    state_generation(l->state), e.msg);
	vec_fini(&items.list);
}

/* ---- when ---- */

/* What is in force now is what is known of the model now. */
static bool
can_record(struct live *l)
{
	const struct routing *r =
	    l->stopping || l->blame.active ? NULL : live_routing(l);

	return r != NULL && !l->blame.active && !l->pin.reg.pinned &&
	    state_generation(l->state) > 0;
}

void
live_record_now(struct live *l)
{
	if (l->pin.record.due != 0 && can_record(l))
		record(l);
}

static void
on_record(uv_timer_t *timer)
{
	struct live_record *x = container_of(timer, struct live_record, timer);
	struct live_pin *pin = container_of(x, struct live_pin, record);
	struct live *l = container_of(pin, struct live, pin);

	if (l->stopping || x->due == 0 || pin->reg.pinned)
		return;
	if (can_record(l))
		record(l);
	else
		must(uv_timer_start(timer, on_record, RECORD_MS, 0) == 0);
}

void
live_record_delivered(struct live *l, bool structure)
{
	struct live_record *x = &l->pin.record;
	struct history *h = &l->pin.history;
	uint64_t generation = state_generation(l->state);

	if (l->pin.reg.pinned ||
	    (!structure && x->due == 0 && h->entries.len > 0)) {
		history_follow(h, generation, proxies_reloads(&l->proxies));
		return;
	}
	if (x->due == 0)
		x->due_reloads = proxies_reloads(&l->proxies);
	x->due = generation;
	if (!uv_is_active((uv_handle_t *)&x->timer))
		must(uv_timer_start(&x->timer, on_record, RECORD_MS, 0) == 0);
}

/* ---- life ---- */

void
live_record_open(struct live *l)
{
	must(uv_timer_init(&l->loop, &l->pin.record.timer) == 0);
	l->pin.record.all_changed = true;
}

void
live_record_close(struct live *l)
{
	uv_close((uv_handle_t *)&l->pin.record.timer, NULL);
}

void
live_record_free(struct live *l)
{
	map_fini(&l->pin.record.since);
	map_fini(&l->pin.record.changed);
}
