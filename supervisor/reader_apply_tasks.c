/* The tasks of a batch are taken into what is known: see reader_apply.h. */
#include "reader_apply.h"

#include <string.h>

#include "base/mem.h"

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static bool
same_place(const struct task *x, const struct task *y)
{
	if (!same_text(x->node_id, y->node_id) ||
	    x->addresses.len != y->addresses.len ||
	    x->ports.len != y->ports.len)
		return false;
	for (size_t i = 0; i < x->addresses.len; i++) {
		if (!same_text(x->addresses.at[i].network_id,
			y->addresses.at[i].network_id) ||
		    !same_text(
			x->addresses.at[i].address, y->addresses.at[i].address))
			return false;
	}
	for (size_t i = 0; i < x->ports.len; i++) {
		const struct published_port *p = &x->ports.at[i];
		const struct published_port *q = &y->ports.at[i];

		if (p->udp != q->udp || p->host_mode != q->host_mode ||
		    p->target != q->target || p->published != q->published)
			return false;
	}
	return true;
}

static const struct task *
find_task(const struct service *s, const char *id)
{
	for (size_t i = 0; i < s->tasks.len; i++) {
		if (strcmp(s->tasks.at[i]->id, id) == 0)
			return s->tasks.at[i];
	}
	return NULL;
}

/*
 * Whether routing would see a difference between the tasks of 'was' and
 * 'now'.  Where none runs, also what explain tells: the last one's state.
 */
static bool
tasks_differ(
    struct applying *a, const struct service *was, const struct service *now)
{
	bool differ = false;

	for (size_t i = 0; i < now->tasks.len; i++) {
		const struct task *y = now->tasks.at[i];
		const struct task *x = find_task(was, y->id);
		bool ran = x != NULL && task_is_routable(x);

		if (!task_is_routable(y) ? ran : !ran || !same_place(x, y)) {
			apply_note_commit(a, was->id, y->id);
			differ = true;
		}
	}
	if (differ || swarm_routable(was) != swarm_routable(now))
		return true;
	if (swarm_routable(now) > 0 || now->tasks.len == 0)
		return was->tasks.len != now->tasks.len &&
		    (was->tasks.len == 0 || now->tasks.len == 0);
	return was->tasks.len == 0 ||
	    was->tasks.at[was->tasks.len - 1]->state !=
	    now->tasks.at[now->tasks.len - 1]->state;
}

static bool
states_differ(const struct service *was, const struct service *now)
{
	if (was->tasks.len != now->tasks.len)
		return true;
	for (size_t i = 0; i < now->tasks.len; i++) {
		if (strcmp(was->tasks.at[i]->id, now->tasks.at[i]->id) != 0 ||
		    was->tasks.at[i]->state != now->tasks.at[i]->state)
			return true;
	}
	return false;
}

/* Whether 'id' is a service whose tasks this batch brings. */
static bool
asked_for(const struct applying *a, const char *id)
{
	if (map_get(&a->held, id) != NULL ||
	    map_get(&a->b->except_tasks, id) != NULL)
		return false;
	return a->b->all_tasks || map_get(&a->b->asked_tasks, id) != NULL;
}

/* The tasks, each in a service of its own ID that holds nothing else. */
bool
apply_group(struct applying *a)
{
	struct map_entry *e;

	for (size_t n = 0; (e = map_next(&a->b->tasks, &a->at)) != NULL;) {
		struct task *t = e->value;
		struct service *holder;

		if (t->desired != TASK_RUNNING || !asked_for(a, t->service_id))
			continue;
		holder = map_get(&a->holders, t->service_id);
		if (holder == NULL) {
			holder = xcalloc(1, sizeof(*holder));
			(void)map_set(&a->holders, t->service_id, holder);
		}
		(void)map_remove(&a->b->tasks, t->id);
		vec_push(&holder->tasks, t);
		if (++n == SWARM_STEP)
			return true;
	}
	return false;
}

/*
 * Without those that Watch said are to go; an answer that is older than what
 * is known is set aside.
 */
static void
drop_stale(struct applying *a, const struct service *was, struct service *now)
{
	size_t kept = 0;

	for (size_t i = 0; i < now->tasks.len; i++) {
		struct task *t = now->tasks.at[i];
		const struct task *known = find_task(was, t->id);
		bool left = swarm_task_left(a->s, t->id, a->now_ms);

		if (!left && known != NULL &&
		    apply_is_regress(
			a, "task", t->id, t->version, known->version)) {
			(void)map_set(&a->stale, t->id, a);
			left = true;
		}
		if (left)
			task_free(t);
		else
			now->tasks.at[kept++] = t;
	}
	now->tasks.len = kept;
}

/* A task that is odd now, or whose answer was older, stays as it was. */
static void
keep_others(struct applying *a, const struct service *was, struct service *now)
{
	if (a->b->in->bad.len == 0 && a->stale.len == 0)
		return;
	for (size_t i = 0; i < was->tasks.len; i++) {
		struct task *t = was->tasks.at[i];

		if (find_task(now, t->id) == NULL &&
		    (apply_is_bad(a->b->in, "task", t->id) ||
			map_get(&a->stale, t->id) != NULL))
			vec_push(&now->tasks, t);
	}
}

/* Puts the tasks of 'now' in the place of those of 's'. */
static void
take_tasks_of(struct applying *a, struct service *s, struct service *now)
{
	drop_stale(a, s, now);
	keep_others(a, s, now);
	service_sort_tasks(now);
	if (tasks_differ(a, s, now))
		apply_note_changed(a, s->id);
	else if (states_differ(s, now))
		apply_beside(a, s->id)->moved_ms = a->now_ms;
	for (size_t i = 0; i < s->tasks.len; i++) {
		if (find_task(now, s->tasks.at[i]->id) != s->tasks.at[i])
			task_free(s->tasks.at[i]);
	}
	vec_fini(&s->tasks);
	memcpy(&s->tasks, &now->tasks, sizeof(s->tasks));
	memset(&now->tasks, 0, sizeof(now->tasks));
}

/* The services whose tasks are taken: known when the first one is. */
static void
order_tasks(struct applying *a)
{
	const struct map *which =
	    a->b->all_tasks ? &a->s->model->services : &a->b->asked_tasks;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(which, &i)) != NULL;)
		vec_push(&a->task_order, xstrdup(e->key));
}

bool
apply_tasks(struct applying *a)
{
	size_t n = 0;

	if (a->at == 0)
		order_tasks(a);
	while (a->at < a->task_order.len) {
		const char *id = a->task_order.at[a->at++];
		struct service none = { 0 };
		struct service *now = map_get(&a->holders, id);
		struct service *s = map_get(&a->s->model->services, id);

		if (s == NULL || !asked_for(a, id))
			continue;
		n += s->tasks.len;
		take_tasks_of(a, s, now == NULL ? &none : now);
		n += 1 + s->tasks.len;
		if (n >= SWARM_STEP)
			return true;
	}
	return false;
}
