/* The Swarm as the reader knows it: see reader_swarm.h. */
#include "reader_swarm.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "docker/decode.h"
#include "model/label.h"
#include "reader_doubt.h"

/* An answer older than what is known counts only when it insists. */
#define REGRESS_TIMES 3

#define MOVING_MS 150
#define UPDATING_MS 500
/* For so long after a change a service is looked at, settled or not. */
#define JUST_MS 2000
#define ENCODED_MAX ((size_t)64 * 1024 * 1024)

void
swarm_init(struct swarm *s)
{
	memset(s, 0, sizeof(*s));
	s->model = model_new();
}

void
swarm_fini(struct swarm *s)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->services, &i)) != NULL;)
		free(e->value);
	map_fini(&s->services);
	map_fini(&s->restless);
	map_fini(&s->regress);
	map_fini(&s->left);
	model_free(s->model);
	doubt_fini(&s->doubt);
	memset(s, 0, sizeof(*s));
}

void
swarm_changes_fini(struct swarm_changes *c)
{
	for (size_t i = 0; i < c->services.len; i++)
		free(c->services.at[i]);
	vec_fini(&c->services);
	for (size_t i = 0; i < c->removed.len; i++)
		free(c->removed.at[i]);
	vec_fini(&c->removed);
	map_fini(&c->commits);
}

uint64_t
swarm_changes_commit(const struct swarm_changes *c, const char *service_id)
{
	return (uintptr_t)map_get(&c->commits, service_id);
}

void
swarm_changes_commit_at(
    struct swarm_changes *c, const char *service_id, uint64_t commit_us)
{
	uint64_t known = swarm_changes_commit(c, service_id);

	if (commit_us != 0 && (known == 0 || commit_us < known))
		(void)map_set(
		    &c->commits, service_id, (void *)(uintptr_t)commit_us);
}

void
swarm_changes_add(
    struct swarm_changes *c, const char *service_id, uint64_t commit_us)
{
	vec_push(&c->services, xstrdup(service_id));
	swarm_changes_commit_at(c, service_id, commit_us);
}

/* One application of a batch. */
struct applying {
	struct swarm *s;
	struct swarm_batch *b;
	const struct map *dirty;
	uint64_t now_ms;
	struct swarm_changes *ret;
	struct map changed; /* IDs that are in ret->services */
	struct map stale;   /* IDs of tasks whose answer was older */
	struct map held;    /* IDs of services that stay as they are */
};

/* What is asked for is about to change. */
static struct swarm_service *
beside(struct applying *a, const char *id)
{
	struct swarm_service *x = map_get(&a->s->services, id);

	if (x == NULL) {
		x = xcalloc(1, sizeof(*x));
		(void)map_set(&a->s->services, id, x);
	}
	(void)map_set(&a->s->restless, id, x);
	return x;
}

/* 'id' is the service's own, or that of one of its tasks. */
static void
note_commit(struct applying *a, const char *service_id, const char *id)
{
	const uint64_t *us = map_get(&a->b->commits, id);

	if (us != NULL)
		swarm_changes_commit_at(a->ret, service_id, *us);
}

static void
note_changed(struct applying *a, const char *id)
{
	/* What is there at the start did not just move. */
	beside(a, id)->moved_ms =
	    a->s->complete ? a->now_ms : a->now_ms - JUST_MS;
	if (map_set(&a->changed, id, a) != NULL)
		return;
	vec_push(&a->ret->services, xstrdup(id));
}

/* A whole list shows a change of a service that no event told. */
static void
note_missed(struct applying *a, const char *id)
{
	if (a->b->all_services && a->s->complete &&
	    (a->dirty == NULL || map_get(a->dirty, id) == NULL))
		a->ret->missed = true;
}

/* Answers that were older are no longer counted for such keys. */
static void
forget_regress(struct swarm *s, const char *prefix)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->regress, &i)) != NULL;) {
		if (strncmp(e->key, prefix, strlen(prefix)) == 0)
			(void)map_remove(&s->regress, e->key);
	}
}

