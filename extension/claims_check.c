/*
 * What a service may not have: hosts that are not granted, reserved, another's
 * or too many; networks, secrets and virtual IPs that are not there.  See
 * claims_judge.h.
 */
#include "claims_judge.h"

#include <stdio.h>
#include <string.h>

#define HOST_MAX 253
/* A cluster has at most so many routes, or twice max_hosts if that is more. */
#define ROUTES_MAX 20000

struct finding *
judge_fault(struct judge *j, int rank)
{
	must(!judge_is_settled(j, rank));
	if (j->bad)
		finding_fini(&j->finding);
	j->finding = (struct finding){ 0 };
	j->bad = true;
	j->rank = rank;
	return &j->finding;
}

/*
 * The name of the owner of the narrowest wildcard above 'host', or of whom it
 * is held for, with the wildcard; or NULL.
 */
static const char *
wildcard_owner(const struct judge *j, const char *host, char *ret, size_t size)
{
	const char *p = host_parent(host);
	const struct accepted *owner;
	const struct hold *held;

	if (p != NULL && host_is_wildcard(host))
		p = host_parent(p);
	for (; p != NULL; p = host_parent(p)) {
		if (strlen(p) > HOST_MAX - 2)
			continue;
		(void)snprintf(ret, size, "*.%s", p);
		owner = claims_owner(j->k, j->v, ret);
		if (owner != NULL)
			return owner->service->name;
		held = holds_against(j->k->options.holds, ret, j->s->name);
		if (held != NULL)
			return held->name;
	}
	return NULL;
}

static void
check_grant(struct judge *j, const struct label_item *host)
{
	const struct claims *k = j->k;
	const char *below;
	char wildcard[HOST_MAX + 1];
	const char *owner;

	below = host_set_below(&k->reserved, host->text);
	if (below != NULL || host_set_covers(&k->reserved, host->text, 0)) {
		finding_set(judge_fault(j, LABEL_HOSTS), REJECT_HOST_RESERVED,
		    host->key, host->offset, NULL,
		    below != NULL && strcmp(below, host->text) != 0
			? "%s covers names that cluster %s reserves"
			: "%s is reserved in cluster %s; use another name",
		    host->text, k->config->cluster.name);
		return;
	}
	if (host_is_wildcard(host->text)
		? !host_set_covers(&k->allow, host->text, 0)
		: !host_set_is_empty(&k->allow) &&
		    !host_set_covers(&k->allow, host->text, 0)) {
		finding_set(judge_fault(j, LABEL_HOSTS),
		    REJECT_HOST_NOT_ALLOWED, host->key, host->offset, NULL,
		    "cluster %s does not allow %s; its operator can, in "
		    "hosts_allow",
		    k->config->cluster.name, host->text);
		return;
	}
	if (claims_owner(k, j->v, host->text) != NULL)
		return;
	owner = wildcard_owner(j, host->text, wildcard, sizeof(wildcard));
	if (owner != NULL &&
	    !host_set_covers(&k->allow, host->text, strlen(wildcard) - 2))
		finding_set(judge_fault(j, LABEL_HOSTS), REJECT_HOST_TAKEN,
		    host->key, host->offset, owner,
		    "%s is covered by %s of service %s; it needs an item of "
		    "its own in hosts_allow",
		    host->text, wildcard, owner);
}

static const char *const share_reasons[] = {
	[SHARE_SAME_NETWORK] = "only services on the same network may share it",
	[SHARE_ANY] = "",
	[SHARE_NEVER] = "hosts are not shared in this cluster",
};

static bool
may_share(const struct judge *j, const struct accepted *owner)
{
	switch (j->k->config->cluster.share_host) {
	case SHARE_ANY:
		return true;
	case SHARE_NEVER:
		return false;
	case SHARE_SAME_NETWORK:
		break;
	}
	/* An unknown network is an error of its own, told instead. */
	return !j->network_known ||
	    (owner->network != NULL && owner->network == j->a->network);
}

