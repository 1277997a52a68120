/*
 * proxyctl healthcheck: for the HEALTHCHECK of a proxy's image, which has no
 * other client in it.
 */
#include <stdio.h>

#include "base/mem.h"
#include "commands.h"
#include "ctl_client.h"

int
cmd_healthcheck(const struct cli *cli, int argc, char **argv)
{
	char *socket _cleanup_free_ = xasprintf("%s/internal.sock", argv[1]);
	struct ctl_answer answer = { 0 };
	struct error e;
	int code = CTL_NO;

	(void)cli;
	(void)argc;
	if (ctl_ask(socket, "GET", "/", NULL, &answer, &e) != 0)
		printf("the engine does not answer on %s\n", socket);
	else if (answer.status != 200)
		printf("the engine answers %ld on %s\n", answer.status, socket);
	else
		code = CTL_OK;
	ctl_answer_fini(&answer);
	return code;
}
