/*
 * The agent's worker: keeps what nginx serves the same as what the extension
 * says.  Started by the keeper with the link on fd 3 and the listening
 * sockets from fd 4 on; may be killed at any instant.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include "options.h"

#define WORKER_LINK_FD 3
#define WORKER_BEAT_MS 2000

int worker_main(const struct agent_options *o);

#endif