/* Whether the service, older than the one that is back, may join it. */
static bool
may_share_kept(const struct judge *j, const struct hold *x)
{
	int share = (int)j->k->config->cluster.share_host;

	return x->state == HOLD_KEPT &&
	    (share == SHARE_ANY ||
		(share == SHARE_SAME_NETWORK &&
		    (!j->network_known ||
			(x->network_id != NULL && j->a->network != NULL &&
			    strcmp(x->network_id, j->a->network->id) == 0))));
}

/* A host that nobody has so far may be held for another's name. */
static void
check_hold(struct judge *j, const char *host, enum label_id id, const char *key,
    int64_t offset)
{
	const struct hold *x =
	    holds_against(j->k->options.holds, host, j->s->name);
	const char *what = id == LABEL_HOSTS ? host : "the default backend";

	if (x == NULL || may_share_kept(j, x) || judge_is_settled(j, id))
		return;
	if (x->state == HOLD_HELD)
		finding_set(judge_fault(j, id), REJECT_HOST_TAKEN, key, offset,
		    x->name,
		    "%s is held until %s for service %s, which had it "
		    "(claim_hold)",
		    what, x->until, x->name);
	else
		finding_set(judge_fault(j, id), REJECT_HOST_TAKEN, key, offset,
		    x->name,
		    "%s belongs to service %s, which is back and for which it "
		    "was held (claim_hold)",
		    what, x->name);
}

/* Whether the service may have, or join, 'host'; 'id' and 'key' ask for it. */
static void
check_owner(struct judge *j, const char *host, enum label_id id,
    const char *key, int64_t offset)
{
	const struct accepted *owner = claims_owner(j->k, j->v, host);
	const struct labels *mine = &j->a->labels;
	size_t i;

	if (owner == NULL) {
		check_hold(j, host, id, key, offset);
		return;
	}
	if (!may_share(j, owner) && !judge_is_settled(j, id))
		finding_set(judge_fault(j, id), REJECT_HOST_TAKEN, key, offset,
		    owner->service->name, "%s belongs to older service %s; %s",
		    id == LABEL_HOSTS ? host : "the default backend",
		    owner->service->name,
		    share_reasons[j->k->config->cluster.share_host]);
	if (mine->ssl_passthrough != owner->labels.ssl_passthrough &&
	    !judge_is_settled(j, LABEL_SSL_PASSTHROUGH))
		finding_set(judge_fault(j, LABEL_SSL_PASSTHROUGH),
		    REJECT_DIFFERS_FROM_OWNER, label_key(LABEL_SSL_PASSTHROUGH),
		    label_value_offset(j->s, LABEL_SSL_PASSTHROUGH),
		    owner->service->name,
		    "older service %s has ssl_passthrough = %s for host %s",
		    owner->service->name,
		    owner->labels.ssl_passthrough ? "true" : "false", host);
	for (i = 0; i < mine->context_roots.len; i++) {
		const char *path = mine->context_roots.at[i].text;
		const struct accepted *other =
		    claims_path_owner(j->k, j->v, host, path);

		if (other == NULL || judge_is_settled(j, LABEL_SSL_BACKEND) ||
		    other->labels.ssl_backend == mine->ssl_backend)
			continue;
		finding_set(judge_fault(j, LABEL_SSL_BACKEND),
		    REJECT_DIFFERS_FROM_OWNER, label_key(LABEL_SSL_BACKEND),
		    label_value_offset(j->s, LABEL_SSL_BACKEND),
		    other->service->name,
		    "older service %s has ssl_backend = %s for %s%s",
		    other->service->name,
		    other->labels.ssl_backend ? "true" : "false", host, path);
	}
}

static void
check_count(struct judge *j, size_t index)
{
	const struct claims *k = j->k;
	const struct label_item *host = &j->a->labels.hosts.at[index];
	size_t i, taken = k->table->claimed.len;
	const struct host_claim *all;

	if (!k->counted || claims_owner(k, j->v, host->text) != NULL)
		return;
	for (i = 0; i < index; i++) {
		if (strcmp(j->a->labels.hosts.at[i].text, host->text) == 0)
			return;
	}
	all = map_get(&k->table->hosts, DEFAULT_HOST);
	if (all != NULL && all->claimants.len > 0)
		taken--;
	if (taken + ++j->new_hosts > k->config->cluster.max_hosts)
		finding_set(judge_fault(j, LABEL_HOSTS), REJECT_TOO_MANY,
		    host->key, host->offset, NULL,
		    "cluster %s has its %u hosts (max_hosts) already",
		    k->config->cluster.name, k->config->cluster.max_hosts);
}

