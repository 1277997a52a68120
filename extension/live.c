/*
 * The live extension (see live.h): bus -> model -> routing -> files -> agents.
 *
 * Every message marks the model as changed; the first change after quiet is
 * rendered at once, further ones are gathered for at most GATHER_MS.  Nothing
 * is rendered before the first whole snapshot: until then the agents are
 * served what the last run left.
 */
#include "live.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "config/template.h"
#include "docker/decode_guard.h"
#include "live_object.h"
#include "render.h"
#include "timing.h"

#define GATHER_MS 200
#define PUSH_MS 100
#define TICK_MS 1000
#define STATUS_MAX (8U * 1024 * 1024)

static void stop(struct live *l, int exit_code, const char *why);

/* ---- status ---- */

static void
on_push(uv_timer_t *timer)
{
	struct live *l = container_of(timer, struct live, push);
	STR_AUTO(line, STATUS_MAX);

	if (l->stopping)
		return;
	l->pushed_ms = clock_mono_ms();
	live_status(l, &line);
	if (!line.overflow && line.len < 1024 * 1024)
		child_push(l->link, line.p, line.len);
}

/* At once after quiet; many changes are one line. */
static void
push_soon(struct live *l)
{
	uint64_t quiet = clock_mono_ms() - l->pushed_ms;

	if (!l->stopping && !uv_is_active((uv_handle_t *)&l->push))
		must(uv_timer_start(&l->push, on_push,
			 quiet >= PUSH_MS ? 0 : PUSH_MS - quiet, 0) == 0);
}

/* ---- rendering ---- */

static void
deliver(struct live *l, struct rendered *r, const struct state_change *change)
{
	bool news = state_take(l->state, r, change);
	size_t routes = l->routing->routes.len;
	size_t rejected = l->routing->rejected.len;
	const char *what = change->structure ? "structure" : "endpoints";

	live_store_soon(l);
	if (!news)
		return;
	live_record_delivered(l, change->structure);
	if (l->pending_us == 0)
		l->pending_us = timing_from(change);
	log_info("generation %llu (%s): %zu route%s, %zu service%s rejected",
	    (unsigned long long)state_generation(l->state), what, routes,
	    routes == 1 ? "" : "s", rejected, rejected == 1 ? "" : "s");
	live_event(l, "generation", "generation %llu: %zu route%s (%s)",
	    (unsigned long long)state_generation(l->state), routes,
	    routes == 1 ? "" : "s", what);
	control_publish(l->control);
}

static void
on_apply(uv_timer_t *timer)
{
	struct live *l = container_of(timer, struct live, apply);
	struct state_change change = { .stamps = l->stamps,
		.received_us = l->received_us };
	const struct rendered *now;
	struct rendered *r;

	if (l->stopping || live_careful_holds(l) || live_blame_holds(l))
		return;
	worknote_begin(l->note);
	if (!live_gate_ready(l, live_build(l))) {
		worknote_end(l->note);
		return;
	}
	memset(&l->stamps, 0, sizeof(l->stamps));
	l->received_us = 0;
	l->applied_ms = clock_mono_ms();
	r = live_render(l, live_build(l));
	worknote_end(l->note);
	if (r == NULL)
		return;
	worknote_done(l->note);
	r = live_pin_render(l, r);
	if (r == NULL) {
		push_soon(l);
		return;
	}
	if (!live_pin_is_on(l))
		live_served(l);
	now = state_newest(l->state);
	change.structure = now == NULL || !rendered_same_structure(now, r);
	change.rendered_us = clock_wall_us();
	deliver(l, r, &change);
	push_soon(l);
}

const struct routing *
live_routing(struct live *l)
{
	if (uv_is_active((uv_handle_t *)&l->apply)) {
		(void)uv_timer_stop(&l->apply);
		on_apply(&l->apply);
	}
	return live_build(l);
}

static void
apply_soon(struct live *l)
{
	uint64_t quiet = clock_mono_ms() - l->applied_ms;

	if (!uv_is_active((uv_handle_t *)&l->apply))
		must(uv_timer_start(&l->apply, on_apply,
			 quiet >= GATHER_MS ? 0 : GATHER_MS - quiet, 0) == 0);
	push_soon(l);
}

void
live_changed(struct live *l)
{
	live_forget(l);
	apply_soon(l);
}

/* ---- the bus ---- */

static void
on_message(void *arg, const struct bus_message *msg)
{
	struct live *l = arg;
	struct error e;
	int rc = 0;

	if (l->stopping)
		return;
	worknote_begin(l->note);
	switch (msg->type) {
	case BUS_UPDATE:
	case BUS_SNAPSHOT:
		rc = live_take_objects(l, msg, &e);
		break;
	case BUS_REMOVE:
		rc = live_take_removal(l, msg, &e);
		break;
	case BUS_BEACON:
	case BUS_ASK:
	case BUS_NEED:
	case BUS_GATE:
		worknote_end(l->note); /* the subscriber's own */
		return;
	}
	worknote_end(l->note);
	if (rc != 0) {
		log_error("bus: a message cannot be used (%s); asking for "
			  "everything anew",
		    e.msg);
		subscriber_resync(l->subscriber);
		return;
	}
	if (l->received_us == 0) {
		l->stamps = msg->stamps;
		l->received_us = clock_wall_us();
	}
	apply_soon(l);
	live_blame_changed(l);
}

