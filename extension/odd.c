/* Last good versions of odd services: see odd.h. */
#include "odd.h"

#include <string.h>

void
odd_fini(struct odd *g)
{
	map_fini(&g->ids);
}

void
odd_keep(struct odd *g, struct model *before, struct model *now)
{
	struct service *s;
	size_t i;

	map_fini(&g->ids);
	for (i = 0; i < now->bad.len; i++) {
		const struct bad_object *b = &now->bad.at[i];

		if (strcmp(b->kind, "service") != 0 || b->id == NULL ||
		    map_get(&now->services, b->id) != NULL)
			continue;
		s = map_remove(&before->services, b->id);
		if (s == NULL)
			continue;
		model_put_service(now, s);
		(void)map_set(&g->ids, b->id, g);
	}
}

void
odd_forget(struct odd *g, const struct model *update)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&g->ids, &i)) != NULL;) {
		if (map_get(&update->services, e->key) != NULL)
			(void)map_remove(&g->ids, e->key);
	}
}

static bool
is_bad(const struct model *m, const char *id)
{
	size_t i;

	for (i = 0; i < m->bad.len; i++) {
		if (m->bad.at[i].id != NULL && strcmp(m->bad.at[i].id, id) == 0)
			return true;
	}
	return false;
}

void
odd_drop(struct odd *g, struct model *now)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&g->ids, &i)) != NULL;) {
		if (is_bad(now, e->key))
			continue;
		(void)model_remove_service(now, e->key);
		(void)map_remove(&g->ids, e->key);
	}
}
