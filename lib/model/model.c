/* The model's containers: see model.h. */
#include "model/model.h"

#include "base/mem.h"

#include <string.h>

/* Stands in network_names for a name that several networks have. */
static struct network ambiguous;

void
task_free(struct task *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->addresses.len; i++) {
		free(t->addresses.at[i].network_id);
		free(t->addresses.at[i].address);
	}
	vec_fini(&t->addresses);
	vec_fini(&t->ports);
	free(t->id);
	free(t->service_id);
	free(t->node_id);
	free(t);
}

void
service_free(struct service *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->labels.len; i++) {
		free(s->labels.at[i].key);
		free(s->labels.at[i].value);
	}
	vec_fini(&s->labels);
	for (i = 0; i < s->networks.len; i++)
		free(s->networks.at[i]);
	vec_fini(&s->networks);
	for (i = 0; i < s->vips.len; i++) {
		free(s->vips.at[i].network_id);
		free(s->vips.at[i].address);
	}
	vec_fini(&s->vips);
	for (i = 0; i < s->secrets.len; i++)
		free(s->secrets.at[i]);
	vec_fini(&s->secrets);
	for (i = 0; i < s->tasks.len; i++)
		task_free(s->tasks.at[i]);
	vec_fini(&s->tasks);
	vec_fini(&s->ports);
	free(s->id);
	free(s->name);
	free(s->stack);
	free(s);
}

void
network_free(struct network *n)
{
	size_t i;

	if (n == NULL)
		return;
	for (i = 0; i < n->subnets.len; i++)
		free(n->subnets.at[i]);
	vec_fini(&n->subnets);
	free(n->id);
	free(n->name);
	free(n->driver);
	free(n->namespace_label);
	free(n);
}

void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	free(n->id);
	free(n->hostname);
	free(n->address);
	free(n);
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	free(s->id);
	free(s->name);
	free(s->allow);
	free(s);
}

void
bad_object_fini(struct bad_object *b)
{
	free(b->id);
	free(b->name);
	free(b->reason);
	*b = (struct bad_object){ 0 };
}

struct model *
model_new(void)
{
	return xcalloc(1, sizeof(struct model));
}

static void
free_bad(struct model *m)
{
	size_t i;

	for (i = 0; i < m->bad.len; i++)
		bad_object_fini(&m->bad.at[i]);
	vec_fini(&m->bad);
}

void
model_free(struct model *m)
{
	struct map_entry *e;
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; (e = map_next(&m->services, &i)) != NULL;)
		service_free(e->value);
	for (i = 0; (e = map_next(&m->networks, &i)) != NULL;)
		network_free(e->value);
	for (i = 0; (e = map_next(&m->nodes, &i)) != NULL;)
		node_free(e->value);
	for (i = 0; (e = map_next(&m->secrets, &i)) != NULL;)
		secret_free(e->value);
	for (i = 0; (e = map_next(&m->configs, &i)) != NULL;)
		secret_free(e->value);
	map_fini(&m->services);
	map_fini(&m->networks);
	map_fini(&m->nodes);
	map_fini(&m->secrets);
	map_fini(&m->configs);
	map_fini(&m->network_names);
	free_bad(m);
	free(m);
}

void
model_put_service(struct model *m, struct service *s)
{
	service_free(map_set(&m->services, s->id, s));
}

/* Puts under 'name' what the networks say that bear it now. */
static void
index_name(struct model *m, const char *name)
{
	struct network *found = NULL;
	struct map_entry *e;
	size_t i = 0;

	while ((e = map_next(&m->networks, &i)) != NULL) {
		struct network *n = e->value;

		if (strcmp(n->name, name) == 0)
			found = found == NULL ? n : &ambiguous;
	}
	if (found == NULL)
		(void)map_remove(&m->network_names, name);
	else
		(void)map_set(&m->network_names, name, found);
}

void
model_put_network(struct model *m, struct network *n)
{
	struct network *old = map_set(&m->networks, n->id, n);

	if (old != NULL) {
		index_name(m, old->name);
		network_free(old);
	}
	if (map_get(&m->network_names, n->name) == NULL)
		(void)map_set(&m->network_names, n->name, n);
	else
		index_name(m, n->name);
}

void
model_put_node(struct model *m, struct node *n)
{
	node_free(map_set(&m->nodes, n->id, n));
}

void
model_put_secret(struct model *m, struct secret *s)
{
	secret_free(map_set(&m->secrets, s->name, s));
}

void
model_put_config(struct model *m, struct secret *s)
{
	secret_free(map_set(&m->configs, s->name, s));
}

bool
model_remove_service(struct model *m, const char *id)
{
	struct service *s = map_remove(&m->services, id);

	service_free(s);
	return s != NULL;
}

bool
model_remove_network(struct model *m, const char *id)
{
	struct network *n = map_remove(&m->networks, id);

	if (n == NULL)
		return false;
	index_name(m, n->name);
	network_free(n);
	return true;
}

bool
model_remove_node(struct model *m, const char *id)
{
	struct node *n = map_remove(&m->nodes, id);

	node_free(n);
	return n != NULL;
}

bool
model_remove_secret(struct model *m, const char *name)
{
	struct secret *s = map_remove(&m->secrets, name);

	secret_free(s);
	return s != NULL;
}

bool
model_remove_config(struct model *m, const char *name)
{
	struct secret *s = map_remove(&m->configs, name);

	secret_free(s);
	return s != NULL;
}

const struct network *
model_find_network(const struct model *m, const char *id_or_name)
{
	const struct network *n = map_get(&m->networks, id_or_name);

	if (n == NULL)
		n = map_get(&m->network_names, id_or_name);
	return n == &ambiguous ? NULL : n;
}

