/* proxyctl validate */
#include "offline.h"

int
cmd_validate(const struct cli *cli, int argc, char **argv)
{
	return offline_exec(cli, argc, argv);
}
