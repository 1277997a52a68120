/* The worker under the keeper: started, listened to, started again. */
#ifndef AGENT_WORKER_CHILD_H
#define AGENT_WORKER_CHILD_H

#include "link.h"
#include "options.h"
#include "sockets.h"

#include <uv.h>

struct worker_child;

struct worker_child_setup {
	uv_loop_t *loop;
	const struct agent_options *options;
	const struct sockets *sockets;
	int out_fd, err_fd; /* borrowed */
	/* A new worker runs: tell it how things are. */
	void (*on_start)(void *arg);
	void (*on_message)(void *arg, const struct link_message *m);
	/* It ended 'fails' times in a row before it was of use. */
	void (*on_trouble)(void *arg, unsigned fails);
	void *arg;
};

struct worker_child *worker_child_new(const struct worker_child_setup *setup);
void worker_child_send(struct worker_child *c, const struct link_message *m);
/* The link's end ends the worker; SIGKILL follows where it does not. */
void worker_child_close(
    struct worker_child *c, void (*closed)(void *arg), void *arg);

#endif
