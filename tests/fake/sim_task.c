/* The life of a simulated task; see sim_task.h. */
#include "sim_task.h"

#include "base/log.h"
#include "sim_app.h"
#include "sim_net.h"
#include "sim_node.h"
#include "sim_orch.h"
#include "sim_spec.h"
#include "sim_store.h"

#define REAP_MS 250 /* a removed task is still listed that long */

static void on_timer(uv_timer_t *timer);

/* Parts of the whole start delay, in percent, before each state. */
static const struct {
	enum task_state state;
	unsigned percent;
	const char *message;
} steps[] = {
	{ TASK_PENDING, 0, "pending task scheduling" },
	{ TASK_ASSIGNED, 5, "scheduler assigned task to node" },
	{ TASK_ACCEPTED, 5, "accepted" },
	{ TASK_PREPARING, 5, "preparing" },
	{ TASK_READY, 35, "prepared" },
	{ TASK_STARTING, 5, "starting" },
	{ TASK_RUNNING, 45, "started" },
};

static size_t
next_step(const struct sim_task *t)
{
	size_t i = 0;

	while (i < countof(steps) && steps[i].state <= t->state)
		i++;
	return i;
}

bool
sim_task_is_dead(const struct sim_task *t)
{
	return t->state > TASK_RUNNING;
}

static void
after(struct sim_task *t, uint64_t ms)
{
	if (!t->gone)
		must(uv_timer_start(&t->timer, on_timer, ms, 0) == 0);
}

static uint64_t
health_ms(const struct sim_task *t)
{
	json_t *check = json_object_get(
	    json_object_get(t->spec, "ContainerSpec"), "Healthcheck");
	const char *test = json_string_value(
	    json_array_get(json_object_get(check, "Test"), 0));

	if (test == NULL || strcmp(test, "NONE") == 0)
		return 0;
	return sim_spec_ms(json_object_get(t->spec, "ContainerSpec"),
	    "Healthcheck", "Interval", t->sim->options.health_delay_ms);
}

/* Sets the timer for the next step towards the desired state. */
static void
go_on(struct sim_task *t)
{
	const struct sim_options *o = &t->sim->options;
	size_t i = next_step(t);
	uint64_t ms, now = uv_now(&t->sim->loop);

	if (i == countof(steps))
		return;
	if (t->state == TASK_READY && t->desired < TASK_RUNNING) {
		if (t->hold_ms != 0)
			after(t, t->hold_ms > now ? t->hold_ms - now : 0);
		return;
	}
	ms = o->task_delay_ms * steps[i].percent / 100;
	if (steps[i].state == TASK_RUNNING)
		ms += health_ms(t);
	after(t, ms);
}

static void
take_addresses(struct sim_task *t)
{
	struct sim_service *v = t->service;
	struct sim_network *n;

	/* The ingress network comes with the first virtual address. */
	for (size_t i = 0; i < v->vips.len; i++) {
		if (v->vips.at[i].network->ingress) {
			struct sim_address *a = vec_add(&t->addresses);

			a->network = v->vips.at[i].network;
			a->address = sim_net_take(a->network);
		}
	}
	for (size_t i = 0; (n = sim_spec_network(t->sim, v, i)) != NULL; i++) {
		struct sim_address *a;

		if (!n->swarm_scope)
			continue;
		a = vec_add(&t->addresses);
		a->network = n;
		a->address = sim_net_take(n);
	}
}

static void
take_ports(struct sim_task *t)
{
	struct sim_service *v = t->service;

	for (size_t i = 0; i < v->ports.len; i++) {
		struct sim_port *p;

		if (!v->ports.at[i].host_mode)
			continue;
		p = vec_add(&t->ports);
		*p = v->ports.at[i];
	}
}

static void
set_state(struct sim_task *t, enum task_state state, const char *message)
{
	t->state = state;
	t->message = message;
	t->status_ns = sim_now(t->sim);
	sim_store_touch(t->sim, &t->o);
	log_info("task %s %s (desired %s)", t->o.name, task_state_name(state),
	    task_state_name(t->desired));
}

