/* Who this supervisor is in the Swarm: see gate_self.h. */
#include "gate_self.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "gate_spec.h"

struct gate_self {
	struct docker_client *docker;
	char *task;    /* ID; NULL: not known (yet) */
	bool none;     /* no task of any service */
	char *service; /* its name */
	char *stack;
	bool wanted;
	void (*done)(void *arg, bool known);
	void *arg;
};

struct gate_self *
gate_self_new(struct docker_client *docker)
{
	struct gate_self *s = xcalloc(1, sizeof(*s));
	const char *task = getenv("BULKHEAD_TASK_ID");

	s->docker = docker;
	if (task != NULL && *task != '\0')
		s->task = xstrdup(task);
	return s;
}

static void
end(struct gate_self *s, bool known)
{
	s->done(s->arg, known);
}

static bool
is_id(const char *s)
{
	size_t len = s == NULL ? 0 : strlen(s);

	return len > 0 && len <= 64 &&
	    strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789._-") == len;
}

static void
ask(struct gate_self *s, const char *target, docker_body_fn *done)
{
	(void)docker_request(s->docker, "GET", target, NULL, 0, done, s);
}

static void
on_service(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct gate_self *s = arg;
	json_auto_t *o = e == NULL ? json_loadb(body, len, 0, NULL) : NULL;
	json_t *spec = json_object_get(o, "Spec");
	const char *name = json_string_value(json_object_get(spec, "Name"));
	const char *stack = json_string_value(
	    json_object_get(json_object_get(spec, "Labels"), GATE_LABEL_STACK));

	if (status == 404)
		s->wanted = false;
	if (name == NULL) {
		end(s, status == 404);
		return;
	}
	free(s->service);
	free(s->stack);
	s->service = xstrdup(name);
	s->stack = stack == NULL ? NULL : xstrdup(stack);
	s->wanted = true;
	end(s, true);
}

static void
on_task(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct gate_self *s = arg;
	json_auto_t *o = e == NULL ? json_loadb(body, len, 0, NULL) : NULL;
	const char *service =
	    json_string_value(json_object_get(o, "ServiceID"));
	const char *desired =
	    json_string_value(json_object_get(o, "DesiredState"));
	char *target _cleanup_free_ = NULL;

	if (!is_id(service) || desired == NULL ||
	    strcmp(desired, "running") != 0) {
		if (e == NULL || status == 404)
			s->wanted = false;
		end(s, e == NULL || status == 404);
		return;
	}
	target = xasprintf("/services/%s", service);
	ask(s, target, on_service);
}

static void
ask_task(struct gate_self *s)
{
	char *target _cleanup_free_ = xasprintf("/tasks/%s", s->task);

	ask(s, target, on_task);
}

static void
on_container(
    void *arg, long status, const char *body, size_t len, const struct error *e)
{
	struct gate_self *s = arg;
	json_auto_t *o = e == NULL ? json_loadb(body, len, 0, NULL) : NULL;
	const char *task = json_string_value(json_object_get(
	    json_object_get(json_object_get(o, "Config"), "Labels"),
	    "com.docker.swarm.task.id"));

	if (is_id(task)) {
		s->task = xstrdup(task);
		ask_task(s);
		return;
	}
	s->none = e == NULL || status == 404;
	end(s, s->none);
}

void
gate_self_look(
    struct gate_self *s, void (*done)(void *arg, bool known), void *arg)
{
	char host[256] = "";
	char *target _cleanup_free_ = NULL;

	s->done = done;
	s->arg = arg;
	if (s->task != NULL) {
		ask_task(s);
		return;
	}
	(void)gethostname(host, sizeof(host) - 1);
	target = xasprintf("/containers/%s/json", is_id(host) ? host : "none");
	ask(s, target, on_container);
}

bool
gate_self_wanted(const struct gate_self *s)
{
	return s->none || s->wanted;
}

bool
gate_self_is_service(const struct gate_self *s)
{
	return s->task != NULL;
}

const char *
gate_self_stack(const struct gate_self *s)
{
	return s->stack;
}

const char *
gate_self_service(const struct gate_self *s)
{
	return s->service;
}

void
gate_self_free(struct gate_self *s)
{
	if (s == NULL)
		return;
	free(s->task);
	free(s->service);
	free(s->stack);
	free(s);
}
