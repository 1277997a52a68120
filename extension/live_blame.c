/*
 * What an engine refuses, traced to services: the shell around blame.c.
 *
 * Candidates are rendered here and checked by the agent that refused, by
 * "nginx -t" and without a reload; the rest of the proxies learn of the
 * result only.  While that runs nothing new is delivered: it would be refused
 * as well.  Services that change meanwhile are left out of the candidates and
 * are looked at afterwards, as they are then.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "blame_files.h"
#include "live_object.h"
#include "render.h"

#define CHECK_MS 15000	/* an agent's answer */
#define QUIET_MS 5000	/* after an attempt that told nothing */
#define NOBODY_MS 60000 /* after one that found nobody */
/* Whether who is set aside is still refused: soon, then ever more seldom. */
#define RETRY_MIN_MS 5000
#define RETRY_MAX_MS 60000

static const char left_out_mark[] = "";

static void next_candidate(struct live *l);

static void
end(struct live *l, uint64_t quiet_ms)
{
	struct live_blame *x = &l->blame;
	bool held = x->held;

	x->active = x->held = x->redo = false;
	x->quiet_until_ms = clock_mono_ms() + quiet_ms;
	blame_fini(&x->b);
	map_fini(&x->later);
	free(x->proxy);
	x->proxy = NULL;
	state_offer(l->state, NULL);
	(void)uv_timer_stop(&x->deadline);
	if (held)
		live_changed(l);
}

void
live_blame_abort(struct live *l)
{
	if (l->blame.active)
		end(l, 0);
}

/* ---- the verdict ---- */

static void
set_aside(struct live *l, const struct blame_suspect *x)
{
	const struct service *s = map_get(&l->model->services, x->id);

	/* Still refused: what stays in force in its place is settled. */
	if (s == NULL || l->blame.retry)
		return;
	aside_refused(&l->aside, s, l->blame.proxy, x->words,
	    served_get(&l->served, s->id));
	l->blame.retry_ms = clock_mono_ms() + RETRY_MIN_MS;
	l->blame.retry_delay_ms = RETRY_MIN_MS;
	log_error("service %s is set aside until it changes: the engine of "
		  "proxy %s refuses it: %s",
	    s->name, l->blame.proxy, x->words);
	live_event(l, "engine-refused", "service %s is set aside: %s", s->name,
	    x->words);
}

static void
let_in(struct live *l, const struct blame_suspect *x)
{
	const struct service *s = map_get(&l->model->services, x->id);

	if (!aside_remove(&l->aside, x->id) || s == NULL)
		return;
	log_info("service %s is no longer refused by the engine", s->name);
	live_event(l, "engine-accepts",
	    "service %s is no longer refused by the engine", s->name);
	l->blame.held = true;
}

static void
finish(struct live *l)
{
	struct live_blame *x = &l->blame;
	bool any = false;
	size_t i;

	live_forget(l);
	for (i = 0; i < x->b.suspects.len; i++) {
		const struct blame_suspect *s = &x->b.suspects.at[i];

		any |= s->convicted;
		if (s->convicted)
			set_aside(l, s);
		else if (x->retry && s->good)
			let_in(l, s);
	}
	live_aside_changed(l);
	log_debug("blame: %u checks", x->b.tests);
	if (!x->retry) {
		x->held = true;
		/* Where nobody was found it has healed by itself. */
		if (!any)
			control_repeat(l->control, x->proxy);
	}
	end(l, 0);
}

static bool start(struct live *l, const char *proxy, const char *words);

static void
not_them(struct live *l)
{
	struct live_blame *x = &l->blame;
	char *proxy _cleanup_free_ = xstrdup(x->proxy);
	char *words _cleanup_free_ = xstrdup(x->b.words);
	bool widen = !x->retry && !x->everybody;

	if (widen) {
		blame_fini(&x->b);
		map_fini(&x->later);
		x->everybody = true;
		if (start(l, proxy, words))
			return;
	} else if (!x->retry) {
		log_error("proxy %s: its engine refuses the configuration even "
			  "without any service: see the cluster's raw options "
			  "and that host: %s",
		    proxy, words);
	}
	end(l, NOBODY_MS);
}

/* ---- candidates ---- */

