/*
 * One task's life: new, pending, assigned, accepted, preparing, ready,
 * starting, running; and out: desired state first, the stop signal later.
 */
#ifndef SIM_TASK_H
#define SIM_TASK_H

#include "sim.h"

/*
 * A task of 'v' in 'slot' (0 and 'node' for a global service).  Desired
 * TASK_READY waits there, for sim_task_desire() or, with 'hold_ms', for that
 * long since now.
 */
struct sim_task *sim_task_new(struct sim_service *v, uint32_t slot,
    struct sim_node *node, enum task_state desired, uint64_t hold_ms);
/* Desired states only grow; past running the task is stopped in its time. */
void sim_task_desire(struct sim_task *t, enum task_state desired);
/* Its process ends with 'exit_code' (not 0: failed). */
void sim_task_exit(struct sim_task *t, int exit_code);
/* The node went away with it: no signal, no report. */
void sim_task_vanish(struct sim_task *t);
/* Its node is back: what was wanted meanwhile is done. */
void sim_task_wake(struct sim_task *t);
/* Tries again to place a task that waits for a node. */
void sim_task_place(struct sim_task *t);
/* Takes it out of the lists and frees it. */
void sim_task_remove(struct sim_task *t);
bool sim_task_is_dead(const struct sim_task *t);
/* Drops what a removed network left in tasks that have ended. */
void sim_task_forget_network(struct sim *s, const struct sim_network *n);
/* The end of its grace period. */
void sim_task_kill_after(struct sim_task *t, uint64_t ms);
/* The app finished what it was doing after its stop signal. */
void sim_task_stopped(struct sim_task *t);

#endif
