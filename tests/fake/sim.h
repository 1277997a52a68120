/*
 * The simulated Swarm: its objects and what they share.  Everything lives in
 * memory, on one loop, in one thread.
 *
 *	sim_store   objects, IDs, versions, lookup	sim_render  their JSON
 *	sim_net     subnets and addresses		sim_spec    service
 *specs sim_task    one task's life			sim_orch    which tasks
 *	sim_update  rolling updates			sim_node    nodes
 *	sim_app     what tasks answer			sim_vip     forwarders
 *	sim_api*    the Engine API			sim_events  its stream
 *	sim_control the simulator's own API, faults	sim_load    start, churn
 *	sim_watch   SwarmKit's Watch, on sim_h2
 */
#ifndef SIM_H
#define SIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "model/model.h"
#include "sim_http.h"

#define SIM_REPLICAS_MAX 1000000
#define SIM_TEXT_MAX ((size_t)1 << 31)

enum sim_kind {
	SIM_SERVICE,
	SIM_TASK,
	SIM_NETWORK,
	SIM_NODE,
	SIM_SECRET,
	SIM_CONFIG,
	SIM_KINDS,
};

/* What every object has; the first member of each. */
struct sim_object {
	enum sim_kind kind;
	char *id;
	char *name;
	uint64_t version;
	int64_t created_ns;
	int64_t updated_ns;
	char *json; /* owned; NULL when it must be rendered again */
	size_t at;  /* place in its list */
};

struct sim_network {
	struct sim_object o;
	json_t *labels; /* NULL: none were given */
	json_t *options;
	char *driver;
	bool swarm_scope;
	bool ingress;
	bool internal;
	bool attachable;
	bool own_subnet; /* named in the request */
	uint32_t subnet; /* host byte order; 0 for local ones without */
	unsigned prefix;
	uint32_t vxlan;
	uint32_t next; /* where the search for a free address goes on */
	uint8_t *used; /* a bit per address */
};

struct sim_address {
	struct sim_network *network;
	uint32_t address;
};

struct sim_port {
	const char *protocol;
	uint16_t target;
	uint16_t published; /* 0: none wanted, or none yet */
	bool host_mode;
};

/* A secret or a config. */
struct sim_blob {
	struct sim_object o;
	json_t *spec; /* as it was given; a secret without its data */
};

struct sim_node {
	struct sim_object o; /* name: the host name */
	json_t *labels;
	uint32_t address;
	bool manager;
	bool leader;
	bool down;
	const char *availability; /* active, pause, drain (static) */
	size_t tasks;		  /* not yet dead ones */
};

struct sim_update;
struct sim_service;

struct sim_task {
	struct sim_object o;
	struct sim *sim;
	struct sim_service *service; /* NULL once that is gone */
	char *service_id;
	char *service_name;
	json_t *spec;	  /* TaskTemplate it was made from */
	json_t *endpoint; /* EndpointSpec it was made from, or NULL */
	uint32_t slot;	  /* 0: a global service's */
	struct sim_node *node;
	enum task_state state;
	enum task_state desired;
	int64_t status_ns;
	const char *message; /* static */
	char *err;	     /* or NULL */
	char container[65];
	int exit_code;
	VEC(struct sim_address) addresses;
	VEC(struct sim_port) ports; /* host mode, with assigned numbers */
	VEC(uint16_t) listen_ports;
	VEC(struct sim_http_server *) servers;
	size_t draining;
	uint64_t requests;
	uv_timer_t timer;
	uint64_t hold_ms; /* not before this long after ready (restart) */
	bool placed;	  /* counted by its node */
	bool stopping;	  /* the stop signal was sent */
	bool gone;	  /* out of the lists; freed when its timer is */
};

struct sim_service {
	struct sim_object o;
	struct sim *sim;
	json_t *spec;
	json_t *previous; /* or NULL */
	json_t *status;	  /* UpdateStatus, or NULL */
	enum service_mode mode;
	uint64_t replicas;
	bool dnsrr;
	json_t *endpoint; /* the EndpointSpec in force, or NULL */
	VEC(struct sim_address) vips;
	VEC(struct sim_port) ports;
	VEC(struct sim_task *) tasks; /* borrowed from the sim's list */
	struct sim_update *update;    /* or NULL */
	VEC(struct sim_vip *) forwarders;
	size_t next_task; /* of the round robin */
};

struct sim_options {
	const char *socket;
	const char *listen;
	const char *control_socket; /* NULL: no Watch */
	const char *script;
	uint32_t services;
	uint32_t tasks;
	uint32_t nodes;
	uint32_t churn_per_s;
	uint32_t clusters;
	uint64_t seed;
	uint64_t task_delay_ms;
	uint64_t stop_lead_ms;
	uint64_t restart_delay_ms;
	uint64_t health_delay_ms;
	uint64_t monitor_ms;
	uint32_t pool;	      /* first address that networks are cut from */
	unsigned pool_prefix; /* of the pool */
	unsigned subnet_prefix;
	bool no_serve;
	uint32_t api_minor; /* 1.N */
	uint32_t api_min_minor;
};

struct sim {
	uv_loop_t loop;
	struct sim_options options;
	uint64_t random;
	uint64_t index; /* the store's, counted as raft does */
	int64_t last_ns;
	VEC(struct sim_object *) lists[SIM_KINDS];
	struct map by_id[SIM_KINDS];
	struct map by_name[SIM_KINDS]; /* services, secrets, configs */
	char *swarm_id;
	int pool_lock;
	uint32_t next_subnet;
	uint32_t next_vxlan;
	uint16_t next_host_port;
	uint16_t next_ingress_port;
	struct sim_http_server *server;
	struct sim_http_server *tcp_server;
	struct sim_events *events;
	struct sim_control *control;
	struct sim_watch *watch; /* or NULL */
	struct sim_load *load;
	struct sim_vip_pair *pairs; /* connections through forwarders */
	bool closing;
};

#define SIM_FOR_EACH(sim, kind, type, var)                                     \
	for (size_t var##_i = 0; var##_i < (sim)->lists[kind].len &&           \
	     ((var) = (type *)(void *)(sim)->lists[kind].at[var##_i], true);   \
	     var##_i++)

#endif
