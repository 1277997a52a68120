/* Answers of the Engine on their way into the model: see reader_swarm.h. */
#include "reader_swarm.h"

#include <string.h>

#include "base/json_cut.h"
#include "base/mem.h"
#include "base/parse.h"
#include "docker/decode.h"

static void *const present = (void *)(uintptr_t)1;

void
swarm_batch_init(struct swarm_batch *b)
{
	memset(b, 0, sizeof(*b));
	b->in = model_new();
}

void
swarm_batch_fini(struct swarm_batch *b)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&b->tasks, &i)) != NULL;)
		task_free(e->value);
	map_fini(&b->tasks);
	map_fini(&b->commits);
	map_fini(&b->asked);
	map_fini(&b->asked_tasks);
	map_fini(&b->gone);
	map_fini(&b->except);
	map_fini(&b->except_tasks);
	map_fini(&b->updating);
	model_free(b->in);
	b->in = NULL;
}

/* What the model does not keep, from the raw object. */
struct peek {
	int64_t updated_ns;
	bool updating;
};

static void
on_member(
    void *arg, const char *key, size_t key_len, const char *value, size_t len)
{
	struct peek *p = arg;

	if (key_len == 9 && memcmp(key, "UpdatedAt", 9) == 0 && len > 2)
		(void)!parse_rfc3339(value + 1, len - 2, &p->updated_ns, NULL);
	else if (key_len == 12 && memcmp(key, "UpdateStatus", 12) == 0)
		p->updating = memmem(value, len, "\"updating\"", 10) != NULL ||
		    memmem(value, len, "\"rollback_started\"", 18) != NULL;
}

static struct peek
peek(const char *json, size_t len)
{
	struct peek p = { 0 };

	(void)!json_cut_members(json, len, on_member, &p, NULL);
	return p;
}

/* The newest time of a service or of any of its tasks. */
static void
note_commit(struct swarm_batch *b, const char *id, int64_t updated_ns)
{
	uintptr_t us = updated_ns > 0 ? (uintptr_t)updated_ns / 1000 : 0;

	if (us > (uintptr_t)map_get(&b->commits, id))
		(void)map_set(&b->commits, id, (void *)us);
}

static void
add_bad(struct swarm_batch *b, const char *kind, const char *json, size_t len,
    const char *reason)
{
	struct bad_object *bad = vec_add(&b->in->bad);

	bad->kind = kind;
	bad->position = b->in->bad.len - 1;
	bad->reason = xstrdup(reason);
	docker_scan_identity(json, len, &bad->id, &bad->name);
}

void
swarm_batch_service(struct swarm_batch *b, const char *json, size_t len)
{
	struct error e;
	struct service *s = docker_decode_service(json, len, &e);
	struct peek p;

	if (s == NULL) {
		add_bad(b, "service", json, len, e.msg);
		return;
	}
	p = peek(json, len);
	note_commit(b, s->id, p.updated_ns);
	if (p.updating)
		(void)map_set(&b->updating, s->id, present);
	model_put_service(b->in, s);
}

void
swarm_batch_task(struct swarm_batch *b, const char *json, size_t len)
{
	struct error e;
	struct task *t = docker_decode_task(json, len, &e), *old;

	if (t == NULL) {
		add_bad(b, "task", json, len, e.msg);
		return;
	}
	note_commit(b, t->id, peek(json, len).updated_ns);
	old = map_set(&b->tasks, t->id, t);
	task_free(old);
}

void
swarm_batch_network(struct swarm_batch *b, const char *json, size_t len)
{
	struct error e;
	struct network *n = docker_decode_network(json, len, &e);

	if (n == NULL)
		add_bad(b, "network", json, len, e.msg);
	else
		model_put_network(b->in, n);
}

void
swarm_batch_node(struct swarm_batch *b, const char *json, size_t len)
{
	struct error e;
	struct node *n = docker_decode_node(json, len, &e);

	if (n == NULL)
		add_bad(b, "node", json, len, e.msg);
	else
		model_put_node(b->in, n);
}

