/*
 * The wire format of protocol buffers: a bounded reader that copies nothing
 * and allocates nothing, and a writer.  Watch (watch_message.h) and the
 * simulated Swarm use it.
 *
 * Ours instead of protobuf-c: a handful of fields out of SwarmKit's large
 * types is all that is read, and protobuf-c would build every object whole,
 * specs and secrets included, from generated code, before the first of our
 * limits could apply.
 */
#ifndef DOCKER_PROTO_H
#define DOCKER_PROTO_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proto_type {
	PROTO_VARINT = 0,
	PROTO_FIXED64 = 1,
	PROTO_BYTES = 2, /* strings and messages too */
	PROTO_FIXED32 = 5,
};

/* What is left of one message; the bytes stay the caller's. */
struct proto_reader {
	const unsigned char *p;
	size_t left;
};

struct proto_field {
	uint32_t number;
	enum proto_type type;
	uint64_t value; /* of the three number types */
	const unsigned char *bytes;
	size_t len;
};

void proto_init(struct proto_reader *r, const void *bytes, size_t len);
/*
 * The next field: 1, or 0 at the end of the message.  -1 for what is no
 * protocol buffer: a varint or a length that passes the end, a number over 64
 * bits, field 0, groups (which are not made any more).
 */
int proto_next(struct proto_reader *r, struct proto_field *ret,
    struct error *e) _warn_unused_;

/* Fields of the type that is expected of them; -1 for any other. */
int proto_number(
    const struct proto_field *f, uint64_t *ret, struct error *e) _warn_unused_;
int proto_message(const struct proto_field *f, struct proto_reader *ret,
    struct error *e) _warn_unused_;

void proto_add_number(struct str *out, uint32_t field, uint64_t value);
void
proto_add_bytes(struct str *out, uint32_t field, const void *bytes, size_t len);
void proto_add_text(struct str *out, uint32_t field, const char *text);

#endif
