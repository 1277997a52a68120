/* The Engine API's JSON of each object, as engine 20.10 writes it. */
#ifndef SIM_RENDER_H
#define SIM_RENDER_H

#include "sim.h"

/* The object's JSON, kept until it changes. */
const char *sim_render(struct sim_object *o);
/* A service with ServiceStatus, as GET /services?status=true answers. */
void sim_render_service_status(struct str *out, struct sim_service *v);
/* RFC 3339 with as many decimals as there are, at most nine. */
void sim_render_time(struct str *out, int64_t ns);
/* Any JSON value, compact. */
void sim_render_json(struct str *out, const json_t *value);

#endif
