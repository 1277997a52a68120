/*
 * What we know of a Swarm: services with their tasks, networks, nodes,
 * secrets and configs, reduced to what routing needs.  Values without I/O,
 * JSON or clock.  Built by docker/decode in reader and extension alike.
 *
 * Objects are immutable once they are in a model: a change replaces the whole
 * object.  IDs are checked by the decoder: [A-Za-z0-9_-]{1,64}.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/map.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

/* A service label of ours; the value may hold any byte, NUL too. */
struct label {
	char *key;
	char *value;
	size_t value_len;
};

enum service_mode {
	SERVICE_REPLICATED,
	SERVICE_GLOBAL,
	SERVICE_REPLICATED_JOB,
	SERVICE_GLOBAL_JOB,
};

enum endpoint_mode { ENDPOINT_VIP, ENDPOINT_DNSRR };

/* SwarmKit's order (swarm-facts): a task's state only grows. */
enum task_state {
	TASK_NEW = 0,
	TASK_PENDING = 64,
	TASK_ASSIGNED = 192,
	TASK_ACCEPTED = 256,
	TASK_PREPARING = 320,
	TASK_READY = 384,
	TASK_STARTING = 448,
	TASK_RUNNING = 512,
	TASK_COMPLETE = 576,
	TASK_SHUTDOWN = 640,
	TASK_FAILED = 704,
	TASK_REJECTED = 768,
	TASK_REMOVE = 800,
	TASK_ORPHANED = 832,
};

/* An address on a network: "10.0.1.3" or an IPv6 one, without prefix. */
struct attachment {
	char *network_id;
	char *address;
};

struct published_port {
	bool udp; /* or sctp: not ours to route */
	bool host_mode;
	uint16_t target;
	uint16_t published; /* 0 = none assigned yet */
};

struct task {
	char *id;
	char *service_id;
	char *node_id; /* "" while not assigned */
	uint64_t version;
	uint32_t slot;
	enum task_state state;
	enum task_state desired;
	VEC(struct attachment) addresses;
	VEC(struct published_port) ports; /* Status.PortStatus: host mode */
};

struct service {
	char *id;
	char *name;
	int64_t created_ns; /* CreatedAt, ns since 1970 */
	uint64_t version;
	/* com.docker.lb.* and com.docker.ucp.mesh.http* only, by key. */
	VEC(struct label) labels;
	enum service_mode mode;
	uint64_t replicas; /* replicated services */
	enum endpoint_mode endpoint_mode;
	VEC(char *) networks; /* IDs or names as the spec has them */
	VEC(struct attachment) vips;
	VEC(struct published_port) ports; /* Endpoint.Ports */
	VEC(char *) secrets;		  /* names of those it mounts */
	char *stack; /* label com.docker.stack.namespace, or NULL */
	VEC(struct task *) tasks; /* owned; by (slot, id) */
};

struct network {
	char *id;
	char *name;
	char *driver; /* "overlay", "bridge", "host" ... */
	bool swarm_scope;
	bool ingress;
	uint64_t version;      /* 0: the Engine gives none for networks */
	VEC(char *) subnets;   /* "10.0.1.0/24" */
	char *namespace_label; /* com.docker.stack.namespace, or NULL */
};

struct node {
	char *id;
	char *hostname;
	char *address; /* Status.Addr */
};

/* A Docker secret or config: its name and who may use it, never its data. */
struct secret {
	char *id;
	char *name;
	char *allow; /* label com.docker.lb.allow, or NULL */
};

/* An object of the Engine that could not be decoded. */
struct bad_object {
	const char *kind; /* "service", "task", ... (static) */
	char *id;	  /* or NULL */
	char *name;	  /* or NULL */
	size_t position;  /* in its list, from 0 */
	char *reason;	  /* names the field's path */
};

struct model {
	struct map services; /* id -> struct service *, owned */
	struct map networks; /* id -> struct network *, owned */
	struct map nodes;    /* id -> struct node *, owned */
	struct map secrets;  /* name -> struct secret *, owned */
	struct map configs;  /* name -> struct secret *, owned */
	/* name -> the network, or a mark for several; kept by model.c */
	struct map network_names;
	/*
	 * The document had an array "secrets" (or "configs"), if only an empty
	 * one: what is not in it does not exist.  Otherwise nothing is known
	 * of secrets and a label may name any.
	 */
	bool secrets_listed;
	bool configs_listed;
	VEC(struct bad_object) bad;
	bool bad_listed; /* 'bad' is all there is (from the reader) */
};

struct model *model_new(void);
void model_free(struct model *m);

/* Each takes ownership and replaces (and frees) one of the same key. */
void model_put_service(struct model *m, struct service *s);
void model_put_network(struct model *m, struct network *n);
void model_put_node(struct model *m, struct node *n);
void model_put_secret(struct model *m, struct secret *s);
void model_put_config(struct model *m, struct secret *s);
/* Removes and frees; false if there was none. */
bool model_remove_service(struct model *m, const char *id);
bool model_remove_network(struct model *m, const char *id);
bool model_remove_node(struct model *m, const char *id);
bool model_remove_secret(struct model *m, const char *name);
bool model_remove_config(struct model *m, const char *name);
/*
 * Moves every object of 'from' to 'into', replacing those of the same key;
 * where 'from' lists its bad objects they replace into's.  Frees 'from'.
 */
void model_merge(struct model *into, struct model *from);
/* By ID, else by name where exactly one has it; else NULL. */
const struct network *
model_find_network(const struct model *m, const char *id_or_name);
/*
 * Services oldest first, by (created_ns, id): the order of every claim.
 * The caller frees the array, not what it points to.
 */
const struct service **
model_services_by_age(const struct model *m, size_t *ret_len);

void service_free(struct service *s);
void task_free(struct task *t);
void network_free(struct network *n);
void node_free(struct node *n);
void secret_free(struct secret *s);
void bad_object_fini(struct bad_object *b);

/* Takes 'task' into s->tasks, in its place, replacing one of the same ID. */
void service_put_task(struct service *s, struct task *task);
/* For many at once: push them to s->tasks (IDs all different), then this. */
void service_sort_tasks(struct service *s);
/* The label 'key' (whole key), or NULL. */
const struct label *service_label(const struct service *s, const char *key);
/* It mounts the secret of that name itself. */
bool service_mounts(const struct service *s, const char *secret);
/*
 * The secret's label com.docker.lb.allow, a comma list, has the service's name,
 * stack:NAME of its stack, or *.  The one rule for the extension, which
 * rejects, and for the gate, which mounts.
 */
bool secret_allows(const struct secret *secret, const struct service *s);
/* State running and desired state running. */
bool task_is_routable(const struct task *t);
const char *task_state_name(enum task_state s);
/* -1 for an unknown name. */
int task_state_parse(const char *name);

#endif
