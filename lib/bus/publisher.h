/*
 * The reader's side of the bus: per cluster one PUB and one REP socket that
 * dial the extension's.  Dials again by timers of the loop, never nng's; a
 * listener that is gone, stopped or deaf costs its own cluster only.
 */
#ifndef BUS_PUBLISHER_H
#define BUS_PUBLISHER_H

#include "bus/message.h"

#include <stdbool.h>
#include <uv.h>

struct publisher;

/*
 * A subscriber asks for everything: fill 'body' with the cluster's snapshot
 * document as of publisher_seq().
 */
typedef void
publisher_snapshot_fn(void *arg, struct publisher *p, struct str *body);

/* 'folder' is run_dir/bus/NAME; 'epoch' this reader's. Strings are copied. */
struct publisher *publisher_new(uv_loop_t *loop, const char *cluster,
    const char *folder, const char *epoch, publisher_snapshot_fn *on_ask,
    void *arg, struct error *e) _warn_unused_;
/*
 * The extension says what its proxies need ("need"): fill 'body' with the
 * gate's word ("gate").  Without a handler such questions are not answered.
 */
typedef void publisher_need_fn(void *arg, struct publisher *p, const char *need,
    size_t len, struct str *body);
void
publisher_on_need(struct publisher *p, publisher_need_fn *on_need, void *arg);
/* UPDATE, REMOVE or GATE with the next seq; never waits. */
void publisher_send(struct publisher *p, enum bus_type type, const char *body,
    size_t len, const struct bus_stamps *stamps);
uint64_t publisher_seq(const struct publisher *p);
/* Messages with a seq of their own sent so far. */
uint64_t publisher_sent(const struct publisher *p);
bool publisher_connected(const struct publisher *p);
void publisher_close(struct publisher *p, void (*closed)(void *arg), void *arg);

#endif
