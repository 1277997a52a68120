/* Deciding about one proxy service: see gate_group.h. */
#include "gate_group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "docker/service.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000
#define OUTRUN_MAX 3

struct gate_group *
gate_group_new(const char *name)
{
	struct gate_group *g = xcalloc(1, sizeof(*g));

	g->name = xstrdup(name);
	g->backoff =
	    (struct backoff)BACKOFF_INIT(RETRY_MIN_MS, RETRY_MAX_MS, 1);
	return g;
}

void
gate_group_free(struct gate_group *g)
{
	struct map_entry *e;

	if (g == NULL)
		return;
	for (size_t i = 0; (e = map_next(&g->unneeded, &i)) != NULL;)
		free(e->value);
	map_fini(&g->unneeded);
	gate_need_fini(&g->need);
	gate_seen_free(g->seen);
	free(g->old_owner);
	free(g->ours);
	free(g->blind);
	free(g->error);
	free(g->refused);
	free(g->told);
	free(g->told_error);
	free(g->name);
	free(g);
}

void
gate_group_reset(struct gate_group *g)
{
	if (g->passive) {
		g->passive = g->claimed = false;
		free(g->old_owner);
		g->old_owner = NULL;
	}
	g->retry_ms = 0;
	g->backoff.next_ms = 0;
}

void
gate_step_fini(struct gate_step *s)
{
	free(s->spec);
	free(s->what);
	free(s->event);
	memset(s, 0, sizeof(*s));
}

void
gate_group_see(struct gate_group *g, struct gate_seen *seen)
{
	gate_seen_free(g->seen);
	g->seen = seen;
	g->looked = true;
	free(g->blind);
	g->blind = NULL;
	if (seen != NULL) {
		g->was_seen = true;
		g->missing_ms = 0;
	}
}

static void
set_text(char **at, const char *text)
{
	char *copy = text == NULL || *text == '\0' ? NULL : xstrdup(text);

	free(*at);
	*at = copy;
}

/* ------------------------------------------------------------ what to keep */

/* When the last of what nobody needs became so; 0: there is nothing. */
static uint64_t
last_unneeded(const struct gate_group *g)
{
	const struct map_entry *e;
	uint64_t last = 0;

	for (size_t i = 0; (e = map_next(&g->unneeded, &i)) != NULL;) {
		if (*(const uint64_t *)e->value > last)
			last = *(const uint64_t *)e->value;
	}
	return last;
}

/* Whether it is known what the proxies need, whatever they have been told. */
static bool
need_counts(const struct gate_group *g, const struct gate_view *v)
{
	return g->need_known &&
	    (!g->need.unsure || g->seen == NULL || g->seen->running == 0 ||
		v->now_ms - v->started_ms >= GATE_UNSURE_MS);
}

/*
 * Whether what the service has and nobody needs stays a while: until it is
 * known what is needed, and for network_release_delay after that.  What
 * became so at about the same time goes together.
 */
static bool
lingers(struct gate_group *g, char kind, const char *name,
    const struct gate_view *v, bool *ret_due)
{
	char *key _cleanup_free_ = xasprintf("%c %s", kind, name);
	uint64_t *since = map_get(&g->unneeded, key);
	uint64_t delay = g->config->cluster.network_release_delay_ms;

	/* The plan is gathered before it is written. */
	delay -= delay < GATE_QUIET_MS ? delay : GATE_QUIET_MS;
	if (!need_counts(g, v))
		return true;
	if (since == NULL) {
		since = xcalloc(1, sizeof(*since));
		*since = v->now_ms;
		(void)map_set(&g->unneeded, key, since);
	}
	if (v->now_ms - last_unneeded(g) >= delay ||
	    v->now_ms - *since >= delay + GATE_GATHER_MS)
		return false;
	*ret_due = true;
	return true;
}

static bool
is_among(const struct gate_ref *list, size_t n, bool by_id, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(by_id ? list[i].id : list[i].name, key) == 0)
			return true;
	}
	return false;
}

/* The agent's own: the INI alone decides about these. */
static bool
is_credential(const struct gate_seen *s, const char *secret)
{
	char *path _cleanup_free_ = xasprintf("\"/run/secrets/%s\"", secret);

	return strstr(s->spec, path) != NULL;
}

static void
needed_again(struct gate_group *g, char kind, const char *name)
{
	char *key _cleanup_free_ = xasprintf("%c %s", kind, name);

	free(map_remove(&g->unneeded, key));
}

static void
keep_lingering(struct gate_group *g, const struct gate_view *v,
    struct gate_wish *w, bool *ret_due)
{
	const struct gate_seen *s = g->seen;
	size_t n_networks = w->networks.len;
	size_t n_secrets = w->secrets.len, n_configs = w->configs.len;

