/* Writes to services: see service.h. */
#include "docker/service.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/http_client.h"

#define FILTER_MAX ((size_t)256 * 1024)

struct docker_call *
docker_service_create(
    struct docker_client *d, const char *spec, docker_body_fn *done, void *arg)
{
	return docker_request(
	    d, "POST", "/services/create", spec, strlen(spec), done, arg);
}

struct docker_call *
docker_service_update(struct docker_client *d, const char *id, uint64_t version,
    const char *spec, docker_body_fn *done, void *arg)
{
	STR_AUTO(target, 1024);

	str_add(&target, "/services/");
	http_add_escaped(&target, id, strlen(id));
	str_addf(&target, "/update?version=%" PRIu64, version);
	return docker_request(
	    d, "POST", target.p, spec, strlen(spec), done, arg);
}

struct docker_call *
docker_service_remove(
    struct docker_client *d, const char *id, docker_body_fn *done, void *arg)
{
	STR_AUTO(target, 1024);

	str_add(&target, "/services/");
	http_add_escaped(&target, id, strlen(id));
	return docker_request(d, "DELETE", target.p, NULL, 0, done, arg);
}

static void
add_filters(
    struct str *target, const char *key, const char *const *values, size_t n)
{
	STR_AUTO(filters, FILTER_MAX);

	str_addf(&filters, "{\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			str_addc(&filters, ',');
		str_add_json(&filters, values[i], strlen(values[i]));
	}
	str_add(&filters, "]}");
	str_add(target, "?filters=");
	http_add_escaped(target, filters.p, filters.len);
}

struct docker_call *
docker_service_list(struct docker_client *d, const char *label,
    docker_object_fn *on_object, docker_done_fn *done, void *arg)
{
	STR_AUTO(target, FILTER_MAX);

	str_add(&target, "/services");
	add_filters(&target, "label", &label, 1);
	return docker_list(d, target.p, on_object, NULL, done, arg);
}

struct docker_call *
docker_service_tasks(struct docker_client *d, const char *const *ids, size_t n,
    docker_object_fn *on_object, docker_done_fn *done, void *arg)
{
	STR_AUTO(target, FILTER_MAX);

	str_add(&target, "/tasks");
	add_filters(&target, "service", ids, n);
	return docker_list(d, target.p, on_object, NULL, done, arg);
}

bool
docker_service_is_outrun(const struct error *e)
{
	return e != NULL && strstr(e->msg, "out of sequence") != NULL;
}