void
swarm_batch_secret(struct swarm_batch *b, const char *json, size_t len)
{
	struct error e;
	struct secret *s = docker_decode_secret(json, len, &e);

	if (s == NULL)
		add_bad(b, "secret", json, len, e.msg);
	else
		model_put_secret(b->in, s);
}

void
swarm_batch_config(struct swarm_batch *b, const char *json, size_t len)
{
	struct error e;
	struct secret *s = docker_decode_secret(json, len, &e);

	if (s == NULL)
		add_bad(b, "config", json, len, e.msg);
	else
		model_put_config(b->in, s);
}

void
swarm_batch_skipped(
    struct swarm_batch *b, const char *kind, const char *json, size_t len)
{
	add_bad(b, kind, json, len, "too large or nested too deeply");
}

/* ------------------------------------------------------------------ newer */

void
swarm_newer_clear(struct swarm_newer *n)
{
	map_fini(&n->ids);
	map_fini(&n->task_ids);
	memset(n, 0, sizeof(*n));
}

/* Odd ones, too: of a service by its ID, of others all of a kind. */
static void
drop_bad(struct swarm_batch *b, const struct swarm_newer *n)
{
	for (size_t i = b->in->bad.len; i > 0; i--) {
		struct bad_object *o = &b->in->bad.at[i - 1];
		bool drop = strcmp(o->kind, "service") == 0
		    ? o->id != NULL && map_get(&n->ids, o->id) != NULL
		    : strcmp(o->kind, "network") == 0 ? n->networks
		    : strcmp(o->kind, "node") == 0    ? n->nodes
		    : strcmp(o->kind, "secret") == 0  ? n->secrets
						      : n->configs;

		if (strcmp(o->kind, "task") == 0 || !drop)
			continue;
		bad_object_fini(o);
		vec_remove(&b->in->bad, i - 1);
	}
}

static void
drop_objects(struct swarm_batch *b, const struct swarm_newer *n)
{
	struct map_entry *e;

	for (size_t i = 0;
	     n->networks && (e = map_next(&b->in->networks, &i)) != NULL;)
		(void)model_remove_network(b->in, e->key);
	for (size_t i = 0;
	     n->nodes && (e = map_next(&b->in->nodes, &i)) != NULL;)
		(void)model_remove_node(b->in, e->key);
	for (size_t i = 0;
	     n->secrets && (e = map_next(&b->in->secrets, &i)) != NULL;)
		(void)model_remove_secret(b->in, e->key);
	for (size_t i = 0;
	     n->configs && (e = map_next(&b->in->configs, &i)) != NULL;)
		(void)model_remove_config(b->in, e->key);
	b->networks &= !n->networks;
	b->nodes &= !n->nodes;
	b->secrets &= !n->secrets;
	b->configs &= !n->configs;
}

void
swarm_batch_newer(struct swarm_batch *b, const struct swarm_newer *n)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&n->ids, &i)) != NULL;) {
		(void)map_set(&b->except, e->key, present);
		(void)map_set(&b->except_tasks, e->key, present);
		(void)model_remove_service(b->in, e->key);
	}
	for (size_t i = 0; (e = map_next(&n->task_ids, &i)) != NULL;)
		(void)map_set(&b->except_tasks, e->key, present);
}

void
swarm_batch_except(struct swarm_batch *b, const struct swarm_newer *n)
{
	struct map_entry *e;

	swarm_batch_newer(b, n);
	for (size_t i = 0; (e = map_next(&b->tasks, &i)) != NULL;) {
		struct task *t = e->value;

		if (map_get(&b->except_tasks, t->service_id) == NULL)
			continue;
		(void)map_remove(&b->tasks, t->id);
		task_free(t);
	}
	drop_bad(b, n);
	drop_objects(b, n);
}