static void
remove_service(struct applying *a, const char *id)
{
	char *key _cleanup_free_ = xasprintf("service %s", id);

	(void)map_remove(&a->s->regress, key);
	if (map_get(&a->s->model->services, id) == NULL)
		return;
	/* 'id' may be the service's own. */
	vec_push(&a->ret->removed, xstrdup(id));
	id = a->ret->removed.at[a->ret->removed.len - 1];
	(void)model_remove_service(a->s->model, id);
	(void)map_remove(&a->s->restless, id);
	free(map_remove(&a->s->services, id));
}

/*
 * True for an answer that is older than what is known (a manager that lags
 * behind, an answer that was overtaken), unless it is the third in a row.
 */
static bool
is_regress(struct applying *a, const char *kind, const char *id,
    uint64_t version, uint64_t known)
{
	char *key _cleanup_free_ = xasprintf("%s %s", kind, id);
	uintptr_t times;

	if (version >= known) {
		if (a->s->regress.len > 0)
			(void)map_remove(&a->s->regress, key);
		return false;
	}
	times = (uintptr_t)map_get(&a->s->regress, key) + 1;
	if (times >= REGRESS_TIMES) {
		(void)map_remove(&a->s->regress, key);
		return false;
	}
	(void)map_set(&a->s->regress, key, (void *)times);
	return true;
}

/* --------------------------------------------------------------- services */

/* Whether routing would see a difference; the version is none. */
static bool
same_service(struct service *x, struct service *y)
{
	STR_AUTO(a, ENCODED_MAX);
	STR_AUTO(b, ENCODED_MAX);
	uint64_t version = x->version;

	if (x->version == y->version)
		return true;
	x->version = y->version;
	docker_encode_service(&a, x);
	docker_encode_service(&b, y);
	x->version = version;
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

static void
take_service(struct applying *a, struct service *now)
{
	struct service *was = map_get(&a->s->model->services, now->id);
	struct swarm_service *x;
	bool changed;

	if (was != NULL &&
	    is_regress(a, "service", now->id, now->version, was->version)) {
		service_free(now);
		return;
	}
	if (!labels_present(now)) {
		remove_service(a, now->id);
		service_free(now);
		return;
	}
	changed = was == NULL || !same_service(was, now);
	if (was != NULL) {
		/* Its tasks come by themselves. */
		memcpy(&now->tasks, &was->tasks, sizeof(now->tasks));
		memset(&was->tasks, 0, sizeof(was->tasks));
	}
	x = beside(a, now->id);
	if (was != NULL && was->version != now->version)
		x->moved_ms = a->now_ms;
	x->updating = map_get(&a->b->updating, now->id) != NULL;
	if (changed) {
		note_changed(a, now->id);
		note_missed(a, now->id);
		note_commit(a, now->id, now->id);
	}
	model_put_service(a->s->model, now);
}

static bool
is_bad(const struct model *m, const char *kind, const char *id)
{
	for (size_t i = 0; i < m->bad.len; i++) {
		const struct bad_object *b = &m->bad.at[i];

		if (strcmp(b->kind, kind) == 0 && b->id != NULL &&
		    strcmp(b->id, id) == 0)
			return true;
	}
	return false;
}

struct ids {
	VEC(const char *) list;
};

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Known services that a whole list does not show any more. */
static void
find_missing(struct applying *a, const struct map *seen, struct ids *ret)
{
	struct map_entry *e;

	for (size_t i = 0;
	     (e = map_next(&a->s->model->services, &i)) != NULL;) {
		if (map_get(seen, e->key) == NULL &&
		    map_get(&a->b->except, e->key) == NULL &&
		    !is_bad(a->b->in, "service", e->key))
			vec_push(&ret->list, e->key);
	}
	vec_sort(&ret->list, compare_ids);
}

static void
remove_missing(struct applying *a, const struct map *seen)
{
	struct ids missing = { 0 };

	find_missing(a, seen, &missing);
	for (size_t i = 0; i < missing.list.len; i++) {
		const char *id = missing.list.at[i];

		if (map_get(&a->held, id) != NULL)
			continue;
		note_missed(a, id);
		remove_service(a, id);
	}
	vec_fini(&missing.list);
}

static void
take_services(struct applying *a)
{
	struct map seen = { 0 };
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->b->in->services, &i)) != NULL;)
		(void)map_set(&seen, e->key, a);
	for (size_t i = 0; (e = map_next(&a->b->in->services, &i)) != NULL;) {
		struct service *now = e->value;

		(void)map_remove(&a->b->in->services, now->id);
		take_service(a, now);
	}
	for (size_t i = 0; (e = map_next(&a->b->gone, &i)) != NULL;)
		remove_service(a, e->key);
	if (a->b->all_services)
		remove_missing(a, &seen);
	map_fini(&seen);
}

