/*
 * Judging one service at a time: see claims.h.
 *
 * All checks run, and of what they find the first in label order is told.
 * Nothing is written to the claims before the verdict.
 */
#include "claims_judge.h"

#include "base/sha256.h"
#include "base/str.h"

#include <string.h>

enum { SUM_MAX = 64 * 1024 * 1024 };

/* The first of 'oldest' if it is not younger than the service of 'v'. */
static const struct accepted *
not_younger(const struct accepted *oldest, const struct verdict *v)
{
	return age_compare(oldest->service->created_ns, oldest->service->id,
		   v->created_ns, v->id) <= 0
	    ? oldest
	    : NULL;
}

const struct accepted *
claims_owner(const struct claims *k, struct verdict *v, const char *host)
{
	const struct host_claim *h = claim_table_read(k->table, host, v);

	return h->claimants.len == 0 ? NULL
				     : not_younger(h->claimants.at[0], v);
}

const struct accepted *
claims_path_owner(const struct claims *k, struct verdict *v, const char *host,
    const char *path)
{
	const struct path_claim *p =
	    host_claim_path(claim_table_read(k->table, host, v), path);

	return p == NULL ? NULL : not_younger(p->members.at[0], v);
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

static void
ignore(struct judge *j, enum label_id id, const char *why)
{
	finding_set(vec_add(&j->a->remarks.list), REJECT_IGNORED, label_key(id),
	    label_value_offset(j->s, id), NULL, "%s", why);
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
		ignore(j, LABEL_CONTEXT_ROOT,
		    "with ssl_passthrough no path is seen: the whole host is "
		    "passed on");
		for (i = 1; i < l->context_roots.len; i++)
			free(l->context_roots.at[i].text);
		l->context_roots.len = 1;
		free(l->context_roots.at[0].text);
		l->context_roots.at[0].text = xstrdup("/");
	}
	if (l->default_backend) {
		ignore(j, LABEL_DEFAULT_BACKEND,
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

/* The path of a gRPC call is its method's name, and HTTP/2 carries it. */
static void
narrow_grpc(struct judge *j)
{
	struct labels *l = &j->a->labels;

	if (!l->grpc)
		return;
	if (!j->k->config->nginx.http2)
		ignore(j, LABEL_GRPC,
		    "gRPC clients come by HTTP/2, which this cluster does not "
		    "speak (http2 = false)");
	if (l->websocket_endpoints.len > 0)
		ignore(j, LABEL_WEBSOCKET_ENDPOINTS,
		    "with grpc there are no websockets");
	if (!l->context_root_rewrite)
		return;
	ignore(j, LABEL_CONTEXT_ROOT_REWRITE,
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
	struct secret_use use;
	size_t i;

	for (i = 0; i < countof(secret_labels); i++) {
		if (accepted_secret(j->a, secret_labels[i], &use))
			secret_use_copy(&use, vec_add(&j->v->wanted.list));
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
copy_finding(struct finding *to, const struct finding *from)
{
	(void)finding_set(to, from->code, from->label, from->offset,
	    from->owner, "%s", from->reason);
}

static void
reject(struct verdict *v, const struct finding *f)
{
	v->rejected.service_id = xstrdup(v->service->id);
	v->rejected.service = xstrdup(v->service->name);
	v->rejected.created_ns = v->service->created_ns;
	v->rejected.finding = *f;
}

/* What of a service can matter to another one, as a hash. */
static void
sum_up(struct verdict *v, const struct service *s)
{
	const struct accepted *a = v->accepted;
	STR_AUTO(text, SUM_MAX);
	size_t i;

	str_addf(&text, "%s\n%p\n", s->name, (const void *)a->network);
	for (i = 0; i < s->labels.len; i++) {
		const struct label *l = &s->labels.at[i];

		str_addf(&text, "%s %zu ", l->key, l->value_len);
		str_addn(&text, l->value, l->value_len);
		str_addc(&text, '\n');
	}
	/* It need not be the labels' own: the last good one serves on. */
	str_add_member(&text, "cert", a->labels.ssl_cert);
	str_add_member(&text, "key", a->labels.ssl_key);
	must(!text.overflow);
	sha256_hex(text.p, text.len, v->sum);
}

static void
join(struct claims *k, struct verdict *v)
{
	const struct labels *l = &v->accepted->labels;
	size_t i;

	for (i = 0; i < l->hosts.len; i++)
		claim_table_add(k->table, l->hosts.at[i].text, v->accepted);
	if (l->default_backend)
		claim_table_add(k->table, DEFAULT_HOST, v->accepted);
}

void
claims_retract(struct claims *k, struct verdict *v)
{
	const struct accepted *a = v->accepted;
	size_t i;

	for (i = 0; a != NULL && i < a->labels.hosts.len; i++)
		claim_table_remove(k->table, a->labels.hosts.at[i].text, a);
	if (a != NULL && a->labels.default_backend)
		claim_table_remove(k->table, DEFAULT_HOST, a);
	claim_table_unread(k->table, v);
}

void
claims_take(struct claims *k, struct verdict *v)
{
	struct judge j = { .k = k, .s = v->service, .v = v };
	const struct set_aside *aside = NULL;

	if (k->options.set_aside != NULL)
		aside = map_get(k->options.set_aside, v->id);
	if (aside != NULL && aside->instead != NULL)
		j.s = aside->instead;
	/* What is no object for us is not even looked at. */
	if (aside != NULL && aside->finding.code == REJECT_BAD_OBJECT) {
		copy_finding(&j.finding, &aside->finding);
		reject(v, &j.finding);
		return;
	}
	j.a = xcalloc(1, sizeof(*j.a));
	j.a->service = j.s;
	judge(&j);
	if (aside != NULL && aside->instead == NULL && !j.bad)
		copy_finding(judge_fault(&j, RANK_SERVICE), &aside->finding);
	if (j.bad) {
		accepted_free(j.a);
		reject(v, &j.finding);
		return;
	}
	if (aside != NULL)
		copy_finding(vec_add(&j.a->remarks.list), &aside->finding);
	v->accepted = j.a;
	sum_up(v, j.s);
	join(k, v);
	claims_remark_differences(k, v);
}

void
claims_init(struct claims *k, const struct cluster_config *c,
    const struct model *m, const struct routing_options *o)
{
	*k = (struct claims){ .config = c, .model = m };
	if (o != NULL)
		k->options = *o;
	k->table = xcalloc(1, sizeof(*k->table));
	host_set_init(&k->allow, &c->cluster.hosts_allow);
	host_set_init(&k->reserved, &c->cluster.hosts_reserved);
	network_index_init(&k->networks, c, m);
}

void
claims_fini(struct claims *k)
{
	claim_table_fini(k->table);
	free(k->table);
	host_set_fini(&k->allow);
	host_set_fini(&k->reserved);
	network_index_fini(&k->networks);
}
