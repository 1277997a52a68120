/* The reader's clusters and what goes to them: see reader_clusters.h. */
#include "reader_clusters.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/publisher.h"
#include "config/check.h"
#include "config/config.h"
#include "docker/decode.h"
#include "model/label.h"
#include "reader_share.h"

#define BODY_MAX ((size_t)BUS_MESSAGE_MAX)
/* A message has all odd objects: where there are many, they are told seldom. */
#define BAD_MANY 100
#define BAD_MS 500

struct rcluster {
	struct reader_clusters *all;
	struct cluster_config *config; /* owned */
	struct share share;
	struct publisher *publisher;  /* NULL before the first whole list */
	struct share_message message; /* that is being gathered */
	uint64_t commit_us; /* of the oldest change in it; 0: unknown */
	bool touched;	    /* the message has to be made and sent */
	bool outdated;	    /* it may want things that nobody needs any more */
	bool found;	    /* its file was there at the last look */
};

struct reader_clusters {
	uv_loop_t *loop;
	char *run_dir;
	char *epoch;
	const struct swarm *swarm;
	VEC(struct rcluster *) list;
	struct rcluster *otherwise; /* the default one, or NULL */
	bool begun;		    /* the first whole list was published */
	struct map places;	    /* service ID -> struct rcluster * */
	reader_clusters_need_fn *on_need; /* the gate's, or NULL */
	void *gate;
	bool closing;
	uv_timer_t bad;	 /* odd objects are told when it is due */
	uint64_t bad_ms; /* when they were told last */
	unsigned open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct reader_clusters *
reader_clusters_new(uv_loop_t *loop, const char *run_dir, const char *epoch,
    const struct swarm *swarm)
{
	struct reader_clusters *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->run_dir = xstrdup(run_dir);
	c->epoch = xstrdup(epoch);
	c->swarm = swarm;
	must(uv_timer_init(loop, &c->bad) == 0);
	c->open_handles = 2;
	return c;
}

static void
one_closed(void *arg)
{
	struct reader_clusters *c = arg;

	if (--c->open_handles > 0)
		return;
	if (c->closed != NULL)
		c->closed(c->closed_arg);
	map_fini(&c->places);
	vec_fini(&c->list);
	free(c->run_dir);
	free(c->epoch);
	free(c);
}

static void
rcluster_drop(struct rcluster *x)
{
	struct reader_clusters *c = x->all;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&c->places, &i)) != NULL;) {
		if (e->value == x)
			(void)map_remove(&c->places, e->key);
	}
	if (x->publisher != NULL)
		publisher_close(x->publisher, one_closed, c);
	share_fini(&x->share);
	cluster_config_free(x->config);
	free(x);
}

/* ------------------------------------------------------------ publishing */

static void
on_ask(void *arg, struct publisher *p, struct str *body)
{
	struct rcluster *x = arg;

	(void)p;
	share_snapshot_body(&x->share, x->all->swarm, body);
}

static void
on_need(void *arg, struct publisher *p, const char *need, size_t len,
    struct str *body)
{
	const struct rcluster *x = arg;

	(void)p;
	if (x->all->on_need != NULL)
		x->all->on_need(
		    x->all->gate, x->config->cluster.name, need, len, body);
}

static void
start_publisher(struct rcluster *x)
{
	struct reader_clusters *c = x->all;
	const char *name = x->config->cluster.name;
	char *folder _cleanup_free_ = xasprintf("%s/bus/%s", c->run_dir, name);
	struct error e;

	if (x->publisher != NULL)
		return;
	x->publisher =
	    publisher_new(c->loop, name, folder, c->epoch, on_ask, x, &e);
	if (x->publisher == NULL) {
		log_error("cluster %s: %s", name, e.msg);
		return;
	}
	publisher_on_need(x->publisher, on_need, x);
	c->open_handles++;
}

static void
touch(struct rcluster *x)
{
	if (!x->touched) {
		share_message_init(&x->message);
		x->commit_us = 0;
	}
	x->touched = true;
}

