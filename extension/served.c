/* Labels that were served: see served.h. */
#include "served.h"

#include <string.h>

struct served_entry {
	uint64_t version; /* of the service */
	struct label_copy labels;
};

void
label_copy_fini(struct label_copy *c)
{
	size_t i;

	for (i = 0; i < c->list.len; i++) {
		free(c->list.at[i].key);
		free(c->list.at[i].value);
	}
	vec_fini(&c->list);
}

void
label_copy_set(struct label_copy *to, const struct service *s)
{
	size_t i;

	label_copy_fini(to);
	for (i = 0; i < s->labels.len; i++) {
		const struct label *from = &s->labels.at[i];
		struct label *l = vec_add(&to->list);

		l->key = xstrdup(from->key);
		l->value = xmemdup0(from->value, from->value_len);
		l->value_len = from->value_len;
	}
}

bool
label_copy_equal(const struct label_copy *c, const struct service *s)
{
	size_t i;

	if (c->list.len != s->labels.len)
		return false;
	for (i = 0; i < c->list.len; i++) {
		const struct label *x = &c->list.at[i], *y = &s->labels.at[i];

		if (strcmp(x->key, y->key) != 0 ||
		    x->value_len != y->value_len ||
		    memcmp(x->value, y->value, x->value_len) != 0)
			return false;
	}
	return true;
}

static void
entry_free(struct served_entry *s)
{
	if (s == NULL)
		return;
	label_copy_fini(&s->labels);
	free(s);
}

static void
clear(struct map *m)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(m, &i)) != NULL;)
		entry_free(e->value);
	map_fini(m);
}

void
served_fini(struct served *g)
{
	clear(&g->good);
	clear(&g->offered);
}

static bool
has_version(const struct map *m, const struct service *s)
{
	const struct served_entry *known = map_get(m, s->id);

	return known != NULL && known->version == s->version;
}

void
served_offer_one(struct served *g, const struct service *s)
{
	struct served_entry *new;

	if (has_version(&g->good, s)) {
		entry_free(map_remove(&g->offered, s->id));
		return;
	}
	if (has_version(&g->offered, s))
		return;
	new = xcalloc(1, sizeof(*new));
	new->version = s->version;
	label_copy_set(&new->labels, s);
	entry_free(map_set(&g->offered, s->id, new));
}

void
served_offer(struct served *g, const struct routing *r)
{
	size_t i;

	for (i = 0; i < r->accepted.len; i++)
		served_offer_one(g, r->accepted.at[i]->service);
}

void
served_confirm(struct served *g)
{
	struct map_entry *e;
	size_t i;

	if (g->offered.len == 0)
		return;
	for (i = 0; (e = map_next(&g->offered, &i)) != NULL;)
		entry_free(map_set(&g->good, e->key, e->value));
	map_fini(&g->offered);
}

static void
prune(struct map *of, const struct model *m)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(of, &i)) != NULL;) {
		if (map_get(&m->services, e->key) == NULL)
			entry_free(map_remove(of, e->key));
	}
}

void
served_prune(struct served *g, const struct model *m)
{
	if (g->good.len <= m->services.len && g->offered.len <= m->services.len)
		return;
	prune(&g->good, m);
	prune(&g->offered, m);
}

const struct label_copy *
served_get(const struct served *g, const char *id)
{
	const struct served_entry *s = map_get(&g->good, id);

	return s == NULL ? NULL : &s->labels;
}
