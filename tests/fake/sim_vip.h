/*
 * Virtual addresses and the ingress mesh: TCP forwarders that give each new
 * connection to the next running task, and refuse when there is none.
 */
#ifndef SIM_VIP_H
#define SIM_VIP_H

#include "sim.h"

/* Opens and closes what the service's state now asks for. */
void sim_vip_refresh(struct sim_service *v);
/* Closes its listeners; connections that stand go on with their tasks. */
void sim_vip_close(struct sim_service *v);
/* Cuts every connection through any forwarder. */
void sim_vip_cut(struct sim *s);

#endif
