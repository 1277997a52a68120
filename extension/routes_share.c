/*
 * Shares of a pool: see routes_share.h.
 *
 * Without weights each upstream counts one.  With them, service i of weight
 * w and n upstreams gives each the weight w / n: exactly, over the least
 * common multiple of all n, where that stays within bounds.
 */
#include "routes_share.h"

#define WEIGHT_DEFAULT 100
/* Keeps products with a weight of at most 100 far from overflowing. */
#define MULTIPLE_MAX 1000000000000ULL

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static uint64_t
weight_of(const struct accepted *a)
{
	if (a->labels.drain)
		return 0;
	return label_given(&a->labels, LABEL_WEIGHT) ? a->labels.weight
						     : WEIGHT_DEFAULT;
}

static bool
is_weighted(const struct route *r)
{
	size_t i;

	for (i = 0; i < r->members.len; i++) {
		const struct labels *l = &r->members.at[i].service->labels;

		if (l->drain || label_given(l, LABEL_WEIGHT))
			return true;
	}
	return false;
}

static void
fill(struct pool_member *m, uint64_t weight)
{
	size_t i;

	for (i = 0; i < m->service->upstreams.len; i++) {
		struct upstream *u = vec_add(&m->upstreams);

		*u = m->service->upstreams.at[i];
		u->address = xstrdup(u->address);
		u->weight = (uint32_t)weight;
	}
}

/* The least common multiple of the members' numbers, or 0: out of bounds. */
static uint64_t
common_multiple(const struct route *r)
{
	uint64_t multiple = 1;
	size_t i;

	for (i = 0; i < r->members.len; i++) {
		uint64_t n = r->members.at[i].service->upstreams.len;

		if (n == 0 || weight_of(r->members.at[i].service) == 0)
			continue;
		n /= gcd(multiple, n);
		if (multiple > MULTIPLE_MAX / n)
			return 0;
		multiple *= n;
	}
	return multiple;
}

/* Whether exact weights stay within 'limit'; fills 'weights' if they do. */
static bool
exact(const struct route *r, uint64_t limit, uint64_t *weights)
{
	uint64_t multiple = common_multiple(r), divisor = 0, sum = 0;
	size_t i;

	if (multiple == 0)
		return false;
	for (i = 0; i < r->members.len; i++) {
		const struct accepted *a = r->members.at[i].service;

		if (a->upstreams.len > 0)
			weights[i] =
			    weight_of(a) * (multiple / a->upstreams.len);
		divisor = gcd(divisor, weights[i]);
	}
	if (divisor == 0)
		return true;
	for (i = 0; i < r->members.len; i++) {
		weights[i] /= divisor;
		sum += weights[i] * r->members.at[i].service->upstreams.len;
	}
	return sum <= limit;
}

static void
rounded(const struct route *r, uint64_t limit, uint64_t *weights)
{
	uint64_t all = 0;
	size_t i;

	for (i = 0; i < r->members.len; i++) {
		if (r->members.at[i].service->upstreams.len > 0)
			all += weight_of(r->members.at[i].service);
	}
	for (i = 0; i < r->members.len; i++) {
		const struct accepted *a = r->members.at[i].service;
		uint64_t parts = all * a->upstreams.len;

		weights[i] = 0;
		if (parts == 0 || weight_of(a) == 0)
			continue;
		weights[i] = (limit * weight_of(a) + parts / 2) / parts;
		if (weights[i] == 0)
			weights[i] = 1;
	}
}

void
routes_share(struct route *r)
{
	const struct labels *owner = &r->owner->labels;
	uint64_t limit = owner->sticky_session_cookie != NULL || owner->ip_hash
	    ? ROUTE_HASH_WEIGHT_MAX
	    : ROUTE_WEIGHT_MAX;
	uint64_t *weights _cleanup_free_ =
	    xcalloc(r->members.len, sizeof(weights[0]));
	bool weighted = is_weighted(r);
	size_t i;

	if (weighted && !exact(r, limit, weights))
		rounded(r, limit, weights);
	for (i = 0; i < r->members.len; i++) {
		if (!weighted)
			fill(&r->members.at[i], 1);
		else if (weights[i] > 0)
			fill(&r->members.at[i], weights[i]);
	}
}
