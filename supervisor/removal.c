/* Removing a cluster: see removal.h. */
#include "removal.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "group.h"
#include "loop/http_server.h"
#include "supervisor.h"

/* Below the 35 s that proxyctl waits. */
#define ANSWER_MS 25000
#define QUERY_MS 20000

struct removal {
	struct supervisor *supervisor;
	struct http_exchange *x; /* NULL: answered, or the asker has gone */
	char *name;
	uv_timer_t deadline;
	uv_timer_t step;
	int timers;	     /* open ones */
	unsigned pending;    /* queries, and the group */
	struct group *group; /* that is drained */
	bool group_closing;
	bool waits;	    /* for the cluster to be retired */
	const char *source; /* what was removed, or NULL */
	uint32_t local;
	bool service;
	bool failed;
	bool ended;
};

static void
on_gone(void *arg, struct http_exchange *x)
{
	struct removal *r = arg;

	(void)x;
	r->x = NULL;
}

static void
maybe_free(struct removal *r)
{
	if (r->timers > 0 || r->pending > 0)
		return;
	free(r->name);
	free(r);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct removal *r = handle->data;

	r->timers--;
	maybe_free(r);
}

static void
close_timers(struct removal *r)
{
	uv_timer_t *timers[] = { &r->deadline, &r->step };

	for (size_t i = 0; i < countof(timers); i++) {
		timers[i]->data = r;
		(void)uv_timer_stop(timers[i]);
		uv_close((uv_handle_t *)timers[i], on_timer_closed);
	}
}

static void
take_out(struct removal *r)
{
	struct removals *all = &r->supervisor->removals;

	for (size_t i = 0; i < all->list.len; i++) {
		if (all->list.at[i] == r) {
			vec_remove(&all->list, i);
			return;
		}
	}
}

/* Nothing more is done; what is under way ends by itself. */
static void
end(struct removal *r)
{
	if (r->ended)
		return;
	r->ended = true;
	take_out(r);
	close_timers(r);
}

static void
answer(struct removal *r, unsigned status, const struct str *body)
{
	struct http_exchange *x = r->x;

	r->x = NULL;
	if (x == NULL)
		return;
	http_on_gone(x, NULL, NULL);
	http_answer(x, status, NULL, body->p, body->len);
}

/* The first failure is told, and ends it when all else has. */
static void __attribute__((format(printf, 3, 4)))
fail(struct removal *r, unsigned status, const char *fmt, ...)
{
	STR_AUTO(text, 4096);
	STR_AUTO(body, 32768);
	va_list ap;

	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	log_warn("cluster %s is not removed: %s", r->name, text.p);
	r->failed = true;
	r->waits = false;
	str_add(&body, "{\"error\":");
	str_add_json(&body, text.p, text.len);
	str_add(&body, "}\n");
	answer(r, status, &body);
}

/* ---- the end ---- */

static void
remove_path(const char *path)
{
	struct error e;

	if (fs_remove_tree(path, &e) != 0)
		log_warn("%s", e.msg);
}

static void
forget(struct removal *r)
{
	static const char *const kinds[] = { "state", "bus" };
	const char *run_dir = r->supervisor->run_dir;
	char *control _cleanup_free_ =
	    xasprintf("%s/control/%s.sock", run_dir, r->name);

	for (size_t i = 0; i < countof(kinds); i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s/%s", run_dir, kinds[i], r->name);

		remove_path(path);
	}
	for (uint32_t i = 0; i < r->local; i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/proxies/%s.%u", run_dir, r->name, i);

		remove_path(path);
	}
	(void)unlink(control);
	retired_drop(&r->supervisor->retired, r->name);
}

static void
tell(struct removal *r, unsigned status, bool draining)
{
	STR_AUTO(body, 4096);

	str_addf(&body, "{\"cluster\":\"%s\"", r->name);
	str_add_member(&body, "source", r->source);
	str_addf(&body,
	    ",\"local_proxies\":%u,\"proxy_service\":%s,\"draining\":%s}\n",
	    r->local, r->service ? "true" : "false",
	    draining ? "true" : "false");
	answer(r, status, &body);
}

