/* One cluster's share: see reader_share.h. */
#include "reader_share.h"

#include <string.h>

#include "base/mem.h"
#include "docker/decode.h"
#include "model/label.h"

#define BODY_MAX ((size_t)240 * 1024 * 1024)
#define OBJECT_MAX ((size_t)8 * 1024 * 1024)

static void *const present = (void *)(uintptr_t)1;

static const char *const list_names[SHARE_KINDS] = {
	[SHARE_NETWORKS] = "networks",
	[SHARE_NODES] = "nodes",
	[SHARE_SECRETS] = "secrets",
	[SHARE_CONFIGS] = "configs",
};

void
share_init(struct share *s, const struct cluster_config *c)
{
	memset(s, 0, sizeof(*s));
	s->config = c;
}

static void
forget_told(struct share *s)
{
	struct map_entry *e;

	for (size_t k = 0; k < SHARE_KINDS; k++) {
		for (size_t i = 0; (e = map_next(&s->told[k], &i)) != NULL;)
			free(e->value);
		map_fini(&s->told[k]);
	}
	free(s->told_bad);
	s->told_bad = NULL;
}

void
share_fini(struct share *s)
{
	forget_told(s);
	map_fini(&s->services);
	for (size_t k = 0; k < SHARE_KINDS; k++)
		map_fini(&s->wants[k]);
}

/* ------------------------------------------------------------------ wants */

static void
want(struct share *s, enum share_kind kind, const char *key)
{
	if (key != NULL && key[0] != '\0')
		(void)map_set(&s->wants[kind], key, present);
}

/* A label may name a Docker secret or, for what is not secret, a config. */
static void
want_secret(struct share *s, const char *name)
{
	want(s, SHARE_SECRETS, name);
	want(s, SHARE_CONFIGS, name);
}

static void
want_labels(struct share *s, const struct service *service)
{
	struct labels l;
	struct findings remarks = { 0 };
	struct finding error = { 0 };

	memset(&l, 0, sizeof(l));
	if (labels_parse(service, &l, &remarks, &error) != 0)
		finding_fini(&error);
	want(s, SHARE_NETWORKS, l.network);
	want_secret(s, l.ssl_cert);
	want_secret(s, l.ssl_key);
	want_secret(s, l.ssl_backend_ca);
	want_secret(s, l.basic_auth);
	labels_fini(&l);
	findings_fini(&remarks);
}

void
share_add(struct share *s, const struct service *service)
{
	want_labels(s, service);
	for (size_t i = 0; i < service->networks.len; i++)
		want(s, SHARE_NETWORKS, service->networks.at[i]);
	for (size_t i = 0; i < service->vips.len; i++)
		want(s, SHARE_NETWORKS, service->vips.at[i].network_id);
	for (size_t i = 0; i < service->secrets.len; i++)
		want(s, SHARE_SECRETS, service->secrets.at[i]);
	for (size_t i = 0; i < service->tasks.len; i++) {
		const struct task *t = service->tasks.at[i];

		if (t->ports.len > 0)
			want(s, SHARE_NODES, t->node_id);
		for (size_t k = 0; k < t->addresses.len; k++)
			want(s, SHARE_NETWORKS, t->addresses.at[k].network_id);
	}
}

void
share_want_configured(struct share *s)
{
	for (size_t i = 0; i < s->config->cluster.networks.items.len; i++)
		want(
		    s, SHARE_NETWORKS, s->config->cluster.networks.items.at[i]);
}

void
share_recount(struct share *s, const struct swarm *swarm)
{
	struct map_entry *e;

	for (size_t k = 0; k < SHARE_KINDS; k++)
		map_fini(&s->wants[k]);
	for (size_t i = 0; (e = map_next(&s->services, &i)) != NULL;) {
		const struct service *service =
		    map_get(&swarm->model->services, e->key);

		if (service != NULL)
			share_add(s, service);
	}
	share_want_configured(s);
}

/* --------------------------------------------------------------- messages */

void
share_message_init(struct share_message *m)
{
	memset(m, 0, sizeof(*m));
	str_init(&m->services, BODY_MAX);
	str_init(&m->tasks, BODY_MAX);
	str_init(&m->bad, BODY_MAX);
	str_init(&m->removed_services, BODY_MAX);
	for (size_t k = 0; k < SHARE_KINDS; k++) {
		str_init(&m->objects[k], BODY_MAX);
		str_init(&m->removed[k], BODY_MAX);
	}
}

void
share_message_fini(struct share_message *m)
{
	str_fini(&m->services);
	str_fini(&m->tasks);
	str_fini(&m->bad);
	str_fini(&m->removed_services);
	for (size_t k = 0; k < SHARE_KINDS; k++) {
		str_fini(&m->objects[k]);
		str_fini(&m->removed[k]);
	}
}

static void
comma(struct str *s)
{
	if (s->len > 0)
		str_add(s, ",\n");
}

void
share_put_service(struct share_message *m, const struct service *s)
{
	comma(&m->services);
	docker_encode_service(&m->services, s);
	for (size_t i = 0; i < s->tasks.len; i++) {
		comma(&m->tasks);
		docker_encode_task(&m->tasks, s->tasks.at[i]);
	}
	m->update = true;
}

void
share_put_removed(struct share_message *m, const char *service_id)
{
	comma(&m->removed_services);
	str_add_json(&m->removed_services, service_id, strlen(service_id));
	m->remove = true;
}

