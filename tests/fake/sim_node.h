/* Nodes, and which of them takes a task. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "sim.h"

/* Makes options.nodes of them; the first is the leader. */
void sim_node_init(struct sim *s);
/*
 * The ready, active node with the fewest tasks that 't' may run on; NULL and
 * the engine's words in 'ret_why'.
 */
struct sim_node *sim_node_pick(
    struct sim *s, const struct sim_task *t, char *ret_why, size_t size);
/* May a task with this TaskTemplate run there at all? */
bool sim_node_suits(const struct sim_node *n, const json_t *template);
/* After any change of a node: tasks move, waiting ones are tried again. */
void sim_node_changed(struct sim *s, struct sim_node *n);
/* Stops reporting, tasks and all; or comes back. */
void sim_node_set_down(struct sim *s, struct sim_node *n, bool down);

#endif
