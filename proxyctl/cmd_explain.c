/* proxyctl explain: from a snapshot, or from the running system. */
#include <string.h>

#include "cmd_online.h"
#include "offline.h"

int
cmd_explain(const struct cli *cli, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--snapshot", 10) == 0)
			return offline_exec(cli, argc, argv);
	}
	if (argc > 2)
		return command_usage("explain", "one thing at a time");
	return explain_online(cli, argv[1]);
}
