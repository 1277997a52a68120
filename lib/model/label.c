/*
 * From the labels of a service to their typed values: see label.h.  What a
 * single value may be is in label_value.c; here is what they mean together.
 */
#include "model/label.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/nearest.h"
#include "base/str.h"
#include "model/label_reader.h"
#include "model/label_text.h"

#define REASON_MAX 1000
/* Labels of the prefix that nobody knows: more are only counted. */
#define UNKNOWN_TOLD 20

static const char *const keys[LABEL_COUNT] = {
#define X(id, name) LABEL_PREFIX name,
	LABELS(X)
#undef X
};

static const char *const names[LABEL_COUNT] = {
#define X(id, name) name,
	LABELS(X)
#undef X
};

const char *
label_key(enum label_id id)
{
	return keys[id];
}

const char *
reject_code_name(enum reject_code code)
{
	static const char *const codes[] = {
#define X(id, name) name,
		REJECT_CODES(X)
#undef X
	};

	return codes[code];
}

void
finding_fini(struct finding *f)
{
	free(f->label);
	free(f->reason);
	free(f->owner);
	*f = (struct finding){ 0 };
}

static void __attribute__((format(printf, 6, 0)))
set_finding(struct finding *f, enum reject_code code, const char *label,
    int64_t offset, const char *owner, const char *fmt, va_list ap)
{
	STR_AUTO(reason, REASON_MAX);

	str_addv(&reason, fmt, ap);
	if (reason.overflow)
		str_add(&reason, "(a reason too long to tell)");
	*f = (struct finding){
		.code = code,
		.label = label == NULL ? NULL : xstrdup(label),
		.offset = offset,
		.reason = str_take(&reason),
		.owner = owner == NULL ? NULL : xstrdup(owner),
	};
}

int
finding_set(struct finding *f, enum reject_code code, const char *label,
    int64_t offset, const char *owner, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_finding(f, code, label, offset, owner, fmt, ap);
	va_end(ap);
	return -1;
}

void
findings_fini(struct findings *f)
{
	size_t i;

	for (i = 0; i < f->list.len; i++)
		finding_fini(&f->list.at[i]);
	vec_fini(&f->list);
}

const char *
label_reader_origin(const struct label_reader *r, int64_t at, int64_t *ret_at)
{
	size_t i;

	if (!r->is_old) {
		*ret_at = at;
		return keys[r->id];
	}
	for (i = 0; i < r->old.origins.len; i++) {
		const struct label_origin *o = &r->old.origins.at[i];

		if (o->id != r->id)
			continue;
		if (at < 0 || (size_t)at < o->start + o->len) {
			if (at >= 0)
				at = (size_t)at <= o->start
				    ? (int64_t)o->offset
				    : (int64_t)(o->offset +
					  ((size_t)at - o->start));
			*ret_at = at;
			return o->label->key;
		}
	}
	*ret_at = -1;
	return keys[r->id];
}

int
label_reader_fail(struct label_reader *r, enum reject_code code, int64_t at,
    const char *fmt, ...)
{
	const char *key = r->label == NULL ? keys[r->id] : r->label->key;
	va_list ap;

	if (r->is_old)
		key = label_reader_origin(r, at, &at);
	va_start(ap, fmt);
	set_finding(r->error, code, key, at, NULL, fmt, ap);
	va_end(ap);
	return -1;
}

int
label_reader_fail_check(struct label_reader *r, const struct label_span *s,
    size_t offset, const struct error *e)
{
	return label_reader_fail(r,
	    e->code == ENAMETOOLONG ? REJECT_TOO_LONG : REJECT_BAD_VALUE,
	    (int64_t)(s->at + offset), "%s", e->msg);
}

void
label_reader_absent(struct label_reader *r)
{
	r->ret->has &= ~(1ULL << r->id);
}

void
label_reader_remark(struct label_reader *r, enum reject_code code,
    const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_finding(vec_add(&r->remarks->list), code, key, -1, NULL, fmt, ap);
	va_end(ap);
}

static struct label_span
value_of(const struct label *l)
{
	return label_span_trim(
	    (struct label_span){ l->value, l->value_len, 0 });
}

/* Our own label of this ID; NULL where it is absent or blank. */
static const struct label *
own_label(const struct service *s, enum label_id id)
{
	const struct label *l = service_label(s, keys[id]);

	return l == NULL || value_of(l).len == 0 ? NULL : l;
}

