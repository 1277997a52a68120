/*
 * SwarmKit's Watch: every change of tasks, services, networks and nodes, at
 * once, from the manager's control socket (gRPC over HTTP/2 over TLS).  An
 * internal interface of the engine, and the fast path only: whoever uses it
 * lists through the Engine API as well, checks what Watch says against that,
 * and polls while Watch is down.  The reader's alone (make lint checks).
 *
 * It connects again by itself, with back-off, and goes on where it was; what
 * comes is read at once, because the engine queues without limit for a slow
 * client.  Silence is not judged here: an idle Swarm says nothing for hours,
 * and pings are not welcome.  See docker_watch_reopen().
 */
#ifndef DOCKER_WATCH_H
#define DOCKER_WATCH_H

#include "base/error.h"
#include "config/config.h"
#include "docker/watch_message.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct docker_watch;

/*
 * Called from the loop, never from inside a call of this header.  Any call
 * of this header may be made from them.
 */
struct docker_watch_handlers {
	/*
	 * The engine confirmed the watch: from here on changes are told,
	 * where it was resumed also those since the last stream's end.
	 */
	void (*on_up)(void *arg, bool resumed);
	/*
	 * Right after on_up that was not resumed: the stream does not go on
	 * exactly where the last one ended (the first stream; the engine's log
	 * does not reach back far enough): everything has to be listed.  'why'
	 * is a sentence.
	 */
	void (*on_gap)(void *arg, const char *why);
	/* One change.  Of one version several times, or late, is possible. */
	watch_event_fn *on_event;
	/* All changes of one transaction were told.  NULL: nobody asks. */
	void (*on_end)(void *arg);
	/*
	 * The stream ended, or a try to open it failed ('was_up' says which);
	 * the next try follows in 'retry_ms'.  ENOENT and ECONNREFUSED: no
	 * manager here.
	 */
	void (*on_down)(
	    void *arg, const struct error *e, bool was_up, uint64_t retry_ms);
};

/* Ever since docker_watch_new(). */
struct docker_watch_counts {
	uint64_t streams;  /* that stood */
	uint64_t messages; /* the start messages aside */
	uint64_t events;
	uint64_t skipped; /* well-formed, but of no kind that we know */
	uint64_t late;	  /* messages of a version that was told already */
	uint64_t gaps;
	uint64_t failures; /* streams and tries that ended in an error */
};

/*
 * The control socket to use, for free(): the path of 'watch', or for "auto"
 * docker/swarm/control.sock beside the Docker socket of 'url' (so
 * /var/run/docker/swarm/control.sock for the usual one).  NULL: none ("off",
 * or "auto" with a url that is no unix socket).
 */
char *docker_watch_socket(const struct daemon_config *c);

/*
 * Starts at once.  'kinds' is a mask of 1 << WATCH_TASK and so on; secrets and
 * configs come with their contents, so nobody should ask for them who does
 * not need those.  The socket need not be there yet; a path of over 107 bytes
 * never works, and says so by on_down.
 */
struct docker_watch *docker_watch_new(uv_loop_t *loop, const char *socket_path,
    unsigned kinds, const struct docker_watch_handlers *handlers, void *arg);
/* No handler is called any more.  NULL is allowed; 'closed' may be NULL. */
void docker_watch_close(
    struct docker_watch *w, void (*closed)(void *arg), void *arg);

/*
 * Ends the stream and opens a new one that starts afresh (on_gap follows):
 * the caller knows of changes that Watch did not tell.  on_down is called as
 * for any other end, with 'why'.  Does nothing while none stands.
 */
void docker_watch_reopen(struct docker_watch *w, const char *why);

bool docker_watch_is_up(const struct docker_watch *w);
/* The greatest version seen, 0 before the first. */
uint64_t docker_watch_last_version(const struct docker_watch *w);
struct docker_watch_counts docker_watch_counts(const struct docker_watch *w);

#endif
