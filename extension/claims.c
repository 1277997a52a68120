/*
 * Judging one service at a time: see claims.h.
 *
 * All checks run, and of what they find the first in label order is told.
 * Nothing is written to the claims before the verdict.
 */
#include "claims_judge.h"

#include <string.h>

static const char *
route_key(struct str *key, const char *host, const char *path)
{
	str_clear(key);
	str_add(key, host);
	str_addc(key, ' ');
	str_add(key, path);
	return key->p;
}

struct route *
claims_route(const struct claims *k, const char *host, const char *path)
{
	STR_AUTO(key, 2 * LABEL_VALUE_MAX);

	return map_get(&k->routes, route_key(&key, host, path));
}

/* The rank of what the parser found. */
static int
rank_of(const struct finding *f)
{
	int id;

	for (id = 0; f->label != NULL && id < LABEL_COUNT; id++) {
		if (strcmp(f->label, label_key((enum label_id)id)) == 0)
			return id;
	}
	return 0;
}

/* A passthrough has one route per host, and nobody without SNI gets to it. */
static void
narrow_passthrough(struct judge *j)
{
	struct labels *l = &j->a->labels;
	size_t i;

	if (!l->ssl_passthrough)
		return;
	if (l->context_roots.len > 0 &&
	    (l->context_roots.len > 1 ||
		strcmp(l->context_roots.at[0].text, "/") != 0)) {
		finding_set(vec_add(&j->a->remarks.list), REJECT_IGNORED,
		    label_key(LABEL_CONTEXT_ROOT),
		    label_value_offset(j->s, LABEL_CONTEXT_ROOT), NULL,
		    "with ssl_passthrough no path is seen: the whole host is "
		    "passed on");
		for (i = 1; i < l->context_roots.len; i++)
			free(l->context_roots.at[i].text);
		l->context_roots.len = 1;
		free(l->context_roots.at[0].text);
		l->context_roots.at[0].text = xstrdup("/");
	}
	if (l->default_backend) {
		finding_set(vec_add(&j->a->remarks.list), REJECT_IGNORED,
		    label_key(LABEL_DEFAULT_BACKEND),
		    label_value_offset(j->s, LABEL_DEFAULT_BACKEND), NULL,
		    "with ssl_passthrough only named hosts are passed on");
		l->default_backend = false;
	}
}

/* The service is the address: there is nothing to stick to. */
static void
narrow_vip(struct judge *j)
{
	static const enum label_id ids[] = { LABEL_STICKY_SESSION_COOKIE,
		LABEL_IP_HASH };
	struct labels *l = &j->a->labels;
	size_t i;

	if (l->backend_mode != BACKEND_VIP)
		return;
	for (i = 0; i < countof(ids); i++) {
		if (ids[i] == LABEL_IP_HASH ? !l->ip_hash
					    : l->sticky_session_cookie == NULL)
			continue;
		finding_set(vec_add(&j->a->remarks.list),
		    REJECT_NOT_IN_VIP_MODE, label_key(ids[i]),
		    label_value_offset(j->s, ids[i]), NULL,
		    "in VIP mode Swarm chooses the task: %s has no effect",
		    label_key(ids[i]) + strlen(LABEL_PREFIX));
	}
	free(l->sticky_session_cookie);
	l->sticky_session_cookie = NULL;
	l->ip_hash = false;
	l->has &=
	    ~(1ULL << LABEL_STICKY_SESSION_COOKIE | 1ULL << LABEL_IP_HASH);
}

/* The path of a gRPC call is its method's name. */
static void
narrow_grpc(struct judge *j)
{
	struct labels *l = &j->a->labels;

	if (!l->grpc || !l->context_root_rewrite)
		return;
	finding_set(vec_add(&j->a->remarks.list), REJECT_IGNORED,
	    label_key(LABEL_CONTEXT_ROOT_REWRITE),
	    label_value_offset(j->s, LABEL_CONTEXT_ROOT_REWRITE), NULL,
	    "with grpc the path is the method's name and is passed on as it "
	    "is");
	l->context_root_rewrite = false;
}

/* Another cluster's, though none of that name exists. */
static bool
is_foreign(const struct judge *j)
{
	const char *name = j->a->labels.service_cluster;

	return j->k->options.foreign_is_error && name != NULL &&
	    strcmp(name, j->k->config->cluster.name) != 0;
}

/* Also of who is rejected for their contents: those may become good. */
static void
want_secrets(struct judge *j)
{
	static const enum label_id ids[] = { LABEL_SSL_CERT,
		LABEL_SSL_BACKEND_CA, LABEL_BASIC_AUTH };
	struct secret_use use;
	size_t i;

	for (i = 0; i < countof(ids); i++) {
		if (accepted_secret(j->a, ids[i], &use))
			secret_use_copy(&use, vec_add(&j->wanted->list));
	}
}

