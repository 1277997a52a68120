/*
 * The judgement of one service: checks that look at the claims so far and
 * leave a finding; the first in label order counts.  Used by claims*.c.
 */
#ifndef EXTENSION_CLAIMS_JUDGE_H
#define EXTENSION_CLAIMS_JUDGE_H

#include "claims.h"

/* Before every label: about the service itself. */
#define RANK_SERVICE (-1)

struct judge {
	const struct claims *k;
	const struct service *s;
	struct accepted *a; /* the candidate */
	struct verdict *v;
	bool network_known;
	size_t new_hosts;
	size_t new_routes;
	bool bad;
	int rank; /* of the finding: a label_id, or RANK_SERVICE */
	struct finding finding;
};

/* True if a finding of this rank would come too late to count. */
static inline bool
judge_is_settled(const struct judge *j, int rank)
{
	return j->bad && j->rank <= rank;
}
/* The place for a finding of this rank, which is not settled; zeroed. */
struct finding *judge_fault(struct judge *j, int rank);

void judge_network(struct judge *j);
/* After judge_network(): same-network sharing asks for the network. */
void judge_hosts(struct judge *j);
void judge_secrets(struct judge *j);
/* After judge_hosts(): which secrets would be in force. */
void judge_in_force(struct judge *j);
/*
 * claims_content.c: what is known of the contents.  A certificate that is not
 * good, and other files that are not there, give way to the last good ones,
 * with a remark.
 */
void judge_contents(struct judge *j);
/* After judge_hosts(). */
void judge_redirects(struct judge *j);
void judge_vip(struct judge *j);

#endif
