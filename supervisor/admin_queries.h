/*
 * Questions of the admin API that children answer: asked of one or of all
 * clusters at once, joined, and answered when the last has spoken or its time
 * is over.
 */
#ifndef SUPERVISOR_ADMIN_QUERIES_H
#define SUPERVISOR_ADMIN_QUERIES_H

#include "loop/http_server.h"
#include "process.h"

struct supervisor;

/*
 * {"KEY":[...],"unanswered":N}: the lists of all extensions, or of the one
 * named 'cluster' (NULL: all).
 */
void admin_ask_all(struct supervisor *s, struct http_exchange *x,
    const char *cluster, const char *what, const char *key);
/* One child's answer as it is; 'who' names it in an error. */
void admin_ask_one(struct http_exchange *x, struct process *process,
    const char *who, const char *what, const char *args);
/* The best answer of all extensions: routed before not routed before unknown.
 */
void
admin_explain(struct supervisor *s, struct http_exchange *x, const char *q);

#endif
