/*
 * Settings on which services of one host or route may disagree: the owner
 * decides, and the younger service is told.  See claims.h.
 */
#include "claims.h"

#include <string.h>

#include "base/str.h"

#define BIT(id) (1ULL << LABEL_##id)

/* What the owner of the host decides, and the owner of the route. */
static const uint64_t of_host = BIT(SSL_CERT) | BIT(SSL_KEY) | BIT(SSL_ONLY) |
    BIT(REDIRECTS) | BIT(HSTS) | BIT(PROXY_PROTOCOL);
static const uint64_t of_route = BIT(CONTEXT_ROOT_REWRITE) |
    BIT(SSL_BACKEND_TLS_VERIFY) | BIT(SSL_BACKEND_CA) | BIT(SSL_BACKEND_NAME) |
    BIT(WEBSOCKET_ENDPOINTS) | BIT(STICKY_SESSION_COOKIE) | BIT(IP_HASH) |
    BIT(CONNECT_TIMEOUT) | BIT(READ_TIMEOUT) | BIT(SEND_TIMEOUT) |
    BIT(MAX_BODY_SIZE) | BIT(GRPC) | BIT(RATE_LIMIT) | BIT(ALLOW) | BIT(DENY) |
    BIT(BASIC_AUTH) | BIT(MAINTENANCE);

static bool
same_items(const struct label_item *a, size_t a_len, const struct label_item *b,
    size_t b_len)
{
	size_t i;

	if (a_len != b_len)
		return false;
	for (i = 0; i < a_len; i++) {
		if (strcmp(a[i].text, b[i].text) != 0)
			return false;
	}
	return true;
}

static bool
same_redirects(const struct labels *a, const struct labels *b)
{
	size_t i;

	if (a->redirects.len != b->redirects.len)
		return false;
	for (i = 0; i < a->redirects.len; i++) {
		const struct redirect *x = &a->redirects.at[i];
		const struct redirect *y = &b->redirects.at[i];

		if (strcmp(x->source, y->source) != 0 ||
		    !str_equal(x->source_path, y->source_path) ||
		    x->on_plain != y->on_plain || x->on_tls != y->on_tls ||
		    x->target_https != y->target_https ||
		    strcmp(x->target, y->target) != 0)
			return false;
	}
	return true;
}

/* A value that was not given is the cluster's, whatever that is. */
static bool
same_number(const struct labels *a, const struct labels *b, enum label_id id,
    uint64_t x, uint64_t y)
{
	return label_given(a, id) == label_given(b, id) && x == y;
}

