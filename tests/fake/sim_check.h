/* What the engine asks of a spec beside its form: see sim_check.c. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "sim.h"

/*
 * The secrets and configs that a normalized spec names exist, and no other
 * service publishes its ports.  'v' is the service that it is for, or NULL.
 * -1: e->code is the HTTP status of the answer.
 */
int sim_check_spec(struct sim *s, const struct sim_service *v,
    const json_t *spec, struct error *e) _warn_unused_;

#endif
