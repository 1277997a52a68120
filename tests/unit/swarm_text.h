/*
 * A small Swarm written down in a few words, for tests of claims and routes:
 * it becomes a snapshot document and goes through the real decoder.
 *
 * Networks: front 10.0.1.0/24, back 10.0.2.0/24, six fd00:1::/64, bare (no
 * subnet), twin (two of that name: n-twin1, n-twin2), ingress, local (a
 * bridge); IDs are "n-" and the name.  Nodes: node1 192.0.2.1, node2 with no
 * address.  A service's ID is "s-" and its name.
 */
#ifndef TESTS_SWARM_TEXT_H
#define TESTS_SWARM_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../extension/routing.h"
#include "base/str.h"
#include "docker/decode.h"

#define TEXT_MAX (64UL * 1024 * 1024)

struct texts {
	VEC(char *) list;
};

struct swarm {
	struct texts services;
	struct texts tasks;
	struct texts networks;
	char *secrets; /* items of the list; NULL: no list */
	unsigned int vips;
};

static const char *const swarm_networks[] = {
	"{\"Id\":\"n-front\",\"Name\":\"front\",\"Driver\":\"overlay\","
	"\"Scope\":\"swarm\",\"IPAM\":{\"Config\":[{\"Subnet\":"
	"\"10.0.1.0/24\"}]}}",
	"{\"Id\":\"n-back\",\"Name\":\"back\",\"Driver\":\"overlay\","
	"\"Scope\":\"swarm\",\"IPAM\":{\"Config\":[{\"Subnet\":"
	"\"10.0.2.0/24\"}]}}",
	"{\"Id\":\"n-six\",\"Name\":\"six\",\"Driver\":\"overlay\","
	"\"Scope\":\"swarm\",\"IPAM\":{\"Config\":[{\"Subnet\":"
	"\"fd00:1::/64\"}]}}",
	"{\"Id\":\"n-bare\",\"Name\":\"bare\",\"Driver\":\"overlay\","
	"\"Scope\":\"swarm\",\"IPAM\":{\"Config\":[]}}",
	"{\"Id\":\"n-twin1\",\"Name\":\"twin\",\"Driver\":\"overlay\","
	"\"Scope\":\"swarm\",\"IPAM\":{\"Config\":[{\"Subnet\":"
	"\"10.0.3.0/24\"}]}}",
	"{\"Id\":\"n-twin2\",\"Name\":\"twin\",\"Driver\":\"overlay\","
	"\"Scope\":\"swarm\",\"IPAM\":{\"Config\":[{\"Subnet\":"
	"\"10.0.4.0/24\"}]}}",
	"{\"Id\":\"n-ingress\",\"Name\":\"ingress\",\"Driver\":\"overlay\","
	"\"Scope\":\"swarm\",\"Ingress\":true,\"IPAM\":{\"Config\":"
	"[{\"Subnet\":\"10.255.0.0/16\"}]}}",
	"{\"Id\":\"n-local\",\"Name\":\"local\",\"Driver\":\"bridge\","
	"\"Scope\":\"local\",\"IPAM\":{\"Config\":[]}}",
};

static inline void
texts_fini(struct texts *t)
{
	size_t i;

	for (i = 0; i < t->list.len; i++)
		free(t->list.at[i]);
	vec_fini(&t->list);
}

static inline void
swarm_init(struct swarm *w)
{
	size_t i;

	*w = (struct swarm){ .vips = 10 };
	for (i = 0; i < countof(swarm_networks); i++)
		vec_push(&w->networks.list, xstrdup(swarm_networks[i]));
}

static inline void
swarm_fini(struct swarm *w)
{
	texts_fini(&w->services);
	texts_fini(&w->tasks);
	texts_fini(&w->networks);
	free(w->secrets);
}

