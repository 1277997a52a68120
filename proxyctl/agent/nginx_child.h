/*
 * The nginx master, as the keeper sees it: started with the sockets, watched,
 * started again when it ends by itself, or adopted from an earlier keeper.
 * Leaves the configuration to the worker.
 */
#ifndef AGENT_NGINX_CHILD_H
#define AGENT_NGINX_CHILD_H

#include "base/error.h"
#include "options.h"
#include "sockets.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct nginx_child;

struct nginx_child_setup {
	uv_loop_t *loop;
	const struct agent_options *options;
	struct sockets *sockets;
	int out_fd, err_fd; /* borrowed */
	/* Something that nginx_child_status() tells has changed. */
	void (*on_change)(void *arg);
	/* After nginx_child_stop(): no master is left. */
	void (*on_stopped)(void *arg);
	void *arg;
};

struct nginx_child_status {
	int pid; /* 0: none */
	bool up; /* a worker of this master accepts */
	unsigned fails;
	uint64_t reloads;
};

struct nginx_child *nginx_child_new(const struct nginx_child_setup *setup);
/*
 * Looks for an nginx that an earlier keeper left in our folder, and takes its
 * listening sockets.  True when a master runs: it is ours from here on.
 */
bool nginx_child_adopt(struct nginx_child *n);
/* From here on a master runs, whatever happens to it. */
void nginx_child_start(struct nginx_child *n);
/* Takes what an adopted nginx has bound by itself since; to call at times. */
void nginx_child_take_sockets(struct nginx_child *n);
/* Sends SIGHUP; -1 when no master is up. */
int nginx_child_reload(struct nginx_child *n, struct error *e) _warn_unused_;
/* Stops starting it, sends 'signal_number' to all that is left of it. */
void nginx_child_stop(struct nginx_child *n, int signal_number);
void
nginx_child_status(const struct nginx_child *n, struct nginx_child_status *ret);
void
nginx_child_close(struct nginx_child *n, void (*closed)(void *arg), void *arg);

#endif
