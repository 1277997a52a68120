/*
 * One cluster's share of the Swarm, and what it was told of it.  Pure; for
 * reader_clusters.c.
 */
#ifndef SUPERVISOR_READER_SHARE_H
#define SUPERVISOR_READER_SHARE_H

#include "base/map.h"
#include "base/str.h"
#include "config/config.h"
#include "reader_swarm.h"

enum share_kind {
	SHARE_NETWORKS,
	SHARE_NODES,
	SHARE_SECRETS,
	SHARE_CONFIGS,
	SHARE_KINDS
};

struct share {
	const struct cluster_config *config; /* borrowed */
	struct map services;		     /* IDs that are its own */
	struct map wants[SHARE_KINDS];	     /* IDs or names */
	/* ID (networks, nodes) or name -> what was told last, owned text. */
	struct map told[SHARE_KINDS];
	char *told_bad; /* owned; NULL: "[]" */
};

void share_init(struct share *s, const struct cluster_config *c);
void share_fini(struct share *s);

/* Adds what the service wants to what the cluster wants. */
void share_add(struct share *s, const struct service *service);
/* What the cluster's own configuration names. */
void share_want_configured(struct share *s);
/* Wants anew only what its services want now. */
void share_recount(struct share *s, const struct swarm *swarm);

/* What a message carries. */
struct share_message {
	struct str services, tasks, objects[SHARE_KINDS];
	struct str bad; /* "" when it did not change */
	struct str removed_services, removed[SHARE_KINDS];
	bool update, remove;
};
void share_message_init(struct share_message *m);
void share_message_fini(struct share_message *m);

void share_put_service(struct share_message *m, const struct service *s);
void share_put_removed(struct share_message *m, const char *service_id);
/*
 * Networks, nodes, secrets and configs that are wanted and new or different,
 * and those that were told and are gone.
 */
void share_put_objects(
    struct share *s, const struct swarm *swarm, struct share_message *m);
/* 'bad' is a list in JSON; nothing when it was told already. */
void share_put_bad(struct share *s, const char *bad, struct share_message *m);
/* The bodies of "update" (or "snapshot") and "remove". */
void share_update_body(const struct share_message *m, struct str *out);
void share_remove_body(const struct share_message *m, struct str *out);
/* Everything, as of now: also counts as told. */
void share_snapshot_body(
    struct share *s, const struct swarm *swarm, struct str *out);

#endif