/* "hosts=a.example|port=80" to JSON members with the prefix. */
static inline void
swarm_add_labels(struct str *out, const char *labels)
{
	bool first = true;

	while (*labels != '\0') {
		size_t len = strcspn(labels, "|"), key = strcspn(labels, "=");
		char *name = xasprintf(LABEL_PREFIX "%.*s", (int)key, labels);

		must(key < len);
		if (!first)
			str_addc(out, ',');
		first = false;
		str_add_json(out, name, strlen(name));
		str_addc(out, ':');
		str_add_json(out, labels + key + 1, len - key - 1);
		free(name);
		labels += len + (labels[len] == '|');
	}
}

/* A VIP on the network: front 10.0.1.x, back 10.0.2.x; else none. */
static inline void
swarm_add_vip(struct swarm *w, struct str *out, const char *id)
{
	int third = strcmp(id, "n-front") == 0 ? 1
	    : strcmp(id, "n-back") == 0	       ? 2
					       : 0;

	if (third == 0)
		return;
	if (out->p[out->len - 1] == '}')
		str_addc(out, ',');
	str_addf(out, "{\"NetworkID\":\"%s\",\"Addr\":\"10.0.%d.%u/24\"}", id,
	    third, w->vips++ % 250 + 2);
}

/*
 * A service of the given age (greater is older) on networks ("n-front,n-back")
 * with labels as above and further members of its Spec ("" or
 * ",\"Mode\":{...}").
 */
static inline void
swarm_service_with(struct swarm *w, const char *name, int age,
    const char *networks, const char *labels, const char *members)
{
	const char *p;
	STR_AUTO(s, TEXT_MAX);

	str_addf(&s,
	    "{\"ID\":\"s-%s\",\"Version\":{\"Index\":7},\"CreatedAt\":"
	    "\"2024-01-%02dT00:00:00.000000001Z\",\"Spec\":{\"Name\":\"%s\","
	    "\"Labels\":{",
	    name, 31 - age, name);
	swarm_add_labels(&s, labels);
	str_add(&s, "},\"TaskTemplate\":{\"Networks\":[");
	for (p = networks; *p != '\0'; p += p[strcspn(p, ",")] == ','
		 ? strcspn(p, ",") + 1
		 : strcspn(p, ",")) {
		str_addf(&s, "%s{\"Target\":\"%.*s\"}",
		    p == networks ? "" : ",", (int)strcspn(p, ","), p);
	}
	str_addf(
	    &s, "]}%s},\"Endpoint\":{\"Spec\":{},\"VirtualIPs\":[", members);
	for (p = networks; *p != '\0'; p += p[strcspn(p, ",")] == ','
		 ? strcspn(p, ",") + 1
		 : strcspn(p, ",")) {
		char *id = xmemdup0(p, strcspn(p, ","));

		swarm_add_vip(w, &s, id);
		free(id);
	}
	str_add(&s, "]}}");
	vec_push(&w->services.list, str_take(&s));
}

static inline void
swarm_service(struct swarm *w, const char *name, int age, const char *networks,
    const char *labels)
{
	swarm_service_with(w, name, age, networks, labels,
	    ",\"Mode\":{\"Replicated\":{\"Replicas\":1}}");
}

/* A task "t-NAME.SLOT" of a service, with an address on a network. */
static inline void
swarm_task_in(struct swarm *w, const char *service, int slot,
    const char *network, const char *address, const char *state,
    const char *desired)
{
	vec_push(&w->tasks.list,
	    xasprintf("{\"ID\":\"t-%s-%d\",\"Version\":{\"Index\":9},"
		      "\"ServiceID\":\"s-%s\",\"Slot\":%d,\"NodeID\":\"node1\","
		      "\"Status\":{\"State\":\"%s\"},\"DesiredState\":\"%s\","
		      "\"NetworksAttachments\":[{\"Network\":{\"ID\":\"%s\"},"
		      "\"Addresses\":[\"%s\"]}]}",
		service, slot, service, slot, state, desired, network,
		address));
}

