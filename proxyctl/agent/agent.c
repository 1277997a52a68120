/* Entry of "proxyctl agent": see agent.h. */
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "become.h"
#include "keeper.h"
#include "loop/child_abi.h"
#include "options.h"
#include "sockets.h"
#include "worker.h"

#define EXIT_WRONG_USAGE 2

static int
refuse(const struct error *e, int code)
{
	log_error("%s", e->msg);
	return code;
}

static int
run_keeper(struct agent_options *o)
{
	struct sockets sockets;
	struct error e;
	int lock, code;

	/* Before any library has descriptors of its own. */
	(void)close_range(3, ~0U, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sockets_parse(&sockets, o, &e) != 0)
		return refuse(&e, EXIT_WRONG_USAGE);
	become_modest();
	lock = become_holder(o, &e);
	if (lock < 0)
		return refuse(&e, 1);
	code = keeper_main(o, &sockets);
	(void)close(lock);
	return code;
}

int
agent_main(int argc, char **argv)
{
	struct agent_options o;
	struct error e;

	if (agent_options_parse(&o, argc, argv, &e) != 0) {
		(void)fprintf(stderr,
		    "proxyctl agent: %s\nTry: proxyctl agent --help\n", e.msg);
		return EXIT_WRONG_USAGE;
	}
	log_init(o.worker ? "agent-worker" : "agent", o.cluster);
	log_set_json(o.log_json);
	if (o.log_level != NULL)
		log_set_level((enum log_level)log_level_parse(o.log_level));
	if (agent_options_resolve(&o, &e) != 0)
		return refuse(&e, EXIT_BAD_CONFIG);
	return o.worker ? worker_main(&o) : run_keeper(&o);
}