	for (size_t i = 0; i < s->spec_networks.len; i++) {
		const char *id = s->spec_networks.at[i];
		const struct network *n = map_get(&v->model->networks, id);
		struct gate_ref r = { id, n == NULL ? id : n->name };

		if (is_among(w->networks.at, n_networks, true, id))
			needed_again(g, 'n', id);
		else if (lingers(g, 'n', id, v, ret_due))
			vec_push(&w->networks, r);
	}
	for (size_t i = 0; i < s->spec_secrets.len; i++) {
		const char *name = s->spec_secrets.at[i];
		const struct secret *x = map_get(&v->model->secrets, name);

		if (is_among(w->secrets.at, n_secrets, false, name)) {
			needed_again(g, 's', name);
		} else if (x != NULL && !is_credential(s, name) &&
		    lingers(g, 's', name, v, ret_due)) {
			struct gate_ref r = { x->id, x->name };

			vec_push(&w->secrets, r);
		}
	}
	for (size_t i = 0; i < s->spec_configs.len; i++) {
		const char *name = s->spec_configs.at[i];
		const struct secret *x = map_get(&v->model->configs, name);

		if (is_among(w->configs.at, n_configs, false, name)) {
			needed_again(g, 'c', name);
		} else if (x != NULL && lingers(g, 'c', name, v, ret_due)) {
			struct gate_ref r = { x->id, x->name };

			vec_push(&w->configs, r);
		}
	}
}

/* The extension may know of a change later than we do: that is no news. */
static void
note_refused(struct gate_group *g, const char *names, uint64_t now_ms)
{
	if (strcmp(names, g->refused == NULL ? "" : g->refused) != 0)
		g->refused_ms = now_ms;
	set_text(&g->refused, names);
}

static int
make_wish(struct gate_group *g, const struct gate_view *v, struct gate_wish *w,
    bool *ret_due, struct error *e)
{
	static const struct gate_need nothing = { 0 };
	STR_AUTO(refused, 4096);
	char *url _cleanup_free_ = NULL;

	*w = (struct gate_wish){
		.config = g->config,
		.owner = v->owner,
		.stack = v->stack,
		.control_host = v->control_host,
		.granted = g->seen == NULL ? NULL : g->seen->granted,
		.scale = g->scale,
		.replicas = g->replicas,
	};
	url = gate_control_url(w);
	if (url == NULL)
		return error_set(e, EINVAL,
		    "[control] url says nothing, and this supervisor is no "
		    "Swarm service whose name proxies could dial");
	gate_need_allow(need_counts(g, v) ? &g->need : &nothing, v->model,
	    v->services, w, &refused);
	note_refused(g, refused.p, v->now_ms);
	if (gate_need_control(v->model, w, e) != 0)
		return -1;
	if (g->seen != NULL)
		keep_lingering(g, v, w, ret_due);
	gate_need_sort(w);
	return 0;
}

static void
wish_fini(struct gate_wish *w)
{
	vec_fini(&w->networks);
	vec_fini(&w->secrets);
	vec_fini(&w->configs);
}

/* ---------------------------------------------------------------- deciding */

static void
fail(struct gate_group *g, const struct error *e, uint64_t now_ms)
{
	set_text(&g->error, e->msg);
	g->retry_ms = now_ms + backoff_next(&g->backoff, 0);
}

/* Two supervisors: false where another one has taken the service over. */
static bool
is_ours(struct gate_group *g, const struct gate_view *v, struct gate_step *ret)
{
	const char *owner = g->seen->owner;

	if (strcmp(owner, v->owner) == 0) {
		g->claimed = true;
		g->passive = false;
		return true;
	}
	if (g->old_owner == NULL && !g->claimed) {
		g->old_owner = xstrdup(owner);
		return true;
	}
	if (!g->claimed && strcmp(owner, g->old_owner) == 0)
		return true;
	if (!g->passive)
		ret->event = xasprintf(
		    "another supervisor (%s) has taken over service %s: this "
		    "one (%s) only watches it now; a reload takes it back",
		    owner, g->seen->name, v->owner);
	g->passive = true;
	return false;
}

/* True when the plan has stood long enough. */
static bool
gathered(struct gate_group *g, const char *spec, uint64_t now_ms)
{
	char hash[SHA256_HEX_SIZE];

	sha256_hex(spec, strlen(spec), hash);
	if (g->first_ms == 0)
		g->first_ms = now_ms;
	if (strcmp(hash, g->planned) != 0) {
		memcpy(g->planned, hash, sizeof(hash));
		g->planned_ms = now_ms;
	}
	return g->scale || now_ms - g->planned_ms >= GATE_QUIET_MS ||
	    now_ms - g->first_ms >= GATE_GATHER_MS;
}

