/*
 * Redirects that would send a client in circles over several services, or
 * back and forth with ssl_only.  Circles within one service's redirects alone
 * are the parser's to find.  See claims_judge.h.
 */
#include "claims_judge.h"

#include <stdio.h>
#include <string.h>

/* More redirects than that in a row no client follows. */
#define VISITS_MAX 256

struct step {
	struct redirect to; /* members borrowed */
	const struct redirect *origin;
	const char *service; /* whose redirect it is */
};

struct walk {
	const struct judge *j;
	const struct redirect *start;
	VEC(struct step) steps; /* to be gone from, and gone */
	struct map seen;	/* by the redirect's address */
	bool closed;
	const char *by; /* the service whose redirect closes the circle */
};

/* Who decides about 'host' once the candidate is in, or NULL. */
static const struct accepted *
owner_of(const struct judge *j, const char *host)
{
	const struct accepted *owner = claims_owner(j->k, j->v, host);
	size_t i;

	if (owner != NULL)
		return owner;
	for (i = 0; i < j->a->labels.hosts.len; i++) {
		if (strcmp(j->a->labels.hosts.at[i].text, host) == 0)
			return j->a;
	}
	return NULL;
}

static void
go_to(struct walk *w, const struct step *from, const struct redirect *r,
    const struct accepted *owner)
{
	char key[32];

	if (r == w->start) {
		w->closed = true;
		w->by = from->service;
		return;
	}
	(void)snprintf(key, sizeof(key), "%p", (const void *)r);
	if (map_set(&w->seen, key, w) == NULL)
		vec_push(
		    &w->steps, ((struct step){ *r, r, owner->service->name }));
}

/* Everything that may come next for a client that follows 'from'. */
static void
follow(struct walk *w, struct step from)
{
	const char *target = from.to.target;
	char *host _cleanup_free_ = xmemdup0(target, strcspn(target, ":/"));
	const struct accepted *owner = owner_of(w->j, host);
	bool covered = false;
	size_t i;

	if (owner == NULL || strcspn(target, "/") != strlen(host))
		return;
	for (i = 0; i < owner->labels.redirects.len; i++) {
		const struct redirect *r = &owner->labels.redirects.at[i];

		if (!redirect_leads_to(&from.to, r))
			continue;
		covered |= r->source_path[0] == '\0';
		go_to(w, &from, r, owner);
	}
	/* ssl_only answers what no redirect takes. */
	if (!covered && !from.to.target_https && owner->labels.ssl_only) {
		from.to.target_https = true;
		follow(w, from);
	}
}

static void
check(struct judge *j, const struct redirect *start)
{
	struct walk w = { .j = j, .start = start };
	size_t i;

	vec_push(
	    &w.steps, ((struct step){ *start, start, j->a->service->name }));
	for (i = 0; i < w.steps.len && i < VISITS_MAX && !w.closed; i++)
		follow(&w, w.steps.at[i]);
	if (w.closed || i == VISITS_MAX)
		finding_set(judge_fault(j, LABEL_REDIRECTS),
		    REJECT_REDIRECT_LOOP, label_key(LABEL_REDIRECTS),
		    label_value_offset(j->s, LABEL_REDIRECTS) < 0
			? -1
			: (int64_t)start->offset,
		    NULL,
		    w.closed
			? "%s%s comes back to itself by way of service %s: a "
			  "client would be sent in circles"
			: "%s%s leads through more redirects than a client "
			  "follows, the last of service %s",
		    start->source, start->source_path,
		    w.closed ? w.by : w.steps.at[i - 1].service);
	vec_fini(&w.steps);
	map_fini(&w.seen);
}

void
judge_redirects(struct judge *j)
{
	const struct labels *l = &j->a->labels;
	size_t i;

	for (i = 0; i < l->redirects.len; i++) {
		const struct redirect *r = &l->redirects.at[i];

		if (judge_is_settled(j, LABEL_REDIRECTS))
			return;
		/* Of a host that it joins, its owner's count. */
		if (owner_of(j, r->source) == j->a)
			check(j, r);
	}
}
