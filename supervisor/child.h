/*
 * One supervised child: the state machine alone.  What touches the system is
 * behind struct child_ops, so that tests bring a system and a clock of their
 * own; supervisor/process.c brings the real ones.
 *
 *	DOWN -> STARTING -> READY -> STOPPING -> DOWN
 *	           |          |
 *	           +-> BACKOFF <-+   (ended; tried again after a delay)
 *	           +-> BROKEN        (exit 78; waits for a new configuration)
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include "base/backoff.h"
#include "base/error.h"
#include "cpu_share.h"

#include <stdbool.h>
#include <stdint.h>

#define CHILD_STATES(X)                                                        \
	X(DOWN, "down")                                                        \
	X(STARTING, "starting")                                                \
	X(READY, "ready")                                                      \
	X(STOPPING, "stopping")                                                \
	X(BACKOFF, "backoff")                                                  \
	X(BROKEN, "broken")
#define X(id, name) CHILD_##id,
enum child_state { CHILD_STATES(X) };
#undef X
const char *child_state_name(enum child_state s);

/* Figures of reliability.md 1 and 4, milliseconds. */
#define CHILD_READY_TIMEOUT_MS 10000
#define CHILD_PING_MS 1000
#define CHILD_PINGS_MISSED 4
#define CHILD_LATE_MS 100
#define CHILD_STOP_TIMEOUT_MS 3000
#define CHILD_GOOD_MS 5000
#define CHILD_BACKOFF_MIN_MS 100
#define CHILD_BACKOFF_MAX_MS 30000

struct child;

struct child_ops {
	/* Starts the process; gives its pid. */
	int (*spawn)(struct child *c, int *ret_pid, struct error *e);
	void (*kill)(struct child *c, int signo);
	/* Sends {"type":"ping","id":id}. */
	void (*ping)(struct child *c, uint64_t id);
	uint64_t (*now_ms)(struct child *c);
	/* One timer per child: child_on_timer() after 'ms'; 0 stops it. */
	void (*after)(struct child *c, uint64_t ms);
	/* After each change of state. */
	void (*changed)(struct child *c);
	/* cpu_share_read() of the process; -1: not known. */
	int (*cpu)(struct child *c, struct cpu_share *ret);
};

struct child {
	const struct child_ops *ops;
	const char *name; /* borrowed: "reader", "extension blue" */
	enum child_state state;
	int pid; /* 0: none */
	struct backoff backoff;
	uint64_t started_ms;
	uint64_t ready_ms;
	uint64_t ping_id;  /* the last one sent */
	uint64_t pong_id;  /* the last one answered */
	uint64_t timer_ms; /* when the timer was set */
	uint64_t delay_ms; /* to so much */
	bool looking;	   /* it was late: see late() */
	/* Since 'timer_ms', where 'cpu_known'. */
	struct cpu_share cpu;
	bool cpu_known;
	uint64_t silent_ms; /* in which it could have answered, or got ready */
	bool again;	    /* start anew once it is down */
	const char *killed_for; /* why we killed it, for the obituary */
	uint64_t restarts; /* starts after the first that nobody asked for */
};

void child_init(struct child *c, const char *name, const struct child_ops *ops);
/* From DOWN, BACKOFF or BROKEN; otherwise nothing. */
void child_start(struct child *c);
/* SIGTERM, after a while SIGKILL; ends in DOWN. */
void child_stop(struct child *c);
/* Stop and start again: the configuration of this child has changed. */
void child_restart(struct child *c);

/* What the system tells. */
void child_on_ready(struct child *c);
void child_on_pong(struct child *c, uint64_t id);
void child_on_timer(struct child *c);
/* fd 3 was closed or garbled while the process still lives. */
void child_on_lost(struct child *c);
void child_on_exit(struct child *c, int64_t status, int signo);

#endif