/* The end of a task, whatever the way. */
static void
die(struct sim_task *t, enum task_state state, const char *message)
{
	(void)uv_timer_stop(&t->timer);
	sim_app_kill(t);
	set_state(t, state, message);
	for (size_t i = 0; i < t->addresses.len; i++)
		sim_net_release(
		    t->addresses.at[i].network, t->addresses.at[i].address);
	if (t->placed)
		t->node->tasks--;
	t->placed = false;
	sim_orch_task_changed(t);
	if (t->desired == TASK_REMOVE)
		after(t, REAP_MS);
}

static void
step(struct sim_task *t)
{
	size_t i = next_step(t);
	struct error e;

	if (i == countof(steps))
		return;
	if (steps[i].state == TASK_ASSIGNED) {
		sim_task_place(t);
		return;
	}
	if (steps[i].state == TASK_STARTING)
		sim_new_container(t->sim, t->container);
	if (steps[i].state == TASK_RUNNING && sim_app_start(t, &e) != 0) {
		log_warn("task %s: %s", t->o.name, e.msg);
		t->exit_code = 1;
		free(t->err);
		t->err = xstrdup(e.msg);
		die(t, TASK_FAILED, "starting");
		return;
	}
	set_state(t, steps[i].state, steps[i].message);
	if (t->state != TASK_RUNNING) {
		go_on(t);
		return;
	}
	if (sim_app_lifetime_ms(t) > 0)
		after(t, sim_app_lifetime_ms(t));
	sim_orch_task_changed(t);
}

static void
on_timer(uv_timer_t *timer)
{
	struct sim_task *t = timer->data;

	if (sim_task_is_dead(t)) {
		sim_task_remove(t);
		return;
	}
	if (t->desired > TASK_RUNNING) {
		if (t->state < TASK_RUNNING) {
			die(t, TASK_SHUTDOWN, "shutdown");
		} else if (!t->stopping) {
			t->stopping = true;
			sim_app_stop(t);
		} else {
			/* Past its grace period: killed. */
			t->exit_code = 137;
			die(t, TASK_SHUTDOWN, "shutdown");
		}
		return;
	}
	if (t->state == TASK_RUNNING) {
		sim_task_exit(t, 1);
		return;
	}
	if (t->state == TASK_READY && t->desired == TASK_READY) {
		t->hold_ms = 0;
		sim_task_desire(t, TASK_RUNNING);
		return;
	}
	step(t);
}

void
sim_task_kill_after(struct sim_task *t, uint64_t ms)
{
	after(t, ms);
}

void
sim_task_stopped(struct sim_task *t)
{
	if (t->stopping && !sim_task_is_dead(t))
		die(t, TASK_SHUTDOWN, "shutdown");
}

void
sim_task_place(struct sim_task *t)
{
	struct sim_node *node = t->node;
	char why[200];

	if (node == NULL)
		node = sim_node_pick(t->sim, t, why, sizeof(why));
	if (node == NULL) {
		if (t->err == NULL || strcmp(t->err, why) != 0) {
			free(t->err);
			t->err = xstrdup(why);
			set_state(t, t->state, t->message);
		}
		return;
	}
	free(t->err);
	t->err = NULL;
	t->node = node;
	t->placed = true;
	node->tasks++;
	for (size_t i = 0; i < t->ports.len; i++) {
		if (t->ports.at[i].published == 0)
			t->ports.at[i].published = t->sim->next_host_port++;
	}
	set_state(t, TASK_ASSIGNED, steps[1].message);
	go_on(t);
}

struct sim_task *
sim_task_new(struct sim_service *v, uint32_t slot, struct sim_node *node,
    enum task_state desired, uint64_t hold_ms)
{
	struct sim *s = v->sim;
	struct sim_task *t = xcalloc(1, sizeof(*t));

