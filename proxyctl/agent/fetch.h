/* The worker's side of the control API: long poll, blobs, reports. */
#ifndef AGENT_FETCH_H
#define AGENT_FETCH_H

#include "base/error.h"
#include "base/str.h"
#include "folder.h"
#include "manifest.h"
#include "options.h"

#include <stdbool.h>
#include <uv.h>

struct fetch;

enum fetch_poll {
	FETCH_NOTHING,
	FETCH_MANIFEST,
	FETCH_WANTS_PIN, /* the document of the pin that was told */
	FETCH_ERROR,
};

/* 'm' is the callee's; 'e' tells why there is none with FETCH_ERROR. */
typedef void fetch_poll_fn(
    void *arg, enum fetch_poll what, struct manifest *m, const struct error *e);
/* All blobs are there ('e' NULL), or not. */
typedef void fetch_blobs_fn(void *arg, const struct error *e);
/* 'e' NULL: the report arrived. */
typedef void fetch_report_fn(void *arg, const struct error *e);

/* The token of --token-file, "" without one. */
int fetch_read_token(const struct agent_options *o, struct str *ret,
    struct error *e) _warn_unused_;
struct fetch *fetch_new(uv_loop_t *loop, const struct agent_options *o,
    struct error *e) _warn_unused_;
/*
 * The same with a peer, another proxy of the group, at 'url': it answers at
 * once, and its certificate may be anybody's of the same authority.
 */
struct fetch *fetch_peer_new(uv_loop_t *loop, const struct agent_options *o,
    const char *url, struct error *e) _warn_unused_;
/*
 * Waits up to 25 s for something else than 'have' ("": nothing yet).  '*base',
 * looked at again when the answer comes, is in force here: its files need not
 * be told again.  'pin' is the last that was said of a rollback.  Both are
 * NULL where a peer is asked.
 */
void fetch_poll_start(struct fetch *f, const char *have,
    const struct manifest *const *base, const struct manifest_pin *pin,
    fetch_poll_fn *done, void *arg);
/* What was asked for with FETCH_WANTS_PIN. */
void fetch_send_pin(struct fetch *f, const char *json, size_t len,
    fetch_report_fn *done, void *arg);
/* The callback is not called any more. */
void fetch_poll_cancel(struct fetch *f);
/* Gets what 'folder' lacks of 'm', several at a time. */
void fetch_blobs_start(struct fetch *f, struct folder *folder,
    struct manifest *m, fetch_blobs_fn *done, void *arg);
/* Of an attempt, or of a check. */
void fetch_report(struct fetch *f, bool check, const char *json, size_t len,
    fetch_report_fn *done, void *arg);
/* NULL is allowed. */
void fetch_close(struct fetch *f, void (*closed)(void *arg), void *arg);

#endif
