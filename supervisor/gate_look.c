/* Proxy services as the Engine shows them: see gate_look.h. */
#include "gate_look.h"

#include <jansson.h>
#include <string.h>

#include "gate_granted.h"
#include "model/model.h"

void
gate_seen_free(struct gate_seen *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->spec_networks.len; i++)
		free(s->spec_networks.at[i]);
	vec_fini(&s->spec_networks);
	for (size_t i = 0; i < s->spec_secrets.len; i++)
		free(s->spec_secrets.at[i]);
	vec_fini(&s->spec_secrets);
	for (size_t i = 0; i < s->spec_configs.len; i++)
		free(s->spec_configs.at[i]);
	vec_fini(&s->spec_configs);
	for (size_t i = 0; i < s->networks.len; i++)
		free(s->networks.at[i]);
	vec_fini(&s->networks);
	free(s->id);
	free(s->name);
	free(s->cluster);
	free(s->owner);
	free(s->spec);
	free(s->granted);
	free(s->update);
	free(s->update_words);
	free(s->trouble);
	free(s);
}

/* The text at o.key, or "". */
static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

struct texts {
	VEC(char *) list;
};

static void
collect(json_t *list, const char *key, struct texts *ret)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (*text(item, key) != '\0')
			vec_push(&ret->list, xstrdup(text(item, key)));
	}
}

static json_t *
load(const char *json, size_t len)
{
	return json_loadb(json, len, JSON_ALLOW_NUL, NULL);
}

struct gate_seen *
gate_look_service(const char *json, size_t len)
{
	json_auto_t *o = load(json, len);
	json_t *spec = json_object_get(o, "Spec");
	json_t *labels = json_object_get(spec, "Labels");
	json_t *template = json_object_get(spec, "TaskTemplate");
	json_t *update = json_object_get(o, "UpdateStatus");
	json_t *container = json_object_get(template, "ContainerSpec");
	struct texts networks = { 0 }, secrets = { 0 }, configs = { 0 };
	struct gate_seen *s;

	if (*text(labels, GATE_LABEL_OWNER) == '\0' ||
	    *text(labels, GATE_LABEL_CLUSTER) == '\0' || *text(o, "ID") == '\0')
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->id = xstrdup(text(o, "ID"));
	s->name = xstrdup(text(spec, "Name"));
	s->cluster = xstrdup(text(labels, GATE_LABEL_CLUSTER));
	s->owner = xstrdup(text(labels, GATE_LABEL_OWNER));
	s->granted = xstrdup(text(labels, GATE_LABEL_GRANTED));
	s->spec = json_dumps(spec, JSON_COMPACT);
	must(s->spec != NULL);
	s->version = (uint64_t)json_integer_value(
	    json_object_get(json_object_get(o, "Version"), "Index"));
	s->replicas = (uint64_t)json_integer_value(json_object_get(
	    json_object_get(json_object_get(spec, "Mode"), "Replicated"),
	    "Replicas"));
	s->update = xstrdup(text(update, "State"));
	s->update_words = xstrdup(text(update, "Message"));
	collect(json_object_get(template, "Networks"), "Target", &networks);
	memcpy(&s->spec_networks, &networks.list, sizeof(networks.list));
	collect(json_object_get(container, "Secrets"), "SecretName", &secrets);
	memcpy(&s->spec_secrets, &secrets.list, sizeof(secrets.list));
	collect(json_object_get(container, "Configs"), "ConfigName", &configs);
	memcpy(&s->spec_configs, &configs.list, sizeof(configs.list));
	return s;
}

char *
gate_look_task_service(const char *json, size_t len)
{
	json_auto_t *o = load(json, len);
	const char *id = json_string_value(json_object_get(o, "ServiceID"));

	return id == NULL ? NULL : xstrdup(id);
}

static bool
is_on(json_t *attachments, const char *id)
{
	json_t *item;
	size_t i;

	json_array_foreach(attachments, i, item)
	{
		if (strcmp(text(json_object_get(item, "Network"), "ID"), id) ==
		    0)
			return true;
	}
	return false;
}

/* What all running tasks are on: the first one's, less what others lack. */
static void
take_networks(struct gate_seen *s, json_t *attachments)
{
	json_t *item;
	size_t i;

	if (s->running == 1) {
		json_array_foreach(attachments, i, item)
		{
			const char *id =
			    text(json_object_get(item, "Network"), "ID");

			if (*id != '\0')
				vec_push(&s->networks, xstrdup(id));
		}
		return;
	}
	for (i = s->networks.len; i-- > 0;) {
		if (is_on(attachments, s->networks.at[i]))
			continue;
		free(s->networks.at[i]);
		vec_remove(&s->networks, i);
	}
}

/* Of several the newest; one that is still waited for goes before all. */
static void
take_trouble(
    struct gate_seen *s, const char *words, uint64_t version, bool waits)
{
	if (*words == '\0' || (s->trouble_waits && !waits) ||
	    (s->trouble != NULL && waits == s->trouble_waits &&
		version < s->trouble_version))
		return;
	free(s->trouble);
	s->trouble = xstrdup(words);
	s->trouble_version = version;
	s->trouble_waits = waits;
}

void
gate_look_task(struct gate_seen *s, const char *json, size_t len)
{
	json_auto_t *o = load(json, len);
	json_t *status = json_object_get(o, "Status");
	int state = task_state_parse(text(status, "State"));
	int desired = task_state_parse(text(o, "DesiredState"));
	uint64_t version = (uint64_t)json_integer_value(
	    json_object_get(json_object_get(o, "Version"), "Index"));

	if (state < 0 || desired < 0)
		return;
	if (state == TASK_RUNNING && desired == TASK_RUNNING) {
		s->running++;
		take_networks(s, json_object_get(o, "NetworksAttachments"));
		return;
	}
	if (desired > TASK_RUNNING && state > TASK_PENDING &&
	    state <= TASK_RUNNING)
		s->leaving++;
	if (desired <= TASK_RUNNING && state <= TASK_PENDING) {
		s->unplaced++;
		take_trouble(s, text(status, "Err"), version, true);
	} else if (state == TASK_FAILED || state == TASK_REJECTED) {
		take_trouble(s, text(status, "Err"), version, false);
	}
}

bool
gate_look_is_rolling(const struct gate_seen *s)
{
	return strcmp(s->update, "updating") == 0 ||
	    strcmp(s->update, "rollback_started") == 0;
}
