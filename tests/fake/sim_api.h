/*
 * The Engine API: paths, versions, error bodies.  Handlers are in sim_api_*.c
 * and listed in one table in sim_api.c.
 */
#ifndef SIM_API_H
#define SIM_API_H

#include "sim.h"

struct sim_call {
	struct sim *sim;
	struct sim_http_request *req;
	const char *id; /* what stands for {id} in the path, decoded */
	json_t *query;	/* name -> value */
	json_t *body;	/* an object, or NULL */
};

typedef void sim_call_fn(struct sim_call *c);

/* Serves one request of the API socket. */
void sim_api_request(struct sim_http_request *req, void *sim);

/* {"message":...} */
void sim_api_error(struct sim_call *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void sim_api_json(struct sim_call *c, int status, const char *text, size_t len);
/* {"ID":...} with 201. */
void sim_api_created(struct sim_call *c, const char *key, const char *id);
void sim_api_empty(struct sim_call *c, int status);
/* A query argument, or NULL. */
const char *sim_api_query(const struct sim_call *c, const char *name);
/* The body when it is an object; else it answers 400 and NULL. */
json_t *sim_api_body(struct sim_call *c);
/*
 * The object that {id} names; else it answers 404 as the engine does, and
 * NULL.
 */
struct sim_object *sim_api_find(struct sim_call *c, enum sim_kind kind);
/*
 * The version that the request names, when it is the object's current one;
 * else it answers and false.
 */
bool sim_api_version_is(struct sim_call *c, const struct sim_object *o);

/*
 * Answers a list: every object of the kind that 'wanted' agrees to, then what
 * was put in by /_sim/objects.
 */
typedef bool sim_wanted_fn(const struct sim_object *o, const json_t *filters);
void sim_api_list(struct sim_call *c, enum sim_kind kind,
    const char *const *known_filters, sim_wanted_fn *wanted);

sim_call_fn sim_api_service_list, sim_api_service_inspect,
    sim_api_service_create, sim_api_service_update, sim_api_service_remove;
sim_call_fn sim_api_task_list, sim_api_task_inspect;
sim_call_fn sim_api_network_list, sim_api_network_inspect,
    sim_api_network_create, sim_api_network_remove;
sim_call_fn sim_api_secret_list, sim_api_secret_inspect, sim_api_secret_create,
    sim_api_secret_update, sim_api_secret_remove;
sim_call_fn sim_api_config_list, sim_api_config_inspect, sim_api_config_create,
    sim_api_config_update, sim_api_config_remove;
sim_call_fn sim_api_node_list, sim_api_node_inspect, sim_api_node_update;
sim_call_fn sim_api_ping, sim_api_version, sim_api_info, sim_api_swarm,
    sim_api_events, sim_api_containers, sim_api_images;

/* Creates "name" as the API would; NULL and 'e'.  For starts and load. */
struct sim_network *sim_network_make(
    struct sim *s, const json_t *request, struct error *e) _warn_unused_;
struct sim_service *sim_service_make(
    struct sim *s, const json_t *request, struct error *e) _warn_unused_;
struct sim_blob *sim_blob_make(struct sim *s, enum sim_kind kind,
    const json_t *request, struct error *e) _warn_unused_;
/* Puts a normalized spec into force; takes it. */
void sim_service_put_spec(struct sim_service *v, json_t *spec, bool rollback);

#endif
