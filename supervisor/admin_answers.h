/*
 * What the admin API says of the supervisor's own knowledge: status, clusters,
 * problems, metrics.  Text only; no I/O but /proc for memory and CPU.
 */
#ifndef SUPERVISOR_ADMIN_ANSWERS_H
#define SUPERVISOR_ADMIN_ANSWERS_H

#include "base/str.h"

struct cluster;
struct supervisor;
struct json_t;

void answers_status(const struct supervisor *s, struct str *out);
void answers_clusters(const struct supervisor *s, struct str *out);
void answers_cluster(const struct cluster *c, struct str *out);
/* {"problems":["FILE:LINE: ..."]} */
void answers_problems(const struct supervisor *s, struct str *out);
void answers_metrics(const struct supervisor *s, struct str *out);
/* How much an extension's answer knows: 2 routed, 1 not routed, 0 unknown. */
int answers_explain_rank(const struct json_t *answer);
/*
 * Adds to an extension's answer, where the reader has some, the words of what
 * ails Docker ("docker_error") and the proxy service of the cluster that
 * answers ("proxy_service_error"); both go to its text too.
 */
void answers_explain_ails(const struct supervisor *s, struct json_t *answer);

#endif
