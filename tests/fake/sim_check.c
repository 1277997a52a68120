/*
 * Whether a spec can be had with what there is.  Order and words are those of
 * the engine (SwarmKit's control API), as tests/contract saw them.
 */
#include "sim_check.h"

#include "sim_store.h"

#define REFUSED "rpc error: code = InvalidArgument desc = "

static bool
is_host(const json_t *port)
{
	const char *mode =
	    json_string_value(json_object_get(port, "PublishMode"));

	return mode != NULL && strcmp(mode, "host") == 0;
}

static bool
same_port(const json_t *a, const json_t *b)
{
	return json_integer_value(json_object_get(a, "PublishedPort")) != 0 &&
	    json_equal(json_object_get(a, "PublishedPort"),
		json_object_get(b, "PublishedPort")) &&
	    json_equal(
		json_object_get(a, "Protocol"), json_object_get(b, "Protocol"));
}

static const json_t *
ports_of(const json_t *spec)
{
	return json_object_get(json_object_get(spec, "EndpointSpec"), "Ports");
}

static int
check_own_ports(const json_t *spec, struct error *e)
{
	const json_t *ports = ports_of(spec), *one;
	size_t i;

	json_array_foreach(ports, i, one)
	{
		for (size_t k = 0; k < i; k++) {
			const json_t *other = json_array_get(ports, k);

			if (same_port(one, other) &&
			    is_host(one) == is_host(other))
				return error_set(e, 400,
				    REFUSED "EndpointSpec: duplicate "
					    "published ports provided");
		}
	}
	return 0;
}

/* Two may share a port of each node; where they meet, tasks wait. */
static int
check_port(const struct sim_service *other, const json_t *port, struct error *e)
{
	const json_t *theirs;
	size_t i;

	json_array_foreach(ports_of(other->spec), i, theirs)
	{
		if (!same_port(port, theirs) ||
		    (is_host(port) && is_host(theirs)))
			continue;
		return error_set(e, 400,
		    REFUSED "port '%lld' is already in use by service '%s' "
			    "(%s) as %s port",
		    (long long)json_integer_value(
			json_object_get(port, "PublishedPort")),
		    other->o.name, other->o.id,
		    is_host(theirs) ? "a host-published" : "an ingress");
	}
	return 0;
}

static int
check_ports(struct sim *s, const struct sim_service *v, const json_t *spec,
    struct error *e)
{
	struct sim_service *other;
	const json_t *port;
	size_t i;

	SIM_FOR_EACH(s, SIM_SERVICE, struct sim_service, other)
	{
		if (other == v)
			continue;
		json_array_foreach(ports_of(spec), i, port)
		{
			if (check_port(other, port, e) != 0)
				return -1;
		}
	}
	return 0;
}

static int
check_blobs(struct sim *s, const json_t *spec, bool configs, struct error *e)
{
	const json_t *list = json_object_get(
	    json_object_get(
		json_object_get(spec, "TaskTemplate"), "ContainerSpec"),
	    configs ? "Configs" : "Secrets");
	STR_AUTO(missing, 4096);
	const json_t *item;
	size_t i, n = 0;

	json_array_foreach(list, i, item)
	{
		const char *id = json_string_value(
		    json_object_get(item, configs ? "ConfigID" : "SecretID"));
		const char *name = json_string_value(json_object_get(
		    item, configs ? "ConfigName" : "SecretName"));

		if (id != NULL &&
		    map_get(&s->by_id[configs ? SIM_CONFIG : SIM_SECRET], id) !=
			NULL)
			continue;
		str_addf(&missing, "%s%s", n++ == 0 ? "" : ", ",
		    name == NULL ? "" : name);
	}
	if (n == 0)
		return 0;
	return error_set(e, 400, REFUSED "%s%s not found: %s",
	    configs ? "config" : "secret", n == 1 ? "" : "s", missing.p);
}

int
sim_check_spec(struct sim *s, const struct sim_service *v, const json_t *spec,
    struct error *e)
{
	if (check_own_ports(spec, e) != 0 || check_ports(s, v, spec, e) != 0 ||
	    check_blobs(s, spec, false, e) != 0)
		return -1;
	return check_blobs(s, spec, true, e);
}
