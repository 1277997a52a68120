/*
 * Task changes by push: what SwarmKit's Watch tells goes into the swarm at
 * once, or makes the sources look.  Push is in force while the stream stands,
 * everything was listed since, and nothing came to light that it should have
 * told; polling rests so long.
 *
 * The stream is judged by what it says: what a list or the event stream shows
 * and Watch does not within 2 s counts against it.  Once, and tasks are
 * polled until it speaks again; three times, and it is opened afresh.
 */
#ifndef SUPERVISOR_READER_PUSH_H
#define SUPERVISOR_READER_PUSH_H

#include "base/str.h"
#include "config/config.h"
#include "reader_sources.h"
#include "reader_swarm.h"

#include <uv.h>

struct push;

struct push_handlers {
	/* The swarm was changed, as sources_handlers.on_changes. */
	void (*on_changes)(
	    void *arg, struct swarm_changes *changes, uint64_t read_us);
	/* In force, or not any more. */
	void (*on_state)(void *arg);
};

/* Borrows 'swarm' and 'sources'.  NULL where there is no socket to watch. */
struct push *
push_new(uv_loop_t *loop, struct swarm *swarm, struct sources *sources,
    const struct daemon_config *c, const struct push_handlers *h, void *arg);
/* All of these allow NULL. */
bool push_in_force(const struct push *p);
/* All tasks were listed; the look began at 'began_ms'. */
void push_listed(
    struct push *p, const struct swarm_changes *changes, uint64_t began_ms);
/* The event stream told of this service. */
void push_heard(struct push *p, const char *service_id);
/* How many changes Watch told. */
uint64_t push_events(const struct push *p);
/* Before the sources are closed. */
void push_close(struct push *p);

#endif
