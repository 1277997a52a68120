/* The store under the simulated Swarm; see sim_store.h. */
#include "sim_store.h"

#include "base/clock.h"
#include "sim_watch.h"

const char *const sim_kind_names[SIM_KINDS] = {
	[SIM_SERVICE] = "service",
	[SIM_TASK] = "task",
	[SIM_NETWORK] = "network",
	[SIM_NODE] = "node",
	[SIM_SECRET] = "secret",
	[SIM_CONFIG] = "config",
};

/* splitmix64: small, seedable, good enough for IDs and load. */
uint64_t
sim_random(struct sim *s)
{
	uint64_t z = (s->random += 0x9e3779b97f4a7c15U);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

char *
sim_new_id(struct sim *s)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char id[26];

	for (size_t i = 0; i < 25; i++)
		id[i] = digits[sim_random(s) % 36];
	id[25] = '\0';
	return xstrdup(id);
}

void
sim_new_container(struct sim *s, char ret[65])
{
	for (size_t i = 0; i < 64; i++)
		ret[i] = "0123456789abcdef"[sim_random(s) % 16];
	ret[64] = '\0';
}

int64_t
sim_now(struct sim *s)
{
	int64_t now = (int64_t)clock_wall_us() * 1000;

	now += (int64_t)(sim_random(s) % 1000);
	if (now <= s->last_ns)
		now = s->last_ns + 1;
	s->last_ns = now;
	return now;
}

void
sim_store_init(struct sim *s)
{
	s->random = s->options.seed;
	if (s->random == 0)
		s->random = clock_wall_us() ^ (uint64_t)getpid() << 40;
	/* A fresh Swarm's own objects take about as many. */
	s->index = 10;
	s->swarm_id = sim_new_id(s);
	s->next_host_port = 32768;
	s->next_ingress_port = 30000;
	s->next_vxlan = 4096;
}

void
sim_store_add(
    struct sim *s, struct sim_object *o, enum sim_kind kind, char *name)
{
	o->kind = kind;
	o->name = name;
	if (o->id == NULL)
		o->id = sim_new_id(s);
	o->created_ns = sim_now(s);
	o->updated_ns = o->created_ns;
	o->version = ++s->index;
	o->at = s->lists[kind].len;
	vec_push(&s->lists[kind], o);
	(void)map_set(&s->by_id[kind], o->id, o);
	if (name != NULL && kind != SIM_TASK && kind != SIM_NETWORK)
		(void)map_set(&s->by_name[kind], name, o);
	sim_watch_added(s, o);
}

void
sim_store_touch(struct sim *s, struct sim_object *o)
{
	o->version = ++s->index;
	o->updated_ns = sim_now(s);
	free(o->json);
	o->json = NULL;
	sim_watch_changed(s, o);
}

void
sim_store_remove(struct sim *s, struct sim_object *o)
{
	size_t last = s->lists[o->kind].len - 1;

	must(s->lists[o->kind].at[o->at] == o);
	s->lists[o->kind].at[o->at] = s->lists[o->kind].at[last];
	s->lists[o->kind].at[o->at]->at = o->at;
	s->lists[o->kind].len = last;
	(void)map_remove(&s->by_id[o->kind], o->id);
	if (o->name != NULL && map_get(&s->by_name[o->kind], o->name) == o)
		(void)map_remove(&s->by_name[o->kind], o->name);
	s->index++;
	sim_watch_removed(s, o);
}

void
sim_object_fini(struct sim_object *o)
{
	free(o->id);
	free(o->name);
	free(o->json);
}

struct sim_object *
sim_find(struct sim *s, enum sim_kind kind, const char *what)
{
	struct sim_object *found = map_get(&s->by_id[kind], what);
	size_t len = strlen(what);

	if (found != NULL)
		return found;
	found = map_get(&s->by_name[kind], what);
	if (found != NULL)
		return found;
	for (size_t i = 0; i < s->lists[kind].len; i++) {
		struct sim_object *o = s->lists[kind].at[i];

		if (o->name != NULL && strcmp(o->name, what) == 0)
			return o;
	}
	for (size_t i = 0; i < s->lists[kind].len && len > 0; i++) {
		struct sim_object *o = s->lists[kind].at[i];

		if (strncmp(o->id, what, len) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = o;
	}
	return found;
}

void
sim_network_free(struct sim_network *n)
{
	sim_object_fini(&n->o);
	json_decref(n->labels);
	json_decref(n->options);
	free(n->driver);
	free(n->used);
	free(n);
}

void
sim_blob_free(struct sim_blob *b)
{
	sim_object_fini(&b->o);
	json_decref(b->spec);
	free(b);
}

void
sim_node_free(struct sim_node *n)
{
	sim_object_fini(&n->o);
	json_decref(n->labels);
	free(n);
}

void
sim_service_free(struct sim_service *v)
{
	sim_object_fini(&v->o);
	json_decref(v->spec);
	json_decref(v->previous);
	json_decref(v->status);
	json_decref(v->endpoint);
	vec_fini(&v->vips);
	vec_fini(&v->ports);
	vec_fini(&v->tasks);
	vec_fini(&v->forwarders);
	free(v);
}

static void
free_object(struct sim_object *o)
{
	switch (o->kind) {
	case SIM_SERVICE:
		sim_service_free((struct sim_service *)(void *)o);
		break;
	case SIM_NETWORK:
		sim_network_free((struct sim_network *)(void *)o);
		break;
	case SIM_NODE:
		sim_node_free((struct sim_node *)(void *)o);
		break;
	case SIM_SECRET:
	case SIM_CONFIG:
		sim_blob_free((struct sim_blob *)(void *)o);
		break;
	case SIM_TASK:
	case SIM_KINDS:
		must(!"tasks are freed by their timers");
	}
}

void
sim_store_fini(struct sim *s)
{
	for (size_t k = 0; k < SIM_KINDS; k++) {
		for (size_t i = 0; i < s->lists[k].len; i++)
			free_object(s->lists[k].at[i]);
		vec_fini(&s->lists[k]);
		map_fini(&s->by_id[k]);
		map_fini(&s->by_name[k]);
	}
	free(s->swarm_id);
}
