/*
 * Rolling updates: parallelism, order, delay, monitor, failure action, as
 * the spec's UpdateConfig (or RollbackConfig) says and UpdateStatus tells.
 */
#ifndef SIM_UPDATE_H
#define SIM_UPDATE_H

#include "sim.h"

/* The spec changed: replaces the tasks that are not of it, if any. */
void sim_update_start(struct sim_service *v, bool rollback);
void sim_update_cancel(struct sim_service *v);
void sim_update_task_changed(struct sim_service *v, struct sim_task *t);

#endif
