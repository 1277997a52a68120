/*
 * The grammar of com.docker.lb.* labels: text to typed values.  One table row
 * per label; everything that a tenant can say passes here, whole-string, by
 * (pointer, length), against allow-lists (the first of the three locks).
 *
 * interfaces.md 2 and interlock-parity.md 1 are the contract.
 */
#ifndef MODEL_LABEL_H
#define MODEL_LABEL_H

#include "base/error.h"
#include "base/vec.h"
#include "model/model.h"

#include <stdbool.h>
#include <stdint.h>

#define LABEL_PREFIX "com.docker.lb."
#define LABEL_VALUE_MAX 4096
#define LABEL_HOSTS_MAX 64
#define LABEL_ITEMS_MAX 64 /* paths and redirects */
#define LABEL_CIDRS_MAX 256
/*
 * What a service may cost its cluster's proxies: its hosts times its paths,
 * its hosts times its endpoints; and both together times the networks of
 * allow, or of deny.
 */
#define LABEL_ROUTES_MAX 1024
#define LABEL_LIMITS_MAX 16384
#define LABEL_DURATION_MAX (24ULL * 3600 * 1000) /* ms */

/* Why something is rejected or remarked; names by reject_code_name(). */
#define REJECT_CODES(X)                                                        \
	X(MISSING_LABEL, "missing-label")                                      \
	X(BAD_VALUE, "bad-value")                                              \
	X(TOO_LONG, "too-long")                                                \
	X(TOO_MANY, "too-many")                                                \
	X(NO_SUCH_CLUSTER, "no-such-cluster")                                  \
	X(NO_SUCH_NETWORK, "no-such-network")                                  \
	X(NETWORK_NOT_ATTACHED, "network-not-attached")                        \
	X(NETWORK_AMBIGUOUS, "network-ambiguous")                              \
	X(NETWORK_NOT_LISTED, "network-not-listed")                            \
	X(NO_ADDRESS, "no-address")                                            \
	X(HOST_TAKEN, "host-taken")                                            \
	X(HOST_NOT_ALLOWED, "host-not-allowed")                                \
	X(HOST_RESERVED, "host-reserved")                                      \
	X(NO_SUCH_SECRET, "no-such-secret")                                    \
	X(SECRET_NOT_GRANTED, "secret-not-granted")                            \
	X(BAD_CERTIFICATE, "bad-certificate")                                  \
	X(NEEDS_PARTNER, "needs-partner")                                      \
	X(NO_VIP, "no-vip")                                                    \
	X(REDIRECT_LOOP, "redirect-loop")                                      \
	X(DIFFERS_FROM_OWNER, "differs-from-owner")                            \
	X(BAD_OBJECT, "bad-object")                                            \
	X(ENGINE_REFUSED, "engine-refused")                                    \
	/* remarks only */                                                     \
	X(UNKNOWN_LABEL, "unknown-label")                                      \
	X(NOT_IN_VIP_MODE, "not-in-vip-mode")                                  \
	X(CERTIFICATE_EXPIRES, "certificate-expires")                          \
	X(CERTIFICATE_NAME, "certificate-name")                                \
	X(NOT_YET, "not-yet")                                                  \
	X(IGNORED, "ignored")

#define X(id, name) REJECT_##id,
enum reject_code { REJECT_CODES(X) };
#undef X
const char *reject_code_name(enum reject_code code);

/* One finding about one label.  A rejected service has exactly one. */
struct finding {
	enum reject_code code;
	char *label;	/* owned, whole key; NULL where it is about no label */
	int64_t offset; /* in the value as given, from 0; -1 = none */
	char *reason;	/* owned; one sentence, says what to do */
	char
	    *owner; /* owned; name of the service that has the claim, or NULL */
};
void finding_fini(struct finding *f);
/*
 * Fills 'f' (borrowed strings are copied); 'owner' may be NULL.  Returns -1,
 * as error_set() does.
 */
