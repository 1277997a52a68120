/* Too much gone at once: see reader_doubt.h. */
#include "reader_doubt.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/label.h"

#define DOUBT_TIMES 3
#define DOUBT_MS 5000
#define DOUBT_FEW 5
/* So many services do not lose all their tasks at the same moment. */
#define ALL_BUT_FEW 3
/* What moved so recently may well lose its tasks. */
#define MOVED_MS 3000
#define IDS_MAX ((size_t)64 * 1024 * 1024)

void
doubt_fini(struct doubt *d)
{
	free(d->ids);
	memset(d, 0, sizeof(*d));
}

/* A cluster's services, and those of them that would be lost. */
struct tally {
	size_t services;
	size_t lost;
};

struct weighing {
	const struct swarm *s;
	const struct swarm_batch *b;
	const struct map *dirty;
	uint64_t now_ms;
	const struct map *routable;
	struct map clusters; /* name -> struct tally *, owned */
};

static bool
is_odd(const struct swarm_batch *b, const char *kind, const char *id)
{
	for (size_t i = 0; i < b->in->bad.len; i++) {
		const struct bad_object *o = &b->in->bad.at[i];

		if (strcmp(o->kind, kind) == 0 && o->id != NULL &&
		    strcmp(o->id, id) == 0)
			return true;
	}
	return false;
}

static bool
has_routable(const struct service *s)
{
	for (size_t i = 0; i < s->tasks.len; i++) {
		if (task_is_routable(s->tasks.at[i]))
			return true;
	}
	return false;
}

/* A task that is odd now stays as it was. */
static bool
keeps_odd_task(const struct weighing *w, const struct service *s)
{
	for (size_t i = 0; i < s->tasks.len; i++) {
		if (is_odd(w->b, "task", s->tasks.at[i]->id))
			return true;
	}
	return false;
}

static bool
loses_tasks(const struct weighing *w, const struct service *s)
{
	const struct swarm_service *x = map_get(&w->s->services, s->id);

	if ((!w->b->all_tasks && map_get(&w->b->asked_tasks, s->id) == NULL) ||
	    map_get(&w->b->except_tasks, s->id) != NULL)
		return false;
	/* A node's event told that tasks move. */
	if (w->b->nodes && !w->b->all_services)
		return false;
	if (x->updating || w->now_ms - x->moved_ms < MOVED_MS)
		return false;
	return has_routable(s) && map_get(w->routable, s->id) == NULL &&
	    !keeps_odd_task(w, s);
}

static bool
loses_network(const struct weighing *w, const struct service *s)
{
	if (!w->b->networks)
		return false;
	for (size_t i = 0; i < s->networks.len; i++) {
		const struct network *n =
		    model_find_network(w->s->model, s->networks.at[i]);

		if (n != NULL && map_get(&w->b->in->networks, n->id) == NULL &&
		    !is_odd(w->b, "network", n->id))
			return true;
	}
	return false;
}

static bool
is_missing(const struct weighing *w, const struct service *s)
{
	return w->b->all_services &&
	    map_get(&w->b->in->services, s->id) == NULL &&
	    !is_odd(w->b, "service", s->id);
}

static bool
is_lost(const struct weighing *w, const struct service *s)
{
	if ((w->dirty != NULL && map_get(w->dirty, s->id) != NULL) ||
	    map_get(&w->b->except, s->id) != NULL)
		return false;
	return is_missing(w, s) || loses_network(w, s) || loses_tasks(w, s);
}

static struct tally *
tally_of(struct weighing *w, const struct service *s)
{
	char *name _cleanup_free_ = NULL;
	struct finding error = { 0 };
	const char *key;
	struct tally *t;

	if (labels_cluster(s, &name, &error) != 0)
		finding_fini(&error);
	key = name == NULL ? "" : name;
	t = map_get(&w->clusters, key);
	if (t == NULL) {
		t = xcalloc(1, sizeof(*t));
		(void)map_set(&w->clusters, key, t);
	}
	return t;
}

/* A look at a few services: whether they lose anything like too much. */
static bool
loses_few(const struct weighing *w)
{
	size_t lost = 0;
	struct map_entry *e;

	if (w->b->all_services || w->b->all_tasks || w->b->networks)
		return false;
	for (size_t i = 0; (e = map_next(&w->b->asked_tasks, &i)) != NULL;) {
		const struct service *s =
		    map_get(&w->s->model->services, e->key);

		lost += s != NULL && is_lost(w, s);
	}
	return lost < ALL_BUT_FEW;
}