size_t
claims_routes_max(const struct cluster_config *c)
{
	size_t max = 2 * (size_t)c->cluster.max_hosts;

	return max < ROUTES_MAX ? ROUTES_MAX : max;
}

/* Each route has a part of its own in the proxies. */
static void
check_routes(struct judge *j, const struct label_item *host)
{
	const struct claims *k = j->k;
	size_t i, max = claims_routes_max(k->config);

	if (!k->counted)
		return;
	for (i = 0; i < j->a->labels.context_roots.len; i++) {
		if (claims_path_owner(k, j->v, host->text,
			j->a->labels.context_roots.at[i].text) == NULL)
			j->new_routes++;
	}
	if (k->table->n_paths + j->new_routes > max)
		finding_set(judge_fault(j, LABEL_HOSTS), REJECT_TOO_MANY,
		    host->key, host->offset, NULL,
		    "cluster %s has its %zu routes already",
		    k->config->cluster.name, max);
}

void
judge_hosts(struct judge *j)
{
	size_t i;

	for (i = 0; i < j->a->labels.hosts.len; i++) {
		const struct label_item *host = &j->a->labels.hosts.at[i];

		if (!judge_is_settled(j, LABEL_HOSTS))
			check_grant(j, host);
		check_owner(
		    j, host->text, LABEL_HOSTS, host->key, host->offset);
		if (!judge_is_settled(j, LABEL_HOSTS))
			check_count(j, i);
		if (!judge_is_settled(j, LABEL_HOSTS))
			check_routes(j, host);
	}
	if (j->a->labels.default_backend)
		check_owner(j, DEFAULT_HOST, LABEL_DEFAULT_BACKEND,
		    label_key(LABEL_DEFAULT_BACKEND),
		    label_value_offset(j->s, LABEL_DEFAULT_BACKEND));
}

void
judge_network(struct judge *j)
{
	struct finding f = { 0 };

	/* Where the label did not parse, nothing is known of the network. */
	if (j->bad && j->a->labels.network == NULL &&
	    service_label(j->s, label_key(LABEL_NETWORK)) != NULL)
		return;
	if (network_choose(
		&j->k->networks, j->s, &j->a->labels, &j->a->network, &f) == 0)
		j->network_known = true;
	else if (!judge_is_settled(j, LABEL_NETWORK))
		*judge_fault(j, LABEL_NETWORK) = f;
	else
		finding_fini(&f);
}

static void
check_secret(struct judge *j, enum label_id id, const char *name)
{
	struct finding f = { 0 };

	if (name == NULL || judge_is_settled(j, (int)id))
		return;
	if (claims_check_secret(j->k, j->s, id, name, &f) != 0)
		*judge_fault(j, (int)id) = f;
}

void
judge_secrets(struct judge *j)
{
	const struct labels *l = &j->a->labels;

	check_secret(j, LABEL_SSL_CERT, l->ssl_cert);
	check_secret(j, LABEL_SSL_KEY, l->ssl_key);
	check_secret(j, LABEL_SSL_BACKEND_CA, l->ssl_backend_ca);
	check_secret(j, LABEL_BASIC_AUTH, l->basic_auth);
}

void
judge_vip(struct judge *j)
{
	const char *why = NULL;

	if (j->a->labels.backend_mode != BACKEND_VIP ||
	    judge_is_settled(j, LABEL_BACKEND_MODE))
		return;
	if (j->s->endpoint_mode == ENDPOINT_DNSRR)
		why = "the service has endpoint mode dnsrr and so no virtual "
		      "IP; use backend_mode task, or endpoint mode vip";
	else if (j->network_known && j->a->network == NULL)
		why = "a service without an overlay network has no virtual IP; "
		      "use backend_mode task";
	if (why != NULL)
		finding_set(judge_fault(j, LABEL_BACKEND_MODE), REJECT_NO_VIP,
		    label_key(LABEL_BACKEND_MODE),
		    label_value_offset(j->s, LABEL_BACKEND_MODE), NULL, "%s",
		    why);
}
