/*
 * With what arguments the agent of a local proxy is started, from the INI.
 */
#ifndef SUPERVISOR_AGENT_ARGS_H
#define SUPERVISOR_AGENT_ARGS_H

#include "base/str.h"
#include "base/vec.h"
#include "config/config.h"

#include <stdint.h>

struct agent_place {
	const struct cluster_config *config;
	const char *agent; /* path of proxyctl */
	const char *run_dir;
	const char *folder; /* the agent's --dir */
	uint32_t index;	    /* of the proxy in its group, from 0 */
};

struct agent_args {
	VEC(char *) list; /* owned; argv without its closing NULL */
};

void agent_args_build(const struct agent_place *p, struct agent_args *a);
/* One per line, for comparing with those of an agent that runs. */
void agent_args_text(const struct agent_args *a, struct str *out);
void agent_args_fini(struct agent_args *a);

#endif
