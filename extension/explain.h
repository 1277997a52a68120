/*
 * Why something is routed or not: "proxyctl explain", offline and live.
 * Pure.
 */
#ifndef EXTENSION_EXPLAIN_H
#define EXTENSION_EXPLAIN_H

#include "base/str.h"
#include "routing.h"

/* As exit codes of the command. */
enum explain_result {
	EXPLAIN_ROUTED = 0,
	EXPLAIN_NOT = 1,
	EXPLAIN_UNKNOWN = 4,
};

/*
 * Answers for a service (name or ID), or for HOST[/PATH] as a client would ask
 * for it ("http://", a port and a query are skipped); text for people, or one
 * JSON object:
 * {"query","kind":"service"|"host","state":"routed"|"not-routed"|"unknown",
 *  "cluster","service","service_id","reason", and where they apply "code",
 *  "label","offset","owner","host","path","status" (what the proxy answers
 *  itself), "routes":[as in report.json, of a host with "service" in it]}.
 */
enum explain_result
explain(struct str *out, const struct cluster_config *c, const struct model *m,
    const struct routing *r, const char *query, bool json);

#endif