static void
go_on(struct removal *r)
{
	struct supervisor *s = r->supervisor;
	bool known = r->source != NULL || r->local > 0 || r->service ||
	    retired_find(&s->retired, r->name) != NULL;

	if (r->pending > 0 || r->waits || r->ended)
		return;
	if (r->failed) {
		end(r);
		return;
	}
	if (!known) {
		fail(r, 404,
		    "there is no cluster and no retired one of that name; "
		    "\"proxyctl cluster ls\" lists them");
		end(r);
		return;
	}
	/* Meanwhile it may have been added again. */
	if (accepted_find(s->accepted, r->name) == NULL)
		forget(r);
	log_info("cluster %s: removed", r->name);
	tell(r, 200, false);
	end(r);
}

static void
done_one(struct removal *r)
{
	r->pending--;
	if (r->ended)
		maybe_free(r);
	else
		go_on(r);
}

/* ---- its proxies ---- */

static void
on_group_closed(void *arg)
{
	struct removal *r = arg;

	r->group = NULL;
	done_one(r);
}

/* A group is not closed from within its own callback. */
static void
on_step(uv_timer_t *timer)
{
	struct removal *r = container_of(timer, struct removal, step);

	if (r->ended || r->group == NULL || r->group_closing)
		return;
	r->group_closing = true;
	group_close(r->group, on_group_closed, r);
}

static void
on_drained(void *arg)
{
	struct removal *r = arg;

	if (!r->ended)
		must(uv_timer_start(&r->step, on_step, 0, 0) == 0);
}

/* All that there may be; those that do not run are not started. */
static void
drain_local(struct removal *r)
{
	struct supervisor *s = r->supervisor;
	char *path _cleanup_free_ = xasprintf("%s.ini", r->name);
	char *agent _cleanup_free_ = xasprintf("%s/proxyctl", s->bin_dir);
	struct group_options o = { .run_dir = s->run_dir,
		.agent = agent,
		.uid = s->uid,
		.gid = s->gid };
	struct config_errors errors = { 0 };
	struct cluster_config *config;
	STR_AUTO(text, 256);

	r->local = retired_local_proxies(s->run_dir, r->name);
	if (r->local == 0)
		return;
	str_addf(&text, "[proxy]\ndriver = local\nreplicas = %u\n", r->local);
	config = cluster_config_parse(path, text.p, text.len, &errors);
	must(config != NULL);
	r->pending++;
	r->group = group_new(s->loop, config, &o);
	cluster_config_free(config);
	group_drain(r->group, on_drained, r);
}

static const char *
words_of(const json_t *answer_body)
{
	const char *text =
	    json_string_value(json_object_get(answer_body, "error"));

	return text == NULL ? "the reader does not answer now" : text;
}

static void
on_gate_removed(void *arg, unsigned status, const char *body, size_t len)
{
	struct removal *r = arg;
	json_auto_t *j = json_loadb(body, len, 0, NULL);

	if (status == 200)
		r->service = true;
	else if (status != 404 && !r->ended)
		fail(r, 502, "its proxy service: %s", words_of(j));
	done_one(r);
}

static void
remove_proxies(struct removal *r)
{
	struct supervisor *s = r->supervisor;
	const struct retired_cluster *known =
	    retired_find(&s->retired, r->name);
	char *args _cleanup_free_ = xasprintf("{\"cluster\":\"%s\"}", r->name);

	r->pending++;
	drain_local(r);
	/* Of one that is not known here Swarm may know. */
	if (known == NULL || strcmp(known->driver, "swarm") == 0 ||
	    (strcmp(known->driver, "unknown") == 0 && r->local == 0)) {
		r->pending++;
		process_query(s->reader, "gate_remove", args, QUERY_MS,
		    on_gate_removed, r);
	}
	done_one(r);
}

/* ---- where it came from ---- */

