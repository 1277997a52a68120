/*
 * Talks to the Engine API: version negotiation, lists that are cut and handed
 * over object by object, inspects, the event stream, writes.  The reader's
 * alone (make lint checks).
 */
#ifndef DOCKER_CLIENT_H
#define DOCKER_CLIENT_H

#include "base/error.h"
#include "base/histogram.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct docker_client;
struct docker_call;

/* Fails for a URL of another form and for files that cannot be read. */
struct docker_client *docker_client_new(uv_loop_t *loop,
    const struct daemon_config *c, struct error *e) _warn_unused_;
/*
 * Ends all calls ('done' with ECANCELED); nothing may be started any more.
 * NULL is allowed; 'closed' may be NULL.
 */
void docker_client_close(
    struct docker_client *d, void (*closed)(void *arg), void *arg);

/*
 * The API version in use ("1.41"), "" before the first answer.  Negotiated by
 * /version before the first call and again whenever an answer says that it
 * does not fit (that call is made once more then); where the configuration
 * sets one, that one.
 */
const char *docker_client_version(const struct docker_client *d);
/* How long each call but event streams and canceled ones took, so far. */
const struct histogram *docker_client_seconds(const struct docker_client *d);

typedef void docker_object_fn(void *arg, const char *json, size_t len);
/*
 * 'e' NULL: the whole answer arrived, well-formed, with a 2xx status.  Else
 * its message names the call and what the engine said; status 0: no answer.
 * Called once, from the loop; the call is gone afterwards.
 */
typedef void docker_done_fn(void *arg, long status, const struct error *e);
typedef void docker_body_fn(void *arg, long status, const char *body,
    size_t len, const struct error *e);

/*
 * GET of a list ("/services?filters=..."), without version prefix; each
 * object goes to 'on_object' while the answer arrives: nothing of it may be
 * applied before 'done' says that all came.  Objects over 4 MiB or too deeply
 * nested go to 'on_skipped' (may be NULL).  30 s for all, and 3 s more for
 * each MiB that came; 15 s without a byte of it end it.
 */
struct docker_call *docker_list(struct docker_client *d, const char *target,
    docker_object_fn *on_object, docker_object_fn *on_skipped,
    docker_done_fn *done, void *arg);
/*
 * Any method; 'body' may be NULL.  The answer's body whole, also beside an
 * error.  A 404 is status 404 with an 'e'.
 */
struct docker_call *
docker_request(struct docker_client *d, const char *method, const char *target,
    const char *body, size_t len, docker_body_fn *done, void *arg);
/*
 * The event stream: each line is one event object, of 1 MiB at most.
 * 'on_open' when the stream stands; 'done' when it ends, however (with an 'e'
 * also when the engine ended it in order).
 */
struct docker_call *docker_events(struct docker_client *d, const char *target,
    void (*on_open)(void *arg), docker_object_fn *on_event,
    docker_done_fn *done, void *arg);
/* 'done' follows, from the loop, with ECANCELED. */
void docker_call_cancel(struct docker_call *call);

#endif
