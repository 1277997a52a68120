/*
 * Addresses of a service: see routes_backend.h.
 *
 * What the Engine tells is checked again: an address must lie in a subnet of
 * the network that it claims to be on, and goes on in canonical form only.
 */
#include "routes_backend.h"

#include "base/inet.h"

#include <stdio.h>
#include <string.h>

/* More than these are only counted. */
#define REMARKS_MAX 8

struct backend {
	struct accepted *a;
	const struct model *model;
	VEC(struct inet) subnets; /* of the chosen network */
	size_t left_out;
};

static void
remark(struct backend *b, enum reject_code code, const char *what,
    const char *id, const char *why)
{
	struct finding *f;

	if (++b->left_out > REMARKS_MAX)
		return;
	f = vec_add(&b->a->remarks.list);
	finding_set(f, code, NULL, -1, NULL, "%s%s%s left out: %s", what,
	    *id == '\0' ? "" : " ", id, why);
}

static void
read_subnets(struct backend *b)
{
	const struct network *n = b->a->network;
	struct inet subnet;
	size_t i;

	for (i = 0; i < n->subnets.len; i++) {
		if (inet_parse(n->subnets.at[i], strlen(n->subnets.at[i]),
			&subnet, NULL) == 0)
			vec_push(&b->subnets, subnet);
	}
	if (b->subnets.len == 0)
		finding_set(vec_add(&b->a->remarks.list), REJECT_IGNORED, NULL,
		    -1, NULL,
		    "network %s names no subnet, so addresses on it cannot be "
		    "checked",
		    n->name);
}

/* NULL, or why 'address' is not one to send traffic to. */
static const char *
refuse(const struct backend *b, const struct inet *address)
{
	size_t i;

	if (inet_is_special(address))
		return "its address is not one that a task can have";
	if (b->a->network == NULL)
		return NULL;
	/* Loopback is the proxy's own, unless the network says otherwise. */
	if (b->subnets.len == 0)
		return inet_is_loopback(address)
		    ? "its address is the proxy's own"
		    : NULL;
	for (i = 0; i < b->subnets.len; i++) {
		if (inet_contains(&b->subnets.at[i], address))
			return NULL;
	}
	return "its address is outside the network's subnet";
}

static void
add(struct backend *b, const struct inet *address, uint16_t port,
    const char *task_id)
{
	struct upstream *u = vec_add(&b->a->upstreams);
	char text[INET_TEXT_SIZE];

	inet_format_address(address, text);
	u->address = xasprintf(address->v6 ? "[%s]:%u" : "%s:%u", text, port);
	u->task_id = task_id;
	u->weight = 1;
	u->max_fails = b->a->labels.max_fails;
	u->fail_timeout_ms = b->a->labels.fail_timeout_ms;
	u->vip = task_id == NULL;
}

/* The first of the attachments' addresses on the network that will do. */
static void
add_attachment(struct backend *b, const struct attachment *at, size_t len,
    const char *task_id)
{
	const char *what = task_id == NULL ? "virtual IP" : "task";
	const char *id = task_id == NULL ? "" : task_id;
	const char *why = NULL;
	struct inet address;
	size_t i;

	for (i = 0; i < len; i++) {
		if (strcmp(at[i].network_id, b->a->network->id) != 0)
			continue;
		if (inet_parse(at[i].address, strlen(at[i].address), &address,
			NULL) != 0) {
			why = "its address cannot be read";
			continue;
		}
		why = refuse(b, &address);
		if (why == NULL) {
			add(b, &address, b->a->labels.port, task_id);
			return;
		}
	}
	if (why != NULL)
		remark(b, REJECT_BAD_OBJECT, what, id, why);
	else
		remark(b, task_id == NULL ? REJECT_NO_VIP : REJECT_NO_ADDRESS,
		    what, id, "it has no address on the network (yet)");
}

static void
add_published(struct backend *b, const struct task *t)
{
	const struct node *n = map_get(&b->model->nodes, t->node_id);
	const char *why = "it has no published port (yet)";
	struct inet address;
	size_t i;

	if (n == NULL || n->address == NULL ||
	    inet_parse(n->address, strlen(n->address), &address, NULL) != 0 ||
	    inet_is_special(&address)) {
		remark(b, REJECT_NO_ADDRESS, "task", t->id,
		    "its node's address is not known");
		return;
	}
	for (i = 0; i < t->ports.len; i++) {
		const struct published_port *p = &t->ports.at[i];

		if (p->host_mode && !p->udp && p->published != 0 &&
		    p->target == b->a->labels.port) {
			add(b, &address, p->published, t->id);
			return;
		}
	}
	remark(b, REJECT_NO_ADDRESS, "task", t->id, why);
}

static void
add_tasks(struct backend *b)
{
	const struct service *s = b->a->service;
	size_t i;

	for (i = 0; i < s->tasks.len; i++) {
		const struct task *t = s->tasks.at[i];

		if (!task_is_routable(t))
			continue;
		if (b->a->network == NULL)
			add_published(b, t);
		else
			add_attachment(
			    b, t->addresses.at, t->addresses.len, t->id);
	}
}

void
routes_backend(struct accepted *a, const struct model *m)
{
	struct backend b = { .a = a, .model = m };
	const struct service *s = a->service;

	if (a->network != NULL)
		read_subnets(&b);
	if (a->labels.backend_mode == BACKEND_TASK)
		add_tasks(&b);
	else if (s->mode != SERVICE_REPLICATED || s->replicas > 0)
		add_attachment(&b, s->vips.at, s->vips.len, NULL);
	if (b.left_out > REMARKS_MAX)
		finding_set(vec_add(&a->remarks.list), REJECT_IGNORED, NULL, -1,
		    NULL, "and %zu more tasks left out",
		    b.left_out - REMARKS_MAX);
	vec_fini(&b.subnets);
}
