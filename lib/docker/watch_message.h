/*
 * What SwarmKit's Watch says: its messages to events, and the request.  Pure,
 * strict and bounded; only what routing needs is read.  Field numbers are
 * those of api/watch.proto, objects.proto and types.proto of moby/swarmkit.
 */
#ifndef DOCKER_WATCH_MESSAGE_H
#define DOCKER_WATCH_MESSAGE_H

#include "base/error.h"
#include "base/str.h"
#include "model/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In masks: 1 << WATCH_TASK. */
enum watch_kind {
	WATCH_NODE,
	WATCH_SERVICE,
	WATCH_NETWORK,
	WATCH_TASK,
	WATCH_SECRET,
	WATCH_CONFIG,
	WATCH_KINDS,
};
extern const char *const watch_kind_names[WATCH_KINDS];

enum watch_action {
	WATCH_CREATE = 1,
	WATCH_UPDATE = 2,
	WATCH_REMOVE = 4,
};

#define WATCH_ID_MAX 64

struct watch_event {
	enum watch_kind kind;
	enum watch_action action;
	char id[WATCH_ID_MAX + 1];
	/*
	 * Meta.Version.Index as in the Engine API: the store's version when
	 * the object was last written, so one below that of the transaction.
	 * A removal tells the one before it.
	 */
	uint64_t version;
	uint64_t commit_us; /* Meta.UpdatedAt, us since 1970; 0 unknown */
	/* Tasks only. */
	char service_id[WATCH_ID_MAX + 1]; /* "" for a task of no service */
	char node_id[WATCH_ID_MAX + 1];	   /* "" while it has none */
	uint64_t slot;			   /* 0: a global service's */
	enum task_state state;
	enum task_state desired;
	uint64_t state_us; /* Status.Timestamp, us since 1970; 0 unknown */
};

/* What a message says as a whole. */
struct watch_message {
	/*
	 * Where the log stands after it, to resume from: its own version, or
	 * where it has none (the engine leaves it out of batches: all task
	 * changes) the greatest of its objects', which repeats one message at
	 * most and misses none.  0: nothing known (the start message).
	 */
	uint64_t version;
	size_t events;
	size_t skipped; /* kinds, actions, states, IDs that we do not know */
};

typedef void watch_event_fn(void *arg, const struct watch_event *event);

/*
 * Decodes a message; its events are handed over only when all of it is well
 * formed.  'on_event' may be NULL.
 */
int
watch_message_decode(const void *bytes, size_t len, watch_event_fn *on_event,
    void *arg, struct watch_message *ret, struct error *e) _warn_unused_;

/*
 * Adds the request for all changes of the kinds in mask 'kinds'; with
 * 'resume_from' not 0 those since that version, too.
 */
void
watch_request_encode(struct str *out, unsigned kinds, uint64_t resume_from);
/* What a server reads of a request; -1 where it is none. */
int watch_request_decode(const void *bytes, size_t len, unsigned *ret_kinds,
    bool *ret_resume, uint64_t *ret_from, struct error *e) _warn_unused_;

#endif
