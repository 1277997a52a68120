/*
 * Rolling updates: parallelism, order, delay, monitor, failure action, as
 * the spec's UpdateConfig (or RollbackConfig) says and UpdateStatus tells.
 */
#ifndef SIM_UPDATE_H
#define SIM_UPDATE_H

#include "sim.h"

enum sim_update_kind {
	SIM_FORWARD,
	SIM_ROLLBACK,	      /* after a failure */
	SIM_ROLLBACK_BY_HAND, /* asked for; its status stands already */
};

/* The spec changed: replaces the tasks that are not of it, if any. */
void sim_update_start(struct sim_service *v, enum sim_update_kind kind);
/* The status of a rollback that was asked for. */
json_t *sim_update_by_hand_status(struct sim_service *v);
void sim_update_cancel(struct sim_service *v);
void sim_update_task_changed(struct sim_service *v, struct sim_task *t);

#endif
