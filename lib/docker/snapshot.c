/* Snapshot documents, read and written: see decode.h. */
#include "docker/decode.h"

#include <errno.h>
#include <string.h>

#include "base/json_cut.h"

struct reading;

/* Decodes one object and puts it into the model; -1 and 'e' if it is odd. */
typedef int
put_fn(struct reading *r, const char *json, size_t len, struct error *e);

struct reading {
	struct model *m;
	struct map tasks; /* ID -> struct task *, owned until they are put */
	struct map seen;  /* names of the lists that were there */
	struct error *e;  /* the document's own fault */
	bool failed;
	bool versioned;
	const char *kind; /* of the list that is being read */
	put_fn *put;
	size_t position;
};

static int
given_twice(struct error *e, const char *what)
{
	return error_set(
	    e, EPROTO, "%s: another one in this list has the same", what);
}

static int
put_service(struct reading *r, const char *json, size_t len, struct error *e)
{
	struct service *s = docker_decode_service(json, len, e);

	if (s == NULL)
		return -1;
	if (map_get(&r->m->services, s->id) != NULL) {
		service_free(s);
		return given_twice(e, "ID");
	}
	model_put_service(r->m, s);
	return 0;
}

static int
put_task(struct reading *r, const char *json, size_t len, struct error *e)
{
	struct task *t = docker_decode_task(json, len, e);

	if (t == NULL)
		return -1;
	if (map_get(&r->tasks, t->id) != NULL) {
		task_free(t);
		return given_twice(e, "ID");
	}
	(void)map_set(&r->tasks, t->id, t);
	return 0;
}

static int
put_network(struct reading *r, const char *json, size_t len, struct error *e)
{
	struct network *n = docker_decode_network(json, len, e);

	if (n == NULL)
		return -1;
	if (map_get(&r->m->networks, n->id) != NULL) {
		network_free(n);
		return given_twice(e, "Id");
	}
	model_put_network(r->m, n);
	return 0;
}

static int
put_node(struct reading *r, const char *json, size_t len, struct error *e)
{
	struct node *n = docker_decode_node(json, len, e);

	if (n == NULL)
		return -1;
	if (map_get(&r->m->nodes, n->id) != NULL) {
		node_free(n);
		return given_twice(e, "ID");
	}
	model_put_node(r->m, n);
	return 0;
}

static int
put_secret(struct reading *r, const char *json, size_t len, struct error *e)
{
	struct secret *s = docker_decode_secret(json, len, e);

	if (s == NULL)
		return -1;
	if (map_get(&r->m->secrets, s->name) != NULL) {
		secret_free(s);
		return given_twice(e, "Spec.Name");
	}
	model_put_secret(r->m, s);
	return 0;
}

static int
put_config(struct reading *r, const char *json, size_t len, struct error *e)
{
	struct secret *s = docker_decode_secret(json, len, e);

	if (s == NULL)
		return -1;
	if (map_get(&r->m->configs, s->name) != NULL) {
		secret_free(s);
		return given_twice(e, "Spec.Name");
	}
	model_put_config(r->m, s);
	return 0;
}

static const struct {
	const char *name;
	const char *kind;
	put_fn *put;
} lists[] = {
	{ "services", "service", put_service },
	{ "tasks", "task", put_task },
	{ "networks", "network", put_network },
	{ "nodes", "node", put_node },
	{ "secrets", "secret", put_secret },
	{ "configs", "config", put_config },
};

static void
set_aside(struct reading *r, const char *json, size_t len, const char *reason)
{
	struct bad_object *b = vec_add(&r->m->bad);

	b->kind = r->kind;
	b->position = r->position;
	b->reason = xstrdup(reason);
	docker_scan_identity(json, len, &b->id, &b->name);
}

static void
on_object(void *arg, const char *json, size_t len)
{
	struct reading *r = arg;
	struct error e;

	if (r->put(r, json, len, &e) != 0)
		set_aside(r, json, len, e.msg);
	r->position++;
}

static void
on_skipped(void *arg, const char *json, size_t len)
{
	struct reading *r = arg;

	set_aside(r, json, len, "too large or nested too deep");
	r->position++;
}

static int
read_list(struct reading *r, const char *json, size_t len, struct error *e)
{
	struct json_cut *c =
	    json_cut_new(DOCKER_OBJECT_MAX, on_object, on_skipped, r);
	int rc = json_cut_feed(c, json, len, e);

	if (rc == 0)
		rc = json_cut_end(c, e);
	json_cut_free(c);
	return rc;
}