bool
labels_same(const struct labels *a, const struct labels *b, enum label_id id)
{
#define SAME_NUMBER(member) same_number(a, b, id, a->member, b->member)
#define SAME_ITEMS(member)                                                     \
	same_items(a->member.at, a->member.len, b->member.at, b->member.len)
	switch (id) {
	case LABEL_CONTEXT_ROOT_REWRITE:
		return a->context_root_rewrite == b->context_root_rewrite;
	case LABEL_SSL_CERT:
		return str_equal(a->ssl_cert, b->ssl_cert);
	case LABEL_SSL_KEY:
		return str_equal(a->ssl_key, b->ssl_key);
	case LABEL_SSL_PASSTHROUGH:
		return a->ssl_passthrough == b->ssl_passthrough;
	case LABEL_SSL_ONLY:
		return a->ssl_only == b->ssl_only;
	case LABEL_SSL_BACKEND:
		return a->ssl_backend == b->ssl_backend;
	case LABEL_SSL_BACKEND_TLS_VERIFY:
		return a->ssl_backend_verify == b->ssl_backend_verify;
	case LABEL_SSL_BACKEND_CA:
		return str_equal(a->ssl_backend_ca, b->ssl_backend_ca);
	case LABEL_SSL_BACKEND_NAME:
		return str_equal(a->ssl_backend_name, b->ssl_backend_name);
	case LABEL_WEBSOCKET_ENDPOINTS:
		return SAME_ITEMS(websocket_endpoints);
	case LABEL_STICKY_SESSION_COOKIE:
		return str_equal(
		    a->sticky_session_cookie, b->sticky_session_cookie);
	case LABEL_IP_HASH:
		return a->ip_hash == b->ip_hash;
	case LABEL_REDIRECTS:
		return same_redirects(a, b);
	case LABEL_CONNECT_TIMEOUT:
		return SAME_NUMBER(connect_timeout_ms);
	case LABEL_READ_TIMEOUT:
		return SAME_NUMBER(read_timeout_ms);
	case LABEL_SEND_TIMEOUT:
		return SAME_NUMBER(send_timeout_ms);
	case LABEL_MAX_BODY_SIZE:
		return SAME_NUMBER(max_body_size);
	case LABEL_HSTS:
		return SAME_NUMBER(hsts_seconds) &&
		    a->hsts_subdomains == b->hsts_subdomains &&
		    a->hsts_preload == b->hsts_preload;
	case LABEL_GRPC:
		return a->grpc == b->grpc;
	case LABEL_PROXY_PROTOCOL:
		return a->proxy_protocol == b->proxy_protocol;
	case LABEL_RATE_LIMIT:
		return SAME_NUMBER(rate_limit) &&
		    a->rate_limit_per_minute == b->rate_limit_per_minute &&
		    a->rate_limit_burst == b->rate_limit_burst;
	case LABEL_ALLOW:
		return SAME_ITEMS(allow);
	case LABEL_DENY:
		return SAME_ITEMS(deny);
	case LABEL_BASIC_AUTH:
		return str_equal(a->basic_auth, b->basic_auth);
	case LABEL_MAINTENANCE:
		return a->maintenance == b->maintenance;
	default: /* each service's own */
		return true;
	}
#undef SAME_NUMBER
#undef SAME_ITEMS
}

/* Notes for each of 'ids' that 'a' gives and 'owner' decides otherwise. */
static void
compare(const struct accepted *a, const struct accepted *owner, uint64_t ids,
    const struct accepted **deciders)
{
	int id;

	ids &= a->labels.has;
	if (owner == a || ids == 0)
		return;
	for (id = 0; id < LABEL_COUNT; id++) {
		if ((ids >> id & 1) != 0 && deciders[id] == NULL &&
		    !labels_same(&a->labels, &owner->labels, (enum label_id)id))
			deciders[id] = owner;
	}
}

static void
compare_host(const struct claims *k, struct verdict *v, const char *host,
    const struct accepted **deciders)
{
	const struct accepted *a = v->accepted;
	size_t i;

	compare(a, claims_owner(k, v, host), of_host, deciders);
	for (i = 0; i < a->labels.context_roots.len; i++) {
		const char *path = a->labels.context_roots.at[i].text;

		compare(
		    a, claims_path_owner(k, v, host, path), of_route, deciders);
	}
}

void
claims_remark_differences(const struct claims *k, struct verdict *v)
{
	struct accepted *a = v->accepted;
	const struct accepted *deciders[LABEL_COUNT] = { NULL };
	size_t i;
	int id;

	for (i = 0; i < a->labels.hosts.len; i++)
		compare_host(k, v, a->labels.hosts.at[i].text, deciders);
	if (a->labels.default_backend)
		compare_host(k, v, "*", deciders);
	for (id = 0; id < LABEL_COUNT; id++) {
		if (deciders[id] == NULL)
			continue;
		finding_set(vec_add(&a->remarks.list),
		    REJECT_DIFFERS_FROM_OWNER, label_key((enum label_id)id),
		    label_value_offset(a->service, (enum label_id)id),
		    deciders[id]->service->name,
		    "where the service joins older service %s, that one "
		    "decides %s",
		    deciders[id]->service->name,
		    label_key((enum label_id)id) + strlen(LABEL_PREFIX));
	}
}
