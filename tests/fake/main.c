/* fakeswarm: a simulated Docker Swarm.  See sim.h for its parts. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/parse.h"
#include "sim_api.h"
#include "sim_control.h"
#include "sim_events.h"
#include "sim_load.h"
#include "sim_net.h"
#include "sim_node.h"
#include "sim_options.h"
#include "sim_orch.h"
#include "sim_store.h"
#include "sim_task.h"
#include "sim_vip.h"
#include "sim_watch.h"

struct app {
	struct sim sim;
	uv_signal_t term;
	uv_signal_t interrupt;
};

/* Every task has listeners of its own. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("descriptor limit stays as it is");
}

static int
listen_tcp(struct sim *s, struct error *e)
{
	const char *text = s->options.listen, *colon;
	char address[32];
	struct in_addr in;
	uint32_t port;

	if (text == NULL)
		return 0;
	colon = strrchr(text, ':');
	if (colon == NULL || (size_t)(colon - text) >= sizeof(address))
		return error_set(e, EINVAL, "--listen wants ADDRESS:PORT");
	memcpy(address, text, (size_t)(colon - text));
	address[colon - text] = '\0';
	if (inet_pton(AF_INET, address, &in) != 1 ||
	    parse_u32(colon + 1, strlen(colon + 1), 1, 65535, &port, NULL) != 0)
		return error_set(e, EINVAL, "--listen wants ADDRESS:PORT");
	if (ntohl(in.s_addr) >> 24 != 127)
		return error_set(e, EINVAL, "--listen: loopback only");
	s->tcp_server = sim_http_listen(&s->loop, NULL, ntohl(in.s_addr),
	    (uint16_t)port, sim_api_request, s, e);
	return s->tcp_server != NULL ? 0 : -1;
}

static int
start(struct sim *s, struct error *e)
{
	if (sim_watch_start(s, e) != 0 || sim_net_init(s, e) != 0)
		return -1;
	sim_node_init(s);
	if (sim_load_start(s, e) != 0 || listen_tcp(s, e) != 0)
		return -1;
	s->server = sim_http_listen(
	    &s->loop, s->options.socket, 0, 0, sim_api_request, s, e);
	return s->server != NULL ? 0 : -1;
}

/* Closes everything that holds the loop. */
static void
stop(struct app *a)
{
	struct sim *s = &a->sim;

	if (s->closing)
		return;
	s->closing = true;
	if (s->server != NULL)
		(void)unlink(s->options.socket);
	sim_events_cut(s);
	sim_watch_stop(s);
	sim_http_close(s->server);
	sim_http_close(s->tcp_server);
	sim_load_stop(s);
	while (s->lists[SIM_SERVICE].len > 0)
		sim_orch_remove_service(
		    (struct sim_service *)(void *)s->lists[SIM_SERVICE].at[0]);
	while (s->lists[SIM_TASK].len > 0)
		sim_task_remove(
		    (struct sim_task *)(void *)s->lists[SIM_TASK].at[0]);
	sim_vip_cut(s);
	uv_close((uv_handle_t *)&a->term, NULL);
	uv_close((uv_handle_t *)&a->interrupt, NULL);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	log_info("ends on signal %d", number);
	stop(handle->data);
}

int
main(int argc, char **argv)
{
	struct app a = { 0 };
	struct sim *s = &a.sim;
	struct error e;
	int rc;

	log_init("fakeswarm", NULL);
	rc = sim_options_parse(argc, argv, &s->options, &e);
	if (rc > 0)
		return 0;
	if (rc < 0) {
		(void)fprintf(stderr, "fakeswarm: %s\n", e.msg);
		return 64;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	must(uv_loop_init(&s->loop) == 0);
	must(uv_signal_init(&s->loop, &a.term) == 0);
	must(uv_signal_init(&s->loop, &a.interrupt) == 0);
	a.term.data = a.interrupt.data = &a;
	must(uv_signal_start(&a.term, on_signal, SIGTERM) == 0);
	must(uv_signal_start(&a.interrupt, on_signal, SIGINT) == 0);
	sim_store_init(s);
	sim_events_init(s);
	sim_control_init(s);
	rc = start(s, &e);
	if (rc != 0) {
		log_error("%s", e.msg);
		stop(&a);
	} else {
		log_info("serves %s", s->options.socket);
	}
	(void)uv_run(&s->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&s->loop) == 0);
	sim_watch_fini(s);
	sim_events_fini(s);
	sim_control_fini(s);
	sim_store_fini(s);
	sim_net_fini(s);
	return rc == 0 ? 0 : 1;
}
