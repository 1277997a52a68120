/*
 * Subnets and addresses.  The pool is cut into subnets in order; addresses
 * are given out in order too and reused only after a full turn, as the
 * engine does.  Of a pool P/16 the subnet P.255.0/24 is the nodes'.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "sim.h"

/*
 * Takes the first free 127.N.0.0/16 on this machine as the pool, unless one
 * was chosen; other simulators see that it is taken.
 */
int sim_net_init(struct sim *s, struct error *e) _warn_unused_;
void sim_net_fini(struct sim *s);

/* Parses "A.B.C.D/N"; the address in host byte order. */
int sim_net_parse(const char *text, uint32_t *ret_address, unsigned *ret_prefix,
    struct error *e) _warn_unused_;
/* Gives the network its subnet, from the pool when it has none. */
int sim_net_subnet(
    struct sim *s, struct sim_network *n, struct error *e) _warn_unused_;
/* The next free address; 0 when there is none. */
uint32_t sim_net_take(struct sim_network *n);
void sim_net_release(struct sim_network *n, uint32_t address);
uint32_t sim_net_node_address(const struct sim *s, size_t number);
/* "A.B.C.D" in a buffer of 16. */
const char *sim_net_text(uint32_t address, char ret[16]);

#endif
