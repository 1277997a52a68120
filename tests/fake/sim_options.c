/* The command line of fakeswarm; see sim_options.h. */
#include "sim_options.h"

#include <errno.h>
#include <getopt.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/version.h"
#include "sim_net.h"

static const char help[] =
    "usage: fakeswarm --socket PATH [option...]\n"
    "\n"
    "A simulated Docker Swarm: an Engine API on a unix socket, with services,\n"
    "tasks, networks, nodes, secrets, configs and events, and an orchestrator\n"
    "whose tasks really answer HTTP on loopback addresses.  Nothing is kept\n"
    "after it ends.\n"
    "\n"
    "  --socket PATH         where the API is served (required)\n"
    "  --listen ADDR:PORT    serve the API there too (loopback only)\n"
    "  --control-socket PATH serve SwarmKit's Watch there (default: nowhere)\n"
    "  --script FILE         objects at the start: {\"networks\":[...],\n"
    "                        \"secrets\":[...],\"configs\":[...],\"services\":"
    "[...]},\n"
    "                        each as it would be posted to the API\n"
    "  --nodes N             how many nodes there are (1)\n"
    "  --services N          make N services load-0, load-1 ... at the start\n"
    "  --tasks N             and N tasks over all of them (one each)\n"
    "  --clusters N          spread them over service clusters c0 ... (none)\n"
    "  --churn N/s           N changes a second: a task fails, a label "
    "changes\n"
    "  --seed N              same seed, same IDs and the same churn\n"
    "  --task-delay D        from a task's creation until it runs (300ms)\n"
    "  --stop-lead D         from desired state shutdown to the stop signal "
    "(3s)\n"
    "  --restart-delay D     before a failed task's successor runs (5s)\n"
    "  --health-delay D      until a task with a health check is healthy (1s)\n"
    "  --monitor D           how long an update is watched at its end (5s)\n"
    "  --pool A.B.C.D/N      what networks are cut from (first free\n"
    "                        127.N.0.0/16, from 127.64.0.0)\n"
    "  --subnet-size N       prefix length of each network (24)\n"
    "  --no-serve            tasks and virtual addresses do not answer; the\n"
    "                        pool is 10.0.0.0/8\n"
    "  --api-version 1.N     newest API version spoken (1.41)\n"
    "  --api-min 1.N         oldest API version spoken (1.12)\n"
    "  --log-level L         error, warn, info or debug (info)\n"
    "  --help, --version\n"
    "\n"
    "Durations: 300ms, 3s, 1m.  The spec of a service (RestartPolicy, "
    "UpdateConfig,\n"
    "Healthcheck, StopGracePeriod) goes before the options.\n"
    "\n"
    "Tasks listen on the ports in environment SIM_PORTS, else in label\n"
    "sim.ports, else in label com.docker.lb.port, else on 8080, and answer "
    "JSON:\n"
    "who they are and what was asked.  Paths: /status/503, /slow/250 (ms),\n"
    "/bytes/1000, /cookie/NAME, /die.  Environment VERSION is their version;\n"
    "SIM_STOP=exit, drain or ignore is what they do when they are stopped;\n"
    "DIE_AFTER_MS=N lets them fail after that long.\n"
    "\n"
    "examples:\n"
    "  fakeswarm --socket /tmp/swarm.sock &\n"
    "  curl --unix-socket /tmp/swarm.sock http://d/v1.41/networks/create \\\n"
    "      -d '{\"Name\":\"front\",\"Driver\":\"overlay\"}'\n"
    "  curl --unix-socket /tmp/swarm.sock http://d/v1.41/services/create \\\n"
    "      -d '{\"Name\":\"web\",\"Labels\":{\"com.docker.lb.hosts\":"
    "\"web.example\",\n"
    "           \"com.docker.lb.port\":\"8080\"},\n"
    "           \"TaskTemplate\":{\"ContainerSpec\":{\"Image\":\"web:1\"},\n"
    "           \"Networks\":[{\"Target\":\"front\"}]}}'\n"
    "  docker -H unix:///tmp/swarm.sock service ls\n"
    "  curl --unix-socket /tmp/swarm.sock -d '' "
    "http://d/_sim/tasks/ID/fail\n"
    "  fakeswarm --socket /tmp/load.sock --no-serve --services 1000 \\\n"
    "      --tasks 10000 --churn 100/s\n"
    "\n"
    "The simulator's own calls: GET /_sim/state, GET and DELETE /_sim/stats,\n"
    "POST /_sim/tasks/ID/fail or /exit, POST /_sim/nodes/ID/down or /up,\n"
    "POST and DELETE /_sim/objects/KIND, POST and DELETE /_sim/faults,\n"
    "POST /_sim/events/pause, /resume, /cut or /emit, GET /_sim/watch,\n"
    "POST /_sim/watch/cut, /end, /silent, /duplicate, /disorder, /compact,\n"
    "/refuse, /hang, /emit, /away (no socket), and /normal that ends them.\n";

