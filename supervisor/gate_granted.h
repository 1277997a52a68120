/*
 * What a cluster's proxies were ever given because a service's label named it:
 * a label of the proxy service.  A rollback may need it once more when no
 * label names it any more, also under a supervisor that has nothing but the
 * Swarm to know it from.  Pure; for gate.c.
 */
#ifndef SUPERVISOR_GATE_GRANTED_H
#define SUPERVISOR_GATE_GRANTED_H

#include "gate_spec.h"

#include <stdbool.h>

/* "s:NAME" of a secret, "c:NAME" of a config, by blanks, newest last. */
#define GATE_LABEL_GRANTED "bulkhead.granted"
/* The oldest are forgotten. */
#define GATE_GRANTED_MAX 512

bool gate_granted_has(const char *words, char kind, const char *name);
/* w->granted with what 'w' gives now; the agents' own secrets are not in it.
 * The caller frees it. */
char *gate_granted_words(const struct gate_wish *w);

#endif
