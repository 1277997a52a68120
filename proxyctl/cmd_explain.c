/* proxyctl explain: from a snapshot. */
#include <string.h>

#include "offline.h"

int
cmd_explain(const struct cli *cli, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--snapshot", 10) == 0)
			return offline_exec(cli, argc, argv);
	}
	return command_usage("explain", "--snapshot FILE is missing");
}