/* ------------------------------------------------------------------ tasks */

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

static size_t
routable(const struct service *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->tasks.len; i++)
		n += task_is_routable(s->tasks.at[i]);
	return n;
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
			note_commit(a, was->id, y->id);
			differ = true;
		}
	}
	if (differ || routable(was) != routable(now))
		return true;
	if (routable(now) > 0 || now->tasks.len == 0)
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
	if (map_get(&a->held, id) != NULL || map_get(&a->b->except, id) != NULL)
		return false;
	return a->b->all_tasks || map_get(&a->b->asked_tasks, id) != NULL;
}

/*
 * The new tasks, each in a service of its own ID that holds nothing else.  An
 * answer that is older than what is known is set aside.
 */
static void
sort_into_services(struct applying *a, struct map *ret)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->b->tasks, &i)) != NULL;) {
		struct task *t = e->value;
		struct service *s =
		    map_get(&a->s->model->services, t->service_id);
		struct service *holder;
		const struct task *known;

		if (s == NULL || t->desired != TASK_RUNNING ||
		    !asked_for(a, s->id) ||
		    swarm_task_left(a->s, t->id, a->now_ms))
			continue;
		known = find_task(s, t->id);
		if (known != NULL &&
		    is_regress(a, "task", t->id, t->version, known->version)) {
			(void)map_set(&a->stale, t->id, a);
			continue;
		}
		holder = map_get(ret, s->id);
		if (holder == NULL) {
			holder = xcalloc(1, sizeof(*holder));
			(void)map_set(ret, s->id, holder);
		}
		(void)map_remove(&a->b->tasks, t->id);
		vec_push(&holder->tasks, t);
	}
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
		    (is_bad(a->b->in, "task", t->id) ||
			map_get(&a->stale, t->id) != NULL))
			vec_push(&now->tasks, t);
	}
}

/* Puts the tasks of 'now' in the place of those of 's'. */
static void
take_tasks_of(struct applying *a, struct service *s, struct service *now)
{
	keep_others(a, s, now);
	service_sort_tasks(now);
	if (tasks_differ(a, s, now))
		note_changed(a, s->id);
	else if (states_differ(s, now))
		beside(a, s->id)->moved_ms = a->now_ms;
	for (size_t i = 0; i < s->tasks.len; i++) {
		if (find_task(now, s->tasks.at[i]->id) != s->tasks.at[i])
			task_free(s->tasks.at[i]);
	}
	vec_fini(&s->tasks);
	memcpy(&s->tasks, &now->tasks, sizeof(s->tasks));
	memset(&now->tasks, 0, sizeof(now->tasks));
}

