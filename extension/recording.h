/*
 * What a configuration was made of: the cluster's INI, the operator's
 * fragments, and every accepted service with its labels, without tasks and
 * addresses.  Rendered again over today's model it gives the routes of then
 * with the addresses of now: what a rollback puts in force.  Pure.
 */
#ifndef EXTENSION_RECORDING_H
#define EXTENSION_RECORDING_H

#include "base/error.h"
#include "base/sha256.h"
#include "base/str.h"
#include "config/config.h"
#include "model/model.h"
#include "routing.h"

/* As a document; more cannot travel to agents and back. */
#define RECORDING_MAX (7U * 1024 * 1024)

struct recording {
	uint64_t generation;
	char config_hash[SHA256_HEX_SIZE]; /* of what was rendered then */
	struct cluster_config *config;	   /* owned */
	char *ini;			   /* its text, owned */
	struct model *services;		   /* owned; nothing else in it */
	char *text;			   /* the document, owned */
	size_t len;
	char sha256[SHA256_HEX_SIZE];
};

/* 'ini' is the text that 'c' was parsed from. */
void recording_encode(struct str *out, const struct cluster_config *c,
    const char *ini, const struct routing *r, uint64_t generation,
    const char *config_hash);
/* 'cluster' is whose it must be; NULL when it is not a whole one. */
struct recording *recording_decode(const char *text, size_t len,
    const char *cluster, struct error *e) _warn_unused_;
void recording_free(struct recording *r);

/* A service that is recorded; 'now' NULL: it is not accepted any more. */
struct recording_item {
	const char *id;
	const struct service *now;
};
/*
 * What differs from the recording of generation 'base', of the same
 * configuration: 'items'.  recording_decode() refuses it.
 */
void recording_encode_delta(struct str *out, const struct cluster_config *c,
    uint64_t base, const struct recording_item *items, size_t n,
    uint64_t generation, const char *config_hash);
/* The whole one that 'text' makes of 'base' (taken); NULL as above. */
struct recording *recording_decode_upon(struct recording *base,
    const char *text, size_t len, struct error *e) _warn_unused_;

/*
 * Today's model as the recording sees it: its services with their labels of
 * then; tasks and addresses, networks, secrets are those of 'now'.  A service
 * that is gone keeps its hosts and has no task.  Borrows from both.
 */
struct recording_view {
	struct model model;
	struct service *copies;
};
void recording_view_init(struct recording_view *v, const struct recording *r,
    const struct model *now);
void recording_view_fini(struct recording_view *v);

#endif
