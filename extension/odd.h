/*
 * Services whose object cannot be decoded any more keep their last good
 * version, also across a restart of the reader, which does not know it then.
 */
#ifndef EXTENSION_ODD_H
#define EXTENSION_ODD_H

#include "base/map.h"
#include "model/model.h"

struct odd {
	struct map ids; /* of services that only we still know */
};

void odd_fini(struct odd *g);
/*
 * A snapshot 'now' takes the place of 'before': services that it lists as bad
 * objects and 'before' knows are moved to it.
 */
void odd_keep(struct odd *g, struct model *before, struct model *now);
/* An update is about to be merged: what it brings is known again. */
void odd_forget(struct odd *g, const struct model *update);
/* After that: what is no bad object any more, and was not brought, is gone. */
void odd_drop(struct odd *g, struct model *now);

#endif