static void
on_contact(void *arg, bool heard)
{
	struct live *l = arg;

	if (heard == l->heard)
		return;
	l->heard = heard;
	if (heard)
		log_info("the reader is heard");
	else
		log_warn("the reader has been silent for 3 s; everything "
			 "stays as it is until it is heard again");
	push_soon(l);
}

static void
on_gate(void *arg, const char *body, size_t len)
{
	live_gate_take(arg, body, len);
}

static void
on_wrong_version(void *arg, const struct error *e)
{
	log_error("bus: %s", e->msg);
	stop(arg, EXIT_BAD_CONFIG, "another version of the bus");
}

/* ---- agents ---- */

static void
check_converged(struct live *l, const struct proxy_news *news)
{
	const struct state_change *change = state_last_change(l->state);
	uint64_t generation = state_generation(l->state);
	struct path_figures *f = &l->figures[change->structure];
	uint64_t now = clock_wall_us();
	uint64_t from = l->pending_us;
	STR_AUTO(stages, 1024);

	if (!news->applied)
		return;
	histogram_add(&f->apply, (double)news->settled_us / 1e6);
	if (generation == l->converged || change->rendered_us == 0 ||
	    !proxies_all_serve(&l->proxies, state_config(l->state)))
		return;
	l->converged = generation;
	l->pending_us = 0;
	/* The wall clock may have been set meanwhile. */
	if (from == 0 || from > now)
		return;
	histogram_add(&f->convergence, (double)(now - from) / 1e6);
	timing_stages(change, news, now, &stages);
	live_event(l, "converged",
	    "generation %llu is served by every proxy, %.0f ms after Docker's "
	    "change%s",
	    (unsigned long long)generation, (double)(now - from) / 1e3,
	    stages.p);
}

/* What agents say of secrets can bring a service in, or set it aside. */
static void
check_secrets(struct live *l, const struct proxy *p)
{
	bool news =
	    live_secrets_refresh(&l->secrets, &l->proxies, clock_mono_ms());

	if (p != NULL && live_secrets_told(&l->secrets, p))
		news = true;
	if (news && l->whole)
		live_changed(l);
}

static void
on_report(void *arg, const struct proxy_news *news)
{
	struct live *l = arg;
	const struct proxy *p = news->proxy;

	if (l->stopping)
		return;
	state_learn(l->state, p->applied_config, p->applied);
	if (p->alive &&
	    strcmp(p->applied_config, state_config(l->state)) == 0) {
		state_confirm(l->state, p->applied_config);
		served_confirm(&l->served);
	}
	if (news->is_new)
		log_info("proxy %s: %s, serves generation %llu", p->id,
		    p->engine == NULL ? "?" : p->engine,
		    (unsigned long long)p->applied);
	if (news->error) {
		log_error("proxy %s: %s; it serves generation %llu on", p->id,
		    p->error, (unsigned long long)p->applied);
		live_event(l, "proxy-error", "proxy %s: %s", p->id, p->error);
	}
	check_converged(l, news);
	check_secrets(l, p);
	live_blame_report(l, p);
	push_soon(l);
}

static void
on_check(void *arg, const struct proxy_check *check)
{
	struct live *l = arg;

	if (!l->stopping)
		live_blame_check(l, check);
}

static void
on_silent(void *arg, const struct proxy *p)
{
	struct live *l = arg;

	log_error("proxy %s has not been heard for 30 s", p->id);
	live_event(
	    l, "proxy-silent", "proxy %s has not been heard for 30 s", p->id);
}

static void
on_tick(uv_timer_t *timer)
{
	struct live *l = container_of(timer, struct live, tick);

	if (proxies_tick(&l->proxies, clock_mono_ms(), on_silent, l)) {
		check_secrets(l, NULL);
		push_soon(l);
	}
	served_prune(&l->served, l->model);
	if (holds_expire(&l->holds, clock_mono_ms()))
		live_changed(l);
	live_blame_tick(l, clock_mono_ms());
	live_pin_tick(l);
}

/* ---- the parent ---- */

static void
on_query(void *arg, struct child_query *q, const char *what, const char *args,
    size_t args_len)
{
	live_answer(arg, q, what, args, args_len);
}

static void
on_log_level(void *arg, const char *level)
{
	int number = log_level_parse(level);

	(void)arg;
	if (number >= 0)
		log_set_level((enum log_level)number);
}

static void
on_stop(void *arg, const struct error *why)
{
	stop(arg, 0, why == NULL ? "asked to" : why->msg);
}

static void
on_signal(uv_signal_t *handle, int signo)
{
	stop(handle->data, 0, strsignal(signo));
}

/* ---- life ---- */

