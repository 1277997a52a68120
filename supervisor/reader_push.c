/* SwarmKit's Watch in the reader: see reader_push.h. */
#include "reader_push.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "docker/watch.h"

/*
 * Other sources may be so much ahead of Watch: in time in which this loop
 * turned and Watch said nothing at all, since what it says is in order.  One
 * that speaks, but not of that, is waited for a while.
 */
#define GRACE_MS 2000
#define GRACE_SPEAKING_MS 20000
/* Looked at so often; a look that is so late tells nothing. */
#define GRACE_LOOK_MS 250
#define GRACE_LATE_MS 100
/* Watch may be so much ahead of the event stream. */
#define AHEAD_MS 15000
#define MISSED_TIMES 3
/* A last task waits so long for the one that replaces it. */
#define REPLACED_MS 300

/*
 * The event stream tells each change of a service, too: what Watch told of one
 * and the event stream did not yet.
 */
struct ahead {
	unsigned changes;
	uint64_t at_ms;
};

/* A change that another source showed, and for how long Watch did not. */
struct suspect {
	uint64_t silent_ms; /* in which it said nothing */
	uint64_t waited_ms; /* in all */
};

/* What Watch told of a last task, while another's address is on its way. */
struct replaced {
	struct watch_event event;
	uint64_t due_ms;
};

struct push {
	struct swarm *swarm;
	struct sources *sources;
	struct push_handlers handlers;
	void *arg;
	struct docker_watch *watch;
	char *path;
	bool automatic; /* nobody said that there is a socket */
	uint64_t poll_ms;

	bool up;
	uint64_t up_ms;
	bool listed; /* everything, since the stream stands */
	bool in_force;
	bool told_down; /* the log says that tasks are polled */
	struct error down;
	unsigned missed; /* in a row */

	struct map told;     /* service ID -> when Watch spoke of it last */
	struct map ahead;    /* service ID -> struct ahead *, owned */
	uint64_t list_ms;    /* when the last list began */
	struct map suspects; /* service ID -> struct suspect *, owned */
	uv_timer_t grace;
	uint64_t looked_ms;	       /* when 'grace' was set */
	bool spoke;		       /* Watch, since then */
	VEC(struct replaced) replaced; /* by due_ms */
	uv_timer_t replace;
	struct swarm_changes changes; /* of the message that is being told */
	bool closing;
	unsigned open_handles;
};

/* ------------------------------------------------------------ in force or not
 */

static void
tell_state(struct push *p)
{
	bool quiet = p->automatic && p->down.code == ENOENT;

	if (p->in_force) {
		log_info(
		    "docker: task changes are pushed (Watch on %s)", p->path);
		p->told_down = false;
	} else if (!p->told_down) {
		log_write(quiet ? LOG_INFO : LOG_WARN,
		    "docker: task changes are not pushed: %s; tasks are "
		    "polled, at least every %llu ms",
		    p->down.msg, (unsigned long long)p->poll_ms);
		p->told_down = true;
	}
}

static void
judge(struct push *p)
{
	bool now = p->up && p->listed && p->missed == 0;

	if (now == p->in_force)
		return;
	p->in_force = now;
	tell_state(p);
	sources_pushed(p->sources, now);
	p->handlers.on_state(p->arg);
}

/* Everything has to be listed before push is in force (again). */
static void
list_first(struct push *p)
{
	p->listed = false;
	p->up_ms = clock_mono_ms();
	sources_resync(p->sources);
}

static void
unsuspect(struct push *p, const char *service_id)
{
	free(map_remove(&p->suspects, service_id));
}

static void
unsuspect_all(struct push *p)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&p->suspects, &i)) != NULL;)
		free(e->value);
	map_fini(&p->suspects);
}

static void on_grace(uv_timer_t *timer);

static void
look_later(struct push *p)
{
	p->looked_ms = clock_mono_ms();
	p->spoke = false;
	(void)uv_timer_start(&p->grace, on_grace, GRACE_LOOK_MS, 0);
}

/* Counts the time since the last look; whether Watch missed one. */
static bool
find_missed(struct push *p, uint64_t passed)
{
	bool missed = false;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&p->suspects, &i)) != NULL;) {
		struct suspect *x = e->value;

		x->waited_ms += passed;
		x->silent_ms += p->spoke ? 0 : passed;
		if (x->silent_ms < GRACE_MS && x->waited_ms < GRACE_SPEAKING_MS)
			continue;
		if (!missed)
			(void)error_set(&p->down, ESTALE,
			    "%s: Watch said nothing of a change of service %s",
			    p->path, e->key);
		missed = true;
		unsuspect(p, e->key);
	}
	return missed;
}

