/* proxyctl check: the supervisor's program knows the files. */
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "sibling.h"

int
cmd_check(const struct cli *cli, int argc, char **argv)
{
	static char check[] = "--check-file";
	char **args _cleanup_free_ = xcalloc((size_t)argc + 2, sizeof(args[0]));

	(void)cli;
	args[1] = check;
	memcpy(&args[2], &argv[1], (size_t)(argc - 1) * sizeof(args[0]));
	sibling_exec("bulkhead-supervisor", args);
	return CTL_NO;
}