static void
on_member(
    void *arg, const char *key, size_t key_len, const char *value, size_t len)
{
	struct reading *r = arg;
	size_t i;

	if (r->failed)
		return;
	if (key_len == 7 && memcmp(key, "version", 7) == 0) {
		r->versioned = true;
		if (len != 1 || value[0] != '1') {
			(void)error_set(r->e, EPROTO,
			    "version: this program reads version 1");
			r->failed = true;
		}
		return;
	}
	if (key_len == 3 && memcmp(key, "bad", 3) == 0) {
		if (docker_decode_bad(value, len, r->m, r->e) != 0) {
			(void)error_wrap(r->e, "bad");
			r->failed = true;
		}
		return;
	}
	for (i = 0; i < countof(lists); i++) {
		if (strlen(lists[i].name) == key_len &&
		    memcmp(lists[i].name, key, key_len) == 0)
			break;
	}
	if (i == countof(lists) || (len == 4 && memcmp(value, "null", 4) == 0))
		return;
	if (strcmp(lists[i].name, "secrets") == 0)
		r->m->secrets_listed = true;
	if (strcmp(lists[i].name, "configs") == 0)
		r->m->configs_listed = true;
	r->kind = lists[i].kind;
	r->put = lists[i].put;
	r->position = 0;
	if (map_set(&r->seen, lists[i].name, r) != NULL) {
		(void)error_set(r->e, EPROTO, "%s: given twice", lists[i].name);
		r->failed = true;
	} else if (read_list(r, value, len, r->e) != 0) {
		(void)error_wrap(r->e, "%s", lists[i].name);
		r->failed = true;
	}
}

/* Hands every task to its service, and drops those that have none. */
static void
place_tasks(struct reading *r)
{
	struct map_entry *entry;
	struct service *s;
	size_t i;

	for (i = 0; (entry = map_next(&r->tasks, &i)) != NULL;) {
		struct task *t = entry->value;

		s = map_get(&r->m->services, t->service_id);
		if (s == NULL)
			task_free(t);
		else
			vec_push(&s->tasks, t);
	}
	for (i = 0; (entry = map_next(&r->m->services, &i)) != NULL;)
		service_sort_tasks(entry->value);
	map_fini(&r->tasks);
}

struct model *
docker_decode_snapshot(const char *json, size_t len, struct error *e)
{
	struct reading r = { .m = model_new(), .e = e };
	struct error walk;
	int rc = json_cut_members(json, len, on_member, &r, &walk);

	if (rc != 0 && !r.failed)
		(void)error_set(e, EPROTO, "%s", walk.msg);
	else if (!r.failed && !r.versioned)
		rc = error_set(e, EPROTO, "version: missing");
	place_tasks(&r);
	map_fini(&r.seen);
	if (rc == 0 && !r.failed)
		return r.m;
	model_free(r.m);
	return NULL;
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp((*(struct map_entry *const *)a)->key,
	    (*(struct map_entry *const *)b)->key);
}

struct entries {
	VEC(struct map_entry *) list;
};

static void
sorted(const struct map *m, struct entries *ret)
{
	struct map_entry *entry;
	size_t i = 0;

	while ((entry = map_next(m, &i)) != NULL)
		vec_push(&ret->list, entry);
	vec_sort(&ret->list, compare_keys);
}

/* The name of a list, and its objects by their keys. */
#define ENCODE_LIST(out, name, map, encode)                                    \
	do {                                                                   \
		struct entries all_ = { { NULL, 0, 0 } };                      \
		size_t i_;                                                     \
                                                                               \
		str_add(out, ",\n\"" name "\":[");                             \
		sorted(map, &all_);                                            \
		for (i_ = 0; i_ < all_.list.len; i_++) {                       \
			str_add(out, i_ == 0 ? "\n" : ",\n");                  \
			encode(out, all_.list.at[i_]->value);                  \
		}                                                              \
		vec_fini(&all_.list);                                          \
		str_addc(out, ']');                                            \
	} while (0)

static void
encode_tasks(struct str *out, const struct model *m)
{
	struct entries all = { { NULL, 0, 0 } };
	bool first = true;
	size_t i, k;

	str_add(out, ",\n\"tasks\":[");
	sorted(&m->services, &all);
	for (i = 0; i < all.list.len; i++) {
		const struct service *s = all.list.at[i]->value;

		for (k = 0; k < s->tasks.len; k++) {
			str_add(out, first ? "\n" : ",\n");
			docker_encode_task(out, s->tasks.at[k]);
			first = false;
		}
	}
	vec_fini(&all.list);
	str_addc(out, ']');
}

void
docker_encode_snapshot(struct str *out, const struct model *m)
{
	str_add(out, "{\"version\":1");
	ENCODE_LIST(out, "services", &m->services, docker_encode_service);
	encode_tasks(out, m);
	ENCODE_LIST(out, "networks", &m->networks, docker_encode_network);
	ENCODE_LIST(out, "nodes", &m->nodes, docker_encode_node);
	if (m->secrets_listed || m->secrets.len > 0)
		ENCODE_LIST(out, "secrets", &m->secrets, docker_encode_secret);
	if (m->configs_listed || m->configs.len > 0)
		ENCODE_LIST(out, "configs", &m->configs, docker_encode_secret);
	if (m->bad_listed) {
		str_add(out, ",\n\"bad\":");
		docker_encode_bad(out, m);
	}
	str_add(out, "}\n");
}
