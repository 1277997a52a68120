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

#endif