/* Turns to a label: ours, or else what older ones say. */
static void
turn_to(struct label_reader *r, enum label_id id)
{
	r->id = id;
	r->is_old = false;
	r->label = own_label(r->service, id);
	if (r->label == NULL && r->old.made[id].key != NULL) {
		r->label = &r->old.made[id];
		r->is_old = true;
	}
}

/* Parses the label turned to into r->ret; none is success. */
static int
read_label(struct label_reader *r)
{
	if (r->label == NULL)
		return 0;
	r->ret->has |= 1ULL << r->id;
	if (r->label->value_len > LABEL_VALUE_MAX)
		return label_reader_fail(r, REJECT_TOO_LONG, 0,
		    "the value has more than %d bytes", LABEL_VALUE_MAX);
	return label_read_function(r->id)(r, value_of(r->label));
}

static int
missing(struct label_reader *r, const char *what)
{
	return label_reader_fail(r, REJECT_MISSING_LABEL, -1, "%s", what);
}

static int
needs(struct label_reader *r, const char *what)
{
	return label_reader_fail(r, REJECT_NEEDS_PARTNER, -1, "%s", what);
}

static bool
given(const struct label_reader *r, enum label_id id)
{
	return label_given(r->ret, id);
}

static int
check_tls(struct label_reader *r)
{
	const struct labels *l = r->ret;

	switch (r->id) {
	case LABEL_SSL_KEY:
		if (!given(r, LABEL_SSL_CERT))
			return needs(r,
			    "a key without certificate: name the "
			    "certificate in ssl_cert");
		break;
	case LABEL_SSL_BACKEND_TLS_VERIFY:
		if (l->ssl_backend_verify && !l->ssl_backend)
			return needs(r,
			    "nothing to verify without "
			    "ssl_backend=true");
		if (l->ssl_backend_verify && !given(r, LABEL_SSL_BACKEND_CA))
			return needs(r,
			    "name the authority to verify against "
			    "in ssl_backend_ca");
		break;
	case LABEL_SSL_BACKEND_CA:
	case LABEL_SSL_BACKEND_NAME:
		if (!l->ssl_backend)
			return needs(r, "this needs ssl_backend=true");
		break;
	case LABEL_GRPC:
		if (l->grpc && !given(r, LABEL_SSL_CERT))
			return needs(r,
			    "gRPC needs TLS to the client: give "
			    "ssl_cert");
		break;
	case LABEL_PROXY_PROTOCOL:
		if (l->proxy_protocol && !l->ssl_passthrough)
			return needs(r,
			    "only a passed-through connection can "
			    "carry it: give ssl_passthrough=true");
		break;
	default:
		break;
	}
	return 0;
}

/* Nothing would be served.  A wrong default_backend is told as such. */
static bool
lacks_hosts(const struct label_reader *r)
{
	if (given(r, LABEL_HOSTS))
		return false;
	if ((r->wrong >> LABEL_DEFAULT_BACKEND & 1) != 0)
		return false;
	return !r->ret->default_backend || r->ret->ssl_passthrough;
}

static int
check_product(struct label_reader *r, size_t places, const char *where,
    size_t items, const char *what, size_t max)
{
	if (places * items <= max)
		return 0;
	return label_reader_fail(r, REJECT_TOO_MANY,
	    (int64_t)value_of(r->label).at,
	    "%zu %s times %zu %s is more than %zu: spread them over several "
	    "services",
	    places, where, items, what, max);
}

/* Every host may need a server of its own, with all of its paths in it. */
static int
check_size(struct label_reader *r)
{
	const struct labels *l = r->ret;
	size_t hosts = l->hosts.len + (l->default_backend ? 1 : 0);
	size_t roots = l->context_roots.len > 0 ? l->context_roots.len : 1;
	size_t endpoints = l->websocket_endpoints.len;

	if (l->ssl_passthrough)
		return 0;
	switch (r->id) {
	case LABEL_CONTEXT_ROOT:
		return check_product(
		    r, hosts, "hosts", roots, "paths", LABEL_ROUTES_MAX);
	case LABEL_WEBSOCKET_ENDPOINTS:
		return check_product(r, hosts, "hosts", endpoints, "endpoints",
		    LABEL_ROUTES_MAX);
	case LABEL_ALLOW:
		return check_product(r, hosts * (roots + endpoints),
		    "paths and endpoints of all hosts", l->allow.len,
		    "networks", LABEL_LIMITS_MAX);
	case LABEL_DENY:
		return check_product(r, hosts * (roots + endpoints),
		    "paths and endpoints of all hosts", l->deny.len, "networks",
		    LABEL_LIMITS_MAX);
	default:
		return 0;
	}
}

