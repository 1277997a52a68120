/* The live extension's object, shared by live.c and live_answers.c. */
#ifndef EXTENSION_LIVE_OBJECT_H
#define EXTENSION_LIVE_OBJECT_H

#include "bus/subscriber.h"
#include "config/config.h"
#include "control.h"
#include "histogram.h"
#include "live.h"
#include "loop/child_abi.h"
#include "model/model.h"
#include "proxies.h"
#include "routing.h"
#include "state.h"

#include <uv.h>

struct path_figures {
	struct histogram apply;	      /* an agent's, manifest to settled */
	struct histogram convergence; /* Docker's commit to all proxies */
};

struct live {
	uv_loop_t loop;
	const struct live_options *options;
	struct cluster_config *config;
	struct child_link *link;
	struct subscriber *subscriber;
	struct control *control; /* NULL with driver = none */
	struct state *state;
	struct proxies proxies;

	struct model *model;
	bool whole; /* a snapshot has come: what we have is all there is */
	bool heard; /* the reader is heard */
	/* Of the model as it is; NULL: to be built when it is wanted. */
	struct routing *routing;

	uv_timer_t apply;	  /* the next rendering */
	uint64_t applied_ms;	  /* when the last one was */
	struct bus_stamps stamps; /* of the oldest change not yet rendered */
	uint64_t received_us;

	uv_timer_t push;    /* the next status line */
	uint64_t pushed_ms; /* when the last one was */
	uv_timer_t store;   /* the next write of the state */
	uv_timer_t tick;
	uv_signal_t sigterm, sigint;

	struct path_figures figures[2]; /* endpoints, structure */
	uint64_t converged;		/* the last generation that all serve */
	char structure[SHA256_HEX_SIZE]; /* hash without addresses */
	bool stopping;
	int exit_code;
};

/*
 * The routing in force; NULL before the first snapshot.  A change that still
 * waits to be gathered is rendered now: what is told is what is delivered.
 */
const struct routing *live_routing(struct live *l);

/* Answers to fd 3's queries (docs/internals.md). */
void live_answer(struct live *l, struct child_query *q, const char *what,
    const char *args, size_t args_len);
/* The status line. */
void live_status(struct live *l, struct str *out);
/* An event line for those who follow; 'text' is one sentence. */
void live_event(struct live *l, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
