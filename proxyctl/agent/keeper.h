/*
 * The agent's keeper: holds the sockets, runs nginx and the worker, hears
 * signals and the supervisor.  Small, and touches no network.
 */
#ifndef AGENT_KEEPER_H
#define AGENT_KEEPER_H

#include "options.h"
#include "sockets.h"

/* Takes the sockets' addresses; returns the exit code. */
int keeper_main(struct agent_options *o, struct sockets *sockets);

#endif