static int
compare_age(const void *a, const void *b)
{
	const struct service *x = *(const struct service *const *)a;
	const struct service *y = *(const struct service *const *)b;

	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

const struct service **
model_services_by_age(const struct model *m, size_t *ret_len)
{
	const struct service **all = xcalloc(m->services.len, sizeof(all[0]));
	struct map_entry *e;
	size_t i = 0, n = 0;

	while ((e = map_next(&m->services, &i)) != NULL)
		all[n++] = e->value;
	qsort(all, n, sizeof(all[0]), compare_age);
	*ret_len = n;
	return all;
}

static int
compare_tasks(const void *a, const void *b)
{
	const struct task *x = *(const struct task *const *)a;
	const struct task *y = *(const struct task *const *)b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return strcmp(x->id, y->id);
}

void
service_sort_tasks(struct service *s)
{
	vec_sort(&s->tasks, compare_tasks);
}

void
service_put_task(struct service *s, struct task *task)
{
	size_t i, place;

	for (i = 0; i < s->tasks.len; i++) {
		if (strcmp(s->tasks.at[i]->id, task->id) == 0) {
			task_free(s->tasks.at[i]);
			vec_remove(&s->tasks, i);
			break;
		}
	}
	for (place = s->tasks.len; place > 0; place--) {
		if (compare_tasks(&s->tasks.at[place - 1], &task) <= 0)
			break;
	}
	vec_push(&s->tasks, task);
	memmove(&s->tasks.at[place + 1], &s->tasks.at[place],
	    (s->tasks.len - 1 - place) * sizeof(s->tasks.at[0]));
	s->tasks.at[place] = task;
}

const struct label *
service_label(const struct service *s, const char *key)
{
	size_t low = 0, high = s->labels.len;

	while (low < high) {
		size_t i = low + (high - low) / 2;
		int order = strcmp(key, s->labels.at[i].key);

		if (order == 0)
			return &s->labels.at[i];
		if (order < 0)
			high = i;
		else
			low = i + 1;
	}
	return NULL;
}

bool
service_mounts(const struct service *s, const char *secret)
{
	for (size_t i = 0; i < s->secrets.len; i++) {
		if (strcmp(s->secrets.at[i], secret) == 0)
			return true;
	}
	return false;
}

static bool
is_item(const char *item, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(item, text, len) == 0;
}

static bool
item_allows(const char *item, size_t len, const struct service *s)
{
	static const char stack[] = "stack:";
	const size_t n = sizeof(stack) - 1;

	if (is_item(item, len, "*") || is_item(item, len, s->name))
		return true;
	return len > n && memcmp(item, stack, n) == 0 && s->stack != NULL &&
	    is_item(item + n, len - n, s->stack);
}

bool
secret_allows(const struct secret *secret, const struct service *s)
{
	const char *p = secret->allow;

	while (p != NULL && *p != '\0') {
		size_t len;

		p += strspn(p, ", \t");
		len = strcspn(p, ",");
		while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
			len--;
		if (len > 0 && item_allows(p, len, s))
			return true;
		p += strcspn(p, ",");
	}
	return false;
}

bool
task_is_routable(const struct task *t)
{
	return t->state == TASK_RUNNING && t->desired == TASK_RUNNING;
}

static const struct {
	enum task_state state;
	const char *name;
} states[] = {
	{ TASK_NEW, "new" },
	{ TASK_PENDING, "pending" },
	{ TASK_ASSIGNED, "assigned" },
	{ TASK_ACCEPTED, "accepted" },
	{ TASK_PREPARING, "preparing" },
	{ TASK_READY, "ready" },
	{ TASK_STARTING, "starting" },
	{ TASK_RUNNING, "running" },
	{ TASK_COMPLETE, "complete" },
	{ TASK_SHUTDOWN, "shutdown" },
	{ TASK_FAILED, "failed" },
	{ TASK_REJECTED, "rejected" },
	{ TASK_REMOVE, "remove" },
	{ TASK_ORPHANED, "orphaned" },
};

const char *
task_state_name(enum task_state s)
{
	size_t i;

	for (i = 0; i < countof(states); i++) {
		if (states[i].state == s)
			return states[i].name;
	}
	return "unknown";
}

int
task_state_parse(const char *name)
{
	size_t i;

	for (i = 0; i < countof(states); i++) {
		if (strcmp(states[i].name, name) == 0)
			return (int)states[i].state;
	}
	return -1;
}

void
model_merge(struct model *into, struct model *from)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&from->services, &i)) != NULL;)
		model_put_service(into, e->value);
	for (i = 0; (e = map_next(&from->networks, &i)) != NULL;)
		model_put_network(into, e->value);
	for (i = 0; (e = map_next(&from->nodes, &i)) != NULL;)
		model_put_node(into, e->value);
	for (i = 0; (e = map_next(&from->secrets, &i)) != NULL;)
		model_put_secret(into, e->value);
	for (i = 0; (e = map_next(&from->configs, &i)) != NULL;)
		model_put_config(into, e->value);
	map_fini(&from->services);
	map_fini(&from->networks);
	map_fini(&from->nodes);
	map_fini(&from->secrets);
	map_fini(&from->configs);
	into->secrets_listed |= from->secrets_listed;
	into->configs_listed |= from->configs_listed;
	if (from->bad_listed) {
		free_bad(into);
		memcpy(&into->bad, &from->bad, sizeof(into->bad));
		memset(&from->bad, 0, sizeof(from->bad));
		into->bad_listed = true;
	}
	model_free(from);
}
