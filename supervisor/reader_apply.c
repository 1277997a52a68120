/*
 * Batches of what the Engine answered are taken into what is known: services,
 * what is beside them, and what was odd.  See reader_apply.h; tasks are in
 * reader_apply_tasks.c.
 */
#include "reader_apply.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "docker/decode.h"
#include "model/label.h"
#include "reader_doubt.h"

/* An answer older than what is known counts only when it insists. */
#define REGRESS_TIMES 3
#define ENCODED_MAX ((size_t)64 * 1024 * 1024)

struct swarm_service *
apply_beside(struct applying *a, const char *id)
{
	struct swarm_service *x = map_get(&a->s->services, id);

	if (x == NULL) {
		x = xcalloc(1, sizeof(*x));
		(void)map_set(&a->s->services, id, x);
	}
	(void)map_set(&a->s->restless, id, x);
	return x;
}

void
apply_note_commit(struct applying *a, const char *service_id, const char *id)
{
	swarm_changes_commit_at(
	    a->ret, service_id, (uintptr_t)map_get(&a->b->commits, id));
}

void
apply_note_changed(struct applying *a, const char *id)
{
	/* What is there at the start did not just move. */
	apply_beside(a, id)->moved_ms =
	    a->s->complete ? a->now_ms : a->now_ms - SWARM_JUST_MS;
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

bool
apply_is_regress(struct applying *a, const char *kind, const char *id,
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
	    apply_is_regress(
		a, "service", now->id, now->version, was->version)) {
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
	x = apply_beside(a, now->id);
	if (was != NULL && was->version != now->version)
		x->moved_ms = a->now_ms;
	x->updating = map_get(&a->b->updating, now->id) != NULL;
	if (changed) {
		apply_note_changed(a, now->id);
		note_missed(a, now->id);
		apply_note_commit(a, now->id, now->id);
	}
	model_put_service(a->s->model, now);
}

bool
apply_is_bad(const struct model *m, const char *kind, const char *id)
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
		    !apply_is_bad(a->b->in, "service", e->key))
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

/* One step; those that are gone go in the last one. */
static bool
take_services(struct applying *a)
{
	struct map_entry *e;

	for (size_t n = 0;
	     (e = map_next(&a->b->in->services, &a->at)) != NULL;) {
		struct service *now = e->value;

		if (n++ == SWARM_STEP / 2) {
			a->at--;
			return true;
		}
		(void)map_set(&a->seen, now->id, a);
		(void)map_remove(&a->b->in->services, now->id);
		take_service(a, now);
	}
	return false;
}

static void
remove_services(struct applying *a)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->b->gone, &i)) != NULL;)
		remove_service(a, e->key);
	if (a->b->all_services)
		remove_missing(a, &a->seen);
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
	size_t kept = 0;

	for (size_t i = 0; i < m->bad.len; i++) {
		if (is_judged(a, &m->bad.at[i]))
			bad_object_fini(&m->bad.at[i]);
		else
			m->bad.at[kept++] = m->bad.at[i];
	}
	a->ret->bad |= kept < m->bad.len || in->bad.len > 0;
	m->bad.len = kept;
	for (size_t i = 0; i < in->bad.len; i++)
		vec_push(&m->bad, in->bad.at[i]);
	in->bad.len = 0;
}

/* Nobody was told of what earlier answers, not believed as a whole, brought. */
static void
become_complete(struct applying *a)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->s->model->services, &i)) != NULL;)
		apply_note_changed(a, e->key);
	a->ret->bad |= a->s->model->bad.len > 0;
	a->s->complete = true;
}

/* One step of APPLY_ROUTABLE, and the doubt at its end. */
static bool
weigh(struct applying *a)
{
	struct map_entry *e;

	if (!doubt_applies(a->s, a->b))
		return false;
	for (size_t n = 0; (e = map_next(&a->b->tasks, &a->at)) != NULL;) {
		struct task *t = e->value;

		if (n++ == (size_t)SWARM_STEP * 4) {
			a->at--;
			return true;
		}
		if (task_is_routable(t))
			(void)map_set(&a->routable, t->service_id, t);
	}
	doubt_weigh(a->s, a->b, a->dirty, &a->routable, a->now_ms, &a->held);
	map_fini(&a->routable);
	return false;
}

static bool
take_rest(struct applying *a)
{
	struct swarm *s = a->s;

	remove_services(a);
	take_objects(a);
	take_bad(a);
	model_merge(s->model, a->b->in);
	a->b->in = model_new();
	if (!s->complete && a->b->all_services && a->b->all_tasks &&
	    a->b->networks && !a->first_doubted)
		become_complete(a);
	if (a->b->all_tasks && a->stale.len == 0)
		forget_regress(s, "task ");
	return false;
}

struct applying *
swarm_take(struct swarm *s, struct swarm_batch *b, uint64_t now_ms)
{
	struct applying *a = xcalloc(1, sizeof(*a));

	a->s = s;
	a->b = b;
	a->now_ms = now_ms;
	a->first_doubted = doubt_first(s, b, now_ms);
	return a;
}

bool
swarm_take_some(
    struct applying *a, const struct map *dirty, struct swarm_changes *ret)
{
	static bool (*const steps[])(struct applying * a) = {
		[APPLY_ROUTABLE] = weigh,
		[APPLY_SERVICES] = take_services,
		[APPLY_GROUP] = apply_group,
		[APPLY_TASKS] = apply_tasks,
		[APPLY_REST] = take_rest,
	};

	a->dirty = dirty;
	a->ret = ret;
	if (ret->services.len == 0)
		map_fini(&a->changed);
	if (!steps[a->phase](a)) {
		a->phase++;
		a->at = 0;
	}
	ret->confirm = a->held.len > 0 || a->first_doubted;
	return a->phase != APPLY_DONE;
}

void
swarm_take_free(struct applying *a)
{
	struct map_entry *e;

	if (a == NULL)
		return;
	for (size_t i = 0; (e = map_next(&a->holders, &i)) != NULL;) {
		struct service *holder = e->value;

		for (size_t k = 0; k < holder->tasks.len; k++)
			task_free(holder->tasks.at[k]);
		vec_fini(&holder->tasks);
		free(holder);
	}
	for (size_t i = 0; i < a->task_order.len; i++)
		free(a->task_order.at[i]);
	vec_fini(&a->task_order);
	map_fini(&a->holders);
	map_fini(&a->routable);
	map_fini(&a->seen);
	map_fini(&a->changed);
	map_fini(&a->stale);
	map_fini(&a->held);
	free(a);
}

void
swarm_apply(struct swarm *s, struct swarm_batch *b, const struct map *dirty,
    uint64_t now_ms, struct swarm_changes *ret)
{
	struct applying *a = swarm_take(s, b, now_ms);

	memset(ret, 0, sizeof(*ret));
	while (swarm_take_some(a, dirty, ret)) {
	}
	swarm_take_free(a);
}