static void
take_tasks(struct applying *a)
{
	struct map holders = { 0 };
	const struct map *which;
	struct map_entry *e;

	if (!a->b->all_tasks && a->b->asked_tasks.len == 0)
		return;
	sort_into_services(a, &holders);
	which = a->b->all_tasks ? &a->s->model->services : &a->b->asked_tasks;
	for (size_t i = 0; (e = map_next(which, &i)) != NULL;) {
		struct service none = { 0 };
		struct service *now = map_get(&holders, e->key);
		struct service *s = map_get(&a->s->model->services, e->key);

		if (s != NULL && asked_for(a, e->key))
			take_tasks_of(a, s, now == NULL ? &none : now);
	}
	for (size_t i = 0; (e = map_next(&holders, &i)) != NULL;)
		free(e->value);
	map_fini(&holders);
}

/* ------------------------------------------------- networks and the others */

/* Last good ones of those that are odd now. */
static void
keep_odd(struct model *in, struct model *known)
{
	for (size_t i = 0; i < in->bad.len; i++) {
		const struct bad_object *b = &in->bad.at[i];
		void *o;

		if (strcmp(b->kind, "network") == 0 && b->id != NULL &&
		    map_get(&in->networks, b->id) == NULL &&
		    (o = map_remove(&known->networks, b->id)) != NULL)
			model_put_network(in, o);
		else if (strcmp(b->kind, "node") == 0 && b->id != NULL &&
		    map_get(&in->nodes, b->id) == NULL &&
		    (o = map_remove(&known->nodes, b->id)) != NULL)
			model_put_node(in, o);
		else if (strcmp(b->kind, "secret") == 0 && b->name != NULL &&
		    map_get(&in->secrets, b->name) == NULL &&
		    (o = map_remove(&known->secrets, b->name)) != NULL)
			model_put_secret(in, o);
		else if (strcmp(b->kind, "config") == 0 && b->name != NULL &&
		    map_get(&in->configs, b->name) == NULL &&
		    (o = map_remove(&known->configs, b->name)) != NULL)
			model_put_config(in, o);
	}
}

/* Keys of 'known' that 'in' does not have. */
static void
find_gone(const struct map *known, const struct map *in, struct ids *ret)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(known, &i)) != NULL;) {
		if (map_get(in, e->key) == NULL)
			vec_push(&ret->list, e->key);
	}
}

static void
drop_gone(struct model *m, const struct map *known, const struct map *in,
    bool (*remove)(struct model *m, const char *key))
{
	struct ids gone = { 0 };

	find_gone(known, in, &gone);
	for (size_t i = 0; i < gone.list.len; i++) {
		/* The key is the map's own. */
		char *key _cleanup_free_ = xstrdup(gone.list.at[i]);

		(void)remove(m, key);
	}
	vec_fini(&gone.list);
}

static void
take_objects(struct applying *a)
{
	struct model *m = a->s->model, *in = a->b->in;
	struct swarm_batch *b = a->b;

	if (!b->networks && !b->nodes && !b->secrets && !b->configs)
		return;
	a->ret->objects = true;
	keep_odd(in, m);
	if (b->networks && a->held.len == 0)
		drop_gone(m, &m->networks, &in->networks, model_remove_network);
	if (b->nodes)
		drop_gone(m, &m->nodes, &in->nodes, model_remove_node);
	if (b->secrets)
		drop_gone(m, &m->secrets, &in->secrets, model_remove_secret);
	if (b->configs)
		drop_gone(m, &m->configs, &in->configs, model_remove_config);
}

/* ------------------------------------------------------------ odd objects */

/* Whether this batch tells anew whether such an object is odd. */
static bool
is_judged(const struct applying *a, const struct bad_object *o)
{
	const struct swarm_batch *b = a->b;

	if (strcmp(o->kind, "service") == 0) {
		if (o->id == NULL || map_get(&b->except, o->id) != NULL)
			return o->id == NULL && b->all_services;
		return b->all_services || map_get(&b->asked, o->id) != NULL ||
		    map_get(&b->gone, o->id) != NULL;
	}
	if (strcmp(o->kind, "task") == 0)
		/* Whose it is cannot be known: each look tells anew. */
		return b->all_tasks || b->asked_tasks.len > 0;
	if (strcmp(o->kind, "network") == 0)
		return b->networks;
	if (strcmp(o->kind, "node") == 0)
		return b->nodes;
	if (strcmp(o->kind, "secret") == 0)
		return b->secrets;
	return b->configs;
}

