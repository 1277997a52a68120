/*
 * What the Swarm of virtual_engine.h answers to lists and inspects, in its
 * time; in the place of docker/client.  Only for that header.
 */
#ifndef TESTS_VIRTUAL_ANSWERS_H
#define TESTS_VIRTUAL_ANSWERS_H

/* ------------------------------------------------------------------ answers */

static char *
service_json(unsigned i)
{
	const struct eservice *s = &world.services[i];

	return xasprintf(
	    "{\"ID\":\"s%03u\",\"Version\":{\"Index\":%llu},"
	    "\"CreatedAt\":\"2026-01-01T00:00:00Z\",\"Spec\":{"
	    "\"Name\":\"n%u\",\"Labels\":{%s%u\"},\"TaskTemplate\":"
	    "{\"ContainerSpec\":{}},\"Mode\":{\"Replicated\":"
	    "{\"Replicas\":%u}}}}",
	    i, (unsigned long long)s->version, i,
	    s->labelled ? "\"com.docker.lb.port\":\"" : "\"other\":\"",
	    s->label, s->replicas);
}

static char *
task_json(unsigned i)
{
	const struct etask *t = &world.tasks[i];

	return xasprintf(
	    "{\"ID\":\"t%05u\",\"Version\":{\"Index\":%llu},\"ServiceID\":"
	    "\"s%03u\",\"Slot\":1,\"NodeID\":\"node\",\"Status\":{\"State\":"
	    "\"%s\"},\"DesiredState\":\"running\",\"NetworksAttachments\":[{"
	    "\"Network\":{\"ID\":\"net\"},\"Addresses\":[\"10.%u.%u.3/24\"]}]}",
	    i, (unsigned long long)t->version, t->service,
	    task_state_name(t->state), i / 250, i % 250);
}

static bool
asks_for(const struct docker_call *call, unsigned service)
{
	char id[16];

	(void)snprintf(id, sizeof(id), "s%03u", service);
	return strstr(call->target, id) != NULL;
}

/* As the engine: a service that is gone refuses the list of them all. */
static void
answer_tasks(struct docker_call *call)
{
	bool all = strstr(call->target, "service") == NULL;

	world.whole_lists += all;
	for (unsigned i = 0; !all && i < world.services_len; i++) {
		if (asks_for(call, i) && !world.services[i].there)
			call->status = 404;
	}
	for (unsigned i = 0; call->status == 200 && i < world.tasks_len; i++) {
		const struct etask *t = &world.tasks[i];

		if (t->there && t->desired == TASK_RUNNING &&
		    (all || asks_for(call, t->service)))
			vec_push(&call->objects, task_json(i));
	}
}

static void
answer(struct docker_call *call)
{
	const char *target = call->target;

	call->status = 200;
	if (percent(world.weather.error)) {
		call->status = 500;
	} else if (call->done_body == NULL && percent(world.weather.empty)) {
		return;
	} else if (strncmp(target, "/services/", 10) == 0) {
		unsigned i = (unsigned)strtoul(target + 11, NULL, 10);

		if (world.services[i].there)
			vec_push(&call->objects, service_json(i));
		else
			call->status = 404;
	} else if (strcmp(target, "/services") == 0) {
		for (unsigned i = 0; i < world.services_len; i++) {
			if (world.services[i].there)
				vec_push(&call->objects, service_json(i));
		}
	} else if (strncmp(target, "/tasks", 6) == 0) {
		answer_tasks(call);
	} else if (strcmp(target, "/networks") == 0) {
		vec_push(&call->objects,
		    xstrdup("{\"Id\":\"net\",\"Name\":\"front\",\"Driver\":"
			    "\"overlay\",\"Scope\":\"swarm\"}"));
	} else if (strcmp(target, "/info") == 0) {
		vec_push(&call->objects,
		    xstrdup("{\"Swarm\":{\"ControlAvailable\":true}}"));
	}
}

static void
call_end(struct docker_call *call, const struct error *e)
{
	const char *body = call->objects.len > 0 ? call->objects.at[0] : "";

	if (call->ended)
		return;
	call->ended = true;
	if (call->done_body != NULL) {
		call->done_body(call->arg, call->status, body, strlen(body), e);
		return;
	}
	for (size_t i = 0; e == NULL && i < call->objects.len; i++)
		call->on_object(call->arg, call->objects.at[i],
		    strlen(call->objects.at[i]));
	call->done(call->arg, call->status, e);
}

static void
call_unref(struct docker_call *call)
{
	if (--call->pending > 0)
		return;
	for (size_t i = 0; i < call->objects.len; i++)
		free(call->objects.at[i]);
	vec_fini(&call->objects);
	free(call->target);
	free(call);
}

static void
on_answered(void *arg)
{
	struct docker_call *call = arg;
	struct error e;

	(void)error_set(&e, EPROTO, "status %ld", call->status);
	call_end(call, call->status == 200 ? NULL : &e);
	call_unref(call);
}

static uint64_t
latency(const struct docker_call *call)
{
	bool whole = strcmp(call->target, "/services") == 0 ||
	    (strncmp(call->target, "/tasks", 6) == 0 &&
		strstr(call->target, "service") == NULL);

	return chance(
	    (whole ? world.weather.list_ms : world.weather.look_ms) / 2 + 3);
}

static void
on_arrived(void *arg)
{
	struct docker_call *call = arg;

	answer(call);
	after(latency(call), on_answered, call);
}

static void
on_canceled(void *arg)
{
	struct docker_call *call = arg;
	struct error e;

	(void)error_set(&e, ECANCELED, "canceled");
	call->status = 0;
	call_end(call, &e);
	call_unref(call);
}

void
docker_call_cancel(struct docker_call *call)
{
	if (call->canceled || call->ended)
		return;
	call->canceled = true;
	call->pending++;
	after(0, call->on_open != NULL ? events_over : on_canceled, call);
}

static struct docker_call *
call_new(const char *target, void *arg)
{
	struct docker_call *call = xcalloc(1, sizeof(*call));

	world.requests++;
	call->target = xstrdup(target);
	call->arg = arg;
	call->pending = 1;
	after(latency(call), on_arrived, call);
	return call;
}

struct docker_call *
docker_list(struct docker_client *d, const char *target,
    docker_object_fn *on_object, docker_object_fn *on_skipped,
    docker_done_fn *done, void *arg)
{
	struct docker_call *call = call_new(target, arg);

	(void)d;
	(void)on_skipped;
	call->on_object = on_object;
	call->done = done;
	return call;
}

struct docker_call *
docker_request(struct docker_client *d, const char *method, const char *target,
    const char *body, size_t len, docker_body_fn *done, void *arg)
{
	struct docker_call *call = call_new(target, arg);

	(void)d;
	(void)method;
	(void)body;
	(void)len;
	call->done_body = done;
	return call;
}

const char *
docker_client_version(const struct docker_client *d)
{
	(void)d;
	return "1.41";
}

const struct histogram *
docker_client_seconds(const struct docker_client *d)
{
	(void)d;
	return &world.seconds;
}

#endif
