/* An explanation as data, and its two forms.  Used by explain.c. */
#ifndef EXTENSION_EXPLAIN_ANSWER_H
#define EXTENSION_EXPLAIN_ANSWER_H

#include "explain.h"

struct answer {
	enum explain_result result;
	const char *query;
	const char *cluster;
	const char *host; /* NULL: about a service */
	const char *path;
	bool path_given;
	struct str host_text;
	struct str path_text;
	const char *service;
	const char *service_id;
	const struct accepted *accepted; /* a service that was asked for */
	const struct finding *finding;	 /* why it is rejected */
	const char *holder;		 /* for whom a host of nobody is held */
	int status; /* what the proxy answers itself, or 0 */
	struct str reason;
	struct {
		VEC(const struct route *) routes;
		VEC(const struct pool_member *) members;
	} shares;
};

void answer_init(struct answer *x, const char *query, const char *cluster);
void answer_fini(struct answer *x);
void answer_add_route(
    struct answer *x, const struct route *route, const struct pool_member *m);
void answer_text(struct str *out, const struct answer *x);
void answer_json(struct str *out, const struct answer *x);

#endif
