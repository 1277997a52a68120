/* proxyctl check: the supervisor's program knows the files. */
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "sibling.h"

int
cmd_check(const struct cli *cli, int argc, char **argv)
{
	static char check[] = "--check-file", json[] = "--json";
	char **args _cleanup_free_ = xcalloc((size_t)argc + 3, sizeof(args[0]));
	size_t n = 1;

	args[n++] = check;
	if (cli->json)
		args[n++] = json;
	memcpy(&args[n], &argv[1], (size_t)(argc - 1) * sizeof(args[0]));
	sibling_exec("bulkhead-supervisor", args);
	return CTL_NO;
}
