/*
 * Bus messages (docs/internals.md): one header line of JSON and a body, which
 * is a snapshot document or a list of IDs to remove.
 */
#ifndef BUS_MESSAGE_H
#define BUS_MESSAGE_H

#include "base/error.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

#define BUS_VERSION 1
#define BUS_MESSAGE_MAX (256U * 1024 * 1024)
#define BUS_EPOCH_SIZE 33

enum bus_type {
#define MSG(id, name, from, to) BUS_##id,
#include "bus/message.def"
#undef MSG
};
const char *bus_type_name(enum bus_type type);

/* When a change was seen on its way; microseconds of the wall clock. */
struct bus_stamps {
	uint64_t commit_us; /* the engine's own time of it; 0: unknown */
	uint64_t read_us;
	uint64_t sent_us;
};

struct bus_message {
	enum bus_type type;
	char cluster[64];
	char epoch[BUS_EPOCH_SIZE];
	uint64_t seq;
	struct bus_stamps stamps;
	const char *body; /* borrowed from the received bytes */
	size_t body_len;
};

/* Appends the header line; the caller appends the body. */
void bus_encode_header(struct str *out, const struct bus_message *m);
/*
 * Strict.  -1: not ours.  EPROTONOSUPPORT in e->code: another version.
 */
int bus_decode(const char *bytes, size_t len, struct bus_message *ret,
    struct error *e) _warn_unused_;

/* The body of "remove": IDs, and names of secrets and configs. */
struct bus_removal {
	char **services, **networks, **nodes, **secrets, **configs;
	size_t services_len, networks_len, nodes_len, secrets_len, configs_len;
};
void bus_encode_removal(struct str *out, const struct bus_removal *r);
/* Strict; missing lists are empty. */
int bus_decode_removal(const char *body, size_t len, struct bus_removal *ret,
    struct error *e) _warn_unused_;
void bus_removal_fini(struct bus_removal *r);

#endif
