/* What is there at the start (--script, --services), and --churn. */
#ifndef SIM_LOAD_H
#define SIM_LOAD_H

#include "sim.h"

/* Ingress and the engine's own networks, then --services and --tasks. */
int sim_load_start(struct sim *s, struct error *e) _warn_unused_;
void sim_load_stop(struct sim *s);
/*
 * So many changes per second from now on, none with 0: of the services of
 * --services, or 'service' alone (its tasks fail) where that is not NULL.
 */
void sim_load_churn(struct sim *s, uint64_t per_s, const char *service);
/*
 * A document {"networks":[...],"secrets":[...],"configs":[...],
 * "services":[...]} of API requests, made in this order.
 */
int
sim_load_script(struct sim *s, const char *path, struct error *e) _warn_unused_;

#endif
