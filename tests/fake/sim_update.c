/* Rolling updates of the simulated Swarm; see sim_update.h. */
#include "sim_update.h"

#include "base/log.h"
#include "sim_events.h"
#include "sim_orch.h"
#include "sim_render.h"
#include "sim_spec.h"
#include "sim_store.h"
#include "sim_task.h"
#include "sim_vip.h"

/* One slot under way. */
struct worker {
	struct sim_update *update;
	uv_timer_t timer;	   /* the delay between two slots */
	struct sim_task *old_task; /* borrowed; NULL when it has ended */
	struct sim_task *new_task;
	bool busy;
	bool waiting; /* for the delay */
};

struct sim_update {
	struct sim_service *service; /* NULL when it was cancelled */
	bool rollback;
	bool start_first;
	bool finished; /* all slots are done; being watched */
	uint64_t delay_ms;
	uint64_t monitor_ms;
	double max_failures;
	const char *failure_action;
	size_t workers_len;
	struct worker *workers;
	VEC(struct sim_task *) fresh; /* borrowed: tasks that we made */
	size_t failed;
	size_t total;
	uv_timer_t monitor;
	size_t open_timers;
};

static void worker_go(struct worker *w);

static void
on_timer_closed(uv_handle_t *handle)
{
	struct sim_update *u = handle->data;

	if (--u->open_timers > 0)
		return;
	vec_fini(&u->fresh);
	free(u->workers);
	free(u);
}

static void
on_worker_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	handle->data = w->update;
	on_timer_closed(handle);
}

/* Ends it; what is half done is left to the orchestrator. */
static void
update_close(struct sim_update *u)
{
	u->service->update = NULL;
	u->service = NULL;
	for (size_t i = 0; i < u->workers_len; i++) {
		struct worker *w = &u->workers[i];

		if (!w->busy || w->new_task == NULL)
			continue;
		/*
		 * Nobody else would let it begin; but where the old one of its
		 * slot still runs, there would be two.
		 */
		if (u->start_first && w->old_task != NULL)
			sim_task_desire(w->new_task, TASK_SHUTDOWN);
		else
			sim_task_desire(w->new_task, TASK_RUNNING);
	}
	for (size_t i = 0; i < u->workers_len; i++)
		uv_close((uv_handle_t *)&u->workers[i].timer, on_worker_closed);
	uv_close((uv_handle_t *)&u->monitor, on_timer_closed);
}

void
sim_update_cancel(struct sim_service *v)
{
	if (v->update != NULL)
		update_close(v->update);
}

/* Writes UpdateStatus and tells the event that goes with it. */
static void
tell_status(struct sim_service *v, const char *state, const char *message,
    bool first, bool last)
{
	const char *old =
	    json_string_value(json_object_get(v->status, "State"));
	STR_AUTO(more, 512);
	STR_AUTO(now, 64);

	str_addf(&more, ",\"updatestate.new\":\"%s\"", state);
	if (old != NULL)
		str_addf(&more, ",\"updatestate.old\":\"%s\"", old);
	sim_render_time(&now, sim_now(v->sim));
	if (first || v->status == NULL) {
		json_decref(v->status);
		v->status = json_object();
	}
	(void)json_object_set_new(v->status, "State", json_string(state));
	if (first)
		(void)json_object_set_new(
		    v->status, "StartedAt", json_string(now.p));
	if (last)
		(void)json_object_set_new(
		    v->status, "CompletedAt", json_string(now.p));
	(void)json_object_set_new(v->status, "Message", json_string(message));
	sim_store_touch(v->sim, &v->o);
	sim_events_tell(v->sim, &v->o, "update", more.p);
}

json_t *
sim_update_by_hand_status(struct sim_service *v)
{
	STR_AUTO(now, 64);

	sim_render_time(&now, sim_now(v->sim));
	return json_pack("{s:s,s:s,s:s}", "State", "rollback_started",
	    "StartedAt", now.p, "Message", "manually requested rollback");
}