static void
send_message(struct rcluster *x, uint64_t read_us)
{
	struct bus_stamps stamps = {
		.commit_us = x->commit_us,
		.read_us = read_us,
		.sent_us = clock_wall_us(),
	};
	STR_AUTO(body, BODY_MAX);

	if (x->publisher == NULL)
		return;
	/* First what comes, then what goes: no host is ever without both. */
	if (x->message.update) {
		share_update_body(&x->message, &body);
		publisher_send(
		    x->publisher, BUS_UPDATE, body.p, body.len, &stamps);
	}
	str_clear(&body);
	if (x->message.remove) {
		share_remove_body(&x->message, &body);
		publisher_send(
		    x->publisher, BUS_REMOVE, body.p, body.len, &stamps);
	}
}

static void
send_all(struct reader_clusters *c, uint64_t read_us)
{
	for (size_t i = 0; i < c->list.len; i++) {
		struct rcluster *x = c->list.at[i];

		if (!x->touched)
			continue;
		share_put_objects(&x->share, c->swarm, &x->message);
		send_message(x, read_us);
		share_message_fini(&x->message);
		x->touched = false;
	}
}

/* ----------------------------------------------------------------- places */

static struct rcluster *
find(const struct reader_clusters *c, const char *name)
{
	for (size_t i = 0; i < c->list.len; i++) {
		if (strcmp(c->list.at[i]->config->cluster.name, name) == 0)
			return c->list.at[i];
	}
	return NULL;
}

/*
 * Whose a service is.  One that names no cluster, none that exists, or
 * something that is no name, goes to the default one, which says so.
 */
static struct rcluster *
place_of(const struct reader_clusters *c, const struct service *s)
{
	char *name _cleanup_free_ = NULL;
	struct finding error = { 0 };
	struct rcluster *x;

	if (labels_cluster(s, &name, &error) != 0) {
		finding_fini(&error);
		return c->otherwise;
	}
	x = name == NULL ? NULL : find(c, name);
	return x == NULL ? c->otherwise : x;
}

static void
leave(struct reader_clusters *c, const char *id)
{
	struct rcluster *x = map_remove(&c->places, id);

	if (x == NULL)
		return;
	touch(x);
	x->outdated = true;
	(void)map_remove(&x->share.services, id);
	share_put_removed(&x->message, id);
}

/* Publishes a service to whom it belongs. */
static void
put(struct reader_clusters *c, const struct service *s, uint64_t commit_us)
{
	struct rcluster *x = place_of(c, s);
	bool here = map_get(&c->places, s->id) == x;

	if (!here)
		leave(c, s->id);
	if (x == NULL)
		return;
	touch(x);
	x->outdated |= here;
	if (commit_us != 0 && (x->commit_us == 0 || commit_us < x->commit_us))
		x->commit_us = commit_us;
	(void)map_set(&c->places, s->id, x);
	(void)map_set(&x->share.services, s->id, x);
	share_add(&x->share, s);
	/* Before the first whole list nobody listens: a snapshot tells all. */
	if (x->publisher != NULL)
		share_put_service(&x->message, s);
}

/* ------------------------------------------------------------ odd objects */

static enum share_kind
kind_of(const char *kind)
{
	return strcmp(kind, "network") == 0 ? SHARE_NETWORKS
	    : strcmp(kind, "node") == 0	    ? SHARE_NODES
	    : strcmp(kind, "secret") == 0   ? SHARE_SECRETS
	    : strcmp(kind, "config") == 0   ? SHARE_CONFIGS
					    : SHARE_KINDS;
}

/* Whether the odd object 'b' is 'x's to tell. */
static bool
is_told_by(const struct rcluster *x, const struct bad_object *b)
{
	enum share_kind kind = kind_of(b->kind);
	const char *key =
	    kind == SHARE_SECRETS || kind == SHARE_CONFIGS ? b->name : b->id;
	const struct rcluster *owner = NULL;

	if (kind == SHARE_KINDS) {
		if (b->id != NULL)
			owner = map_get(&x->all->places, b->id);
		return owner != NULL ? owner == x : x == x->all->otherwise;
	}
	if (key != NULL && map_get(&x->share.told[kind], key) != NULL)
		return true;
	return x == x->all->otherwise;
}

