/*
 * Whether this supervisor runs as a Swarm service, and whether that service is
 * to go on: what is made again then must not outlive "docker stack rm".
 *
 * The task is named by BULKHEAD_TASK_ID (in a stack file "{{.Task.ID}}"), else
 * by the labels of the container that has the host's name.
 */
#ifndef SUPERVISOR_GATE_SELF_H
#define SUPERVISOR_GATE_SELF_H

#include "docker/client.h"

#include <stdbool.h>

struct gate_self;

struct gate_self *gate_self_new(struct docker_client *docker);
/*
 * Asks the Engine anew; 'done' comes once, from the loop, with whether what
 * there is to know is known.
 */
void gate_self_look(
    struct gate_self *s, void (*done)(void *arg, bool known), void *arg);
/* Its service is there, its task is wanted running; or it is no service. */
bool gate_self_wanted(const struct gate_self *s);
/* It runs as a Swarm service. */
bool gate_self_is_service(const struct gate_self *s);
/* Its stack and its service's name, or NULL. */
const char *gate_self_stack(const struct gate_self *s);
const char *gate_self_service(const struct gate_self *s);
/* No look may be under way; NULL is allowed. */
void gate_self_free(struct gate_self *s);

#endif
