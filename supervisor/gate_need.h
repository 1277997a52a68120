/*
 * What a cluster's proxies may have of what its extension asks for: networks
 * that a service of this cluster is on, secrets that a service of this cluster
 * names in a label and that [cluster] secrets grants, configs that such a label
 * names as an application's authorities.  Pure; for gate.c.
 */
#ifndef SUPERVISOR_GATE_NEED_H
#define SUPERVISOR_GATE_NEED_H

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"
#include "config/config.h"
#include "gate_spec.h"
#include "model/model.h"

struct gate_names {
	char **at; /* owned, and each */
	size_t len, room;
};

struct gate_need {
	struct gate_names networks; /* IDs */
	struct gate_names secrets;
	struct gate_names configs;
	/* The extension knows of nothing before itself: a proxy that runs may
	 * tell it that another generation is pinned. */
	bool unsure;
};
/* Strict; "need" of the bus. */
int gate_need_parse(const char *body, size_t len, struct gate_need *ret,
    struct error *e) _warn_unused_;
void gate_need_fini(struct gate_need *n);

/*
 * Adds to 'w' what of 'n' is allowed; 'services' are the
 * cluster's (IDs).  Words about what is not go to 'refused', by commas.  With
 * a fixed [cluster] networks those are added and nothing else.  What w->granted
 * tells of was named by a label once: it may be given again, for a rollback,
 * where [cluster] secrets still grants it to a service of the cluster.
 */
void gate_need_allow(const struct gate_need *n, const struct model *m,
    const struct map *services, struct gate_wish *w, struct str *refused);
/* By (name, ID): the order says nothing. */
void gate_need_sort(struct gate_wish *w);
/*
 * Adds the control network and the agents' secrets; -1 names one that does
 * not exist.
 */
int gate_need_control(
    const struct model *m, struct gate_wish *w, struct error *e) _warn_unused_;

#endif
