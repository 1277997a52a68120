/* Rights: the folder, its lock, and the step down from root. */
#ifndef AGENT_BECOME_H
#define AGENT_BECOME_H

#include "base/error.h"
#include "options.h"

/*
 * Makes the folder, changes into it and takes its lock: one agent per folder.
 * Returns the lock's descriptor, held until exit.
 */
int become_holder(const struct agent_options *o, struct error *e) _warn_unused_;
/* Nothing that is started here gains rights; as many descriptors as go. */
void become_modest(void);
/* From root to --user, for good; without --user nothing happens. */
int become_user(const struct agent_options *o, struct error *e) _warn_unused_;
/* Lets --user open /dev/stdout again where that is one of these pipes. */
int become_owner_of_pipes(const struct agent_options *o, int out, int err,
    struct error *e) _warn_unused_;

#endif
