/* proxyctl agent: see agent/agent.h. */
#include "agent/agent.h"
#include "commands.h"

int
cmd_agent(const struct cli *cli, int argc, char **argv)
{
	(void)cli;
	return agent_main(argc, argv);
}