static void
stop(struct live *l, int exit_code, const char *why)
{
	uv_timer_t *timers[] = { &l->apply, &l->push, &l->store, &l->tick };
	struct error e;
	size_t i;

	if (l->stopping)
		return;
	l->stopping = true;
	l->exit_code = exit_code;
	log_debug("ending: %s", why);
	if (live_store(l, true, &e) != 0)
		log_error("state: %s", e.msg);
	live_blame_close(l);
	live_careful_close(l);
	live_pin_close(l);
	for (i = 0; i < countof(timers); i++)
		uv_close((uv_handle_t *)timers[i], NULL);
	uv_close((uv_handle_t *)&l->sigterm, NULL);
	uv_close((uv_handle_t *)&l->sigint, NULL);
	if (l->control != NULL)
		control_close(l->control, NULL, NULL);
	subscriber_close(l->subscriber, NULL, NULL);
	child_link_close(l->link, NULL, NULL);
}

static void
start_handles(struct live *l)
{
	uv_timer_t *timers[] = { &l->apply, &l->push, &l->store, &l->tick };
	size_t i;

	for (i = 0; i < countof(timers); i++)
		must(uv_timer_init(&l->loop, timers[i]) == 0);
	live_blame_open(l);
	live_careful_open(l);
	live_pin_open(l);
	must(uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS) == 0);
	must(uv_signal_init(&l->loop, &l->sigterm) == 0);
	must(uv_signal_init(&l->loop, &l->sigint) == 0);
	l->sigterm.data = l->sigint.data = l;
	must(uv_signal_start(&l->sigterm, on_signal, SIGTERM) == 0);
	must(uv_signal_start(&l->sigint, on_signal, SIGINT) == 0);
}

static int
open_parts(struct live *l, struct error *e)
{
	static const struct child_link_handlers link_handlers = {
		.on_query = on_query,
		.on_log_level = on_log_level,
		.on_stop = on_stop,
	};
	static const struct subscriber_handlers bus_handlers = {
		.on_message = on_message,
		.on_contact = on_contact,
		.on_wrong_version = on_wrong_version,
		.on_gate = on_gate,
	};
	static const struct control_handlers control_handlers = {
		.on_report = on_report,
		.on_check = on_check,
		.on_claim = live_pin_claim,
		.on_document = live_pin_document,
	};
	const char *run_dir = l->options->run_dir;
	char *bus _cleanup_free_ =
	    xasprintf("%s/bus/%s", run_dir, l->config->cluster.name);

	l->link = child_link_new(&l->loop, &link_handlers, l, e);
	if (l->link == NULL)
		return -1;
	if (l->config->proxy.driver != DRIVER_NONE) {
		l->control = control_new(&l->loop, l->config, run_dir, l->state,
		    &l->proxies, &control_handlers, l, e);
		if (l->control == NULL)
			return -1;
	}
	l->subscriber = subscriber_new(
	    &l->loop, l->config->cluster.name, bus, &bus_handlers, l, e);
	return l->subscriber == NULL ? -1 : 0;
}

static void
live_free(struct live *l)
{
	renderer_free(l->renderer);
	router_free(l->router);
	live_blame_free(l);
	odd_fini(&l->odd);
	blame_fini(&l->careful.b);
	live_gate_fini(l);
	worknote_free(l->note);
	decode_guard_close();
	model_free(l->model);
	proxies_fini(&l->proxies);
	live_secrets_fini(&l->secrets);
	holds_fini(&l->holds);
	live_pin_free(l);
	state_free(l->state);
	cluster_config_free(l->config);
}

static void
log_bad_config(struct config_errors *errors)
{
	size_t i;

	for (i = 0; i < errors->lines.len; i++)
		log_error("%s", errors->lines.at[i]);
	config_errors_fini(errors);
}

int
extension_live(const struct live_options *o)
{
	struct live l = { .options = o };
	struct config_errors errors = { 0 };
	char *fragments _cleanup_free_ = config_templates_copy(o->cluster_file);
	struct error e;

	child_enter();
	log_init("bulkhead-extension", NULL);
	l.config = cluster_config_load(o->cluster_file, &errors);
	if (l.config == NULL ||
	    config_templates_load(l.config, fragments, &errors) != 0) {
		log_bad_config(&errors);
		cluster_config_free(l.config);
		return EXIT_BAD_CONFIG;
	}
	log_init("bulkhead-extension", l.config->cluster.name);
	must(uv_loop_init(&l.loop) == 0);
	l.model = model_new();
	l.router = router_new();
	l.renderer = renderer_new();
	l.state = state_new(o->run_dir, l.config);
	live_store_open(&l);
	live_pin_load(&l);
	live_fence(&l);
	if (open_parts(&l, &e) != 0) {
		/* The supervisor tries again; nothing here can mend it. */
		log_error("cannot start: %s", e.msg);
		return 1;
	}
	start_handles(&l);
	/* Nothing that a tenant wrote was looked at so far. */
	if (sandbox_filter(SANDBOX_EXTENSION, &e) != 0)
		log_warn("no filter of system calls: %s", e.msg);
	child_ready(l.link);
	push_soon(&l);
	(void)uv_run(&l.loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&l.loop) == 0);
	live_free(&l);
	return l.exit_code;
}