/* Suspects that do not take part, and who changed, are as if not there. */
static struct routing *
candidate_routing(struct live *l)
{
	struct live_blame *x = &l->blame;
	struct set_aside left_out = { .finding = { .offset = -1 } };
	struct map aside = { 0 };
	struct routing_options o = { .set_aside = &aside,
		.foreign_is_error = true,
		.secrets = &l->secrets.book,
		.holds = &l->holds };
	struct routing *r;
	struct map_entry *e;
	size_t i;

	(void)finding_set(&left_out.finding, REJECT_ENGINE_REFUSED, NULL, -1,
	    NULL, "being looked at");
	(void)live_build(l); /* makes the verdicts those of the model */
	for (i = 0; (e = map_next(&l->aside.verdicts, &i)) != NULL;)
		(void)map_set(&aside, e->key, e->value);
	for (i = 0; i < x->b.suspects.len; i++) {
		const char *id = x->b.suspects.at[i].id;

		if (blame_includes(&x->b, i))
			(void)map_remove(&aside, id);
		else if (!x->retry)
			(void)map_set(&aside, id, &left_out);
	}
	for (i = 0; (e = map_next(&x->later, &i)) != NULL;)
		(void)map_set(&aside, e->key, &left_out);
	live_gate_options(l, &o);
	r = routing_build(l->config, l->model, &o);
	map_fini(&aside);
	finding_fini(&left_out.finding);
	return r;
}

static void
offer_candidate(struct live *l)
{
	struct routing *routing = candidate_routing(l);
	struct rendered *r = live_render(l, routing);

	routing_free(routing);
	if (r == NULL) {
		end(l, QUIET_MS);
		return;
	}
	state_offer(l->state, r);
	control_offer(l->control, l->blame.proxy);
}

static void
on_deadline(uv_timer_t *timer)
{
	struct live_blame *x = container_of(timer, struct live_blame, deadline);
	struct live *l = container_of(x, struct live, blame);

	if (l->stopping || !x->active)
		return;
	log_warn("proxy %s does not check what it is given; whom it refuses "
		 "is looked at later",
	    x->proxy);
	end(l, QUIET_MS);
}

static void
next_candidate(struct live *l)
{
	struct live_blame *x = &l->blame;

	switch (x->b.state) {
	case BLAME_TESTING:
		must(uv_timer_start(&x->deadline, on_deadline, CHECK_MS, 0) ==
		    0);
		offer_candidate(l);
		break;
	case BLAME_DONE:
		finish(l);
		break;
	case BLAME_NOT_THEM:
		not_them(l);
		break;
	}
}

void
live_blame_check(struct live *l, const struct proxy_check *check)
{
	struct live_blame *x = &l->blame;

	if (!x->active || strcmp(check->config, state_offered(l->state)) != 0)
		return;
	if (check->state == CHECK_FAILED) {
		log_warn(
		    "proxy %s cannot check: %s", check->proxy, check->words);
		end(l, QUIET_MS);
		return;
	}
	blame_verdict(&x->b, check->state == CHECK_REFUSED, check->words);
	next_candidate(l);
}

/* ---- beginnings ---- */

/* Of what would be delivered now; false: nothing to look at. */
static bool
start(struct live *l, const char *proxy, const char *words)
{
	struct live_blame *x = &l->blame;
	const struct routing *r = live_build(l);
	struct rendered *now = r == NULL ? NULL : live_render(l, r);
	bool known;

	if (now == NULL || r->accepted.len == 0) {
		rendered_free(now);
		return false;
	}
	known = strcmp(now->config, state_config(l->state)) == 0;
	x->b = (struct blame){ 0 };
	x->everybody = blame_files(
	    &x->b, r, now, state_good(l->state), words, x->everybody);
	rendered_free(now);
	if (x->proxy == NULL)
		x->proxy = xstrdup(proxy);
	x->active = true;
	blame_start(&x->b, words, known);
	next_candidate(l);
	return true;
}