static void
encode(struct str *out, enum share_kind kind, const void *object)
{
	switch (kind) {
	case SHARE_NETWORKS:
		docker_encode_network(out, object);
		break;
	case SHARE_NODES:
		docker_encode_node(out, object);
		break;
	case SHARE_SECRETS:
	case SHARE_CONFIGS:
		docker_encode_secret(out, object);
		break;
	case SHARE_KINDS:
		break;
	}
}

static const struct map *
known(const struct swarm *swarm, enum share_kind kind)
{
	const struct model *m = swarm->model;

	return kind == SHARE_NETWORKS ? &m->networks
	    : kind == SHARE_NODES     ? &m->nodes
	    : kind == SHARE_SECRETS   ? &m->secrets
				      : &m->configs;
}

/* The bytes of an object without what changes for no reader of ours. */
static void
put_object(struct share *s, enum share_kind kind, const char *key,
    const void *object, struct share_message *m)
{
	STR_AUTO(text, OBJECT_MAX);
	char *told = map_get(&s->told[kind], key);

	encode(&text, kind, object);
	if (told != NULL && strcmp(told, text.p) == 0)
		return;
	comma(&m->objects[kind]);
	str_addn(&m->objects[kind], text.p, text.len);
	m->update = true;
	free(map_set(&s->told[kind], key, str_take(&text)));
}

static void
put_networks(
    struct share *s, const struct swarm *swarm, struct share_message *m)
{
	const struct map *networks = known(swarm, SHARE_NETWORKS);
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(networks, &i)) != NULL;) {
		const struct network *n = e->value;

		if (n->ingress ||
		    map_get(&s->wants[SHARE_NETWORKS], n->id) != NULL ||
		    map_get(&s->wants[SHARE_NETWORKS], n->name) != NULL)
			put_object(s, SHARE_NETWORKS, n->id, n, m);
	}
}

static void
put_wanted(struct share *s, const struct swarm *swarm, enum share_kind kind,
    struct share_message *m)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->wants[kind], &i)) != NULL;) {
		const void *object = map_get(known(swarm, kind), e->key);

		if (object != NULL)
			put_object(s, kind, e->key, object, m);
	}
}

static void
put_gone(struct share *s, const struct swarm *swarm, enum share_kind kind,
    struct share_message *m)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->told[kind], &i)) != NULL;) {
		if (map_get(known(swarm, kind), e->key) != NULL)
			continue;
		comma(&m->removed[kind]);
		str_add_json(&m->removed[kind], e->key, strlen(e->key));
		m->remove = true;
		free(e->value);
		(void)map_remove(&s->told[kind], e->key);
	}
}

void
share_put_objects(
    struct share *s, const struct swarm *swarm, struct share_message *m)
{
	put_networks(s, swarm, m);
	put_wanted(s, swarm, SHARE_NODES, m);
	put_wanted(s, swarm, SHARE_SECRETS, m);
	put_wanted(s, swarm, SHARE_CONFIGS, m);
	for (size_t k = 0; k < SHARE_KINDS; k++)
		put_gone(s, swarm, (enum share_kind)k, m);
}

void
share_put_bad(struct share *s, const char *bad, struct share_message *m)
{
	if (strcmp(s->told_bad == NULL ? "[]" : s->told_bad, bad) == 0)
		return;
	free(s->told_bad);
	s->told_bad = xstrdup(bad);
	str_clear(&m->bad);
	str_add(&m->bad, bad);
	m->update = true;
}

static void
add_list(struct str *out, const char *name, const struct str *items)
{
	str_addf(out, ",\"%s\":[", name);
	str_addn(out, items->p, items->len);
	str_addc(out, ']');
}

void
share_update_body(const struct share_message *m, struct str *out)
{
	str_add(out, "{\"version\":1");
	add_list(out, "services", &m->services);
	add_list(out, "tasks", &m->tasks);
	for (size_t k = 0; k < SHARE_KINDS; k++)
		add_list(out, list_names[k], &m->objects[k]);
	if (m->bad.len > 0) {
		str_add(out, ",\"bad\":");
		str_addn(out, m->bad.p, m->bad.len);
	}
	str_addc(out, '}');
}

void
share_remove_body(const struct share_message *m, struct str *out)
{
	str_add(out, "{\"services\":[");
	str_addn(out, m->removed_services.p, m->removed_services.len);
	str_addc(out, ']');
	for (size_t k = 0; k < SHARE_KINDS; k++)
		add_list(out, list_names[k], &m->removed[k]);
	str_addc(out, '}');
}

void
share_snapshot_body(struct share *s, const struct swarm *swarm, struct str *out)
{
	struct share_message m;
	struct map_entry *e;

	share_message_init(&m);
	for (size_t i = 0; (e = map_next(&s->services, &i)) != NULL;) {
		const struct service *service =
		    map_get(&swarm->model->services, e->key);

		if (service != NULL)
			share_put_service(&m, service);
	}
	/* All of it again, whatever was told. */
	str_add(&m.bad, s->told_bad == NULL ? "[]" : s->told_bad);
	for (size_t k = 0; k < SHARE_KINDS; k++) {
		for (size_t i = 0; (e = map_next(&s->told[k], &i)) != NULL;) {
			comma(&m.objects[k]);
			str_add(&m.objects[k], e->value);
		}
	}
	share_update_body(&m, out);
	share_message_fini(&m);
}