enum {
	O_SOCKET = 256,
	O_LISTEN,
	O_CONTROL_SOCKET,
	O_SCRIPT,
	O_NODES,
	O_SERVICES,
	O_TASKS,
	O_CLUSTERS,
	O_CHURN,
	O_SEED,
	O_TASK_DELAY,
	O_STOP_LEAD,
	O_RESTART_DELAY,
	O_HEALTH_DELAY,
	O_MONITOR,
	O_POOL,
	O_SUBNET_SIZE,
	O_NO_SERVE,
	O_API_VERSION,
	O_API_MIN,
	O_LOG_LEVEL,
	O_HELP,
	O_VERSION,
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, O_SOCKET },
	{ "listen", required_argument, NULL, O_LISTEN },
	{ "control-socket", required_argument, NULL, O_CONTROL_SOCKET },
	{ "script", required_argument, NULL, O_SCRIPT },
	{ "nodes", required_argument, NULL, O_NODES },
	{ "services", required_argument, NULL, O_SERVICES },
	{ "tasks", required_argument, NULL, O_TASKS },
	{ "clusters", required_argument, NULL, O_CLUSTERS },
	{ "churn", required_argument, NULL, O_CHURN },
	{ "seed", required_argument, NULL, O_SEED },
	{ "task-delay", required_argument, NULL, O_TASK_DELAY },
	{ "stop-lead", required_argument, NULL, O_STOP_LEAD },
	{ "restart-delay", required_argument, NULL, O_RESTART_DELAY },
	{ "health-delay", required_argument, NULL, O_HEALTH_DELAY },
	{ "monitor", required_argument, NULL, O_MONITOR },
	{ "pool", required_argument, NULL, O_POOL },
	{ "subnet-size", required_argument, NULL, O_SUBNET_SIZE },
	{ "no-serve", no_argument, NULL, O_NO_SERVE },
	{ "api-version", required_argument, NULL, O_API_VERSION },
	{ "api-min", required_argument, NULL, O_API_MIN },
	{ "log-level", required_argument, NULL, O_LOG_LEVEL },
	{ "help", no_argument, NULL, O_HELP },
	{ "version", no_argument, NULL, O_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int
number(const char *text, size_t len, uint32_t min, uint32_t max, uint32_t *ret,
    struct error *e)
{
	return parse_u32(text, len, min, max, ret, e);
}

static int
duration(const char *text, uint64_t *ret, struct error *e)
{
	return parse_duration_ms(
	    text, strlen(text), (uint64_t)86400 * 1000, ret, e);
}

static int
api_minor(const char *text, uint32_t *ret, struct error *e)
{
	if (strncmp(text, "1.", 2) != 0)
		return error_set(e, EINVAL, "API versions are written 1.N");
	return number(text + 2, strlen(text + 2), 1, 999, ret, e);
}

static int
churn(const char *text, uint32_t *ret, struct error *e)
{
	size_t len = strlen(text);

	if (len > 2 && strcmp(text + len - 2, "/s") == 0)
		len -= 2;
	return number(text, len, 0, 1000, ret, e);
}

static int
log_level(const char *text, struct error *e)
{
	int level = log_level_parse(text);

	if (level < 0)
		return error_set(e, EINVAL, "no such level");
	log_set_level((enum log_level)level);
	return 0;
}

static int
take(int option, struct sim_options *o, struct error *e)
{
	size_t len = optarg != NULL ? strlen(optarg) : 0;
	uint32_t n;

	switch (option) {
	case O_SOCKET:
		o->socket = optarg;
		return 0;
	case O_LISTEN:
		o->listen = optarg;
		return 0;
	case O_CONTROL_SOCKET:
		o->control_socket = optarg;
		return 0;
	case O_SCRIPT:
		o->script = optarg;
		return 0;
	case O_NODES:
		return number(optarg, len, 1, 200, &o->nodes, e);
	case O_SERVICES:
		return number(optarg, len, 0, 100000, &o->services, e);
	case O_TASKS:
		return number(optarg, len, 0, 1000000, &o->tasks, e);
	case O_CLUSTERS:
		return number(optarg, len, 0, 10000, &o->clusters, e);
	case O_CHURN:
		return churn(optarg, &o->churn_per_s, e);
	case O_SEED:
		if (number(optarg, len, 1, UINT32_MAX, &n, e) != 0)
			return -1;
		o->seed = n;
		return 0;
	case O_TASK_DELAY:
		return duration(optarg, &o->task_delay_ms, e);
	case O_STOP_LEAD:
		return duration(optarg, &o->stop_lead_ms, e);
	case O_RESTART_DELAY:
		return duration(optarg, &o->restart_delay_ms, e);
	case O_HEALTH_DELAY:
		return duration(optarg, &o->health_delay_ms, e);
	case O_MONITOR:
		return duration(optarg, &o->monitor_ms, e);
	case O_POOL:
		return sim_net_parse(optarg, &o->pool, &o->pool_prefix, e);
	case O_SUBNET_SIZE:
		if (number(optarg, len, 8, 29, &n, e) != 0)
			return -1;
		o->subnet_prefix = n;
		return 0;
	case O_NO_SERVE:
		o->no_serve = true;
		return 0;
	case O_API_VERSION:
		return api_minor(optarg, &o->api_minor, e);
	case O_API_MIN:
		return api_minor(optarg, &o->api_min_minor, e);
	case O_LOG_LEVEL:
		return log_level(optarg, e);
	default:
		return error_set(e, EINVAL, "unknown option");
	}
}

int
sim_options_parse(
    int argc, char **argv, struct sim_options *ret, struct error *e)
{
	struct sim_options o = {
		.nodes = 1,
		.task_delay_ms = 300,
		.stop_lead_ms = 3000,
		.restart_delay_ms = 5000,
		.health_delay_ms = 1000,
		.monitor_ms = 5000,
		.subnet_prefix = 24,
		.api_minor = 41,
		.api_min_minor = 12,
	};
	int option, index = -1;

	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (option == O_HELP) {
			(void)fputs(help, stdout);
			return 1;
		}
		if (option == O_VERSION) {
			(void)puts("fakeswarm " BULKHEAD_VERSION);
			return 1;
		}
		if (option == '?')
			return error_set(e, EINVAL, "see fakeswarm --help");
		if (take(option, &o, e) != 0)
			return error_wrap(e, "--%s", options[index].name);
	}
	if (optind < argc)
		return error_set(e, EINVAL,
		    "unexpected argument %s; see "
		    "fakeswarm --help",
		    argv[optind]);
	if (o.socket == NULL)
		return error_set(e, EINVAL, "--socket is required");
	if (o.services > 0 && o.tasks == 0)
		o.tasks = o.services;
	if (o.pool_prefix != 0 && o.subnet_prefix <= o.pool_prefix)
		return error_set(
		    e, EINVAL, "--subnet-size must be longer than the pool's");
	*ret = o;
	return 0;
}