static void
on_grace(uv_timer_t *timer)
{
	struct push *p = container_of(timer, struct push, grace);
	uint64_t passed = clock_mono_ms() - p->looked_ms;
	bool missed = false;

	/* Later than that, what was said lies unread. */
	if (passed <= GRACE_LOOK_MS + GRACE_LATE_MS)
		missed = find_missed(p, passed);
	if (p->suspects.len > 0)
		look_later(p);
	if (!missed || !p->up)
		return;
	p->missed++;
	judge(p);
	/* Whatever else it kept to itself. */
	sources_resync_in_time(p->sources);
	if (p->missed < MISSED_TIMES)
		return;
	log_warn("docker: Watch is silent though things change; opening it "
		 "again");
	p->missed = 1;
	docker_watch_reopen(p->watch, p->down.msg);
}

/* Another source shows a change of a service that Watch did not tell yet. */
static void
suspect(struct push *p, const char *service_id)
{
	if (map_get(&p->suspects, service_id) != NULL)
		return;
	(void)map_set(
	    &p->suspects, service_id, xcalloc(1, sizeof(struct suspect)));
	if (!uv_is_active((uv_handle_t *)&p->grace))
		look_later(p);
}

static void
listed(struct push *p, const char *service_id)
{
	uint64_t told = (uintptr_t)map_get(&p->told, service_id);

	if (told == 0 || told < p->list_ms)
		suspect(p, service_id);
}

void
push_heard(struct push *p, const char *service_id)
{
	struct ahead *a;

	if (p == NULL || !p->up || !p->listed)
		return;
	a = map_get(&p->ahead, service_id);
	if (a == NULL || a->changes == 0 ||
	    a->at_ms + AHEAD_MS < clock_mono_ms())
		suspect(p, service_id);
	else
		a->changes--;
}

static void
forget_told(struct push *p, uint64_t before_ms)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&p->told, &i)) != NULL;) {
		if ((uintptr_t)e->value < before_ms)
			(void)map_remove(&p->told, e->key);
	}
	for (size_t i = 0; (e = map_next(&p->ahead, &i)) != NULL;) {
		struct ahead *a = e->value;

		if (a->at_ms >= before_ms)
			continue;
		(void)map_remove(&p->ahead, e->key);
		free(a);
	}
}

void
push_listed(
    struct push *p, const struct swarm_changes *changes, uint64_t began_ms)
{
	if (p == NULL || !p->up || began_ms < p->up_ms)
		return;
	if (!p->listed) {
		p->listed = true;
		p->list_ms = began_ms;
		judge(p);
		return;
	}
	for (size_t i = 0; i < changes->services.len; i++)
		listed(p, changes->services.at[i]);
	for (size_t i = 0; i < changes->removed.len; i++)
		listed(p, changes->removed.at[i]);
	p->list_ms = began_ms;
	forget_told(p, began_ms > AHEAD_MS ? began_ms - AHEAD_MS : 0);
}

/* ------------------------------------------------------------- the stream */

static void
on_up(void *arg, bool resumed)
{
	struct push *p = arg;

	p->up = true;
	p->up_ms = p->list_ms = clock_mono_ms();
	p->listed = resumed && p->swarm->complete;
	judge(p);
}

static void
on_gap(void *arg, const char *why)
{
	struct push *p = arg;

	log_debug("docker: Watch stands (%s); listing everything", why);
	list_first(p);
}

static void
note_told(struct push *p, const char *service_id)
{
	(void)map_set(
	    &p->told, service_id, (void *)(uintptr_t)(clock_mono_ms() | 1));
	unsuspect(p, service_id);
}

static void
note_ahead(struct push *p, const char *service_id)
{
	struct ahead *a = map_get(&p->ahead, service_id);
	uint64_t now = clock_mono_ms();

	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		(void)map_set(&p->ahead, service_id, a);
	}
	if (a->at_ms + AHEAD_MS < now)
		a->changes = 0;
	a->changes++;
	a->at_ms = now;
}

static void
take_task(struct push *p, const struct watch_event *ev)
{
	switch (swarm_tell_task(p->swarm, ev, clock_mono_ms(), &p->changes)) {
	case SWARM_NOTHING:
	case SWARM_CHANGED:
		break;
	case SWARM_LOOK:
		sources_tasks_dirty(p->sources, ev->service_id);
		break;
	case SWARM_UNKNOWN:
		/* An answer about it may be older than this. */
		if (sources_awaits(p->sources, ev->service_id))
			sources_tasks_dirty(p->sources, ev->service_id);
		break;
	}
}

static void
tell_changes(struct push *p)
{
	if (p->changes.services.len > 0)
		p->handlers.on_changes(p->arg, &p->changes, clock_wall_us());
	swarm_changes_fini(&p->changes);
	memset(&p->changes, 0, sizeof(p->changes));
}

static void
on_replace(uv_timer_t *timer)
{
	struct push *p = container_of(timer, struct push, replace);
	uint64_t now = clock_mono_ms();

	while (p->replaced.len > 0 && p->replaced.at[0].due_ms <= now) {
		take_task(p, &p->replaced.at[0].event);
		vec_remove(&p->replaced, 0);
	}
	tell_changes(p);
	if (p->replaced.len > 0)
		(void)uv_timer_start(
		    timer, on_replace, p->replaced.at[0].due_ms - now, 0);
}