static void
put_out(struct gate_group *g, enum gate_action action, struct gate_change *c,
    const struct gate_view *v, struct gate_step *ret)
{
	char hash[SHA256_HEX_SIZE];

	sha256_hex(c->spec, strlen(c->spec), hash);
	/* Somebody, or the engine, undoes it each time. */
	if (strcmp(hash, g->sent) == 0)
		g->retry_ms = v->now_ms + backoff_next(&g->backoff, 0);
	memcpy(g->sent, hash, sizeof(hash));
	g->first_ms = 0;
	g->planned[0] = '\0';
	g->writing = true;
	ret->action = action;
	ret->spec = c->spec;
	ret->what = c->what;
	ret->repaired = c->repaired;
	memset(c, 0, sizeof(*c));
}

static void
step_missing(
    struct gate_group *g, const struct gate_view *v, struct gate_step *ret)
{
	struct gate_wish w = { 0 };
	struct gate_change c = { 0 };
	bool due = false;
	struct error e;

	ret->soon = true;
	if (g->missing_ms == 0 || !v->may_create)
		g->missing_ms = v->now_ms;
	if (!v->may_create ||
	    (g->was_seen && v->now_ms - g->missing_ms < GATE_AGAIN_MS) ||
	    (!g->need_known && v->now_ms - v->started_ms < GATE_NEED_MS))
		return;
	g->old_owner = g->old_owner == NULL ? xstrdup("") : g->old_owner;
	if (make_wish(g, v, &w, &due, &e) != 0 ||
	    gate_spec_merge(&w, NULL, &c, &e) != 0)
		fail(g, &e, v->now_ms);
	else
		put_out(g, GATE_CREATE, &c, v, ret);
	gate_change_fini(&c);
	wish_fini(&w);
}

/* As it is wanted: what somebody else changed meanwhile is told. */
static void
step_settled(
    struct gate_group *g, const struct gate_view *v, struct gate_step *ret)
{
	g->first_ms = 0;
	g->planned[0] = '\0';
	if (g->retry_ms <= v->now_ms)
		set_text(&g->error, NULL);
	if (g->ours != NULL && !g->adopt) {
		char *what _cleanup_free_ =
		    gate_spec_differences(g->ours, g->seen->spec);

		if (what[0] != '\0')
			ret->event = xasprintf(
			    "service %s was changed by another hand (%s): the "
			    "INI says nothing against it, it stays",
			    g->seen->name, what);
	}
	g->adopt = false;
	set_text(&g->ours, g->seen->spec);
	/* Swarm gives an update up after a failure: tried again, slowly. */
	if (strcmp(g->seen->update, "paused") != 0)
		g->resume_ms = 0;
	else if (g->resume_ms == 0)
		g->resume_ms = v->now_ms + GATE_RESUME_MS;
}

static bool
resumes(const struct gate_group *g, const struct gate_view *v)
{
	return strcmp(g->seen->update, "paused") == 0 && g->resume_ms != 0 &&
	    v->now_ms >= g->resume_ms;
}

static void
step_present(
    struct gate_group *g, const struct gate_view *v, struct gate_step *ret)
{
	struct gate_wish w = { 0 };
	struct gate_change c = { 0 };
	bool due = false, resume = resumes(g, v);
	struct error e;

	if (make_wish(g, v, &w, &due, &e) != 0 ||
	    gate_spec_merge(&w, g->seen->spec, &c, &e) != 0) {
		fail(g, &e, v->now_ms);
	} else if (c.spec == NULL && resume) {
		c.spec = xstrdup(g->seen->spec);
		g->sent[0] = '\0';
		put_out(g, GATE_UPDATE, &c, v, ret);
		g->resume_ms = 0;
	} else if (c.spec == NULL) {
		step_settled(g, v, ret);
	} else if (gathered(g, c.spec, v->now_ms)) {
		put_out(g, GATE_UPDATE, &c, v, ret);
	} else {
		due = true;
	}
	ret->soon |= due;
	gate_change_fini(&c);
	wish_fini(&w);
}

static void
note_unplaced(struct gate_group *g, uint64_t now_ms)
{
	const struct gate_seen *s = g->seen;
	bool waits = s != NULL && s->unplaced > 0;

	if (!waits || g->unplaced_ms == 0)
		g->unplaced_ms = waits ? now_ms : 0;
	if (!waits || s->leaving > 0 || g->placeless_ms == 0)
		g->placeless_ms = waits && s->leaving == 0 ? now_ms : 0;
}

/*
 * A roll whose task finds no place never ends by itself.  It may be its
 * predecessor's port that it waits for, while that one drains.
 */
