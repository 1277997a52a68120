/* proxyctl render */
#include "offline.h"

int
cmd_render(const struct cli *cli, int argc, char **argv)
{
	return offline_exec(cli, argc, argv);
}