/*
 * A replaced task may be told to go while the answer with its successor's
 * address is on its way: taken at once, it would leave a moment without any.
 * The answer, or the time, takes it away.
 */
static bool
wait_for_successor(struct push *p, const struct watch_event *ev)
{
	struct replaced *r;

	if (!sources_awaits_tasks(p->sources, ev->service_id) ||
	    !swarm_is_last_task(p->swarm, ev))
		return false;
	r = vec_add(&p->replaced);
	r->event = *ev;
	r->due_ms = clock_mono_ms() + REPLACED_MS;
	if (!uv_is_active((uv_handle_t *)&p->replace))
		(void)uv_timer_start(&p->replace, on_replace, REPLACED_MS, 0);
	return true;
}

static void
on_task(struct push *p, const struct watch_event *ev)
{
	if (ev->service_id[0] == '\0')
		return;
	note_told(p, ev->service_id);
	if (!wait_for_successor(p, ev))
		take_task(p, ev);
}

static void
on_service(struct push *p, const struct watch_event *ev)
{
	const struct service *known =
	    map_get(&p->swarm->model->services, ev->id);

	note_told(p, ev->id);
	note_ahead(p, ev->id);
	if (known == NULL || ev->action == WATCH_REMOVE ||
	    known->version < ev->version)
		sources_dirty(p->sources, ev->id);
}

static void
on_event(void *arg, const struct watch_event *ev)
{
	struct push *p = arg;

	p->spoke = true;
	if (ev->kind == WATCH_TASK)
		on_task(p, ev);
	else if (ev->kind == WATCH_SERVICE)
		on_service(p, ev);
	if (p->missed == 0)
		return;
	/* It speaks again. */
	p->missed = 0;
	list_first(p);
}

static void
on_end(void *arg)
{
	tell_changes(arg);
}

static void
on_down(void *arg, const struct error *e, bool was_up, uint64_t retry_ms)
{
	struct push *p = arg;

	(void)retry_ms;
	p->up = false;
	unsuspect_all(p);
	p->down = *e;
	if (was_up)
		judge(p);
	if (!p->told_down)
		tell_state(p);
}

/* -------------------------------------------------------------- start and end
 */

struct push *
push_new(uv_loop_t *loop, struct swarm *swarm, struct sources *sources,
    const struct daemon_config *c, const struct push_handlers *h, void *arg)
{
	static const struct docker_watch_handlers handlers = {
		.on_up = on_up,
		.on_gap = on_gap,
		.on_event = on_event,
		.on_end = on_end,
		.on_down = on_down,
	};
	char *path = docker_watch_socket(c);
	struct push *p;

	if (path == NULL) {
		log_info("docker: task changes are not pushed ([docker] watch "
			 "= %s); tasks are polled, at least every %llu ms",
		    c->docker.watch,
		    (unsigned long long)c->docker.poll_interval_ms);
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	p->swarm = swarm;
	p->sources = sources;
	p->handlers = *h;
	p->arg = arg;
	p->path = path;
	p->automatic = strcmp(c->docker.watch, "auto") == 0;
	p->poll_ms = c->docker.poll_interval_ms;
	must(uv_timer_init(loop, &p->grace) == 0);
	must(uv_timer_init(loop, &p->replace) == 0);
	/* Secrets and configs would come with their contents. */
	p->watch = docker_watch_new(
	    loop, path, 1U << WATCH_TASK | 1U << WATCH_SERVICE, &handlers, p);
	return p;
}

bool
push_in_force(const struct push *p)
{
	return p != NULL && p->in_force;
}

uint64_t
push_events(const struct push *p)
{
	return p == NULL ? 0 : docker_watch_counts(p->watch).events;
}

static void
part_closed(struct push *p)
{
	if (--p->open_handles > 0)
		return;
	swarm_changes_fini(&p->changes);
	forget_told(p, UINT64_MAX);
	map_fini(&p->told);
	map_fini(&p->ahead);
	unsuspect_all(p);
	vec_fini(&p->replaced);
	free(p->path);
	free(p);
}

static void
on_watch_closed(void *arg)
{
	part_closed(arg);
}

static void
on_grace_closed(uv_handle_t *handle)
{
	part_closed(container_of(handle, struct push, grace));
}

static void
on_replace_closed(uv_handle_t *handle)
{
	part_closed(container_of(handle, struct push, replace));
}

void
push_close(struct push *p)
{
	if (p == NULL || p->closing)
		return;
	p->closing = true;
	p->open_handles = 3;
	uv_close((uv_handle_t *)&p->grace, on_grace_closed);
	uv_close((uv_handle_t *)&p->replace, on_replace_closed);
	docker_watch_close(p->watch, on_watch_closed, p);
}
