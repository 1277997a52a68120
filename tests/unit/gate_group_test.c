/* supervisor/gate_group: when a roll is due, and when it is not */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../supervisor/gate_group.h"
#include "docker/decode.h"

#include <string.h>

/* Drains for 5 s and is gone after 20. */
#define INI                                                                    \
	"[proxy]\ndriver = swarm\npublish_mode = host\n[control]\n"            \
	"listen = 0.0.0.0:9000\nurl = https://control:9000\n"                  \
	"token_file = /t\nagent_secrets = agent-token-%d\n"
#define SECRET(name)                                                           \
	"{\"ID\":\"id-" name "\",\"Version\":{\"Index\":1},\"Spec\":{"         \
	"\"Name\":\"" name "\",\"Labels\":{}}}"
#define OLD_STAYS                                                              \
	"{\"Status\":{\"State\":\"running\"},\"DesiredState\":\"shutdown\"}"
#define NEW_WAITS                                                              \
	"{\"Status\":{\"State\":\"pending\"},\"DesiredState\":\"ready\"}"

static const char secrets[] = "{\"version\":1,\"secrets\":[" SECRET(
    "agent-token-1") "," SECRET("agent-token-2") "]}";

struct scene {
	struct gate_group *group;
	struct cluster_config *config;
	struct model *model;
	struct gate_view view;
	char *made; /* the service as it was made first */
};

static struct cluster_config *
config(int token)
{
	struct config_errors errors = { 0 };
	char *text = xasprintf(INI, token);
	struct cluster_config *c =
	    cluster_config_parse("blue.ini", text, strlen(text), &errors);

	if (c == NULL)
		fail_msg("%s", errors.lines.at[0]);
	config_errors_fini(&errors);
	free(text);
	return c;
}

static int
begin(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	struct error e;

	*state = s;
	s->config = config(1);
	s->model = docker_decode_snapshot(secrets, strlen(secrets), &e);
	assert_non_null(s->model);
	s->group = gate_group_new("blue");
	s->group->config = s->config;
	s->group->need_known = true;
	s->view = (struct gate_view){ .model = s->model,
		.owner = "me",
		.may_create = true,
		.now_ms = 1000000 };
	return 0;
}

static int
end(void **state)
{
	struct scene *s = *state;

	gate_group_free(s->group);
	cluster_config_free(s->config);
	model_free(s->model);
	free(s->made);
	free(s);
	return 0;
}

/* A look at the service with that spec, and the tasks. */
static void
see(struct scene *s, const char *spec, const char *update, const char *task)
{
	char *json = xasprintf("{\"ID\":\"x\",\"Version\":{\"Index\":1},"
			       "\"UpdateStatus\":{\"State\":\"%s\"},"
			       "\"Spec\":%s}",
	    update, spec);
	struct gate_seen *seen = gate_look_service(json, strlen(json));

	assert_non_null(seen);
	if (task != NULL) {
		gate_look_task(seen, NEW_WAITS, strlen(NEW_WAITS));
		gate_look_task(seen, task, strlen(task));
	}
	gate_group_see(s->group, seen);
	free(json);
}

/* What is done 'later_ms' later; the spec that is written, or NULL. */
static char *
step(struct scene *s, uint64_t later_ms)
{
	struct gate_step did;
	char *spec;

	s->view.now_ms += later_ms;
	gate_group_step(s->group, &s->view, &did);
	spec = did.action == GATE_NOTHING ? NULL : xstrdup(did.spec);
	if (spec != NULL)
		gate_group_wrote(s->group, NULL, s->view.now_ms);
	gate_step_fini(&did);
	return spec;
}

static void
make(struct scene *s)
{
	gate_group_see(s->group, NULL);
	s->made = step(s, 0);
	assert_non_null(s->made);
}

/* The service is made, after which the INI names another token. */
static void
make_then_change(struct scene *s)
{
	make(s);
	see(s, s->made, "", NULL);
	assert_null(step(s, 5000));
	cluster_config_free(s->config);
	s->group->config = s->config = config(2);
}

/* The service is made, and is on a network that nobody needs. */
static void
make_on_a_network(struct scene *s)
{
	const char *rest;
	char *with;

	make(s);
	rest = strstr(s->made, ",\"RestartPolicy\"");
	with = xasprintf("%.*s,\"Networks\":[{\"Target\":\"n1\"}]%s",
	    (int)(rest - s->made), s->made, rest);
	see(s, with, "", NULL);
	free(with);
}