static void
judge(struct judge *j)
{
	struct finding f = { 0 };

	if (labels_parse(j->s, &j->a->labels, &j->a->remarks, &f) != 0)
		*judge_fault(j, rank_of(&f)) = f;
	if (j->s->mode == SERVICE_REPLICATED_JOB ||
	    j->s->mode == SERVICE_GLOBAL_JOB) {
		finding_set(judge_fault(j, RANK_SERVICE), REJECT_NO_ADDRESS,
		    NULL, -1, NULL,
		    "a job's tasks end by themselves and are never routed; "
		    "take its labels away or make it a service");
		return;
	}
	if (is_foreign(j)) {
		if (!judge_is_settled(j, LABEL_SERVICE_CLUSTER))
			finding_set(judge_fault(j, LABEL_SERVICE_CLUSTER),
			    REJECT_NO_SUCH_CLUSTER,
			    label_key(LABEL_SERVICE_CLUSTER),
			    label_value_offset(j->s, LABEL_SERVICE_CLUSTER),
			    NULL, "there is no service cluster %s",
			    j->a->labels.service_cluster);
		return;
	}
	narrow_passthrough(j);
	narrow_vip(j);
	narrow_grpc(j);
	judge_network(j);
	judge_hosts(j);
	judge_in_force(j);
	judge_secrets(j);
	judge_redirects(j);
	judge_vip(j);
	if (!j->bad)
		want_secrets(j);
	judge_contents(j);
}

static void
join(struct claims *k, struct accepted *a, const char *host)
{
	const struct accepted *owner = map_get(&k->hosts, host);
	size_t i;

	if (owner == NULL) {
		map_set(&k->hosts, host, a);
		owner = a;
	}
	for (i = 0; i < a->labels.context_roots.len; i++) {
		const char *path = a->labels.context_roots.at[i].text;
		struct route *r = claims_route(k, host, path);
		STR_AUTO(key, 2 * LABEL_VALUE_MAX);

		if (r == NULL) {
			r = xcalloc(1, sizeof(*r));
			r->host = host;
			r->path = path;
			r->tls = owner->labels.ssl_passthrough ? TLS_PASSTHROUGH
			    : owner->labels.ssl_cert != NULL   ? TLS_TERMINATE
							       : TLS_NONE;
			r->owner = a;
			r->host_owner = owner;
			map_set(&k->routes, route_key(&key, host, path), r);
			vec_push(&k->in_order, r);
		}
		if (r->members.len == 0 ||
		    r->members.at[r->members.len - 1].service != a)
			vec_add(&r->members)->service = a;
	}
}

static void
copy_finding(struct finding *to, const struct finding *from)
{
	(void)finding_set(to, from->code, from->label, from->offset,
	    from->owner, "%s", from->reason);
}

struct accepted *
claims_take(struct claims *k, const struct service *s, struct finding *ret)
{
	struct judge j = { .k = k, .s = s, .wanted = &k->wanted };
	const struct set_aside *aside = NULL;
	size_t i;

	if (k->options.set_aside != NULL)
		aside = map_get(k->options.set_aside, s->id);
	if (aside != NULL && aside->instead != NULL)
		j.s = aside->instead;
	/* What is no object for us is not even looked at. */
	if (aside != NULL && aside->finding.code == REJECT_BAD_OBJECT) {
		copy_finding(ret, &aside->finding);
		return NULL;
	}
	j.a = xcalloc(1, sizeof(*j.a));
	j.a->service = j.s;
	judge(&j);
	if (aside != NULL && aside->instead == NULL && !j.bad)
		copy_finding(judge_fault(&j, RANK_SERVICE), &aside->finding);
	if (j.bad) {
		accepted_free(j.a);
		*ret = j.finding;
		return NULL;
	}
	if (aside != NULL)
		copy_finding(vec_add(&j.a->remarks.list), &aside->finding);
	for (i = 0; i < j.a->labels.hosts.len; i++)
		join(k, j.a, j.a->labels.hosts.at[i].text);
	if (j.a->labels.default_backend)
		join(k, j.a, DEFAULT_HOST);
	claims_remark_differences(k, j.a);
	return j.a;
}

void
claims_init(struct claims *k, const struct cluster_config *c,
    const struct model *m, const struct routing_options *o)
{
	*k = (struct claims){ .config = c, .model = m };
	if (o != NULL)
		k->options = *o;
	host_set_init(&k->allow, &c->cluster.hosts_allow);
	host_set_init(&k->reserved, &c->cluster.hosts_reserved);
	network_index_init(&k->networks, c, m);
}

void
claims_fini(struct claims *k)
{
	size_t i;

	for (i = 0; i < k->in_order.len; i++) {
		route_fini(k->in_order.at[i]);
		free(k->in_order.at[i]);
	}
	vec_fini(&k->in_order);
	for (i = 0; i < k->wanted.list.len; i++)
		secret_use_fini(&k->wanted.list.at[i]);
	vec_fini(&k->wanted.list);
	map_fini(&k->hosts);
	map_fini(&k->routes);
	host_set_fini(&k->allow);
	host_set_fini(&k->reserved);
	network_index_fini(&k->networks);
}