static void
put_bad(struct rcluster *x)
{
	const struct model *m = x->all->swarm->model;
	struct model *mine = model_new();
	STR_AUTO(text, BODY_MAX);

	for (size_t i = 0; i < m->bad.len; i++) {
		if (is_told_by(x, &m->bad.at[i]))
			vec_push(&mine->bad, m->bad.at[i]);
	}
	docker_encode_bad(&text, mine);
	/* They are the swarm's. */
	mine->bad.len = 0;
	model_free(mine);
	touch(x);
	share_put_bad(&x->share, text.p, &x->message);
}

static void
put_all_bad(struct reader_clusters *c)
{
	c->bad_ms = clock_mono_ms();
	for (size_t i = 0; i < c->list.len; i++)
		put_bad(c->list.at[i]);
}

static void
on_bad(uv_timer_t *timer)
{
	struct reader_clusters *c =
	    container_of(timer, struct reader_clusters, bad);

	if (c->closing || !c->swarm->complete)
		return;
	put_all_bad(c);
	send_all(c, clock_wall_us());
}

/* Now, or with others that follow. */
static void
put_bad_in_time(struct reader_clusters *c)
{
	uint64_t passed = clock_mono_ms() - c->bad_ms;

	if (uv_is_active((uv_handle_t *)&c->bad))
		return;
	if (c->swarm->model->bad.len > BAD_MANY && passed < BAD_MS)
		must(uv_timer_start(&c->bad, on_bad, BAD_MS - passed, 0) == 0);
	else
		put_all_bad(c);
}

/* ---------------------------------------------------------------- publish */

static void
recount(struct reader_clusters *c)
{
	for (size_t i = 0; i < c->list.len; i++) {
		struct rcluster *x = c->list.at[i];

		if (x->outdated)
			share_recount(&x->share, c->swarm);
		x->outdated = false;
		touch(x);
	}
}

/* Placed by reader_clusters_place() and not changed since. */
static bool
is_placed(const struct reader_clusters *c, const char *id)
{
	return !c->begun && c->swarm->complete &&
	    map_get(&c->places, id) != NULL;
}

void
reader_clusters_place(
    struct reader_clusters *c, const struct swarm_changes *changes)
{
	for (size_t i = 0; i < changes->services.len; i++) {
		const char *id = changes->services.at[i];
		const struct service *s =
		    map_get(&c->swarm->model->services, id);

		if (s != NULL && !is_placed(c, id))
			put(c, s, swarm_changes_commit(changes, id));
	}
	for (size_t i = 0; i < changes->removed.len; i++)
		leave(c, changes->removed.at[i]);
}

void
reader_clusters_publish(struct reader_clusters *c,
    const struct swarm_changes *changes, uint64_t read_us)
{
	reader_clusters_place(c, changes);
	if (!c->swarm->complete)
		return;
	c->begun = true;
	if (changes->objects)
		recount(c);
	if (changes->bad)
		put_bad_in_time(c);
	send_all(c, read_us);
	for (size_t i = 0; i < c->list.len; i++)
		start_publisher(c->list.at[i]);
}

/* ---------------------------------------------------------- configuration */

static void
take_config(struct reader_clusters *c, struct cluster_config *config)
{
	struct rcluster *x = find(c, config->cluster.name);

	if (x == NULL) {
		x = xcalloc(1, sizeof(*x));
		x->all = c;
		share_init(&x->share, config);
		vec_push(&c->list, x);
	} else {
		cluster_config_free(x->config);
	}
	x->config = config;
	x->share.config = config;
	share_want_configured(&x->share);
	x->outdated = x->publisher != NULL;
	x->found = true;
}

static void
load_file(struct reader_clusters *c, const char *path)
{
	struct config_errors errors = { 0 };
	struct cluster_config *config = cluster_config_load(path, &errors);

	if (config != NULL)
		take_config(c, config);
	for (size_t i = 0; i < errors.lines.len; i++)
		log_error("%s", errors.lines.at[i]);
	config_errors_fini(&errors);
}

