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

void
recording_encode(struct str *out, const struct cluster_config *c,
    const char *ini, const struct routing *r, uint64_t generation,
    const char *config_hash)
{
	size_t i;

	str_addf(out, "{\"version\":1,\"generation\":%llu",
	    (unsigned long long)generation);
	add_text(out, "cluster", c->cluster.name);
	add_text(out, "config", config_hash);
	add_text(out, "ini", ini);
	for (i = 0; c->templates != NULL && i < TEMPLATE_COUNT; i++) {
		STR_AUTO(key, 64);

		str_addf(&key, "template_%s",
		    config_template_name((enum config_template)i));
		add_text(out, key.p, c->templates->text[i]);
	}
	str_add(out, ",\n\"services\":[");
	for (i = 0; i < r->accepted.len; i++) {
		str_add(out, i == 0 ? "\n" : ",\n");
		docker_encode_service(out, r->accepted.at[i]->service);
	}
	str_add(out, "]}\n");
}

void
recording_free(struct recording *r)
{
	if (r == NULL)
		return;
	cluster_config_free(r->config);
	model_free(r->services);
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
