/*
 * The Engine's JSON to the model, and the model back to the Engine's JSON
 * (only the members we read).  Pure; serves reader and extension.
 *
 * Lists are cut into top-level objects first (base/json_cut), so that one odd
 * object never hides the others: what does not decode becomes a bad_object.
 */
#ifndef DOCKER_DECODE_H
#define DOCKER_DECODE_H

#include "base/error.h"
#include "base/str.h"
#include "model/model.h"

#include <stddef.h>

/* Objects longer than this are bad_objects; the Engine's own limit is 4 MiB. */
#define DOCKER_OBJECT_MAX (8 * 1024 * 1024)

/*
 * One object of the Engine API.  The result is owned by the caller; NULL with
 * 'e' naming the path of the field ("Spec.Labels: not an object").
 */
struct service *docker_decode_service(
    const char *json, size_t len, struct error *e) _warn_unused_;
struct task *
docker_decode_task(const char *json, size_t len, struct error *e) _warn_unused_;
struct network *docker_decode_network(
    const char *json, size_t len, struct error *e) _warn_unused_;
struct node *
docker_decode_node(const char *json, size_t len, struct error *e) _warn_unused_;
struct secret *docker_decode_secret(const char *json, size_t len,
    struct error *e) _warn_unused_; /* Docker configs too */

/*
 * For an object that did not decode: its ID and name where they can still be
 * found by the cutter alone, else NULL.  Owned by the caller.
 */
void docker_scan_identity(
    const char *json, size_t len, char **ret_id, char **ret_name);

/*
 * The same objects in the Engine's shape, appended to 'out'.  A service comes
 * without its tasks.
 */
void docker_encode_service(struct str *out, const struct service *s);
void docker_encode_task(struct str *out, const struct task *t);
void docker_encode_network(struct str *out, const struct network *n);
void docker_encode_node(struct str *out, const struct node *n);
void docker_encode_secret(struct str *out, const struct secret *s);

/*
 * A snapshot document: {"version":1,"services":[..],"tasks":[..],
 * "networks":[..],"nodes":[..],"secrets":[..],"configs":[..]}; missing arrays
 * (and null) are empty, other members ignored.  Tasks are put under their
 * services; a task of no service is dropped.  Of two objects of one ID (or
 * secrets of one name) the second is a bad_object.  Fails only when the
 * document itself is broken (not JSON, not an object, a wrong or no version).
 */
struct model *docker_decode_snapshot(
    const char *json, size_t len, struct error *e) _warn_unused_;
/* The whole model as such a document, objects in the order of their keys. */
void docker_encode_snapshot(struct str *out, const struct model *m);

/*
 * The member "bad" that the reader adds for its extensions: objects that it
 * could not decode, all of them at that time.  Encoded as a list; decoding
 * adds to m->bad.
 */
void docker_encode_bad(struct str *out, const struct model *m);
int docker_decode_bad(const char *json, size_t len, struct model *m,
    struct error *e) _warn_unused_;

#endif
