/*
 * The gate's other thing to write: Docker configs that hold clusters' INIs,
 * for "proxyctl cluster add" and "rm".  It removes only what it made.
 */
#ifndef SUPERVISOR_GATE_CONFIG_H
#define SUPERVISOR_GATE_CONFIG_H

#include "gate_object.h"

/* On configs that "cluster add" made. */
#define GATE_LABEL_ADDED "bulkhead.added"

/* 'data' is base64.  Answers {"cluster","source":"config","where":NAME}. */
void gate_config_add(struct gate *g, struct child_query *q, const char *cluster,
    const char *data);
/* Answers {"removed":N}; 409 where others would stay. */
void
gate_config_remove(struct gate *g, struct child_query *q, const char *cluster);
/* {"error":...} */
void gate_answer_error(struct child_query *q, unsigned status, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

#endif