/* What a label asks of others, or of being there. */
static int
check_label(struct label_reader *r)
{
	const struct labels *l = r->ret;

	if (r->id == LABEL_HOSTS && lacks_hosts(r))
		return missing(r,
		    "name the hosts to be served, or give "
		    "default_backend=true");
	if (r->id == LABEL_PORT && !given(r, LABEL_PORT))
		return missing(r,
		    "name the port that the application "
		    "listens on in its container");
	if (!given(r, r->id))
		return 0;
	if (r->id == LABEL_REDIRECTS)
		return label_check_redirects(r);
	/* A limit that could not be kept is no limit: better not to route. */
	if (l->ssl_passthrough &&
	    (r->id == LABEL_BASIC_AUTH || r->id == LABEL_RATE_LIMIT ||
		r->id == LABEL_ALLOW || r->id == LABEL_DENY))
		return needs(r,
		    "requests are not seen in a passed-through "
		    "connection: give ssl_cert instead of "
		    "ssl_passthrough");
	if (check_size(r) != 0)
		return -1;
	return check_tls(r);
}

static void
drop_text(struct label_reader *r, enum label_id id, char **text)
{
	free(*text);
	*text = NULL;
	r->ret->has &= ~(1ULL << id);
}

/* What would have to look into a connection that is passed through. */
static void
remark_unseen(struct label_reader *r)
{
	static const enum label_id ids[] = { LABEL_STICKY_SESSION_COOKIE,
		LABEL_CONNECT_TIMEOUT, LABEL_READ_TIMEOUT, LABEL_SEND_TIMEOUT,
		LABEL_MAX_BODY_SIZE };
	size_t i;

	for (i = 0; i < countof(ids); i++) {
		if (given(r, ids[i]))
			label_reader_remark(r, REJECT_IGNORED, keys[ids[i]],
			    "with ssl_passthrough no request is seen: this "
			    "has no effect");
	}
	free(r->ret->sticky_session_cookie);
	r->ret->sticky_session_cookie = NULL;
	for (i = 0; i < countof(ids); i++)
		r->ret->has &= ~(1ULL << ids[i]);
}

/* What is given and harmless but does nothing. */
static void
remark_ignored(struct label_reader *r)
{
	struct labels *l = r->ret;

	if (l->ssl_passthrough)
		remark_unseen(r);
	if (l->ssl_passthrough && given(r, LABEL_SSL_CERT)) {
		label_reader_remark(r, REJECT_IGNORED, keys[LABEL_SSL_CERT],
		    "ssl_passthrough is set: TLS ends at the application, "
		    "which has its own certificate");
		drop_text(r, LABEL_SSL_CERT, &l->ssl_cert);
		drop_text(r, LABEL_SSL_KEY, &l->ssl_key);
	}
	if (l->context_root_rewrite && !given(r, LABEL_CONTEXT_ROOT))
		label_reader_remark(r, REJECT_IGNORED,
		    keys[LABEL_CONTEXT_ROOT_REWRITE],
		    "there is no context_root to take away");
	if (l->ip_hash && given(r, LABEL_STICKY_SESSION_COOKIE) &&
	    l->backend_mode != BACKEND_VIP) {
		label_reader_remark(r, REJECT_IGNORED, keys[LABEL_IP_HASH],
		    "sticky_session_cookie is given and decides");
		l->ip_hash = false;
		l->has &= ~(1ULL << LABEL_IP_HASH);
	}
}

static void
remark_unknown(struct label_reader *r)
{
	const struct service *s = r->service;
	size_t i, n = strlen(LABEL_PREFIX), told = 0;

	for (i = 0; i < s->labels.len; i++) {
		const char *key = s->labels.at[i].key, *nearest;
		enum label_id id = 0;

		if (strncmp(key, LABEL_PREFIX, n) != 0)
			continue;
		while (id < LABEL_COUNT && strcmp(key + n, names[id]) != 0)
			id++;
		if (id < LABEL_COUNT || told++ >= UNKNOWN_TOLD)
			continue;
		nearest = nearest_name(key + n, names, LABEL_COUNT);
		if (nearest != NULL)
			label_reader_remark(r, REJECT_UNKNOWN_LABEL, key,
			    "no label of ours; did you mean " LABEL_PREFIX
			    "%s?",
			    nearest);
		else
			label_reader_remark(
			    r, REJECT_UNKNOWN_LABEL, key, "no label of ours");
	}
	if (told > UNKNOWN_TOLD)
		label_reader_remark(r, REJECT_UNKNOWN_LABEL, NULL,
		    "%zu more labels that are not ours", told - UNKNOWN_TOLD);
}

