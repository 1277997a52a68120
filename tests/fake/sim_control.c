/* The simulator's own API; see sim_control.h. */
#include "sim_control.h"

#include "base/log.h"
#include "base/parse.h"
#include "sim_events.h"
#include "sim_load.h"
#include "sim_net.h"
#include "sim_node.h"
#include "sim_store.h"
#include "sim_task.h"
#include "sim_watch.h"

enum mode { ERROR, CUT, EMPTY, HANG, DROP, NOISE, HTML, SLOW, NONE };
static const char *const mode_names[] = { "error", "cut", "empty", "hang",
	"drop", "noise", "html", "slow" };

struct fault {
	char *path;
	enum mode mode;
	int status;
	char *message; /* of an error */
	uint64_t delay_ms;
	uint64_t left; /* 0: no end */
};

struct delayed {
	uv_timer_t timer;
	struct sim *sim;
	struct sim_http_request *req;
};

struct sim_control {
	VEC(char *) objects[SIM_KINDS];
	VEC(struct fault) faults;
	json_t *stats;
	enum mode mode; /* of the request that is being answered */
	bool again;	/* a slow one's second turn */
};

static const char *const plurals[SIM_KINDS] = {
	[SIM_SERVICE] = "services",
	[SIM_TASK] = "tasks",
	[SIM_NETWORK] = "networks",
	[SIM_NODE] = "nodes",
	[SIM_SECRET] = "secrets",
	[SIM_CONFIG] = "configs",
};

void
sim_control_init(struct sim *s)
{
	s->control = xcalloc(1, sizeof(*s->control));
	s->control->stats = json_object();
	s->control->mode = NONE;
}

static void
free_fault(struct fault *f)
{
	free(f->path);
	free(f->message);
}

static void
clear_faults(struct sim_control *k)
{
	for (size_t i = 0; i < k->faults.len; i++)
		free_fault(&k->faults.at[i]);
	k->faults.len = 0;
}

static void
clear_objects(struct sim_control *k, size_t kind)
{
	for (size_t i = 0; i < k->objects[kind].len; i++)
		free(k->objects[kind].at[i]);
	k->objects[kind].len = 0;
}

void
sim_control_fini(struct sim *s)
{
	struct sim_control *k = s->control;

	clear_faults(k);
	vec_fini(&k->faults);
	for (size_t i = 0; i < SIM_KINDS; i++) {
		clear_objects(k, i);
		vec_fini(&k->objects[i]);
	}
	json_decref(k->stats);
	free(k);
	s->control = NULL;
}

void
sim_control_add_objects(
    struct sim *s, enum sim_kind kind, struct str *out, const char *comma)
{
	const struct sim_control *k = s->control;

	for (size_t i = 0; i < k->objects[kind].len; i++) {
		str_add(out, comma);
		str_add(out, k->objects[kind].at[i]);
		comma = ",";
	}
}

void
sim_control_answer(struct sim_call *c, bool list, const char *text, size_t len)
{
	enum mode mode = c->sim->control->mode;

	if (mode == CUT) {
		sim_http_answer_cut(
		    c->req, 200, "application/json", text, len, len / 2);
	} else if (mode == EMPTY && list) {
		sim_http_answer(c->req, 200, "application/json", "[]\n", 3);
	} else if (mode == NOISE) {
		STR_AUTO(out, SIM_TEXT_MAX);

		str_addn(&out, text, len);
		str_add(&out, "]]}{\"noise");
		sim_http_answer(
		    c->req, 200, "application/json", out.p, out.len);
	} else {
		sim_http_answer(c->req, 200, "application/json", text, len);
	}
}

static void
count_request(struct sim_control *k, const char *method, const char *path)
{
	char *key _cleanup_free_ = xasprintf("%s %s", method, path);
	json_t *n = json_object_get(k->stats, key);

	if (n == NULL)
		(void)json_object_set_new(k->stats, key, json_integer(1));
	else
		(void)json_integer_set(n, json_integer_value(n) + 1);
}

static void
on_delayed_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
on_delayed_gone(struct sim_http_request *req)
{
	struct delayed *d = req->data;

	uv_close((uv_handle_t *)&d->timer, on_delayed_closed);
}

static void
on_delayed(uv_timer_t *timer)
{
	struct delayed *d = timer->data;

	d->req->on_gone = NULL;
	d->sim->control->again = true;
	sim_api_request(d->req, d->sim);
	d->sim->control->again = false;
	uv_close((uv_handle_t *)timer, on_delayed_closed);
}