int finding_set(struct finding *f, enum reject_code code, const char *label,
    int64_t offset, const char *owner, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* An item of a list with its place in the label's value. */
struct label_item {
	char *text; /* owned; folded (hosts: lower case, no final dot) */
	/* The label it stood in, lent by the service (an old one, maybe). */
	const char *key;
	uint32_t offset;
};

/*
 * A redirect to the same host holds only where it leads away: from plain HTTP
 * to https://, or back.  Any other holds on both.
 */
struct redirect {
	char *source;	   /* host, folded: one of the service's */
	char *source_path; /* "" or "/old": the claim is the host's alone */
	bool target_https;
	char *target; /* "host[:port][/path]", without scheme, checked */
	bool on_plain;
	bool on_tls;
	uint32_t offset;
};

/* True if what 'a' sends a client to can be sent on by 'b'. */
bool redirect_leads_to(const struct redirect *a, const struct redirect *b);

enum backend_mode { BACKEND_TASK, BACKEND_VIP };

/*
 * The typed labels of one service.  'has' carries a bit for each label that
 * was given and not empty: label_given(l, LABEL_WEIGHT).  Zeroed = nothing
 * given; defaults are applied by the parser (max_fails 1, fail_timeout 10 s).
 */
struct labels {
	uint64_t has;
	VEC(struct label_item) hosts;
	uint16_t port;
	char *network;
	VEC(struct label_item) context_roots; /* "/app"; "/" when not given */
	bool context_root_rewrite;
	char *ssl_cert;
	char *ssl_key;
	bool ssl_passthrough;
	bool ssl_only; /* also without TLS here: a balancer may end it */
	bool ssl_backend;
	bool ssl_backend_verify;
	char *ssl_backend_ca;
	char *ssl_backend_name;
	VEC(struct label_item) websocket_endpoints;
	char *sticky_session_cookie;
	bool ip_hash;
	VEC(struct redirect) redirects;
	bool default_backend;
	char *service_cluster;
	enum backend_mode backend_mode;
	uint32_t max_fails;
	uint64_t fail_timeout_ms;
	uint32_t weight;
	uint64_t connect_timeout_ms;
	uint64_t read_timeout_ms;
	uint64_t send_timeout_ms;
	uint64_t max_body_size;
	uint64_t hsts_seconds;
	bool hsts_subdomains;
	bool hsts_preload;
	bool grpc;
	bool proxy_protocol;
	uint32_t rate_limit; /* per second or minute */
	bool rate_limit_per_minute;
	uint32_t rate_limit_burst;
	VEC(struct label_item) allow; /* CIDR, canonical */
	VEC(struct label_item) deny;
	char *basic_auth;
	bool maintenance;
	bool drain;
};

/* In the label order of interlock-parity.md: a service's first error wins. */
#define LABELS(X)                                                              \
	X(HOSTS, "hosts")                                                      \
	X(PORT, "port")                                                        \
	X(NETWORK, "network")                                                  \
	X(CONTEXT_ROOT, "context_root")                                        \
	X(CONTEXT_ROOT_REWRITE, "context_root_rewrite")                        \
	X(SSL_CERT, "ssl_cert")                                                \
	X(SSL_KEY, "ssl_key")                                                  \
	X(SSL_PASSTHROUGH, "ssl_passthrough")                                  \
	X(SSL_ONLY, "ssl_only")                                                \
	X(SSL_BACKEND, "ssl_backend")                                          \
	X(SSL_BACKEND_TLS_VERIFY, "ssl_backend_tls_verify")                    \
	X(SSL_BACKEND_CA, "ssl_backend_ca")                                    \
	X(SSL_BACKEND_NAME, "ssl_backend_name")                                \
	X(WEBSOCKET_ENDPOINTS, "websocket_endpoints")                          \
	X(STICKY_SESSION_COOKIE, "sticky_session_cookie")                      \
	X(IP_HASH, "ip_hash")                                                  \
	X(REDIRECTS, "redirects")                                              \
	X(DEFAULT_BACKEND, "default_backend")                                  \
	X(SERVICE_CLUSTER, "service_cluster")                                  \
	X(BACKEND_MODE, "backend_mode")                                        \
	X(MAX_FAILS, "max_fails")                                              \
	X(FAIL_TIMEOUT, "fail_timeout")                                        \
	X(WEIGHT, "weight")                                                    \
	X(CONNECT_TIMEOUT, "connect_timeout")                                  \
	X(READ_TIMEOUT, "read_timeout")                                        \
	X(SEND_TIMEOUT, "send_timeout")                                        \
	X(MAX_BODY_SIZE, "max_body_size")                                      \
	X(HSTS, "hsts")                                                        \
	X(GRPC, "grpc")                                                        \
	X(PROXY_PROTOCOL, "proxy_protocol")                                    \
	X(RATE_LIMIT, "rate_limit")                                            \
	X(ALLOW, "allow")                                                      \
	X(DENY, "deny")                                                        \
	X(BASIC_AUTH, "basic_auth")                                            \
	X(MAINTENANCE, "maintenance")                                          \
	X(DRAIN, "drain")

#define X(id, name) LABEL_##id,
enum label_id { LABELS(X) LABEL_COUNT };
#undef X
/* The whole key, with prefix. */
const char *label_key(enum label_id id);

static inline bool
label_given(const struct labels *l, enum label_id id)
{
	return (l->has >> id & 1) != 0;
}

/* What parsing found besides an error; grows, owned by the caller. */
struct findings {
	VEC(struct finding) list;
};
void findings_fini(struct findings *f);

/*
 * Parses all labels of 's', the old com.docker.ucp.mesh.http ones included
 * (read as if they were ours where ours are absent).  0, or -1 with the first
 * error in label order in 'ret_error'.  'ret' is filled in both cases as far
 * as it got (labels_fini()); remarks (unknown-label with the nearest
 * known name, ignored) go to 'remarks'.
 */
int labels_parse(const struct service *s, struct labels *ret,
    struct findings *remarks, struct finding *ret_error);
void labels_fini(struct labels *l);

/* True for keys of ours and of the older labels that we read. */
bool label_is_ours(const char *key);

/* True if the service carries any label of ours: otherwise it is nothing. */
bool labels_present(const struct service *s);

/*
 * The cluster a service names: a checked name (owned), NULL for none.  A
 * value that breaks the grammar is -1 with 'ret_error'.  For the reader.
 */
int
labels_cluster(const struct service *s, char **ret, struct finding *ret_error);

/* Grammar pieces, also used for INI values. 0, or -1 and the offset. */
int label_check_host(const char *s, size_t len, bool wildcard_allowed,
    size_t *ret_offset, struct error *e);
int label_check_path(
    const char *s, size_t len, size_t *ret_offset, struct error *e);

#endif
