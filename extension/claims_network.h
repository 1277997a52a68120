/*
 * Which overlay network a service is reached on: its label, or the only one
 * that can be meant.  Pure.
 */
#ifndef EXTENSION_CLAIMS_NETWORK_H
#define EXTENSION_CLAIMS_NETWORK_H

#include "config/config.h"
#include "model/label.h"
#include "model/model.h"

/* Overlay networks by name; several of one name are told apart by ID only. */
struct network_index {
	const struct cluster_config *config; /* borrowed */
	const struct model *model;	     /* borrowed */
	struct map by_name;
};

void network_index_init(struct network_index *x,
    const struct cluster_config *config, const struct model *m);
void network_index_fini(struct network_index *x);

/*
 * 0 with the network, or with NULL for a service on no overlay network whose
 * port is published in host mode; -1 with the finding.
 */
int network_choose(const struct network_index *x, const struct service *s,
    const struct labels *l, const struct network **ret,
    struct finding *ret_error);

/* True if [cluster] networks names it. */
bool
network_is_listed(const struct cluster_config *config, const struct network *n);

/*
 * The place of the value of label 'id' in 's', behind its blanks; -1 where the
 * service does not carry the label.
 */
int64_t label_value_offset(const struct service *s, enum label_id id);

#endif