static void
delay(struct sim_call *c, uint64_t ms)
{
	struct delayed *d = xcalloc(1, sizeof(*d));

	d->sim = c->sim;
	d->req = c->req;
	c->req->data = d;
	c->req->on_gone = on_delayed_gone;
	must(uv_timer_init(&c->sim->loop, &d->timer) == 0);
	d->timer.data = d;
	must(uv_timer_start(&d->timer, on_delayed, ms, 0) == 0);
}

static bool
fault_covers(const struct fault *f, const char *path)
{
	size_t len = strlen(f->path);

	if (len > 0 && f->path[len - 1] == '*')
		return strncmp(f->path, path, len - 1) == 0;
	return strcmp(f->path, path) == 0;
}

/* Meets the first fault for the path; true when that is all of the answer. */
static bool
meet_fault(struct sim_call *c, const char *path)
{
	static const char page[] = "<html><body>Bad gateway</body></html>\n";
	struct sim_control *k = c->sim->control;
	struct fault f = { 0 };
	size_t i = 0;

	k->mode = NONE;
	while (i < k->faults.len && !fault_covers(&k->faults.at[i], path))
		i++;
	if (k->again || i == k->faults.len)
		return false;
	f = k->faults.at[i];
	log_info("fault %s on %s", mode_names[f.mode], path);
	if (f.mode == ERROR)
		sim_api_error(c, f.status, "%s", f.message);
	if (f.left == 1) {
		free_fault(&f);
		vec_remove(&k->faults, i);
	} else if (f.left > 1) {
		k->faults.at[i].left--;
	}
	switch (f.mode) {
	case ERROR:
	case HANG:
		return true;
	case DROP:
		sim_http_drop(c->req);
		return true;
	case HTML:
		sim_http_answer(
		    c->req, 200, "text/html", page, sizeof(page) - 1);
		return true;
	case SLOW:
		delay(c, f.delay_ms);
		return true;
	case CUT:
	case EMPTY:
	case NOISE:
	case NONE:
		k->mode = f.mode;
		break;
	}
	return false;
}

static void
add_fault(struct sim_call *c)
{
	json_t *body = sim_api_body(c);
	const char *mode, *path, *message;
	struct fault *f;
	enum mode m = ERROR;

	if (body == NULL)
		return;
	mode = json_string_value(json_object_get(body, "mode"));
	path = json_string_value(json_object_get(body, "path"));
	message = json_string_value(json_object_get(body, "message"));
	while (mode != NULL && m < NONE && strcmp(mode_names[m], mode) != 0)
		m++;
	if (m == NONE || path == NULL) {
		sim_api_error(c, 400, "a fault needs path and a known mode");
		return;
	}
	f = vec_add(&c->sim->control->faults);
	f->path = xstrdup(path);
	f->message = xstrdup(message == NULL ? "simulated fault" : message);
	f->mode = m;
	f->status = (int)json_integer_value(json_object_get(body, "status"));
	if (f->status == 0)
		f->status = 500;
	f->left = (uint64_t)json_integer_value(json_object_get(body, "count"));
	f->delay_ms =
	    (uint64_t)json_integer_value(json_object_get(body, "delay_ms"));
	sim_api_empty(c, 204);
}

static void
tell_stats(struct sim_call *c)
{
	json_t *all = json_pack("{s:O}", "requests", c->sim->control->stats);
	char *text = json_dumps(all, JSON_COMPACT);

	if (text == NULL)
		oom();
	sim_api_json(c, 200, text, strlen(text));
	free(text);
	json_decref(all);
}

static void
tell_state(struct sim_call *c)
{
	struct sim *s = c->sim;
	char pool[16];
	STR_AUTO(out, 4096);

	str_addf(&out,
	    "{\"pool\":\"%s/%u\",\"index\":%llu,\"event_clients\":%zu",
	    sim_net_text(s->options.pool, pool), s->options.pool_prefix,
	    (unsigned long long)s->index, sim_events_clients(s));
	for (size_t i = 0; i < SIM_KINDS; i++)
		str_addf(&out, ",\"%s\":%zu", plurals[i], s->lists[i].len);
	str_add(&out, "}\n");
	sim_api_json(c, 200, out.p, out.len);
}