static void
finish(struct sim_update *u)
{
	struct sim_service *v = u->service;
	bool rollback = u->rollback;

	update_close(u);
	tell_status(v, rollback ? "rollback_completed" : "completed",
	    rollback ? "rollback completed" : "update completed", false, true);
}

static void
on_monitored(uv_timer_t *timer)
{
	struct sim_update *u = timer->data;

	if (u->service != NULL && u->finished)
		finish(u);
}

/* An outdated task that nobody works on, or NULL. */
static struct sim_task *
next_outdated(struct sim_update *u)
{
	struct sim_service *v = u->service;

	for (size_t i = 0; i < v->tasks.len; i++) {
		struct sim_task *t = v->tasks.at[i];
		bool taken = false;

		if (t->desired > TASK_RUNNING || sim_task_is_dead(t) ||
		    sim_spec_task_is_current(v, t))
			continue;
		for (size_t k = 0; k < u->workers_len; k++)
			taken |=
			    u->workers[k].busy && u->workers[k].old_task == t;
		if (!taken)
			return t;
	}
	return NULL;
}

static void
maybe_finished(struct sim_update *u)
{
	for (size_t i = 0; i < u->workers_len; i++) {
		if (u->workers[i].busy || u->workers[i].waiting)
			return;
	}
	if (u->finished)
		return;
	u->finished = true;
	must(uv_timer_start(&u->monitor, on_monitored, u->monitor_ms, 0) == 0);
}

static void
on_delay(uv_timer_t *timer)
{
	struct worker *w = timer->data;

	w->waiting = false;
	worker_go(w);
}

static void
slot_done(struct worker *w)
{
	w->busy = false;
	w->old_task = NULL;
	w->new_task = NULL;
	w->waiting = true;
	must(uv_timer_start(&w->timer, on_delay, w->update->delay_ms, 0) == 0);
}

static void
worker_go(struct worker *w)
{
	struct sim_update *u = w->update;
	struct sim_service *v = u->service;
	struct sim_task *old;

	if (v == NULL)
		return;
	old = next_outdated(u);
	if (old == NULL) {
		maybe_finished(u);
		return;
	}
	w->busy = true;
	w->old_task = old;
	w->new_task = sim_task_new(v, old->slot,
	    v->mode == SERVICE_GLOBAL ? old->node : NULL, TASK_READY, 0);
	vec_push(&u->fresh, w->new_task);
	if (u->start_first)
		sim_task_desire(w->new_task, TASK_RUNNING);
	else
		sim_task_desire(old, TASK_SHUTDOWN);
}

static void
start(struct sim_service *v, enum sim_update_kind kind, size_t outdated)
{
	bool rollback = kind != SIM_FORWARD;
	const char *section = rollback ? "RollbackConfig" : "UpdateConfig";
	json_t *config = json_object_get(v->spec, section);
	json_t *parallel = json_object_get(config, "Parallelism");
	const char *order = json_string_value(json_object_get(config, "Order"));
	struct sim_update *u = xcalloc(1, sizeof(*u));
	size_t width = 1;

	u->service = v;
	v->update = u;
	u->rollback = rollback;
	u->start_first = order != NULL && strcmp(order, "start-first") == 0;
	u->delay_ms = sim_spec_ms(v->spec, section, "Delay", 0);
	u->monitor_ms = sim_spec_ms(
	    v->spec, section, "Monitor", v->sim->options.monitor_ms);
	u->max_failures =
	    json_number_value(json_object_get(config, "MaxFailureRatio"));
	u->failure_action =
	    json_string_value(json_object_get(config, "FailureAction"));
	if (u->failure_action == NULL)
		u->failure_action = "pause";
	u->total = outdated;
	if (parallel != NULL)
		width = (size_t)json_integer_value(parallel);
	if (width == 0 || width > outdated)
		width = outdated;
	if (width == 0) {
		width = 1;
		u->monitor_ms = 0;
	}
	u->workers_len = width;
	u->workers = xcalloc(width, sizeof(*u->workers));
	u->open_timers = width + 1;
	must(uv_timer_init(&v->sim->loop, &u->monitor) == 0);
	u->monitor.data = u;
	if (kind != SIM_ROLLBACK_BY_HAND)
		tell_status(v, rollback ? "rollback_started" : "updating",
		    rollback ? "update rolled back due to failure or early "
			       "termination of task"
			     : "update in progress",
		    true, false);
	for (size_t i = 0; i < width; i++) {
		struct worker *w = &u->workers[i];

		w->update = u;
		must(uv_timer_init(&v->sim->loop, &w->timer) == 0);
		w->timer.data = w;
	}
	for (size_t i = 0; i < width; i++)
		worker_go(&u->workers[i]);
}

