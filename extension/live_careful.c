/*
 * After two runs in a row that ended while they worked on the model: what
 * there is is tried in a child first, and who ends that child is found by
 * blame.c and set aside.  The rest goes live; nothing else is delivered
 * before that, and the proxies serve what they have.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "live_object.h"
#include "render.h"

#define DEATHS 2
#define DEADLINE_MS 1000
#define PER_SERVICE_MS 2
#define AGAIN_MS 5000 /* after no child could be had */

static void next_trial(struct live *l);

/* In the child: all that is done with a model, less what is asked of us. */
static void
work(void *arg)
{
	struct live *l = arg;
	struct live_careful *x = &l->careful;
	struct set_aside left_out = { .finding = { .offset = -1 } };
	struct map aside = { 0 };
	struct routing_options o = { .set_aside = &aside,
		.foreign_is_error = true,
		.secrets = &l->secrets.book,
		.holds = &l->holds };
	struct render_options how = { .live = true,
		.secrets_dir = l->config->proxy.secrets_dir };
	STR_AUTO(report, 256U * 1024 * 1024);
	struct routing *r;
	struct map_entry *e;
	size_t i;

	(void)finding_set(&left_out.finding, REJECT_BAD_OBJECT, NULL, -1, NULL,
	    "being looked at");
	for (i = 0; (e = map_next(&l->model->services, &i)) != NULL;)
		(void)map_set(&aside, e->key, &left_out);
	for (i = 0; i < x->b.suspects.len; i++) {
		if (blame_includes(&x->b, i))
			(void)map_remove(&aside, x->b.suspects.at[i].id);
	}
	r = routing_build(l->config, l->model, &o);
	rendered_free(render(l->config, r, &how, NULL));
	routing_report(&report, r);
	routing_free(r);
}

static void
leave(struct live *l)
{
	struct live_careful *x = &l->careful;

	x->on = x->started = false;
	blame_fini(&x->b);
	live_changed(l);
}

static void
convict(struct live *l)
{
	struct live_careful *x = &l->careful;
	size_t i;

	for (i = 0; i < x->b.suspects.len; i++) {
		const struct blame_suspect *s = &x->b.suspects.at[i];
		const struct service *of = map_get(&l->model->services, s->id);

		if (!s->convicted || of == NULL)
			continue;
		aside_deadly(&l->aside, of);
		log_error("service %s is set aside until it changes: working "
			  "on it ends this program (%s), a bug of ours",
		    of->name, s->words);
		live_event(l, "deadly",
		    "service %s is set aside: working on it ends the "
		    "extension",
		    of->name);
	}
	live_aside_changed(l);
	leave(l);
}

static void
on_again(uv_timer_t *timer)
{
	struct live_careful *x =
	    container_of(timer, struct live_careful, again);

	next_trial(container_of(x, struct live, careful));
}

static void
on_done(void *arg, bool survived, const char *how)
{
	struct live *l = arg;

	l->careful.trial = NULL;
	blame_verdict(&l->careful.b, !survived, how);
	next_trial(l);
}

static void
next_trial(struct live *l)
{
	struct live_careful *x = &l->careful;
	struct error e;

	switch (x->b.state) {
	case BLAME_TESTING:
		x->trial = trial_start(&l->loop, work,
		    DEADLINE_MS + PER_SERVICE_MS * l->model->services.len,
		    on_done, l, &e);
		if (x->trial != NULL)
			return;
		log_error("a trial: %s; again in %d s", e.msg, AGAIN_MS / 1000);
		must(uv_timer_start(&x->again, on_again, AGAIN_MS, 0) == 0);
		break;
	case BLAME_DONE:
		convict(l);
		break;
	case BLAME_NOT_THEM:
		log_error("working on this cluster ends this program, whatever "
			  "its services: proxies serve what they have");
		break;
	}
}

bool
live_careful_holds(struct live *l)
{
	struct live_careful *x = &l->careful;
	const struct service **services;
	size_t i, len;

	if (!x->on)
		return false;
	if (x->started || !l->whole)
		return true;
	x->started = true;
	x->b = (struct blame){ 0 };
	services = model_services_by_age(l->model, &len);
	for (i = 0; i < len; i++) {
		const struct aside_entry *a =
		    map_get(&l->aside.entries, services[i]->id);

		if (a == NULL || a->proxy != NULL)
			blame_add(&x->b, services[i]->id, false);
	}
	free(services);
	blame_start(&x->b, "", false);
	next_trial(l);
	return true;
}

void
live_careful_open(struct live *l)
{
	must(uv_timer_init(&l->loop, &l->careful.again) == 0);
	l->careful.on = worknote_deaths(l->note) >= DEATHS;
	if (l->careful.on)
		log_error("the last %u runs ended while they worked on the "
			  "services: which one it is is tried in a child",
		    worknote_deaths(l->note));
}

void
live_careful_close(struct live *l)
{
	trial_cancel(l->careful.trial);
	uv_close((uv_handle_t *)&l->careful.again, NULL);
}