	t->sim = s;
	t->service = v;
	t->service_id = xstrdup(v->o.id);
	t->service_name = xstrdup(v->o.name);
	t->slot = slot;
	t->node = node;
	t->desired = desired;
	t->message = "created";
	t->spec = sim_spec_task(v);
	t->endpoint = json_incref(json_object_get(v->spec, "EndpointSpec"));
	if (hold_ms != 0)
		t->hold_ms = uv_now(&s->loop) + hold_ms;
	must(uv_timer_init(&s->loop, &t->timer) == 0);
	t->timer.data = t;
	t->o.id = sim_new_id(s);
	sim_store_add(s, &t->o, SIM_TASK,
	    slot != 0 ? xasprintf("%s.%u.%s", v->o.name, slot, t->o.id)
		      : xasprintf("%s.%s.%s", v->o.name,
			    node != NULL ? node->o.id : "", t->o.id));
	t->status_ns = t->o.created_ns;
	vec_push(&v->tasks, t);
	take_addresses(t);
	take_ports(t);
	go_on(t);
	return t;
}

void
sim_task_desire(struct sim_task *t, enum task_state desired)
{
	if (desired <= t->desired)
		return;
	t->desired = desired;
	sim_store_touch(t->sim, &t->o);
	log_debug("task %s: desired %s", t->o.name, task_state_name(desired));
	if (sim_task_is_dead(t)) {
		if (desired == TASK_REMOVE)
			after(t, 0);
		return;
	}
	if (desired <= TASK_RUNNING) {
		go_on(t);
		return;
	}
	if (t->stopping)
		return;
	if (t->state == TASK_RUNNING)
		sim_orch_task_leaves(t);
	if (t->node != NULL && t->node->down)
		return;
	after(t, t->state == TASK_RUNNING ? t->sim->options.stop_lead_ms : 0);
}

void
sim_task_exit(struct sim_task *t, int exit_code)
{
	if (sim_task_is_dead(t))
		return;
	t->exit_code = exit_code;
	free(t->err);
	t->err = exit_code == 0
	    ? NULL
	    : xasprintf("task: non-zero exit (%d)", exit_code);
	die(t, exit_code == 0 ? TASK_COMPLETE : TASK_FAILED,
	    exit_code == 0 ? "finished" : "started");
}

void
sim_task_vanish(struct sim_task *t)
{
	if (sim_task_is_dead(t))
		return;
	(void)uv_timer_stop(&t->timer);
	sim_app_kill(t);
}

void
sim_task_wake(struct sim_task *t)
{
	if (!sim_task_is_dead(t) && t->desired > TASK_RUNNING)
		after(t, 0);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct sim_task *t = handle->data;

	sim_object_fini(&t->o);
	free(t->service_id);
	free(t->service_name);
	free(t->err);
	json_decref(t->spec);
	json_decref(t->endpoint);
	vec_fini(&t->addresses);
	vec_fini(&t->ports);
	vec_fini(&t->listen_ports);
	vec_fini(&t->servers);
	free(t);
}

void
sim_task_remove(struct sim_task *t)
{
	struct sim_service *v = t->service;

	must(!t->gone);
	t->gone = true;
	sim_app_kill(t);
	sim_store_remove(t->sim, &t->o);
	for (size_t i = 0; v != NULL && i < v->tasks.len; i++) {
		if (v->tasks.at[i] == t) {
			vec_remove(&v->tasks, i);
			break;
		}
	}
	if (!sim_task_is_dead(t)) {
		for (size_t i = 0; i < t->addresses.len; i++)
			sim_net_release(t->addresses.at[i].network,
			    t->addresses.at[i].address);
		if (t->placed)
			t->node->tasks--;
	}
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}

void
sim_task_forget_network(struct sim *s, const struct sim_network *n)
{
	struct sim_task *t;

	SIM_FOR_EACH(s, SIM_TASK, struct sim_task, t)
	{
		for (size_t i = t->addresses.len; i-- > 0;) {
			if (t->addresses.at[i].network == n)
				vec_remove(&t->addresses, i);
		}
	}
}
