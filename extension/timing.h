/*
 * How long a change took, stage by stage, for people to read.  All stamps are
 * of wall clocks, the Engine's, ours and no agent's; nothing is decided by
 * them.  Pure.
 */
#ifndef EXTENSION_TIMING_H
#define EXTENSION_TIMING_H

#include "base/str.h"
#include "proxies.h"
#include "state.h"

#include <stdint.h>

/* When the change began, us: the Engine's time or, unknown, ours; or 0. */
uint64_t timing_from(const struct state_change *c);

/*
 * " (ms: read N, sent N, bus N, rendered N, told N, fetched N, checked N,
 * served N)": each stage's own time; those that nobody told are left out.
 * 'news' is the report of the last proxy, which came at 'now_us'.
 */
void timing_stages(const struct state_change *c, const struct proxy_news *news,
    uint64_t now_us, struct str *out);

#endif