static void
on_config_removed(void *arg, unsigned status, const char *body, size_t len)
{
	struct removal *r = arg;
	json_auto_t *j = json_loadb(body, len, 0, NULL);

	if (r->ended || r->failed) {
		done_one(r);
		return;
	}
	if (status != 200)
		fail(r, status == 409 ? 409 : 502, "%s", words_of(j));
	else
		r->source = "config";
	r->waits = status == 200;
	done_one(r);
	/* Its end may have been told before this answer. */
	removals_go_on(r->supervisor);
}

static bool
is_marked(const char *path)
{
	static const char mark[] = REMOVAL_MARK;
	STR_AUTO(text, CONFIG_FILE_MAX);
	size_t n = sizeof(mark) - 1;

	return fs_read(path, &text, NULL) == 0 && text.len >= n &&
	    memcmp(text.p + text.len - n, mark, n) == 0;
}

static void
remove_file(struct removal *r, const struct accepted_cluster *a)
{
	struct supervisor *s = r->supervisor;
	char *path _cleanup_free_ = xasprintf(
	    "%s/%s", s->accepted->daemon->supervisor.clusters_dir, a->file);

	if (!is_marked(path)) {
		fail(r, 409,
		    "its file %s was not made by \"cluster add\": remove it, "
		    "then this again",
		    path);
	} else if (unlink(path) != 0) {
		fail(r, 502, "%s: %s", path, strerror(errno));
	} else {
		r->source = "file";
		r->waits = true;
		/* 'a' is gone afterwards. */
		supervisor_reload(s);
		a = accepted_find(s->accepted, r->name);
		if (a != NULL)
			fail(r, 409, "it is in force again, from %s", a->file);
	}
}

static void
on_deadline(uv_timer_t *timer)
{
	struct removal *r = container_of(timer, struct removal, deadline);

	if (r->ended)
		return;
	if (r->waits) {
		fail(r, 409, "it is still in force; see \"proxyctl status\"");
		go_on(r);
	} else {
		tell(r, 202, true);
	}
}

void
removal_start(struct supervisor *s, struct http_exchange *x, const char *name)
{
	const struct accepted_cluster *a = accepted_find(s->accepted, name);
	char *args _cleanup_free_ = xasprintf("{\"cluster\":\"%s\"}", name);
	struct removal *r;

	if (removals_has(s, name)) {
		http_answer_error(x, 409, "it is being removed already");
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->supervisor = s;
	r->x = x;
	r->name = xstrdup(name);
	http_on_gone(x, on_gone, r);
	must(uv_timer_init(s->loop, &r->deadline) == 0);
	must(uv_timer_init(s->loop, &r->step) == 0);
	r->timers = 2;
	must(uv_timer_start(&r->deadline, on_deadline, ANSWER_MS, 0) == 0);
	vec_push(&s->removals.list, r);
	r->pending++;
	if (a == NULL) {
		remove_proxies(r);
	} else if (a->from_config) {
		r->pending++;
		process_query(s->reader, "config_remove", args, QUERY_MS,
		    on_config_removed, r);
	} else {
		remove_file(r, a);
	}
	done_one(r);
}

void
removals_go_on(struct supervisor *s)
{
	for (size_t i = s->removals.list.len; i-- > 0;) {
		struct removal *r = s->removals.list.at[i];

		if (!r->waits || accepted_find(s->accepted, r->name) != NULL)
			continue;
		r->waits = false;
		remove_proxies(r);
		/* It may be over, and others with it. */
		if (i > s->removals.list.len)
			i = s->removals.list.len;
	}
}

bool
removals_has(const struct supervisor *s, const char *name)
{
	for (size_t i = 0; i < s->removals.list.len; i++) {
		if (strcmp(s->removals.list.at[i]->name, name) == 0)
			return true;
	}
	return false;
}

void
removals_close(struct supervisor *s)
{
	while (s->removals.list.len > 0) {
		struct removal *r = s->removals.list.at[0];

		if (r->x != NULL) {
			http_on_gone(r->x, NULL, NULL);
			http_answer_error(
			    r->x, 503, "the supervisor is stopping");
		}
		r->x = NULL;
		end(r);
		if (r->group != NULL && !r->group_closing)
			group_close(r->group, on_group_closed, r);
	}
	vec_fini(&s->removals.list);
}
