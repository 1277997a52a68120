/* The choice of a service's network: see claims_network.h. */
#include "claims_network.h"

#include "base/str.h"

#include <string.h>

#define REASON_MAX 1024

/* Stands in the index for a name that several overlay networks have. */
static struct network several;

/* An overlay that proxies may join: ingress is Swarm's own. */
static bool
is_usable(const struct network *n)
{
	return !n->ingress && strcmp(n->driver, "overlay") == 0;
}

void
network_index_init(struct network_index *x, const struct cluster_config *config,
    const struct model *m)
{
	size_t i;
	struct map_entry *e;

	*x = (struct network_index){ .config = config, .model = m };
	for (i = 0; (e = map_next(&m->networks, &i)) != NULL;) {
		struct network *n = e->value;

		if (!is_usable(n) || n->name == NULL)
			continue;
		if (map_get(&x->by_name, n->name) != NULL)
			n = &several;
		map_set(&x->by_name, ((struct network *)e->value)->name, n);
	}
}

void
network_index_fini(struct network_index *x)
{
	map_fini(&x->by_name);
}

bool
network_is_listed(const struct cluster_config *config, const struct network *n)
{
	size_t i;

	for (i = 0; i < config->cluster.networks.items.len; i++) {
		const char *item = config->cluster.networks.items.at[i];

		if (strcmp(item, n->id) == 0 || strcmp(item, n->name) == 0)
			return true;
	}
	return false;
}

int64_t
label_value_offset(const struct service *s, enum label_id id)
{
	const struct label *l = service_label(s, label_key(id));
	size_t i = 0;

	if (l == NULL)
		return -1;
	while (i < l->value_len && (l->value[i] == ' ' || l->value[i] == '\t'))
		i++;
	return (int64_t)i;
}

/* What the spec calls a network: an ID, or a name that only one has. */
static const struct network *
resolve(const struct network_index *x, const char *target)
{
	const struct network *n = map_get(&x->model->networks, target);

	if (n == NULL)
		n = map_get(&x->by_name, target);
	return n == &several ? NULL : n;
}

static bool
is_attached(const struct network_index *x, const struct service *s,
    const struct network *n)
{
	size_t i;

	for (i = 0; i < s->networks.len; i++) {
		if (resolve(x, s->networks.at[i]) == n)
			return true;
	}
	return false;
}

static bool
has_list(const struct network_index *x)
{
	return x->config->cluster.networks.items.len > 0;
}

static int
labelled(const struct network_index *x, const struct service *s,
    const char *name, const struct network **ret, struct finding *f)
{
	const char *key = label_key(LABEL_NETWORK);
	int64_t offset = label_value_offset(s, LABEL_NETWORK);
	const struct network *n = map_get(&x->model->networks, name);

	if (n == NULL)
		n = map_get(&x->by_name, name);
	if (n == &several)
		return finding_set(f, REJECT_NETWORK_AMBIGUOUS, key, offset,
		    NULL,
		    "several overlay networks are named %s; "
		    "name the right one by its ID",
		    name);
	if (n == NULL)
		n = model_find_network(x->model, name);
	if (n == NULL)
		return finding_set(f, REJECT_NO_SUCH_NETWORK, key, offset, NULL,
		    "there is no overlay network %s; in a stack its name has "
		    "the stack's name and _ in front",
		    name);
	if (!is_usable(n))
		return finding_set(f, REJECT_NETWORK_NOT_ATTACHED, key, offset,
		    NULL,
		    "%s is %s; name an overlay network of the service's own",
		    name,
		    n->ingress ? "Swarm's ingress network, which is never used"
			       : "not an overlay network");
	if (!is_attached(x, s, n))
		return finding_set(f, REJECT_NETWORK_NOT_ATTACHED, key, offset,
		    NULL,
		    "the service is not on network %s; add it to the service",
		    n->name);
	if (has_list(x) && !network_is_listed(x->config, n))
		return finding_set(f, REJECT_NETWORK_NOT_LISTED, key, offset,
		    NULL,
		    "cluster %s joins a fixed list of networks and %s is not "
		    "on it",
		    x->config->cluster.name, n->name);
	*ret = n;
	return 0;
}

static bool
publishes_in_host_mode(const struct service *s, uint16_t port)
{
	size_t i;

	for (i = 0; i < s->ports.len; i++) {
		if (s->ports.at[i].host_mode && !s->ports.at[i].udp &&
		    s->ports.at[i].target == port)
			return true;
	}
	return false;
}

static int
none_usable(const struct network_index *x, const struct service *s,
    const struct labels *l, const struct network **ret, struct finding *f)
{
	const char *key = label_key(LABEL_NETWORK);

	if (publishes_in_host_mode(s, l->port)) {
		*ret = NULL;
		return 0;
	}
	if (has_list(x))
		return finding_set(f, REJECT_NETWORK_NOT_LISTED, key, -1, NULL,
		    "the service is on none of the networks that cluster %s "
		    "joins; add one of them to the service",
		    x->config->cluster.name);
	return finding_set(f, REJECT_NO_ADDRESS, key, -1, NULL,
	    "the service is on no overlay network and does not publish port "
	    "%u in host mode; add a network to the service",
	    l->port);
}

static int
compare_names(const void *a, const void *b)
{
	const struct network *x = *(const struct network *const *)a;
	const struct network *y = *(const struct network *const *)b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(x->id, y->id);
}

struct candidates {
	VEC(const struct network *) all;
	VEC(const struct network *) listed;
};

static void
candidates_fini(struct candidates *c)
{
	vec_fini(&c->all);
	vec_fini(&c->listed);
}

static void
candidates_find(struct candidates *c, const struct network_index *x,
    const struct service *s)
{
	size_t i, k;

	for (i = 0; i < s->networks.len; i++) {
		const struct network *n = resolve(x, s->networks.at[i]);

		if (n == NULL || !is_usable(n))
			continue;
		for (k = 0; k < c->all.len && c->all.at[k] != n; k++)
			;
		if (k < c->all.len)
			continue;
		vec_push(&c->all, n);
		if (network_is_listed(x->config, n))
			vec_push(&c->listed, n);
	}
	vec_sort(&c->all, compare_names);
}

int
network_choose(const struct network_index *x, const struct service *s,
    const struct labels *l, const struct network **ret, struct finding *f)
{
	struct candidates c _cleanup_(candidates_fini) = { 0 };
	const char *key = label_key(LABEL_NETWORK);
	size_t i;

	if (l->network != NULL)
		return labelled(x, s, l->network, ret, f);
	candidates_find(&c, x, s);
	if (c.all.len == 0)
		return none_usable(x, s, l, ret, f);
	if (c.listed.len == 1) {
		*ret = c.listed.at[0];
		return 0;
	}
	if (c.listed.len == 0 && has_list(x))
		return finding_set(f, REJECT_NETWORK_NOT_LISTED, key, -1, NULL,
		    "the service is on none of the networks that cluster %s "
		    "joins; add one of them to the service",
		    x->config->cluster.name);
	if (c.all.len == 1) {
		*ret = c.all.at[0];
		return 0;
	}
	STR_AUTO(names, REASON_MAX);
	for (i = 0; i < c.all.len; i++) {
		str_add(&names, i == 0 ? "" : ", ");
		str_add(&names, c.all.at[i]->name);
	}
	return finding_set(f, REJECT_NETWORK_AMBIGUOUS, key, -1, NULL,
	    "the service is on several networks (%s); name one of them with "
	    "this label",
	    names.p);
}
