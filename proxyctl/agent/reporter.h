/*
 * Tells the extension how this proxy is: after each attempt, on change, and
 * every 10 s.  A report that does not arrive is not repeated: the next one
 * says the same and more.
 */
#ifndef AGENT_REPORTER_H
#define AGENT_REPORTER_H

#include <uv.h>

#include "apply.h"
#include "fetch.h"
#include "link.h"
#include "manifest.h"
#include "options.h"
#include "secrets.h"

struct reporter;

struct reporter *reporter_new(
    uv_loop_t *loop, const struct agent_options *o, struct fetch *fetch);
/* What will be told; nothing is sent by these. */
void reporter_set_nginx(struct reporter *r, const struct link_message *nginx);
void reporter_set_draining(struct reporter *r);
/* 'm' is borrowed until the next call. */
void reporter_set_in_force(struct reporter *r, const struct manifest *m);
void reporter_set_secrets(struct reporter *r, const struct secrets *s);
/* 'words' "" where there is nothing to say. */
void reporter_set_attempt(struct reporter *r, enum apply_outcome outcome,
    const struct manifest *m, const char *words,
    const struct apply_timing *timing);
void reporter_send(struct reporter *r);
/* The verdict on a configuration that was only to be checked. */
void reporter_send_check(struct reporter *r, const struct apply_result *result);
/* NULL is allowed. */
void reporter_close(struct reporter *r, void (*closed)(void *arg), void *arg);

#endif