/* Puts what would be lost into 'ret'; true if that is too much. */
static bool
weigh(struct weighing *w, struct map *ret)
{
	size_t missing = 0, lost = 0, could = 0;
	bool much = false;
	struct map_entry *e;

	if (loses_few(w))
		return false;
	for (size_t i = 0;
	     (e = map_next(&w->s->model->services, &i)) != NULL;) {
		struct tally *t = tally_of(w, e->value);

		t->services++;
		could += has_routable(e->value);
		if (!is_lost(w, e->value))
			continue;
		t->lost++;
		lost += has_routable(e->value);
		missing += is_missing(w, e->value);
		(void)map_set(ret, e->key, e->value);
	}
	for (size_t i = 0; (e = map_next(&w->clusters, &i)) != NULL;) {
		struct tally *t = e->value;

		much |= t->lost > DOUBT_FEW && t->lost * 2 > t->services;
		free(t);
	}
	map_fini(&w->clusters);
	return much || (missing > 0 && missing == w->s->model->services.len) ||
	    (lost >= ALL_BUT_FEW && lost == could);
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *
join(const struct map *ids)
{
	VEC(const char *) list = { 0 };
	struct map_entry *e;
	struct str out;

	str_init(&out, IDS_MAX);
	for (size_t i = 0; (e = map_next(ids, &i)) != NULL;)
		vec_push(&list, e->key);
	vec_sort(&list, compare_ids);
	for (size_t i = 0; i < list.len; i++)
		str_addf(&out, "%s\n", list.at[i]);
	vec_fini(&list);
	return str_take(&out);
}

/* Counts an answer that would take 'ids' away; true once it is believed. */
static bool
is_convinced(
    struct doubt *d, const struct map *ids, bool manager, uint64_t now_ms)
{
	char *text = join(ids);

	if (d->ids == NULL || strcmp(d->ids, text) != 0) {
		free(d->ids);
		d->ids = text;
		d->times = 1;
		d->since_ms = now_ms;
		return false;
	}
	free(text);
	if (manager)
		d->times++;
	return d->times >= DOUBT_TIMES && now_ms - d->since_ms >= DOUBT_MS;
}

/* Services with replicas, and not a task in the whole Swarm. */
static bool
wants_tasks(const struct swarm_batch *b)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&b->in->services, &i)) != NULL;) {
		const struct service *s = e->value;

		if (s->mode == SERVICE_REPLICATED && s->replicas > 0)
			return true;
	}
	return false;
}

/* Services on networks, and not a network in the whole Swarm. */
static bool
wants_networks(const struct swarm_batch *b)
{
	struct map_entry *e;

	if (!b->networks || b->in->networks.len > 0)
		return false;
	for (size_t i = 0; (e = map_next(&b->in->services, &i)) != NULL;) {
		const struct service *s = e->value;

		if (s->networks.len > 0)
			return true;
	}
	return false;
}

bool
doubt_first(struct swarm *s, const struct swarm_batch *b, uint64_t now_ms)
{
	const struct map none = { 0 };

	if (s->complete || !b->all_services || !b->all_tasks)
		return false;
	if (!wants_networks(b) &&
	    (b->tasks.len > 0 ? b->in->services.len > 0 : !wants_tasks(b)))
		return false;
	return !is_convinced(&s->doubt, &none, b->manager, now_ms);
}

bool
doubt_applies(const struct swarm *s, const struct swarm_batch *b)
{
	return s->complete &&
	    (b->all_services || b->all_tasks || b->networks ||
		b->asked_tasks.len > DOUBT_FEW);
}

void
doubt_weigh(struct swarm *s, const struct swarm_batch *b,
    const struct map *dirty, const struct map *routable, uint64_t now_ms,
    struct map *ret)
{
	struct weighing w = {
		.s = s,
		.b = b,
		.dirty = dirty,
		.now_ms = now_ms,
		.routable = routable,
	};

	if (weigh(&w, ret)) {
		if (!is_convinced(&s->doubt, ret, b->manager, now_ms))
			return;
		doubt_fini(&s->doubt);
	} else if (b->all_services && b->all_tasks && b->networks) {
		doubt_fini(&s->doubt);
	}
	map_fini(ret);
}
