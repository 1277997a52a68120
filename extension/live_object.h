/* The live extension's object, shared by live.c and live_answers.c. */
#ifndef EXTENSION_LIVE_OBJECT_H
#define EXTENSION_LIVE_OBJECT_H

#include "aside.h"
#include "base/histogram.h"
#include "blame.h"
#include "bus/subscriber.h"
#include "config/config.h"
#include "control.h"
#include "holds.h"
#include "live.h"
#include "live_pin.h"
#include "live_secrets.h"
#include "loop/child_abi.h"
#include "model/model.h"
#include "odd.h"
#include "proxies.h"
#include "render.h"
#include "router.h"
#include "routing.h"
#include "served.h"
#include "state.h"
#include "trial.h"
#include "worknote.h"

#include <uv.h>

struct path_figures {
	struct histogram apply;	      /* an agent's, manifest to settled */
	struct histogram convergence; /* Docker's commit to all proxies */
};

/* Finding out whom an engine refuses: live_blame.c. */
struct live_blame {
	struct blame b;
	bool active;
	bool retry;	  /* whether those set aside are still refused */
	bool everybody;	  /* all services are suspects */
	char *proxy;	  /* whose engine is asked */
	struct map later; /* services that changed since the start: left out */
	bool held;	  /* a rendering waits for the end */
	bool redo;	  /* the candidate under test is void */
	uint64_t quiet_until_ms; /* no new attempt before */
	uint64_t retry_ms;	 /* when the next retry is due */
	uint64_t retry_delay_ms;
	uv_timer_t deadline;
};

/* Trying in a child what ended us twice: live_careful.c. */
struct live_careful {
	bool on;
	bool started;
	struct blame b;
	struct trial *trial;
	uv_timer_t again;
};

/* The gate's word about our proxies: live_gate.c. */
struct live_gate {
	bool heard;
	bool known;	   /* there are proxies, and it is known of them: */
	struct map joined; /* IDs of the networks that all are on */
	char *words;	   /* what hinders them, or NULL */
	char *need;	   /* what was told last */
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
	struct live_secrets secrets;

	struct model *model;
	struct odd odd;
	bool whole; /* a snapshot has come: what we have is all there is */
	bool heard; /* the reader is heard */
	struct router *router;
	struct renderer *renderer;
	/* Of the model as it is; NULL: to be built when it is wanted. */
	const struct routing *routing;
	bool renew;	    /* the next routing is built from nothing */
	struct aside aside; /* the routing borrows from it */
	bool aside_changed; /* not on disk yet */
	struct holds holds;
	struct served served;
	struct live_blame blame;
	struct live_careful careful;
	struct live_gate gate;
	struct live_pin pin;
	struct worknote *note;

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
	uint64_t pending_us; /* the oldest change they do not; 0: none */
	bool stopping;
	int exit_code;
};

/*
 * The routing in force; NULL before the first snapshot.  A change that still
 * waits to be gathered is rendered now: what is told is what is delivered.
 */
const struct routing *live_routing(struct live *l);
/* The routing of the model as it is now; NULL before the first snapshot. */
const struct routing *live_build(struct live *l);

/* The routing is to be built from nothing: what it borrows may go. */
void live_forget(struct live *l);
/* A message's objects into the model; what they touch is built anew. */
int live_take_objects(struct live *l, const struct bus_message *msg,
    struct error *e) _warn_unused_;
int live_take_removal(struct live *l, const struct bus_message *msg,
    struct error *e) _warn_unused_;
/* What was rendered last is delivered. */
void live_served(struct live *l);
/* NULL: logged already. */
struct rendered *live_render(struct live *l, const struct routing *r);
/* The same with other settings. */
struct rendered *
live_render_as(const struct cluster_config *config, const struct routing *r);
/* live_store.c: what outlives us. */
void live_store_open(struct live *l);
int live_store(struct live *l, bool whole, struct error *e) _warn_unused_;
void live_store_soon(struct live *l);
void live_aside_changed(struct live *l);
/* holds_learn() of the routing as it is. */
bool live_holds_learn(struct live *l);
/* The model changed, or who is set aside: rendered soon. */
void live_changed(struct live *l);

/* live_blame.c: what an engine refuses is traced to services. */
void live_blame_open(struct live *l);
void live_blame_close(struct live *l);
void live_blame_free(struct live *l);
void live_blame_report(struct live *l, const struct proxy *p);
void live_blame_check(struct live *l, const struct proxy_check *check);
void live_blame_tick(struct live *l, uint64_t now_ms);
/* True: no rendering now, one follows. */
bool live_blame_holds(struct live *l);
/* 's' is about to replace the service of its ID. */
void live_blame_replaced(struct live *l, const struct service *s);
/* ... and all of them are in the model. */
void live_blame_changed(struct live *l);
/* Everything is replaced. */
void live_blame_abort(struct live *l);

/*
 * live_gate.c, for driver = swarm.  Tells the gate what 'r' needs; false:
 * nothing is delivered before its first word is heard, which renders.
 */
bool live_gate_ready(struct live *l, const struct routing *r);
void live_gate_options(const struct live *l, struct routing_options *o);
/* The gate's word came. */
void live_gate_take(struct live *l, const char *body, size_t len);
void live_gate_fini(struct live *l);

/* live_fence.c: before the first thread. */
void live_fence(const struct live *l);

/* live_careful.c */
void live_careful_open(struct live *l);
void live_careful_close(struct live *l);
/* True: nothing may be built from the model yet. */
bool live_careful_holds(struct live *l);

/* Answers to fd 3's queries (docs/internals.md). */
void live_answer(struct live *l, struct child_query *q, const char *what,
    const char *args, size_t args_len);
/* The status line. */
void live_status(struct live *l, struct str *out);
/* An event line for those who follow; 'text' is one sentence. */
void live_event(struct live *l, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
