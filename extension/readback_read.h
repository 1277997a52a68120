/*
 * First half of read-back: our files to names, locations, targets and
 * upstreams, each statement held against the list.
 */
#ifndef EXTENSION_READBACK_READ_H
#define EXTENSION_READBACK_READ_H

#include "base/map.h"
#include "render.h"

struct read_location {
	char *path;	/* owned; without the slash that a prefix ends in */
	char *target;	/* owned; what it passes to, or NULL */
	char *rest;	/* owned; the path behind that, "" for none */
	bool grpc, tls; /* how it is passed on */
	char *answer;	/* owned; what it returns, "302 http://…", or NULL */
	VEC(char *) by_scheme; /* owned; what it returns under a condition */
	bool exact;
};

struct read_server {
	VEC(char *) names; /* owned */
	VEC(struct read_location) locations;
	bool fallback; /* of sites/default.conf */
	bool own;      /* of nginx.conf: status */
};

struct reading {
	VEC(struct read_server *) servers; /* owned */
	struct map upstreams; /* name -> lines "ADDRESS WEIGHT", owned */
	struct map targets;   /* host -> name of a stream upstream, owned */
	size_t stages;	      /* servers of the stream block */
	struct str lines;     /* of the upstream that is being read */
	char *upstream;	      /* its name, owned */
};

void readback_read_init(struct reading *r);
void readback_read_fini(struct reading *r);
int readback_read_file(struct reading *r, const struct rendered_file *f,
    struct error *e) _warn_unused_;

#endif
