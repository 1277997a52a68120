/* What a configuration was made of: see recording.h. */
#include "recording.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "config/template.h"
#include "docker/decode.h"

static void
add_text(struct str *out, const char *key, const char *text)
{
	str_addf(out, ",\n\"%s\":", key);
	if (text == NULL)
		str_add(out, "null");
	else
		str_add_json(out, text, strlen(text));
}

static void
add_head(struct str *out, const char *cluster, uint64_t generation,
    const char *config_hash)
{
	str_addf(out, "{\"version\":1,\"generation\":%llu",
	    (unsigned long long)generation);
	add_text(out, "cluster", cluster);
	add_text(out, "config", config_hash);
}

/* All but the services and their list's end. */
static void
add_whole_head(struct str *out, const struct cluster_config *c, const char *ini,
    uint64_t generation, const char *config_hash)
{
	size_t i;

	add_head(out, c->cluster.name, generation, config_hash);
	add_text(out, "ini", ini);
	for (i = 0; c->templates != NULL && i < TEMPLATE_COUNT; i++) {
		STR_AUTO(key, 64);

		str_addf(&key, "template_%s",
		    config_template_name((enum config_template)i));
		add_text(out, key.p, c->templates->text[i]);
	}
	str_add(out, ",\n\"services\":[");
}

static void
add_service(struct str *out, const struct service *s, bool *more)
{
	str_add(out, *more ? ",\n" : "\n");
	*more = true;
	docker_encode_service(out, s);
}

void
recording_encode(struct str *out, const struct cluster_config *c,
    const char *ini, const struct routing *r, uint64_t generation,
    const char *config_hash)
{
	bool more = false;
	size_t i;

	add_whole_head(out, c, ini, generation, config_hash);
	for (i = 0; i < r->accepted.len && !out->overflow; i++)
		add_service(out, r->accepted.at[i]->service, &more);
	str_add(out, "]}\n");
}

void
recording_encode_delta(struct str *out, const struct cluster_config *c,
    uint64_t base, const struct recording_item *items, size_t n,
    uint64_t generation, const char *config_hash)
{
	bool more = false;
	size_t i;

	add_head(out, c->cluster.name, generation, config_hash);
	str_addf(out, ",\n\"base\":%llu,\"gone\":[", (unsigned long long)base);
	for (i = 0; i < n; i++) {
		if (items[i].now != NULL)
			continue;
		str_add(out, more ? "," : "");
		str_add_json(out, items[i].id, strlen(items[i].id));
		more = true;
	}
	str_add(out, "],\n\"services\":[");
	more = false;
	for (i = 0; i < n; i++)
		if (items[i].now != NULL)
			add_service(out, items[i].now, &more);
	str_add(out, "]}\n");
}

void
recording_free(struct recording *r)
{
	if (r == NULL)
		return;
	cluster_config_free(r->config);
	model_free(r->services);
	free(r->ini);
	free(r->text);
	free(r);
}

/* The fragments as they were, whatever the folder has today. */
static void
take_templates(struct recording *r, const json_t *root)
{
	struct config_templates *t = xcalloc(1, sizeof(*t));
	bool any = false;
	size_t i;

	for (i = 0; i < TEMPLATE_COUNT; i++) {
		STR_AUTO(key, 64);
		const char *text;

		str_addf(&key, "template_%s",
		    config_template_name((enum config_template)i));
		text = json_string_value(json_object_get(root, key.p));
		t->text[i] = text == NULL ? NULL : xstrdup(text);
		any |= text != NULL;
	}
	if (any)
		r->config->templates = t;
	else
		config_templates_free(t);
}

static int
take(struct recording *r, const json_t *root, const char *cluster,
    struct error *e)
{
	const char *name = json_string_value(json_object_get(root, "cluster"));
	const char *hash = json_string_value(json_object_get(root, "config"));
	const char *ini = json_string_value(json_object_get(root, "ini"));
	char *path _cleanup_free_ = xasprintf("%s.ini", cluster);
	struct config_errors errors = { 0 };

