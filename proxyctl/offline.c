/* Handing a command to the extension's program: see offline.h. */
#include "offline.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sibling.h"

int
offline_exec(const struct cli *cli, int argc, char **argv)
{
	static char offline[] = "--offline", json[] = "--json";
	char **args _cleanup_free_ = xcalloc((size_t)argc + 4, sizeof(args[0]));
	size_t n = 1;

	args[n++] = offline;
	args[n++] = argv[0];
	if (cli->json)
		args[n++] = json;
	memcpy(&args[n], &argv[1], (size_t)(argc - 1) * sizeof(args[0]));
	sibling_exec("bulkhead-extension", args);
	return CTL_NO;
}
