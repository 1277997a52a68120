/* Snapshots: see reader_snapshot.h. */
#include "reader_snapshot.h"

#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "docker/decode.h"

#define SNAPSHOT_MAX ((size_t)1024 * 1024 * 1024)

static const struct {
	const char *name;
	const char *target;
} lists[] = {
	{ "services", "/services" },
	{ "tasks", "/tasks" },
	{ "networks", "/networks" },
	{ "nodes", "/nodes" },
	{ "secrets", "/secrets" },
	{ "configs", "/configs" },
};

struct snapshot {
	struct docker_client *docker;
	bool full;
	reader_snapshot_fn *done;
	void *arg;
	struct str out;
	size_t next; /* list */
	bool first;  /* of its objects */
};

/* ---------------------------------------------------------------- hiding */

static void
hide_strings(json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		(void)json_array_set_new(list, i, json_string("***"));
}

static void
hide_container(json_t *container)
{
	hide_strings(json_object_get(container, "Env"));
	hide_strings(json_object_get(container, "Args"));
}

static void
hide(json_t *object)
{
	static const char *const specs[] = { "Spec", "PreviousSpec" };
	json_t *spec, *task;

	for (size_t i = 0; i < countof(specs); i++) {
		spec = json_object_get(object, specs[i]);
		if (json_object_get(spec, "Data") != NULL)
			(void)json_object_set_new(
			    spec, "Data", json_string("***"));
		/* A task's own spec is a service's template. */
		hide_container(json_object_get(spec, "ContainerSpec"));
		task = json_object_get(spec, "TaskTemplate");
		hide_container(json_object_get(task, "ContainerSpec"));
	}
}

/*
 * An object that no JSON library reads cannot be searched for what to hide:
 * only its identity is given, so that it is bad-object there as well.
 */
static void
add_unreadable(struct str *out, const char *json, size_t len)
{
	char *id = NULL, *name = NULL;

	docker_scan_identity(json, len, &id, &name);
	str_add(out, "{\"ID\":");
	str_add_json(out, id == NULL ? "" : id, id == NULL ? 0 : strlen(id));
	str_add(out, ",\"Spec\":\"not readable\"}");
	free(id);
	free(name);
}

static void
add_hidden(struct str *out, const char *json, size_t len)
{
	json_auto_t *object = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
	char *text;

	if (!json_is_object(object)) {
		add_unreadable(out, json, len);
		return;
	}
	hide(object);
	text = json_dumps(object, JSON_COMPACT);
	if (text == NULL)
		oom();
	str_add(out, text);
	free(text);
}

/* ------------------------------------------------------------------ lists */

static void start_list(struct snapshot *s);

static void
add_object(struct snapshot *s, const char *json, size_t len)
{
	str_add(&s->out, s->first ? "\n" : ",\n");
	s->first = false;
	if (s->full)
		str_addn(&s->out, json, len);
	else
		add_hidden(&s->out, json, len);
}

static void
on_object(void *arg, const char *json, size_t len)
{
	add_object(arg, json, len);
}

static void
on_skipped(void *arg, const char *json, size_t len)
{
	struct snapshot *s = arg;

	str_add(&s->out, s->first ? "\n" : ",\n");
	s->first = false;
	add_unreadable(&s->out, json, len);
}

static void
end(struct snapshot *s, const struct error *e)
{
	struct error large;

	if (e == NULL && s->out.overflow) {
		(void)error_set(&large, 0, "the snapshot is too large");
		e = &large;
	}
	s->done(s->arg, s->out.p, s->out.len, e);
	str_fini(&s->out);
	free(s);
}

static void
on_list_done(void *arg, long status, const struct error *e)
{
	struct snapshot *s = arg;

	(void)status;
	if (e != NULL) {
		end(s, e);
		return;
	}
	str_addc(&s->out, ']');
	s->next++;
	if (s->next < countof(lists)) {
		start_list(s);
		return;
	}
	str_add(&s->out, "}\n");
	end(s, NULL);
}

static void
start_list(struct snapshot *s)
{
	str_addf(&s->out, ",\n\"%s\":[", lists[s->next].name);
	s->first = true;
	(void)docker_list(s->docker, lists[s->next].target, on_object,
	    on_skipped, on_list_done, s);
}

void
reader_snapshot_start(struct docker_client *docker, bool full,
    reader_snapshot_fn *done, void *arg)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	s->docker = docker;
	s->full = full;
	s->done = done;
	s->arg = arg;
	str_init(&s->out, SNAPSHOT_MAX);
	str_add(&s->out, "{\"version\":1");
	start_list(s);
}
