/* Reports, sent and repeated: see reporter.h. */
#include "reporter.h"

#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine_nginx.h"
#include "report.h"
#include "run.h"

#define REPORT_MS 10000
#define VERSION_MS 5000
#define WORDS_MAX (16 * 1024)
/* What an extension takes; secrets are what can make it long. */
#define REPORT_MAX (8U * 1024 * 1024)

struct reporter {
	uv_loop_t *loop;
	struct fetch *fetch; /* borrowed */
	struct report report;
	struct str version;
	struct run *version_run; /* NULL: over */
	uv_timer_t timer;
	struct log_limit limit;
	bool closing;
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_timer(uv_timer_t *timer);

static void
on_reported(void *arg, const struct error *e)
{
	struct reporter *r = arg;

	if (e != NULL)
		log_limited(&r->limit, LOG_WARN, "report: %s; it follows later",
		    e->msg);
}

void
reporter_send(struct reporter *r)
{
	STR_AUTO(json, REPORT_MAX);
	uint32_t random = 0;

	r->report.engine = r->version.len > 0 ? r->version.p : "nginx";
	report_encode(&r->report, &json);
	must(!json.overflow);
	fetch_report(r->fetch, false, json.p, json.len, on_reported, r);
	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	must(uv_timer_start(&r->timer, on_timer,
		 backoff_jitter(REPORT_MS, random), 0) == 0);
}

void
reporter_send_check(struct reporter *r, const struct apply_result *result)
{
	STR_AUTO(json, REPORT_MAX);

	report_encode_check(r->report.options, result, &json);
	must(!json.overflow);
	fetch_report(r->fetch, true, json.p, json.len, on_reported, r);
}

static void
on_timer(uv_timer_t *timer)
{
	struct reporter *r = container_of(timer, struct reporter, timer);

	if (!r->closing)
		reporter_send(r);
}

static void
on_version(void *arg, const struct run_result *result)
{
	struct reporter *r = arg;

	engine_nginx_version(result->output, result->len, &r->version);
	run_close(r->version_run, NULL, NULL);
	r->version_run = NULL;
}

struct reporter *
reporter_new(
    uv_loop_t *loop, const struct agent_options *o, struct fetch *fetch)
{
	struct reporter *r = xcalloc(1, sizeof(*r));
	struct engine_command *c = engine_nginx_version_command(o);
	struct error e;

	r->loop = loop;
	r->fetch = fetch;
	r->report.options = o;
	r->limit = (struct log_limit)LOG_LIMIT_INIT(1, 30000);
	str_init(&r->version, 256);
	str_init(&r->report.words, WORDS_MAX);
	must(uv_timer_init(loop, &r->timer) == 0);
	must(uv_timer_start(&r->timer, on_timer, REPORT_MS, 0) == 0);
	r->version_run =
	    run_start(loop, c, o->dir, NULL, 0, VERSION_MS, on_version, r, &e);
	if (r->version_run == NULL)
		log_warn("nginx -v: %s", e.msg);
	engine_command_free(c);
	return r;
}

void
reporter_set_nginx(struct reporter *r, const struct link_message *nginx)
{
	r->report.alive = nginx->up;
	r->report.reloads = nginx->reloads;
}

void
reporter_set_draining(struct reporter *r)
{
	r->report.draining = true;
}

void
reporter_set_in_force(struct reporter *r, const struct manifest *m)
{
	r->report.in_force = m;
}

void
reporter_set_secrets(struct reporter *r, const struct secrets *s)
{
	r->report.secrets = s;
}

void
reporter_set_attempt(struct reporter *r, enum apply_outcome outcome,
    const struct manifest *m, const char *words,
    const struct apply_timing *timing)
{
	r->report.outcome = outcome;
	r->report.generation = m->generation;
	(void)snprintf(r->report.config, sizeof(r->report.config), "%s",
	    m->builtin ? "" : m->config);
	str_clear(&r->report.words);
	str_add(&r->report.words, words);
	r->report.timing = *timing;
}

static void
drop(struct reporter *r)
{
	if (--r->open > 0)
		return;
	str_fini(&r->version);
	str_fini(&r->report.words);
	if (r->closed != NULL)
		r->closed(r->closed_arg);
	free(r);
}

static void
on_run_closed(void *arg)
{
	drop(arg);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	drop(container_of(handle, struct reporter, timer));
}

void
reporter_close(struct reporter *r, void (*closed)(void *arg), void *arg)
{
	if (r == NULL || r->closing)
		return;
	r->closing = true;
	r->closed = closed;
	r->closed_arg = arg;
	r->open = r->version_run != NULL ? 2 : 1;
	if (r->version_run != NULL)
		run_close(r->version_run, on_run_closed, r);
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