static bool
is_stuck(const struct gate_group *g, uint64_t now_ms)
{
	uint64_t most = GATE_STUCK_MS;

	if (g->seen->leaving > 0)
		most += g->config->proxy.stop_grace_period_ms;
	return g->unplaced_ms != 0 && now_ms - g->unplaced_ms >= most;
}

void
gate_group_step(
    struct gate_group *g, const struct gate_view *v, struct gate_step *ret)
{
	const struct gate_seen *s = g->seen;

	memset(ret, 0, sizeof(*ret));
	if (!g->looked || g->writing)
		return;
	note_unplaced(g, v->now_ms);
	ret->soon = s == NULL || s->running != s->replicas || s->unplaced > 0;
	if (s != NULL && !is_ours(g, v, ret))
		return;
	if (v->now_ms < g->retry_ms && !g->scale) {
		ret->soon = true;
		return;
	}
	if (s == NULL) {
		step_missing(g, v, ret);
		return;
	}
	/* Never two rolls at once: at most one proxy is down. */
	if (gate_look_is_rolling(s) && !g->scale && !is_stuck(g, v->now_ms)) {
		ret->soon = true;
		return;
	}
	step_present(g, v, ret);
}

void
gate_group_wrote(struct gate_group *g, const struct error *e, uint64_t now_ms)
{
	g->writing = false;
	g->scale = false;
	if (e == NULL) {
		g->adopt = true;
		g->outrun = 0;
		if (g->retry_ms <= now_ms)
			g->backoff.next_ms = 0;
		set_text(&g->error, NULL);
		return;
	}
	/* It was not taken: the same may be sent again. */
	g->sent[0] = '\0';
	if (docker_service_is_outrun(e) && ++g->outrun <= OUTRUN_MAX)
		return;
	fail(g, e, now_ms);
}

/* ------------------------------------------------------------------ telling */

void
gate_group_blind(struct gate_group *g, const struct error *e, uint64_t now_ms)
{
	if (g->blind == NULL)
		g->blind_ms = now_ms;
	set_text(&g->blind, e->msg);
}

static bool
is_blind(const struct gate_group *g, uint64_t now_ms)
{
	return g->blind != NULL && now_ms - g->blind_ms >= GATE_BLIND_MS;
}

const char *
gate_group_state(const struct gate_group *g, uint64_t now_ms)
{
	if (!g->looked || is_blind(g, now_ms))
		return "unknown";
	if (g->passive)
		return "passive";
	if (g->error != NULL)
		return "failed";
	if (g->seen == NULL)
		return "missing";
	if (strcmp(g->seen->update, "paused") == 0 ||
	    strcmp(g->seen->update, "rollback_paused") == 0)
		return "paused";
	if (gate_look_is_rolling(g->seen))
		return "rolling";
	return g->seen->running == g->seen->replicas ? "ok" : "waiting";
}

/* While a predecessor drains, its successor waits for its port: no alarm. */
static bool
lacks_place(const struct gate_group *g, uint64_t now_ms)
{
	uint64_t most =
	    GATE_UNPLACED_MS + g->config->proxy.stop_grace_period_ms;

	return (g->placeless_ms != 0 &&
		   now_ms - g->placeless_ms >= GATE_UNPLACED_MS) ||
	    (g->unplaced_ms != 0 && now_ms - g->unplaced_ms >= most);
}

/* What the tasks show. */
static char *
task_words(const struct gate_group *g, uint64_t now_ms)
{
	const struct gate_seen *s = g->seen;
	bool waits = lacks_place(g, now_ms);

	if (s == NULL)
		return NULL;
	if (strstr(s->update, "paused") != NULL)
		return xasprintf("%s%s%s", s->update_words,
		    s->trouble == NULL ? "" : ": ",
		    s->trouble == NULL ? "" : s->trouble);
	if (waits && s->trouble_waits)
		return xstrdup(s->trouble);
	if (waits)
		return xasprintf(
		    "%u tasks wait for a node or for an address on their "
		    "networks (a subnet that is used up looks like this)",
		    s->unplaced);
	if (s->running < s->replicas && s->trouble != NULL)
		return xstrdup(s->trouble);
	return NULL;
}

char *
gate_group_error(const struct gate_group *g, uint64_t now_ms)
{
	char *words = NULL;

	if (is_blind(g, now_ms))
		return xasprintf("Docker does not tell of the proxy service: "
				 "%s",
		    g->blind);
	if (g->passive)
		return xstrdup("another supervisor has taken the proxy "
			       "service over");
	if (g->error != NULL)
		return xstrdup(g->error);
	words = task_words(g, now_ms);
	if (words != NULL || g->refused == NULL ||
	    now_ms - g->refused_ms < GATE_REFUSED_MS)
		return words;
	return xasprintf("not given, since no service of the cluster may "
			 "have it: %s",
	    g->refused);
}