/* A change is written so much later; what it is. */
static char *
written(struct scene *s, uint64_t later_ms)
{
	char *spec = step(s, later_ms);

	assert_non_null(spec);
	return spec;
}

static void
a_credential_that_was_replaced_goes_in_the_same_roll(void **state)
{
	struct scene *s = *state;
	char *spec;

	make_then_change(s);
	assert_null(step(s, 0));
	spec = written(s, 5000);
	assert_non_null(strstr(spec, "agent-token-2"));
	assert_null(strstr(spec, "agent-token-1"));
	free(spec);
}

static void
a_roll_that_waits_for_a_port_being_drained_is_not_stuck(void **state)
{
	struct scene *s = *state;

	make_then_change(s);
	see(s, s->made, "updating", OLD_STAYS);
	assert_null(step(s, 0));
	assert_null(step(s, 19000));
	/* An engine that is gone stops nothing: the wait has an end. */
	assert_null(step(s, 6000));
	free(written(s, 5000));
}

static void
a_roll_whose_task_finds_no_place_gives_way_to_a_change(void **state)
{
	struct scene *s = *state;

	make_then_change(s);
	see(s, s->made, "updating", NEW_WAITS);
	assert_null(step(s, 0));
	assert_null(step(s, 4000));
	assert_null(step(s, 1000)); /* the change is gathered from here on */
	free(written(s, 5000));
}

/* The words of what is wrong, after a look and 'later_ms'. */
static void
assert_told(struct scene *s, uint64_t later_ms, const char *words)
{
	char *told;

	free(step(s, later_ms));
	told = gate_group_error(s->group, s->view.now_ms);
	if (words == NULL)
		assert_null(told);
	else
		assert_non_null(strstr(told == NULL ? "" : told, words));
	free(told);
}

static void
a_task_that_waits_for_its_predecessors_port_is_no_alarm(void **state)
{
	struct scene *s = *state;

	make_then_change(s);
	see(s, s->made, "updating", OLD_STAYS);
	assert_told(s, 0, NULL);
	assert_told(s, 19000, NULL);
	/* It has gone: the next look may find it placed, or not. */
	see(s, s->made, "updating", NULL);
	gate_look_task(s->group->seen, NEW_WAITS, strlen(NEW_WAITS));
	assert_told(s, 250, NULL);
	assert_told(s, 3000, "wait for a node");
}

static void
a_task_that_finds_no_place_at_all_is_told(void **state)
{
	struct scene *s = *state;

	make_then_change(s);
	see(s, s->made, "updating", OLD_STAYS);
	assert_told(s, 0, NULL);
	/* An engine that is gone stops nothing. */
	assert_told(s, 23000, "wait for a node");
}

static void
a_network_is_released_when_its_delay_is_over(void **state)
{
	struct scene *s = *state;
	char *spec;

	make_on_a_network(s);
	assert_null(step(s, 0));
	assert_null(step(s, 9000));
	assert_null(step(s, 900));
	spec = written(s, 100);
	assert_null(strstr(spec, "n1"));
	free(spec);
}

static void
nothing_goes_while_the_extension_is_unsure_what_is_pinned(void **state)
{
	struct scene *s = *state;

	make_on_a_network(s);
	s->group->seen->running = 1;
	s->group->need.unsure = true;
	s->view.started_ms = s->view.now_ms;
	assert_null(step(s, 0));
	assert_null(step(s, 12000));
	assert_null(step(s, 2000));
	/* An agent spoke: from now on it is known what nobody needs. */
	s->group->need.unsure = false;
	assert_null(step(s, 0));
	assert_null(step(s, 9000));
	free(written(s, 1000));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_credential_that_was_replaced_goes_in_the_same_roll),
		T(a_roll_that_waits_for_a_port_being_drained_is_not_stuck),
		T(a_roll_whose_task_finds_no_place_gives_way_to_a_change),
		T(a_task_that_waits_for_its_predecessors_port_is_no_alarm),
		T(a_task_that_finds_no_place_at_all_is_told),
		T(a_network_is_released_when_its_delay_is_over),
		T(nothing_goes_while_the_extension_is_unsure_what_is_pinned),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