static void
apply_defaults(struct labels *l)
{
	struct label_item *root;

	if (!label_given(l, LABEL_MAX_FAILS))
		l->max_fails = 1;
	if (!label_given(l, LABEL_FAIL_TIMEOUT))
		l->fail_timeout_ms = 10000;
	if (label_given(l, LABEL_CONTEXT_ROOT) || l->context_roots.len > 0)
		return;
	root = vec_add(&l->context_roots);
	root->text = xstrdup("/");
	root->key = keys[LABEL_CONTEXT_ROOT];
}

/*
 * All labels are read, then what they ask of each other is checked for those
 * before the first wrong one: so the error told is the first in label order.
 */
static int
read_all(struct label_reader *r)
{
	struct finding *ret_error = r->error;
	enum label_id id, wrong = LABEL_COUNT;

	/* A service that was moved to our labels may keep the old ones. */
	if ((own_label(r->service, LABEL_HOSTS) == NULL ||
		own_label(r->service, LABEL_PORT) == NULL) &&
	    label_old_read(r) != 0)
		return -1;
	for (id = 0; id < LABEL_COUNT; id++) {
		turn_to(r, id);
		if (read_label(r) == 0)
			continue;
		r->wrong |= 1ULL << id;
		if (wrong == LABEL_COUNT)
			wrong = id;
		else
			finding_fini(&r->later);
		r->error = &r->later;
	}
	for (id = 0; id < wrong; id++) {
		turn_to(r, id);
		if (check_label(r) == 0)
			continue;
		if (r->error != ret_error) {
			finding_fini(ret_error);
			*ret_error = r->later;
		}
		return -1;
	}
	return wrong < LABEL_COUNT ? -1 : 0;
}

int
labels_parse(const struct service *s, struct labels *ret,
    struct findings *remarks, struct finding *ret_error)
{
	struct label_reader r = {
		.service = s,
		.ret = ret,
		.remarks = remarks,
		.error = ret_error,
	};
	int rc;

	*ret = (struct labels){ 0 };
	rc = read_all(&r);
	apply_defaults(ret);
	remark_unknown(&r);
	if (rc == 0)
		remark_ignored(&r);
	label_old_fini(&r.old);
	return rc;
}

#define FREE_ITEMS(v)                                                          \
	do {                                                                   \
		for (i = 0; i < (v).len; i++)                                  \
			free((v).at[i].text);                                  \
		vec_fini(&(v));                                                \
	} while (0)

void
labels_fini(struct labels *l)
{
	size_t i;

	FREE_ITEMS(l->hosts);
	FREE_ITEMS(l->context_roots);
	FREE_ITEMS(l->websocket_endpoints);
	FREE_ITEMS(l->allow);
	FREE_ITEMS(l->deny);
	for (i = 0; i < l->redirects.len; i++) {
		free(l->redirects.at[i].source);
		free(l->redirects.at[i].source_path);
		free(l->redirects.at[i].target);
	}
	vec_fini(&l->redirects);
	free(l->network);
	free(l->ssl_cert);
	free(l->ssl_key);
	free(l->ssl_backend_ca);
	free(l->ssl_backend_name);
	free(l->sticky_session_cookie);
	free(l->service_cluster);
	free(l->basic_auth);
	*l = (struct labels){ 0 };
}

bool
label_is_ours(const char *key)
{
	return strncmp(key, LABEL_PREFIX, strlen(LABEL_PREFIX)) == 0 ||
	    label_old_is_key(key);
}

bool
labels_present(const struct service *s)
{
	size_t i;

	for (i = 0; i < s->labels.len; i++) {
		if (label_is_ours(s->labels.at[i].key))
			return true;
	}
	return false;
}

int
labels_cluster(const struct service *s, char **ret, struct finding *ret_error)
{
	struct labels labels = { 0 };
	struct label_reader r = {
		.service = s,
		.ret = &labels,
		.error = ret_error,
	};

	turn_to(&r, LABEL_SERVICE_CLUSTER);
	if (read_label(&r) != 0)
		return -1;
	*ret = labels.service_cluster;
	return 0;
}