void
live_blame_report(struct live *l, const struct proxy *p)
{
	struct live_blame *x = &l->blame;

	/* What is pinned was taken before; nobody changed it. */
	if (!p->refused || !p->alive || !l->whole || l->control == NULL ||
	    live_pin_is_on(l) ||
	    strcmp(p->asked_config, state_config(l->state)) != 0)
		return;
	if (x->active && x->retry)
		live_blame_abort(l);
	if (x->active || clock_mono_ms() < x->quiet_until_ms)
		return;
	/* What waits to be rendered is part of what is looked at. */
	if (uv_is_active((uv_handle_t *)&l->apply)) {
		(void)uv_timer_stop(&l->apply);
		x->held = true;
	}
	x->everybody = x->retry = false;
	if (!start(l, p->id, p->error == NULL ? "" : p->error)) {
		log_error("proxy %s: its engine refuses a configuration "
			  "without any service: see the cluster's raw options "
			  "and that host",
		    p->id);
		end(l, NOBODY_MS);
	}
}

/* Where it was refused, if that one is still there. */
static const char *
choose_proxy(const struct live *l)
{
	const char *any = NULL;
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&l->aside.entries, &i)) != NULL;) {
		const struct aside_entry *a = e->value;
		const struct proxy *p = a->proxy == NULL
		    ? NULL
		    : map_get(&l->proxies.by_id, a->proxy);

		if (p != NULL && p->alive)
			return p->id;
	}
	for (i = 0; (e = map_next(&l->proxies.by_id, &i)) != NULL;) {
		const struct proxy *p = e->value;

		if (p->alive)
			any = p->id;
	}
	return any;
}

void
live_blame_tick(struct live *l, uint64_t now_ms)
{
	struct live_blame *x = &l->blame;
	const char *proxy;
	struct map_entry *e;
	size_t i, n = 0;

	if (x->active || live_pin_is_on(l) || now_ms < x->retry_ms ||
	    l->aside.entries.len == 0 || l->control == NULL || !l->whole ||
	    uv_is_active((uv_handle_t *)&l->apply))
		return;
	proxy = choose_proxy(l);
	if (proxy == NULL)
		return;
	x->retry_delay_ms *= 2;
	if (x->retry_delay_ms > RETRY_MAX_MS)
		x->retry_delay_ms = RETRY_MAX_MS;
	x->retry_ms = now_ms + x->retry_delay_ms;
	x->b = (struct blame){ 0 };
	for (i = 0; (e = map_next(&l->aside.entries, &i)) != NULL;) {
		if (((const struct aside_entry *)e->value)->proxy == NULL)
			continue;
		blame_add(&x->b, e->key, false);
		n++;
	}
	if (n == 0)
		return;
	x->proxy = xstrdup(proxy);
	x->active = x->retry = true;
	log_info("proxy %s is asked whether it still refuses %zu services",
	    proxy, n);
	blame_start(&x->b, "", false);
	next_candidate(l);
}

/* ---- what happens meanwhile ---- */

bool
live_blame_holds(struct live *l)
{
	if (!l->blame.active)
		return false;
	/* A retry can wait, a change cannot. */
	if (l->blame.retry) {
		live_blame_abort(l);
		return false;
	}
	l->blame.held = true;
	return true;
}

void
live_blame_replaced(struct live *l, const struct service *s)
{
	const struct service *before;
	char new[SHA256_HEX_SIZE], old[SHA256_HEX_SIZE];

	if (!l->blame.active)
		return;
	before = map_get(&l->model->services, s->id);
	aside_signature(s, new);
	if (before != NULL)
		aside_signature(before, old);
	if (before != NULL && strcmp(new, old) == 0)
		return;
	(void)map_set(&l->blame.later, s->id, (void *)(uintptr_t)left_out_mark);
	l->blame.b.all_known = false;
	if (blame_drop(&l->blame.b, s->id))
		l->blame.redo = true;
}

void
live_blame_changed(struct live *l)
{
	if (!l->blame.active || !l->blame.redo)
		return;
	l->blame.redo = false;
	next_candidate(l);
}

void
live_blame_open(struct live *l)
{
	must(uv_timer_init(&l->loop, &l->blame.deadline) == 0);
	l->blame.retry_delay_ms = RETRY_MIN_MS;
	l->blame.retry_ms = clock_mono_ms() + RETRY_MIN_MS;
}

void
live_blame_close(struct live *l)
{
	uv_close((uv_handle_t *)&l->blame.deadline, NULL);
}

void
live_blame_free(struct live *l)
{
	blame_fini(&l->blame.b);
	map_fini(&l->blame.later);
	free(l->blame.proxy);
	aside_fini(&l->aside);
	served_fini(&l->served);
}
