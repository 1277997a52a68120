/*
 * What tasks answer over HTTP, on each of their addresses: JSON that says
 * which task this is and echoes the request.  Anywhere in the path:
 *	/status/NNN   answers NNN
 *	/slow/MS      answers after MS milliseconds
 *	/bytes/N      answers N bytes
 *	/cookie/NAME  sets cookie NAME to the task's ID
 *	/die          ends the task's process with exit code 1
 * A request with "Upgrade:" gets 101, a line that says who answers, and from
 * then on its own bytes back.
 */
#ifndef SIM_APP_H
#define SIM_APP_H

#include "sim.h"

/* Begins to listen. */
int sim_app_start(struct sim_task *t, struct error *e) _warn_unused_;
/*
 * The stop signal.  The app ends at once (environment SIM_STOP=exit, the
 * default), after what it is answering (drain), or not before it is killed at
 * the end of its grace period (ignore); then sim_task_stopped().
 */
void sim_app_stop(struct sim_task *t);
/*
 * How long the process lives, from environment DIE_AFTER_MS; 0: until it is
 * stopped.
 */
uint64_t sim_app_lifetime_ms(const struct sim_task *t);
/* Gone, without another word. */
void sim_app_kill(struct sim_task *t);
/* The port that the service's tasks answer on first. */
uint16_t sim_app_port(const struct sim_service *v);

#endif
