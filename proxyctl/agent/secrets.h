/*
 * Certificates, authorities and passwords that configurations refer to.
 *
 * Only agents can read them.  Each is judged before a configuration that uses
 * it is tried, and copied into the generation (gen/N/secrets/): a file that is
 * replaced or removed under nginx would fail its next reload, whatever that is
 * about, and a generation that is gone back to must find what it was accepted
 * with.  While a replaced file is no good, the copy serves on.
 */
#ifndef AGENT_SECRETS_H
#define AGENT_SECRETS_H

#include <uv.h>

#include "base/error.h"
#include "base/str.h"
#include "manifest.h"
#include "options.h"

struct secrets;

/* 'changed': a file is another one now; called from the loop. */
struct secrets *secrets_new(uv_loop_t *loop, const struct agent_options *o,
    void (*changed)(void *arg), void *arg);
/* What is watched and reported from here on: what 'm' refers to. */
void secrets_want(struct secrets *s, const struct manifest *m);
/* Judges again what is wanted; true when there is something new to report. */
bool secrets_refresh(struct secrets *s);
/* The next look finds a change, whatever it finds. */
void secrets_doubt(struct secrets *s);
/*
 * Gives 'm' the copies it is to be installed with.  -1 when something that it
 * uses is neither good nor kept from what is in force.
 */
int secrets_fill(
    struct secrets *s, struct manifest *m, struct error *e) _warn_unused_;
/* ,"secrets":[{"id","kind","name","key","state","kept",...},...] */
void secrets_report(const struct secrets *s, struct str *out);
/* NULL is allowed. */
void secrets_close(struct secrets *s, void (*closed)(void *arg), void *arg);

/* Gives 'm' the copies that the generation in 'folder' was installed with. */
void secrets_load(struct manifest *m, const char *folder);

#endif
