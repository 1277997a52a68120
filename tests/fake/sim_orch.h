/*
 * The orchestrator: which tasks there should be, what replaces those that
 * ended, how much history is kept.
 */
#ifndef SIM_ORCH_H
#define SIM_ORCH_H

#include "sim.h"

#define SIM_HISTORY 5 /* tasks per slot, the live one included */

/* Creates and removes tasks until the service has what its spec asks for. */
void sim_orch_reconcile(struct sim_service *v);
/* After a task began to run or ended. */
void sim_orch_task_changed(struct sim_task *t);
/* A running task is to stop: it takes no new connections by the VIP. */
void sim_orch_task_leaves(struct sim_task *t);
/* Puts another task in this one's place. */
void sim_orch_replace(struct sim_task *t);
/* The service is gone: its tasks go, it is freed. */
void sim_orch_remove_service(struct sim_service *v);
/* The live task of a slot with the newest spec, or NULL. */
struct sim_task *sim_orch_slot_task(const struct sim_service *v, uint32_t slot);

#endif
