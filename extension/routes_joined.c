/* Routes over networks that proxies are not on: see routes_joined.h. */
#include "routes_joined.h"

#include "routes_backend.h"

#include <string.h>

static bool
is_joined(const struct routing_options *o, const char *network_id)
{
	return map_get(o->joined, network_id) != NULL;
}

/* The first of the attachments that proxies are on, or NULL. */
static const struct network *
first_joined(const struct routing_options *o, const struct model *m,
    const struct attachment *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const struct network *n =
		    map_get(&m->networks, at[i].network_id);

		if (n != NULL && !n->ingress && is_joined(o, n->id))
			return n;
	}
	return NULL;
}

/* Another network on which the service can be reached meanwhile. */
static const struct network *
find_meanwhile(const struct routing_options *o, const struct model *m,
    const struct accepted *a)
{
	const struct service *s = a->service;

	if (a->labels.backend_mode == BACKEND_VIP)
		return first_joined(o, m, s->vips.at, s->vips.len);
	for (size_t i = 0; i < s->tasks.len; i++) {
		const struct task *t = s->tasks.at[i];
		const struct network *n = task_is_routable(t)
		    ? first_joined(o, m, t->addresses.at, t->addresses.len)
		    : NULL;

		if (n != NULL)
			return n;
	}
	return NULL;
}

void
routes_joined_backend(
    struct accepted *a, const struct model *m, const struct routing_options *o)
{
	const struct network *chosen = a->network, *meanwhile;
	const char *words = o->joined_words;

	if (o->joined == NULL || chosen == NULL || is_joined(o, chosen->id)) {
		routes_backend(a, m);
		return;
	}
	meanwhile = find_meanwhile(o, m, a);
	finding_set(vec_add(&a->remarks.list), REJECT_NOT_YET, NULL, -1, NULL,
	    "not all proxies are on network %s yet: %s%s%s%s", chosen->name,
	    meanwhile == NULL
		? "no request is passed on until they are"
		: "until they are, its addresses on another network are used, ",
	    meanwhile == NULL ? "" : meanwhile->name, words == NULL ? "" : "; ",
	    words == NULL ? "" : words);
	if (meanwhile == NULL)
		return;
	/* What is claimed and needed stays the chosen one. */
	a->network = meanwhile;
	routes_backend(a, m);
	a->network = chosen;
}