static void
take_bad(struct applying *a)
{
	struct model *m = a->s->model, *in = a->b->in;

	if (m->bad.len == 0 && in->bad.len == 0)
		return;
	for (size_t i = m->bad.len; i > 0; i--) {
		if (!is_judged(a, &m->bad.at[i - 1]))
			continue;
		bad_object_fini(&m->bad.at[i - 1]);
		vec_remove(&m->bad, i - 1);
	}
	for (size_t i = 0; i < in->bad.len; i++)
		vec_push(&m->bad, in->bad.at[i]);
	in->bad.len = 0;
	a->ret->bad = true;
}

void
swarm_apply(struct swarm *s, struct swarm_batch *b, const struct map *dirty,
    uint64_t now_ms, struct swarm_changes *ret)
{
	struct applying a = {
		.s = s,
		.b = b,
		.dirty = dirty,
		.now_ms = now_ms,
		.ret = ret,
	};

	bool first_doubted = doubt_first(s, b, now_ms);

	memset(ret, 0, sizeof(*ret));
	doubt_weigh(s, b, dirty, now_ms, &a.held);
	ret->confirm = a.held.len > 0 || first_doubted;
	take_services(&a);
	take_tasks(&a);
	take_objects(&a);
	take_bad(&a);
	model_merge(s->model, b->in);
	b->in = model_new();
	if (b->all_services && b->all_tasks && b->networks && !first_doubted)
		s->complete = true;
	if (b->all_tasks && a.stale.len == 0)
		forget_regress(s, "task ");
	map_fini(&a.changed);
	map_fini(&a.stale);
	map_fini(&a.held);
}

/* ----------------------------------------------------------------- moving */

static bool
is_settled(const struct service *s)
{
	size_t running = routable(s);

	if (running != s->tasks.len)
		return false;
	return s->mode != SERVICE_REPLICATED || running == s->replicas;
}

/* Settled, and not just changed; a job is never routed. */
static bool
is_at_rest(const struct service *service, const struct swarm_service *x,
    uint64_t now_ms)
{
	if (service->mode == SERVICE_REPLICATED_JOB ||
	    service->mode == SERVICE_GLOBAL_JOB)
		return true;
	/*
	 * A service just changed is looked at for a while though it seems
	 * settled: the Engine needs time to begin.
	 */
	return !x->updating && is_settled(service) &&
	    now_ms - x->moved_ms >= JUST_MS;
}

/* How long after a look the next one is due. */
static uint64_t
look_period(const struct swarm_service *x, uint64_t now_ms)
{
	uint64_t period = (now_ms - x->moved_ms) / 8;

	if (period < MOVING_MS)
		period = MOVING_MS;
	if (x->updating && period > UPDATING_MS)
		period = UPDATING_MS;
	return period;
}

uint64_t
swarm_moving(
    struct swarm *s, uint64_t now_ms, uint64_t slow_ms, struct map *ret)
{
	uint64_t soonest = slow_ms;
	struct map still = { 0 };
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->restless, &i)) != NULL;) {
		const struct service *service =
		    map_get(&s->model->services, e->key);
		struct swarm_service *x = map_get(&s->services, e->key);
		uint64_t period;

		if (service == NULL || x == NULL ||
		    is_at_rest(service, x, now_ms))
			continue;
		(void)map_set(&still, e->key, x);
		period = look_period(x, now_ms);
		if (period >= slow_ms)
			continue;
		if (period < soonest)
			soonest = period;
		(void)map_set(ret, e->key, (void *)(uintptr_t)1);
	}
	/* Made anew, as a map that was large once is slow to walk over. */
	map_fini(&s->restless);
	s->restless = still;
	return soonest;
}
