/*
 * Where the reader looks: the Engine's event stream, whole lists, single
 * objects, and the tasks, which no event tells (reader_looks.h).
 *
 * Whole lists of a large Swarm take seconds.  On their timers they take at
 * most a tenth of the time (resync) and a twentieth (polling), whatever the
 * intervals say; in between only services in motion are polled.
 *
 * The event stream is opened first, then everything is listed.  SwarmKit's
 * Watch (reader_push.h) is one more that says what is dirty.
 */
#ifndef SUPERVISOR_READER_SOURCES_H
#define SUPERVISOR_READER_SOURCES_H

#include "base/error.h"
#include "base/str.h"
#include "config/config.h"
#include "docker/client.h"
#include "reader_swarm.h"

#include <uv.h>

struct sources;

struct sources_handlers {
	/* The swarm was changed; 'read_us' is when it was read.  The callee may
	 * take from 'changes'. */
	void (*on_changes)(
	    void *arg, struct swarm_changes *changes, uint64_t read_us);
	/* Part of the first lists was taken: see looks_handlers. */
	void (*on_part)(void *arg, const struct swarm_changes *changes);
	/* Connected, or not any more; see sources_json(). */
	void (*on_state)(void *arg);
	/* Everything was listed: what no event told may have changed too. */
	void (*on_resynced)(void *arg);
	/* All tasks were listed, by a look that began at 'began_ms'. */
	void (*on_listed)(
	    void *arg, const struct swarm_changes *changes, uint64_t began_ms);
	/* The event stream told of a config; 'removed': that it is gone. */
	void (*on_config)(void *arg, const char *id, bool removed);
	/* The event stream told of a service. */
	void (*on_heard)(void *arg, const char *service_id);
};

/* Borrows 'docker' and 'swarm'. */
struct sources *
sources_new(uv_loop_t *loop, struct docker_client *docker, struct swarm *swarm,
    const struct daemon_config *c, const struct sources_handlers *h, void *arg);
/* A service of this ID may have changed (or gone). */
void sources_dirty(struct sources *s, const char *service_id);
/* Its tasks may have changed, and nothing else of it. */
void sources_tasks_dirty(struct sources *s, const char *service_id);
/* Whether an answer may be on its way that makes this service known. */
bool sources_awaits(const struct sources *s, const char *service_id);
/* ... or one that tells its tasks. */
bool sources_awaits_tasks(const struct sources *s, const char *service_id);
/* Lists everything, soon. */
void sources_resync(struct sources *s);
/* The same, where lists are slow only some time after the last one. */
void sources_resync_in_time(struct sources *s);
/* Task changes are pushed: polling rests until they are not any more. */
void sources_pushed(struct sources *s, bool pushed);
/* {"connected":BOOL,"api_version":"1.41","error":TEXT|null} */
void sources_docker_json(const struct sources *s, struct str *out);
/* {"service":N,...}: what made it look, by source; "watch" is 'watch'. */
void
sources_events_json(const struct sources *s, uint64_t watch, struct str *out);
/*
 * Looks no more.  'closed' comes when its last call has ended: the owner
 * closes the client now, which ends them.
 */
void sources_close(struct sources *s, void (*closed)(void *arg), void *arg);

#endif