static void
objects(struct sim_call *c, const char *name, bool add)
{
	struct sim_control *k = c->sim->control;

	for (size_t i = 0; i < SIM_KINDS; i++) {
		if (strcmp(plurals[i], name) != 0)
			continue;
		if (add)
			vec_push(&k->objects[i],
			    xmemdup0(c->req->body, c->req->body_len));
		else
			clear_objects(k, i);
		sim_api_empty(c, 204);
		return;
	}
	sim_api_error(c, 404, "no such kind of object: %s", name);
}

static void
act_on_task(struct sim_call *c, const char *id, const char *action)
{
	struct sim_task *t =
	    (struct sim_task *)(void *)sim_find(c->sim, SIM_TASK, id);

	if (t == NULL) {
		sim_api_error(c, 404, "task %s not found", id);
		return;
	}
	if (t->state != TASK_RUNNING) {
		sim_api_error(c, 409, "task %s does not run", id);
		return;
	}
	sim_task_exit(t, strcmp(action, "fail") == 0 ? 1 : 0);
	sim_api_empty(c, 204);
}

static void
act_on_node(struct sim_call *c, const char *id, const char *action)
{
	struct sim_node *n =
	    (struct sim_node *)(void *)sim_find(c->sim, SIM_NODE, id);

	if (n == NULL) {
		sim_api_error(c, 404, "node %s not found", id);
		return;
	}
	sim_node_set_down(c->sim, n, strcmp(action, "down") == 0);
	sim_api_empty(c, 204);
}

static void
act_on_events(struct sim_call *c, const char *action)
{
	struct sim *s = c->sim;

	if (strcmp(action, "pause") == 0)
		sim_events_pause(s, true);
	else if (strcmp(action, "resume") == 0)
		sim_events_pause(s, false);
	else if (strcmp(action, "cut") == 0)
		sim_events_cut(s);
	else if (strcmp(action, "emit") == 0)
		sim_events_emit(s, c->req->body, c->req->body_len);
	else {
		sim_api_error(c, 404, "no such action: %s", action);
		return;
	}
	sim_api_empty(c, 204);
}

static void
churn(struct sim_call *c, const char *rate, const char *service)
{
	uint32_t n;

	if (parse_u32(rate, strlen(rate), 0, 100000, &n, NULL) != 0) {
		sim_api_error(c, 400, "not a rate: %s", rate);
		return;
	}
	sim_load_churn(c->sim, n, service);
	sim_api_empty(c, 204);
}

static void
own_request(struct sim_call *c, const char *path)
{
	const char *method = c->req->method;
	char *copy _cleanup_free_ = xstrdup(path);
	char *save = NULL, *words[3] = { NULL, NULL, NULL };
	size_t n = 0;

	for (char *w = strtok_r(copy, "/", &save); w != NULL && n < 3;
	     w = strtok_r(NULL, "/", &save))
		words[n++] = w;
	if (n == 1 && strcmp(words[0], "stats") == 0) {
		if (strcmp(method, "DELETE") == 0)
			(void)json_object_clear(c->sim->control->stats);
		tell_stats(c);
	} else if (n == 1 && strcmp(words[0], "state") == 0) {
		tell_state(c);
	} else if (n == 1 && strcmp(words[0], "faults") == 0) {
		if (strcmp(method, "POST") == 0) {
			add_fault(c);
		} else {
			clear_faults(c->sim->control);
			sim_api_empty(c, 204);
		}
	} else if (n == 2 && strcmp(words[0], "objects") == 0) {
		objects(c, words[1], strcmp(method, "POST") == 0);
	} else if (n == 2 && strcmp(words[0], "events") == 0) {
		act_on_events(c, words[1]);
	} else if (n > 0 && n <= 2 && strcmp(words[0], "watch") == 0) {
		sim_watch_control(c, words[1]);
	} else if (n >= 2 && strcmp(words[0], "churn") == 0) {
		churn(c, words[1], words[2]);
	} else if (n == 3 && strcmp(words[0], "tasks") == 0) {
		act_on_task(c, words[1], words[2]);
	} else if (n == 3 && strcmp(words[0], "nodes") == 0) {
		act_on_node(c, words[1], words[2]);
	} else {
		sim_api_error(c, 404, "page not found");
	}
}

bool
sim_control_request(struct sim_call *c, const char *path)
{
	if (strncmp(path, "/_sim/", 6) == 0) {
		c->sim->control->mode = NONE;
		own_request(c, path + 5);
		return true;
	}
	if (!c->sim->control->again)
		count_request(c->sim->control, c->req->method, path);
	return meet_fault(c, path);
}
