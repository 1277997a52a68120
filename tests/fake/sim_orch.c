/* The orchestrator of the simulated Swarm; see sim_orch.h. */
#include "sim_orch.h"

#include "sim_node.h"
#include "sim_spec.h"
#include "sim_store.h"
#include "sim_task.h"
#include "sim_update.h"
#include "sim_vip.h"

static bool
is_live(const struct sim_task *t)
{
	return t->desired <= TASK_RUNNING && !sim_task_is_dead(t);
}

struct sim_task *
sim_orch_slot_task(const struct sim_service *v, uint32_t slot)
{
	struct sim_task *found = NULL;

	for (size_t i = 0; i < v->tasks.len; i++) {
		struct sim_task *t = v->tasks.at[i];

		if (t->slot == slot && is_live(t))
			found = t;
	}
	return found;
}

/*
 * Slots that are not wanted any more: the live tasks go; what ended there
 * goes with the next change after that, as the engine's reaper does.
 */
static void
empty_slots(struct sim_service *v)
{
	for (size_t i = 0; i < v->tasks.len; i++) {
		struct sim_task *t = v->tasks.at[i];

		if (t->slot > v->replicas && sim_task_is_dead(t) &&
		    sim_orch_slot_task(v, t->slot) == NULL)
			sim_task_desire(t, TASK_REMOVE);
	}
	for (size_t i = 0; i < v->tasks.len; i++) {
		struct sim_task *t = v->tasks.at[i];

		if (t->slot > v->replicas && is_live(t))
			sim_task_desire(t, TASK_REMOVE);
	}
}

static void
reconcile_replicated(struct sim_service *v)
{
	/* Slots beyond what the spec asks for go; holes are filled. */
	uint8_t *taken;

	must(v->replicas <= SIM_REPLICAS_MAX);
	taken = xcalloc((size_t)v->replicas + 1, 1);
	empty_slots(v);
	for (size_t i = 0; i < v->tasks.len; i++) {
		const struct sim_task *t = v->tasks.at[i];

		if (t->slot <= v->replicas && is_live(t))
			taken[t->slot] = 1;
	}
	for (uint32_t slot = 1; slot <= v->replicas; slot++) {
		if (!taken[slot])
			(void)sim_task_new(v, slot, NULL, TASK_RUNNING, 0);
	}
	free(taken);
}

static void
reconcile_global(struct sim_service *v)
{
	const json_t *template = json_object_get(v->spec, "TaskTemplate");
	struct sim_node *n;

	SIM_FOR_EACH(v->sim, SIM_NODE, struct sim_node, n)
	{
		bool has = false;
		bool wanted = !n->down &&
		    strcmp(n->availability, "active") == 0 &&
		    sim_node_suits(n, template);

		for (size_t i = 0; i < v->tasks.len; i++) {
			struct sim_task *t = v->tasks.at[i];

			if (t->node != n || !is_live(t))
				continue;
			has = true;
			if (!sim_node_suits(n, template))
				sim_task_desire(t, TASK_SHUTDOWN);
		}
		if (wanted && !has)
			(void)sim_task_new(v, 0, n, TASK_RUNNING, 0);
	}
}

void
sim_orch_reconcile(struct sim_service *v)
{
	if (v->mode == SERVICE_REPLICATED)
		reconcile_replicated(v);
	else if (v->mode == SERVICE_GLOBAL)
		reconcile_global(v);
}

/* Oldest first, dead tasks of the slot beyond the history go. */
static void
trim_history(struct sim_service *v, const struct sim_task *like)
{
	size_t n = 0;

	for (size_t i = 0; i < v->tasks.len; i++) {
		struct sim_task *t = v->tasks.at[i];

		if (t->slot == like->slot &&
		    (t->slot != 0 || t->node == like->node) &&
		    t->desired != TASK_REMOVE)
			n++;
	}
	for (size_t i = 0; i < v->tasks.len && n > SIM_HISTORY; i++) {
		struct sim_task *t = v->tasks.at[i];

		if (t->slot != like->slot ||
		    (t->slot == 0 && t->node != like->node) ||
		    t->desired == TASK_REMOVE || !sim_task_is_dead(t) ||
		    t->desired <= TASK_RUNNING)
			continue;
		sim_task_desire(t, TASK_REMOVE);
		n--;
	}
}

