/*
 * gRPC's frames: a byte that says "not compressed", a big-endian length, a
 * message.  They arrive cut anywhere and leave whole.  Pure.
 */
#ifndef DOCKER_GRPC_FRAMES_H
#define DOCKER_GRPC_FRAMES_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_HEAD_SIZE 5

struct grpc_frames {
	size_t max;	 /* of one message, in bytes */
	struct str part; /* a frame that is not whole yet */
};

/* A whole message; false ends the feeding, with nothing said. */
typedef bool
grpc_message_fn(void *arg, const unsigned char *message, size_t len);

void grpc_frames_init(struct grpc_frames *f, size_t max);
void grpc_frames_fini(struct grpc_frames *f);
/* Forgets a frame that began. */
void grpc_frames_clear(struct grpc_frames *f);
/* Is a frame begun and not ended? */
bool grpc_frames_open(const struct grpc_frames *f);
/*
 * Takes all of 'bytes'.  -1 for a compressed frame (none was asked for) and
 * for a length over the maximum, refused before any memory is spent on it.
 */
int grpc_frames_feed(struct grpc_frames *f, const void *bytes, size_t len,
    grpc_message_fn *on_message, void *arg, struct error *e) _warn_unused_;

/* Adds a frame around 'message'. */
void grpc_frame_add(struct str *out, const void *message, size_t len);

#endif
