/*
 * The labels with which each service was last served: what is kept in force
 * when an engine refuses its newer ones.  Labels are copied when a service's
 * version is new, which is seldom; addresses are never kept.
 */
#ifndef EXTENSION_SERVED_H
#define EXTENSION_SERVED_H

#include "base/map.h"
#include "base/vec.h"
#include "model/model.h"
#include "routing.h"

struct label_copy {
	VEC(struct label) list;
};
/* 'to' is zeroed or filled before. */
void label_copy_set(struct label_copy *to, const struct service *s);
void label_copy_fini(struct label_copy *c);
bool label_copy_equal(const struct label_copy *c, const struct service *s);

/* A zeroed struct knows nothing. */
struct served {
	struct map good;    /* service ID -> its labels, owned */
	struct map offered; /* ... in what was delivered last, owned */
};

void served_fini(struct served *g);
/* 'r' is delivered. */
void served_offer(struct served *g, const struct routing *r);
/* The same of one service of it. */
void served_offer_one(struct served *g, const struct service *s);
/* What was offered last is served. */
void served_confirm(struct served *g);
/* Forgets what is not in the model. */
void served_prune(struct served *g, const struct model *m);
/* NULL: never served, as far as is known. */
const struct label_copy *served_get(const struct served *g, const char *id);

#endif