	if (name == NULL || strcmp(name, cluster) != 0 || hash == NULL ||
	    !sha256_is_hex(hash) || ini == NULL)
		return error_set(e, EPROTO, "not a recording of %s", cluster);
	r->generation =
	    (uint64_t)json_integer_value(json_object_get(root, "generation"));
	memcpy(r->config_hash, hash, SHA256_HEX_SIZE);
	r->config = cluster_config_parse(path, ini, strlen(ini), &errors);
	if (r->config == NULL)
		(void)error_set(e, EPROTO, "its INI is not right any more: %s",
		    errors.lines.len > 0 ? errors.lines.at[0] : "?");
	config_errors_fini(&errors);
	if (r->config == NULL)
		return -1;
	r->ini = xstrdup(ini);
	take_templates(r, root);
	return 0;
}

struct recording *
recording_decode(
    const char *text, size_t len, const char *cluster, struct error *e)
{
	struct recording *r = xcalloc(1, sizeof(*r));
	json_auto_t *root = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	if (root == NULL)
		(void)error_set(e, EPROTO, "not a recording: not JSON");
	else if (take(r, root, cluster, e) == 0)
		r->services = docker_decode_snapshot(text, len, e);
	if (r->services == NULL) {
		recording_free(r);
		return NULL;
	}
	r->text = xmemdup0(text, len);
	r->len = len;
	sha256_hex(text, len, r->sha256);
	return r;
}

/* ---- what differs from another ---- */

static int
compare_services(const void *a, const void *b)
{
	const struct service *x = *(const struct service *const *)a;
	const struct service *y = *(const struct service *const *)b;

	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void
add_services(struct str *out, const struct model *m)
{
	VEC(const struct service *) list = { 0 };
	struct map_entry *e;
	bool more = false;
	size_t i;

	for (i = 0; (e = map_next(&m->services, &i)) != NULL;)
		vec_push(&list, e->value);
	vec_sort(&list, compare_services);
	for (i = 0; i < list.len; i++)
		add_service(out, list.at[i], &more);
	vec_fini(&list);
}

struct recording *
recording_decode_upon(
    struct recording *base, const char *text, size_t len, struct error *e)
{
	json_auto_t *root = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *hash = json_string_value(json_object_get(root, "config"));
	const json_t *of = json_object_get(root, "base"), *id;
	struct recording *r = NULL;
	struct model *changed = NULL;
	STR_AUTO(out, RECORDING_MAX);
	size_t i;

	if (hash == NULL || !sha256_is_hex(hash) ||
	    (uint64_t)json_integer_value(of) != base->generation)
		(void)error_set(e, EPROTO, "not a change of that recording");
	else
		changed = docker_decode_snapshot(text, len, e);
	if (changed != NULL) {
		model_merge(base->services, changed);
		json_array_foreach(json_object_get(root, "gone"), i, id)(
		    void) model_remove_service(base->services,
		    json_string_value(id) == NULL ? "" : json_string_value(id));
		add_whole_head(&out, base->config, base->ini,
		    (uint64_t)json_integer_value(
			json_object_get(root, "generation")),
		    hash);
		add_services(&out, base->services);
		str_add(&out, "]}\n");
		r = recording_decode(
		    out.p, out.len, base->config->cluster.name, e);
	}
	recording_free(base);
	return r;
}

/* ---- the view ---- */

void
recording_view_init(struct recording_view *v, const struct recording *r,
    const struct model *now)
{
	struct map_entry *entry;
	size_t i, n = 0;

	v->copies = xcalloc(r->services->services.len, sizeof(v->copies[0]));
	/* Shared, and only read; its own are the services. */
	v->model = *now;
	memset(&v->model.services, 0, sizeof(v->model.services));
	memset(&v->model.bad, 0, sizeof(v->model.bad));
	v->model.bad_listed = false;
	for (i = 0; (entry = map_next(&r->services->services, &i)) != NULL;) {
		const struct service *then = entry->value;
		const struct service *today = map_get(&now->services, then->id);
		struct service *s = &v->copies[n++];

		*s = today != NULL ? *today : *then;
		memcpy(&s->labels, &then->labels, sizeof(s->labels));
		if (today == NULL) {
			/* Its addresses may be somebody else's by now. */
			s->mode = SERVICE_REPLICATED;
			s->replicas = 0;
			memset(&s->tasks, 0, sizeof(s->tasks));
			memset(&s->vips, 0, sizeof(s->vips));
		}
		(void)map_set(&v->model.services, s->id, s);
	}
}

void
recording_view_fini(struct recording_view *v)
{
	map_fini(&v->model.services);
	free(v->copies);
	v->copies = NULL;
}
