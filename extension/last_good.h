/*
 * Services whose object cannot be decoded any more keep their last good
 * version, also across a restart of the reader, which does not know it then.
 */
#ifndef EXTENSION_LAST_GOOD_H
#define EXTENSION_LAST_GOOD_H

#include "base/map.h"
#include "model/model.h"

struct last_good {
	struct map ids; /* of services that only we still know */
};

void last_good_fini(struct last_good *g);
/*
 * A snapshot 'now' takes the place of 'before': services that it lists as bad
 * objects and 'before' knows are moved to it.
 */
void
last_good_keep(struct last_good *g, struct model *before, struct model *now);
/* An update is about to be merged: what it brings is known again. */
void last_good_forget(struct last_good *g, const struct model *update);
/* After that: what is no bad object any more, and was not brought, is gone. */
void last_good_drop(struct last_good *g, struct model *now);

#endif
