/* Nodes of the simulated Swarm; see sim_node.h. */
#include "sim_node.h"

#include "sim_events.h"
#include "sim_net.h"
#include "sim_orch.h"
#include "sim_store.h"
#include "sim_task.h"

void
sim_node_init(struct sim *s)
{
	for (uint32_t i = 0; i < s->options.nodes; i++) {
		struct sim_node *n = xcalloc(1, sizeof(*n));

		n->labels = json_object();
		n->address = sim_net_node_address(s, i);
		n->leader = i == 0;
		n->manager = i == 0 || (s->options.nodes >= 3 && i < 3);
		n->availability = "active";
		sim_store_add(s, &n->o, SIM_NODE, xasprintf("node%u", i + 1));
	}
}

/* The value that a constraint's key has on this node. */
static const char *
constraint_value(const struct sim_node *n, const char *key)
{
	static const char labels[] = "node.labels.";
	const char *value;

	if (strcmp(key, "node.id") == 0)
		return n->o.id;
	if (strcmp(key, "node.hostname") == 0)
		return n->o.name;
	if (strcmp(key, "node.role") == 0)
		return n->manager ? "manager" : "worker";
	if (strcmp(key, "node.platform.os") == 0)
		return "linux";
	if (strncmp(key, labels, sizeof(labels) - 1) != 0)
		return "";
	value = json_string_value(
	    json_object_get(n->labels, key + sizeof(labels) - 1));
	return value != NULL ? value : "";
}

/* "key==value" or "key!=value", blanks around the operator allowed. */
static bool
constraint_holds(const struct sim_node *n, const char *text)
{
	const char *op = strstr(text, "=="), *end, *value;
	bool wanted = true, equal;
	char *key _cleanup_free_ = NULL;

	if (op == NULL) {
		op = strstr(text, "!=");
		wanted = false;
	}
	if (op == NULL)
		return false;
	for (end = op; end > text && end[-1] == ' '; end--)
		;
	key = xmemdup0(text, (size_t)(end - text));
	for (value = op + 2; *value == ' '; value++)
		;
	equal = strcmp(constraint_value(n, key), value) == 0;
	return equal == wanted;
}

bool
sim_node_suits(const struct sim_node *n, const json_t *template)
{
	json_t *list, *item;
	size_t i;

	list = json_object_get(
	    json_object_get(template, "Placement"), "Constraints");
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text != NULL && !constraint_holds(n, text))
			return false;
	}
	return true;
}

/* Another task holds a fixed host port that 't' wants on the node. */
static bool
port_taken(struct sim *s, const struct sim_node *n, const struct sim_task *t)
{
	struct sim_task *other;

	if (t->ports.len == 0)
		return false;
	SIM_FOR_EACH(s, SIM_TASK, struct sim_task, other)
	{
		if (other == t || other->node != n || sim_task_is_dead(other))
			continue;
		for (size_t i = 0; i < other->ports.len; i++) {
			for (size_t k = 0; k < t->ports.len; k++) {
				if (t->ports.at[k].published != 0 &&
				    t->ports.at[k].published ==
					other->ports.at[i].published)
					return true;
			}
		}
	}
	return false;
}

struct sim_node *
sim_node_pick(
    struct sim *s, const struct sim_task *t, char *ret_why, size_t size)
{
	struct sim_node *n, *best = NULL;
	unsigned unfit = 0, away = 0, taken = 0;
	STR_AUTO(why, 180);
	const char *comma = "";

	SIM_FOR_EACH(s, SIM_NODE, struct sim_node, n)
	{
		if (n->down || strcmp(n->availability, "active") != 0)
			away++;
		else if (!sim_node_suits(n, t->spec))
			unfit++;
		else if (port_taken(s, n, t))
			taken++;
		else if (best == NULL || n->tasks < best->tasks)
			best = n;
	}
	if (best != NULL)
		return best;
	str_add(&why, "no suitable node (");
	if (away > 0) {
		str_addf(&why, "%u node%s not available for new tasks", away,
		    away == 1 ? "" : "s");
		comma = "; ";
	}
	if (unfit > 0) {
		str_addf(&why,
		    "%sscheduling constraints not satisfied on %u node%s",
		    comma, unfit, unfit == 1 ? "" : "s");
		comma = "; ";
	}
	if (taken > 0)
		str_addf(&why, "%shost-mode port already in use on %u node%s",
		    comma, taken, taken == 1 ? "" : "s");
	str_addc(&why, ')');
	must(size > why.len);
	memcpy(ret_why, why.p, why.len + 1);
	return NULL;
}

void
sim_node_changed(struct sim *s, struct sim_node *n)
{
	struct sim_task *t;
	struct sim_service *v;
	bool away = n->down || strcmp(n->availability, "drain") == 0;

	SIM_FOR_EACH(s, SIM_TASK, struct sim_task, t)
	{
		if (t->state == TASK_PENDING && t->desired <= TASK_RUNNING)
			sim_task_place(t);
		else if (away && t->node == n && t->desired <= TASK_RUNNING)
			sim_orch_replace(t);
	}
	SIM_FOR_EACH(s, SIM_SERVICE, struct sim_service, v)
	{
		sim_orch_reconcile(v);
	}
}

void
sim_node_set_down(struct sim *s, struct sim_node *n, bool down)
{
	struct sim_task *t;

	if (n->down == down)
		return;
	n->down = down;
	sim_store_touch(s, &n->o);
	sim_events_tell(s, &n->o, "update",
	    down ? ",\"state.new\":\"down\",\"state.old\":\"ready\""
		 : ",\"state.new\":\"ready\",\"state.old\":\"down\"");
	SIM_FOR_EACH(s, SIM_TASK, struct sim_task, t)
	{
		if (t->node != n)
			continue;
		if (down)
			sim_task_vanish(t);
		else
			sim_task_wake(t);
	}
	sim_node_changed(s, n);
}