/* How often the slot's current spec failed already. */
static uint64_t
attempts(const struct sim_service *v, const struct sim_task *like)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->tasks.len; i++) {
		const struct sim_task *t = v->tasks.at[i];

		n += t->slot == like->slot && t->node == like->node &&
		    sim_task_is_dead(t) && json_equal(t->spec, like->spec);
	}
	return n;
}

static bool
should_restart(const struct sim_service *v, const struct sim_task *t)
{
	const json_t *policy = json_object_get(t->spec, "RestartPolicy");
	const char *when =
	    json_string_value(json_object_get(policy, "Condition"));
	json_int_t max =
	    json_integer_value(json_object_get(policy, "MaxAttempts"));

	if (when != NULL && strcmp(when, "none") == 0)
		return false;
	if (when != NULL && strcmp(when, "on-failure") == 0 &&
	    t->state == TASK_COMPLETE)
		return false;
	return max <= 0 || attempts(v, t) <= (uint64_t)max;
}

static void
replace(struct sim_service *v, struct sim_task *t, bool at_once)
{
	uint64_t delay = sim_spec_ms(t->spec, "RestartPolicy", "Delay",
	    v->sim->options.restart_delay_ms);

	sim_task_desire(t, TASK_SHUTDOWN);
	if (v->mode == SERVICE_GLOBAL && t->node != NULL &&
	    (t->node->down || strcmp(t->node->availability, "active") != 0))
		return;
	(void)sim_task_new(v, t->slot,
	    v->mode == SERVICE_GLOBAL ? t->node : NULL,
	    at_once || delay == 0 ? TASK_RUNNING : TASK_READY,
	    at_once ? 0 : delay);
}

void
sim_orch_replace(struct sim_task *t)
{
	if (t->service != NULL)
		replace(t->service, t, true);
	else
		sim_task_desire(t, TASK_REMOVE);
}

/* Does another live task have the place of 't' already? */
static bool
has_other(const struct sim_service *v, const struct sim_task *t)
{
	for (size_t i = 0; i < v->tasks.len; i++) {
		const struct sim_task *other = v->tasks.at[i];

		if (other != t && other->slot == t->slot && is_live(other) &&
		    (t->slot != 0 || other->node == t->node))
			return true;
	}
	return false;
}

void
sim_orch_task_changed(struct sim_task *t)
{
	struct sim_service *v = t->service;

	if (v == NULL)
		return;
	sim_vip_refresh(v);
	sim_update_task_changed(v, t);
	if (sim_task_is_dead(t) && t->desired <= TASK_RUNNING) {
		if (!has_other(v, t) && should_restart(v, t))
			replace(v, t, false);
		else
			sim_task_desire(t, TASK_SHUTDOWN);
	}
	if (sim_task_is_dead(t))
		trim_history(v, t);
}

void
sim_orch_task_leaves(struct sim_task *t)
{
	if (t->service != NULL)
		sim_vip_refresh(t->service);
}

void
sim_orch_remove_service(struct sim_service *v)
{
	sim_update_cancel(v);
	sim_vip_close(v);
	/* The engine's order: the service goes, then its tasks are to go. */
	sim_store_remove(v->sim, &v->o);
	for (size_t i = 0; i < v->tasks.len; i++) {
		struct sim_task *t = v->tasks.at[i];

		/* Rendered while their networks are known. */
		t->service = NULL;
		sim_task_desire(t, TASK_REMOVE);
	}
	v->tasks.len = 0;
	sim_spec_release(v);
	sim_service_free(v);
}
