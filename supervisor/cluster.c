/* One cluster under the supervisor: its extension, its local proxies. */
#include "cluster.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"
#include "base/fs.h"
#include "base/log.h"
#include "group.h"
#include "supervisor.h"

struct cluster *
supervisor_cluster(const struct supervisor *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->clusters.len; i++) {
		if (strcmp(s->clusters.at[i]->name, name) == 0)
			return s->clusters.at[i];
	}
	return NULL;
}

static void
on_cluster_state(void *arg, struct process *p)
{
	struct cluster *c = arg;

	/* What the extension before this one said is not this one's state. */
	if (process_child(p)->state != CHILD_READY) {
		free(c->status.state);
		c->status.state = xstrdup("starting");
	}
	supervisor_try_finish(c->supervisor);
}

static void
take_status(struct cluster *c, const char *line, size_t len)
{
	json_auto_t *j = json_loadb(line, len, 0, NULL);
	const char *state = json_string_value(json_object_get(j, "state"));
	struct cluster_status *st = &c->status;
	const json_t *proxy;
	size_t i;

	st->alive = 0;
	json_array_foreach(json_object_get(j, "proxies"), i, proxy) st->alive +=
	    json_is_true(json_object_get(proxy, "alive"));
	free(st->json);
	free(st->state);
	st->json = xmemdup0(line, len);
	st->state = xstrdup(state == NULL ? "unknown" : state);
	st->generation =
	    (uint64_t)json_integer_value(json_object_get(j, "generation"));
	st->services =
	    (uint64_t)json_integer_value(json_object_get(j, "services"));
	st->rejected =
	    (uint64_t)json_integer_value(json_object_get(j, "rejected"));
	st->pinned = (uint64_t)json_integer_value(
	    json_object_get(json_object_get(j, "pinned"), "generation"));
}

bool
supervisor_is_event(const char *line)
{
	static const char start[] = "{\"type\":\"event\"";

	return strncmp(line, start, sizeof(start) - 1) == 0;
}

static void
on_cluster_push(void *arg, struct process *p, const char *line, size_t len)
{
	struct cluster *c = arg;

	(void)p;
	if (supervisor_is_event(line))
		admin_event(c->supervisor->admin, line, len);
	else
		take_status(c, line, len);
}

static const struct process_handlers cluster_handlers = {
	.on_state = on_cluster_state,
	.on_push = on_cluster_push,
};

/*
 * run_dir/bus/NAME and state/NAME belong to the extension alone; what it makes
 * there is our group's, so that the reader, which has no powers of root,
 * reaches its sockets.
 */
static void
make_folders(struct supervisor *s, const char *name)
{
	static const char *const kinds[] = { "bus", "state" };
	struct error e;
	size_t i;

	for (i = 0; i < countof(kinds); i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s/%s", s->run_dir, kinds[i], name);

		if (fs_mkdirs(path, 0755, &e) != 0) {
			log_error("%s", e.msg);
			continue;
		}
		if ((s->uid != 0 && chown(path, s->uid, getegid()) != 0) ||
		    chmod(path, 02750) != 0)
			log_error("%s: %s", path, strerror(errno));
	}
}

static struct process *
new_extension(struct supervisor *s, struct cluster *c)
{
	char *program _cleanup_free_ =
	    xasprintf("%s/bulkhead-extension", s->bin_dir);
	char *file _cleanup_free_ = accepted_path(s->accepted, c->name);
	char *title _cleanup_free_ = xasprintf("extension %s", c->name);
	char *argv[] = { program, (char[]){ "--cluster" }, file,
		(char[]){ "--run-dir" }, s->run_dir, NULL };
	struct process_options o = {
		.name = title,
		.argv = argv,
		.uid = s->uid,
		.gid = s->gid,
	};

	return process_new(s->loop, &o, &cluster_handlers, c);
}

const char *
cluster_driver_name(enum config_driver driver)
{
	static const char *const names[] = {
		[DRIVER_SWARM] = "swarm",
		[DRIVER_LOCAL] = "local",
		[DRIVER_NONE] = "none",
	};

	return names[driver];
}

void
cluster_set_group(struct supervisor *s, struct cluster *c,
    const struct cluster_config *config)
{
	char *agent _cleanup_free_ = xasprintf("%s/proxyctl", s->bin_dir);
	struct group_options o = {
		.run_dir = s->run_dir,
		.agent = agent,
		.uid = s->uid,
		.gid = s->gid,
	};

	c->driver = config->proxy.driver;
	if (config->proxy.driver != DRIVER_LOCAL) {
		if (c->group != NULL)
			group_close(c->group, NULL, NULL);
		c->group = NULL;
		return;
	}
	if (c->group == NULL)
		c->group = group_new(s->loop, config, &o);
	else
		group_set(c->group, config);
}

static int
compare_clusters(const void *a, const void *b)
{
	return strcmp((*(struct cluster *const *)a)->name,
	    (*(struct cluster *const *)b)->name);
}

void
cluster_add(struct supervisor *s, const struct accepted_cluster *a)
{
	struct cluster *c = xcalloc(1, sizeof(*c));

	c->supervisor = s;
	c->name = xstrdup(a->name);
	c->status.state = xstrdup("starting");
	make_folders(s, c->name);
	c->process = new_extension(s, c);
	vec_push(&s->clusters, c);
	vec_sort(&s->clusters, compare_clusters);
	log_info("cluster %s: starting (%s)", c->name, a->file);
	retired_drop(&s->retired, c->name);
	process_start(c->process);
	cluster_set_group(s, c, a->config);
}

void
cluster_free(void *arg)
{
	struct cluster *c = arg;

	free(c->status.json);
	free(c->status.state);
	free(c->name);
	free(c);
}

/* The proxies go on; "proxyctl cluster rm" ends them. */
void
cluster_retire(struct supervisor *s, const char *name)
{
	struct cluster *c = supervisor_cluster(s, name);
	size_t i;

	must(c != NULL);
	log_info("cluster %s: retired; its proxies serve on until "
		 "\"proxyctl cluster rm %s\"",
	    name, name);
	retired_add(&s->retired, name, cluster_driver_name(c->driver));
	for (i = 0; s->clusters.at[i] != c; i++)
		;
	vec_remove(&s->clusters, i);
	if (c->group != NULL)
		group_close(c->group, NULL, NULL);
	c->group = NULL;
	process_close(c->process, cluster_free, c);
}