static void
find_default(struct reader_clusters *c)
{
	const struct cluster_config **configs =
	    xcalloc(c->list.len, sizeof(configs[0]));
	ssize_t n;

	for (size_t i = 0; i < c->list.len; i++)
		configs[i] = c->list.at[i]->config;
	n = config_default_cluster(configs, c->list.len);
	c->otherwise = n < 0 ? NULL : c->list.at[n];
	free(configs);
}

/* After a reload: whatever belongs elsewhere now moves. */
static void
place_again(struct reader_clusters *c)
{
	struct map_entry *e;

	if (!c->swarm->complete) {
		/* All are told, and placed, when it is. */
		for (size_t i = 0; i < c->list.len; i++)
			map_fini(&c->list.at[i]->share.services);
		map_fini(&c->places);
		return;
	}
	for (size_t i = 0;
	     (e = map_next(&c->swarm->model->services, &i)) != NULL;) {
		if (map_get(&c->places, e->key) != place_of(c, e->value))
			put(c, e->value, 0);
	}
	recount(c);
	put_all_bad(c);
	send_all(c, clock_wall_us());
	for (size_t i = 0; i < c->list.len; i++)
		start_publisher(c->list.at[i]);
}

int
reader_clusters_load(struct reader_clusters *c, struct error *e)
{
	char *folder _cleanup_free_ =
	    xasprintf("%s/accepted/clusters.d", c->run_dir);
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (dir == NULL)
		return error_errno(e, errno, "%s", folder);
	for (size_t i = 0; i < c->list.len; i++)
		c->list.at[i]->found = false;
	while ((entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", folder, entry->d_name);

		if (len > 4 && entry->d_name[0] != '.' &&
		    strcmp(entry->d_name + len - 4, ".ini") == 0)
			load_file(c, path);
	}
	(void)closedir(dir);
	for (size_t i = c->list.len; i > 0; i--) {
		struct rcluster *x = c->list.at[i - 1];

		if (x->found)
			continue;
		vec_remove(&c->list, i - 1);
		rcluster_drop(x);
	}
	find_default(c);
	place_again(c);
	return 0;
}

const struct cluster_config *
reader_clusters_config(const struct reader_clusters *c, size_t i)
{
	return i < c->list.len ? c->list.at[i]->config : NULL;
}

const struct map *
reader_clusters_services(const struct reader_clusters *c, const char *name)
{
	const struct rcluster *x = find(c, name);

	return x == NULL ? NULL : &x->share.services;
}

void
reader_clusters_set_gate(
    struct reader_clusters *c, reader_clusters_need_fn *on_need_gate, void *arg)
{
	c->on_need = on_need_gate;
	c->gate = arg;
}

void
reader_clusters_tell_gate(
    struct reader_clusters *c, const char *name, const char *body, size_t len)
{
	const struct rcluster *x = find(c, name);

	if (x != NULL && x->publisher != NULL)
		publisher_send(x->publisher, BUS_GATE, body, len, NULL);
}

void
reader_clusters_json(const struct reader_clusters *c, struct str *out)
{
	str_addc(out, '{');
	for (size_t i = 0; i < c->list.len; i++) {
		const struct rcluster *x = c->list.at[i];
		bool up = x->publisher != NULL;

		str_addf(out,
		    "%s\"%s\":{\"services\":%zu,\"messages\":%llu,"
		    "\"connected\":%s}",
		    i == 0 ? "" : ",", x->config->cluster.name,
		    x->share.services.len,
		    (unsigned long long)(up ? publisher_sent(x->publisher) : 0),
		    up && publisher_connected(x->publisher) ? "true" : "false");
	}
	str_addc(out, '}');
}

static void
on_bad_closed(uv_handle_t *handle)
{
	one_closed(
	    container_of((uv_timer_t *)handle, struct reader_clusters, bad));
}

void
reader_clusters_close(
    struct reader_clusters *c, void (*closed)(void *arg), void *arg)
{
	if (c == NULL || c->closing)
		return;
	c->closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	for (size_t i = 0; i < c->list.len; i++)
		rcluster_drop(c->list.at[i]);
	c->list.len = 0;
	uv_close((uv_handle_t *)&c->bad, on_bad_closed);
	one_closed(c);
}
