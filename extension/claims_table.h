/*
 * Hosts: who claims each, oldest first, with which paths, and whose judgement
 * looked at it.  A claim of one service so leads to all whose verdict it can
 * change, and to the routes that are to be made anew.
 */
#ifndef EXTENSION_CLAIMS_TABLE_H
#define EXTENSION_CLAIMS_TABLE_H

#include "base/sha256.h"
#include "routing.h"

/* What stands for the default backend in the place of a host. */
#define DEFAULT_HOST "*"

struct path_claim {
	char *path;
	VEC(const struct accepted *) members; /* oldest first */
};

struct host_claim {
	char *host;
	VEC(const struct accepted *) claimants; /* oldest first: the owner */
	VEC(struct path_claim *) paths;		/* owned; by path */
	VEC(struct verdict *) readers;		/* each once */
	VEC(struct route) routes;		/* routes.c: what it comes to */
	char *owner_id;				/* of those routes, or NULL */
	bool dirty;
};

struct claim_table {
	struct map hosts; /* host -> struct host_claim *, owned */
	/* Those with claimants; by host, "*" last. */
	VEC(struct host_claim *) claimed;
	VEC(struct host_claim *) dirty; /* claims changed */
	size_t n_paths;			/* of all hosts */
	bool bulk;			/* 'claimed' is sorted later */
};

/* The verdict on one service, and all that it was made from. */
struct verdict {
	char *id;
	int64_t created_ns;
	const struct service *service; /* borrowed from the model */
	struct accepted *accepted;     /* owned; NULL: rejected */
	struct rejected rejected;      /* owned */
	VEC(struct host_claim *) reads;
	struct {
		VEC(struct secret_use) list; /* owned */
	} wanted;		   /* secrets that its labels refer to */
	char sum[SHA256_HEX_SIZE]; /* of what others see of it */
	bool pending;
};

/* routes.c */
void accepted_free(struct accepted *a);
void route_fini(struct route *r);

/* (created_ns, id): negative where 'a' is older. */
int age_compare(int64_t a_ns, const char *a_id, int64_t b_ns, const char *b_id);

void claim_table_fini(struct claim_table *t);
/* After 'bulk'. */
void claim_table_sort(struct claim_table *t);
/* 'a' has 'host' with the paths of its labels. */
void claim_table_add(
    struct claim_table *t, const char *host, const struct accepted *a);
void claim_table_remove(
    struct claim_table *t, const char *host, const struct accepted *a);
/* The host, looked at by 'v'. */
const struct host_claim *
claim_table_read(struct claim_table *t, const char *host, struct verdict *v);
void claim_table_unread(struct claim_table *t, struct verdict *v);
/* Frees it if nobody has it and nobody looked at it. */
void claim_table_drop(struct claim_table *t, struct host_claim *h);
const struct path_claim *
host_claim_path(const struct host_claim *h, const char *path);

#endif