static inline void
swarm_task(struct swarm *w, const char *service, int slot, const char *network,
    const char *address)
{
	swarm_task_in(w, service, slot, network, address, "running", "running");
}

/* Tasks SERVICE-1..n on front at 10.0.1.(first...). */
static inline void
swarm_tasks(struct swarm *w, const char *service, int n, int first)
{
	int i;

	for (i = 0; i < n; i++) {
		char address[64];

		(void)snprintf(
		    address, sizeof(address), "10.0.1.%d/24", first + i);
		swarm_task(w, service, i + 1, "n-front", address);
	}
}

static inline void
swarm_join(struct str *out, const struct texts *t, size_t turn, bool backwards)
{
	size_t i, n = t->list.len;

	for (i = 0; i < n; i++) {
		size_t at = (i + turn) % n;

		str_add(out, i == 0 ? "" : ",\n");
		str_add(out, t->list.at[backwards ? n - 1 - at : at]);
	}
}

/* The snapshot document, its lists turned by 'turn' and perhaps reversed. */
static inline struct model *
swarm_model_turned(const struct swarm *w, size_t turn, bool backwards)
{
	struct error e;
	struct model *m;
	STR_AUTO(s, TEXT_MAX);

	str_add(&s, "{\"version\":1,\"services\":[");
	swarm_join(&s, &w->services, turn, backwards);
	str_add(&s, "],\"tasks\":[");
	swarm_join(&s, &w->tasks, turn, backwards);
	str_add(&s, "],\"networks\":[");
	swarm_join(&s, &w->networks, turn, backwards);
	str_add(&s,
	    "],\"nodes\":[{\"ID\":\"node1\",\"Description\":{\"Hostname\":"
	    "\"one\"},\"Status\":{\"Addr\":\"192.0.2.1\"}},{\"ID\":\"node2\","
	    "\"Description\":{\"Hostname\":\"two\"},\"Status\":{}}]");
	if (w->secrets != NULL)
		str_addf(&s, ",\"secrets\":[%s]", w->secrets);
	str_addc(&s, '}');
	m = docker_decode_snapshot(s.p, s.len, &e);
	if (m == NULL)
		fail_msg("%s in %s", e.msg, s.p);
	return m;
}

static inline struct model *
swarm_model(const struct swarm *w)
{
	return swarm_model_turned(w, 0, false);
}

static inline struct cluster_config *
swarm_config(const char *ini)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse("main.ini", ini, strlen(ini), &errors);

	if (c == NULL)
		fail_msg("%s", errors.lines.at[0]);
	config_errors_fini(&errors);
	return c;
}

static inline const struct rejected *
routing_rejected(const struct routing *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->rejected.len; i++) {
		if (strcmp(r->rejected.at[i].service, name) == 0)
			return &r->rejected.at[i];
	}
	return NULL;
}

static inline const struct accepted *
routing_accepted(const struct routing *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->accepted.len; i++) {
		if (strcmp(r->accepted.at[i]->service->name, name) == 0)
			return r->accepted.at[i];
	}
	return NULL;
}

/* "a.example/ web[10.0.1.2:80*1 10.0.1.3:80*1] new[]\n" for each route. */
static inline void
routing_text(struct str *out, const struct routing *r)
{
	size_t i, k, n;

	for (i = 0; i < r->routes.len; i++) {
		const struct route *route = &r->routes.at[i];

		str_addf(out, "%s%s", route->host, route->path);
		for (k = 0; k < route->members.len; k++) {
			const struct pool_member *m = &route->members.at[k];

			str_addf(out, " %s[", m->service->service->name);
			for (n = 0; n < m->upstreams.len; n++)
				str_addf(out, "%s%s*%u", n == 0 ? "" : " ",
				    m->upstreams.at[n].address,
				    m->upstreams.at[n].weight);
			str_addc(out, ']');
		}
		str_addc(out, '\n');
	}
}

#endif
