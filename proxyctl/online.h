/* What the online commands share: ask, judge the status, print. */
#ifndef PROXYCTL_ONLINE_H
#define PROXYCTL_ONLINE_H

#include "commands.h"
#include "ctl_client.h"

struct json_t;

/*
 * Asks and gives the answer with a 2xx status as JSON.  Otherwise it has told
 * the reason on standard error and 'ret_exit' is the exit code (3: nobody
 * answers, 1: refused).  With --json a good answer has been printed already
 * and NULL comes with 'ret_exit' 0.  The caller releases with json_decref().
 */
struct json_t *online_ask(const struct cli *cli, const char *method,
    const char *target, const char *body, int *ret_exit);

/* The same of /v1/clusters/CLUSTER/WHAT. */
struct json_t *online_ask_cluster(const struct cli *cli, const char *method,
    const char *cluster, const char *what, const char *body, int *ret_exit);

/* As text: strings, numbers, "yes"/"no", "-" where absent or null. */
const char *online_text(const struct json_t *object, const char *key);
long long online_number(const struct json_t *object, const char *key);

#endif
