/*
 * The spec of a cluster's proxy service: what the INI and the accepted needs
 * say, laid over what the service has.  Pure; for gate.c.
 *
 * Ours always: command, networks, secrets, configs, the folder in memory,
 * read-only root, capabilities, our labels.  Everything else is a unit with a
 * key of the INI: it is set when the service is made, where the INI speaks, and
 * once more (to the default) where the INI spoke before; a unit of which the
 * INI says nothing stays as somebody else set it.  Replicas follow the INI only
 * when its number changes: the last applied one is a label.
 */
#ifndef SUPERVISOR_GATE_SPEC_H
#define SUPERVISOR_GATE_SPEC_H

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"
#include "config/config.h"

#include <stdbool.h>

#define GATE_LABEL_OWNER "bulkhead.owner"
#define GATE_LABEL_CLUSTER "bulkhead.cluster"
#define GATE_LABEL_REPLICAS "bulkhead.replicas"
#define GATE_LABEL_HASH "bulkhead.hash"
#define GATE_LABEL_SET "bulkhead.set"
#define GATE_LABEL_STACK "com.docker.stack.namespace"

/* A network, secret or config of Docker; both borrowed. */
struct gate_ref {
	const char *id;
	const char *name;
};

struct gate_refs {
	struct gate_ref *at; /* a vector, as base/vec.h has them */
	size_t len;
	size_t room;
};

struct gate_wish {
	const struct cluster_config *config;
	const char *owner;	  /* this supervisor */
	const char *stack;	  /* its stack, or NULL */
	const char *control_host; /* where [control] url says nothing */
	const char *granted;	  /* gate_granted.h, or NULL */
	struct gate_refs networks;
	struct gate_refs secrets;
	struct gate_refs configs;
	bool scale; /* 'replicas' whatever the INI says */
	uint64_t replicas;
};

struct gate_change {
	char *spec;    /* owned; NULL: nothing to do */
	char *what;    /* owned; the members that differ, for people */
	bool repaired; /* we wanted the same before: another hand's edit */
};
void gate_change_fini(struct gate_change *c);

/* 'current' is the service's Spec, or NULL: it is to be made. */
int gate_spec_merge(const struct gate_wish *w, const char *current,
    struct gate_change *ret, struct error *e) _warn_unused_;
/* The members in which two specs differ: "Mode.Replicated.Replicas, ...". */
char *gate_spec_differences(const char *a, const char *b);

/* What proxies dial; NULL where nothing says so.  The caller frees it. */
char *gate_control_url(const struct gate_wish *w);
/* The agent's arguments (gate_args.c); strings are owned by the caller. */
struct gate_args {
	VEC(char *) list;
};
void gate_args_build(const struct gate_wish *w, struct gate_args *ret);
void gate_args_fini(struct gate_args *a);
/* The file of an agent's secret of this role ("ca", "key"), or NULL. */
const char *gate_args_secret(const struct cluster_config *c, const char *role);
#define GATE_AGENT_DIR "/run/bulkhead"

#endif