void
sim_update_start(struct sim_service *v, enum sim_update_kind kind)
{
	size_t outdated = 0;

	for (size_t i = 0; i < v->tasks.len; i++) {
		const struct sim_task *t = v->tasks.at[i];

		outdated += t->desired <= TASK_RUNNING &&
		    !sim_task_is_dead(t) && !sim_spec_task_is_current(v, t);
	}
	sim_update_cancel(v);
	if (outdated > 0 || kind != SIM_FORWARD)
		start(v, kind, outdated);
}

static void
roll_back(struct sim_service *v)
{
	if (v->previous == NULL)
		return;
	json_decref(v->spec);
	v->spec = v->previous;
	v->previous = NULL;
	sim_spec_apply(v);
	(void)sim_spec_allocate(v->sim, v);
	sim_update_start(v, SIM_ROLLBACK);
	sim_orch_reconcile(v);
	sim_vip_refresh(v);
}

/* One of ours failed while it was watched. */
static void
count_failure(struct sim_update *u, const struct sim_task *t)
{
	struct sim_service *v = u->service;
	STR_AUTO(message, 256);

	u->failed++;
	if ((double)u->failed / (double)u->total <= u->max_failures ||
	    strcmp(u->failure_action, "continue") == 0)
		return;
	if (strcmp(u->failure_action, "rollback") == 0 && !u->rollback) {
		roll_back(v);
		return;
	}
	str_addf(&message,
	    "%s paused due to failure or early termination of task %s",
	    u->rollback ? "rollback" : "update", t->o.id);
	bool rollback = u->rollback;

	update_close(u);
	tell_status(v, rollback ? "rollback_paused" : "paused", message.p,
	    false, false);
}

void
sim_update_task_changed(struct sim_service *v, struct sim_task *t)
{
	struct sim_update *u = v->update;
	struct worker *w = NULL;

	if (u == NULL)
		return;
	for (size_t i = 0; i < u->workers_len; i++) {
		if (u->workers[i].busy &&
		    (u->workers[i].old_task == t ||
			u->workers[i].new_task == t))
			w = &u->workers[i];
	}
	if (w != NULL && w->old_task == t && sim_task_is_dead(t)) {
		w->old_task = NULL;
		if (w->new_task != NULL && !u->start_first)
			sim_task_desire(w->new_task, TASK_RUNNING);
	} else if (w != NULL && w->new_task == t && t->state >= TASK_RUNNING) {
		if (u->start_first && w->old_task != NULL &&
		    t->state == TASK_RUNNING)
			sim_task_desire(w->old_task, TASK_SHUTDOWN);
		slot_done(w);
	}
	if (!sim_task_is_dead(t))
		return;
	for (size_t i = 0; i < u->fresh.len; i++) {
		if (u->fresh.at[i] == t) {
			vec_remove(&u->fresh, i);
			if (t->desired <= TASK_RUNNING)
				count_failure(u, t);
			return;
		}
	}
}
