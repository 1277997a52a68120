/* Proof of a reload: see proof.h. */
#include "proof.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine_nginx.h"
#include "loop/http_client.h"

/*
 * Between two looks: a share of the time that it took so far, so that a reload
 * that takes long costs few looks, and its proof comes little later.
 */
#define LOOK_MIN_MS 4
#define LOOK_MAX_MS 500
#define LOOK_SHARE 12
#define ANSWER_MS 2000
/*
 * nginx starts its new workers once it has read everything: before that there
 * is nothing to ask.  It is asked so often all the same.
 */
#define ASK_MS 250

struct proof {
	struct http_client *client;
	uv_timer_t timer;
	char expected[ENGINE_PROOF_MAX];
	struct procs before;
	int master;
	uint32_t workers;
	struct str pids; /* the master's children at the start */
	bool stirred;	 /* some came or went since */
	bool retired;	 /* the old workers were told to finish */
	uint64_t started_us, asked_us, live_us, deadline_ms;
	unsigned looks;
	size_t files;
	struct usual {
		size_t files;
		uint64_t last_us, before_us; /* 0: not known */
	} usual;
	char last[ENGINE_PROOF_MAX]; /* what it said last, for the message */
	proof_fn *done;		     /* NULL: none under way */
	void *arg;
	proof_ask_fn *on_answer;
	void *answer_arg;
	bool closing;
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_answer(void *arg, const char *answer, const struct error *e);
static void look_again(struct proof *p);

struct proof *
proof_new(uv_loop_t *loop, struct error *e)
{
	/* By way of the working directory no path is too long. */
	struct http_endpoint endpoint = {
		.url = "unix:/proc/self/cwd/" ENGINE_INTERNAL_SOCKET,
	};
	struct http_client *client = http_client_new(loop, &endpoint, e);
	struct proof *p;

	if (client == NULL)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->client = client;
	str_init(&p->pids, PROCS_PIDS_MAX);
	must(uv_timer_init(loop, &p->timer) == 0);
	return p;
}

static void
on_response(void *arg, const struct http_response *r)
{
	struct proof *p = arg;
	proof_ask_fn *done = p->on_answer;
	struct error e;

	p->on_answer = NULL;
	if (p->closing || done == NULL)
		return;
	if (r->error != NULL) {
		done(p->answer_arg, NULL, r->error);
	} else if (r->status != 200) {
		(void)error_set(
		    &e, EPROTO, "the internal server answers %ld", r->status);
		done(p->answer_arg, NULL, &e);
	} else {
		done(p->answer_arg, r->body, NULL);
	}
}

void
proof_ask(struct proof *p, proof_ask_fn *done, void *arg)
{
	must(p->on_answer == NULL);
	p->on_answer = done;
	p->answer_arg = arg;
	(void)http_request_start(p->client,
	    &(struct http_request_options){
		.target = "/",
		.first_byte_ms = ANSWER_MS,
		.total_ms = ANSWER_MS,
		.max_body = ENGINE_PROOF_MAX,
		.done = on_response,
		.arg = p,
	    });
}

static void
finish(struct proof *p, const struct error *e)
{
	proof_fn *done = p->done;
	uint64_t now = clock_mono_us() - p->started_us;

	p->done = NULL;
	(void)uv_timer_stop(&p->timer);
	done(p->arg, p->live_us, now, e);
}

/*
 * True while somebody accepts who may have the old configuration: a worker
 * from before, or more of them in our folder than one generation has.
 */
static bool
others_left(const struct proof *p)
{
	struct procs now = { 0 };
	uint32_t accepting = 0;
	size_t i;

	for (i = 0; i < p->before.list.len; i++) {
		if (procs_role(&p->before.list.at[i]) == PROC_WORKER)
			return true;
	}
	if (procs_scan(".", &now, NULL) != 0)
		return true;
	for (i = 0; i < now.list.len; i++) {
		if (now.list.at[i].role == PROC_WORKER)
			accepting++;
	}
	procs_fini(&now);
	return accepting > p->workers;
}

/* Once enough new workers accept, the old ones need not any more. */
static void
retire_old(struct proof *p)
{
	struct procs now = { 0 };
	uint32_t fresh = 0;
	size_t i;

	if (p->retired)
		return;
	procs_children(p->master, &now);
	for (i = 0; i < now.list.len; i++) {
		if (now.list.at[i].role == PROC_WORKER &&
		    !procs_has(&p->before, &now.list.at[i]))
			fresh++;
	}
	procs_fini(&now);
	if (fresh < p->workers)
		return;
	p->retired = true;
	for (i = 0; i < p->before.list.len; i++)
		(void)procs_signal(&p->before.list.at[i], SIGQUIT, NULL);
}

/* As many files as the ones before, or an eighth more or less. */
static bool
is_usual(const struct proof *p)
{
	size_t more = p->usual.files + p->usual.files / 8;
	size_t less = p->usual.files - p->usual.files / 8;

	return p->files <= more && p->files >= less;
}

/* Where the first look found it live nobody knows how long it took. */
static void
learn(struct proof *p)
{
	bool known = p->looks > 1;

	p->usual.before_us = is_usual(p) && known ? p->usual.last_us : 0;
	p->usual.last_us = known ? p->live_us : 0;
	p->usual.files = p->files;
}

/* Until the first look: most of what the quicker of the last two took. */
static uint64_t
first_ms(const struct proof *p)
{
	uint64_t usual_us = p->usual.last_us < p->usual.before_us
	    ? p->usual.last_us
	    : p->usual.before_us;
	uint64_t most_ms = usual_us / 1000 * 3 / 4;

	return is_usual(p) && most_ms > LOOK_MIN_MS ? most_ms : LOOK_MIN_MS;
}

/* True while nginx is not known to have started a worker. */
static bool
is_calm(struct proof *p)
{
	STR_AUTO(now, PROCS_PIDS_MAX);

	if (!p->stirred)
		p->stirred = procs_children_pids(p->master, &now, NULL) != 0 ||
		    strcmp(now.p, p->pids.p) != 0;
	return !p->stirred;
}

static void
on_timer(uv_timer_t *timer)
{
	struct proof *p = container_of(timer, struct proof, timer);
	uint64_t now = clock_mono_us();

	if (p->closing || p->done == NULL)
		return;
	p->looks++;
	if (is_calm(p) && p->asked_us != 0 &&
	    now - p->asked_us < ASK_MS * (uint64_t)1000) {
		look_again(p);
		return;
	}
	retire_old(p);
	if (p->on_answer == NULL) {
		p->asked_us = now;
		proof_ask(p, on_answer, p);
	}
}

static void
look_again(struct proof *p)
{
	uint64_t ran_ms = (clock_mono_us() - p->started_us) / 1000;
	uint64_t in_ms = ran_ms / LOOK_SHARE;
	struct error e;

	if (in_ms < LOOK_MIN_MS)
		in_ms = LOOK_MIN_MS;
	else if (in_ms > LOOK_MAX_MS)
		in_ms = LOOK_MAX_MS;
	if (ran_ms >= p->deadline_ms) {
		(void)error_set(&e, ETIMEDOUT,
		    p->live_us == 0
			? "nginx did not load the configuration within %" PRIu64
			  " ms; it still serves %s"
			: "old workers still accept after %" PRIu64
			  " ms, beside %s",
		    ran_ms, p->last[0] != '\0' ? p->last : "nothing");
		finish(p, &e);
		return;
	}
	must(uv_timer_start(&p->timer, on_timer, in_ms, 0) == 0);
}

static void
on_answer(void *arg, const char *answer, const struct error *e)
{
	struct proof *p = arg;

	if (p->done == NULL)
		return;
	(void)e;
	p->last[0] = '\0';
	if (answer != NULL)
		(void)snprintf(p->last, sizeof(p->last), "%.16s", answer);
	if (answer == NULL || strcmp(answer, p->expected) != 0) {
		look_again(p);
		return;
	}
	if (p->live_us == 0) {
		p->live_us = clock_mono_us() - p->started_us;
		learn(p);
	}
	/* What is live stays so; the old workers' end may come later. */
	if (others_left(p))
		look_again(p);
	else
		finish(p, NULL);
}

void
proof_start(
    struct proof *p, const struct proof_case *c, proof_fn *done, void *arg)
{
	size_t i;

	must(p->done == NULL && strlen(c->expected) < sizeof(p->expected));
	(void)snprintf(p->expected, sizeof(p->expected), "%s", c->expected);
	p->before.list.len = 0;
	for (i = 0; i < c->before->list.len; i++) {
		if (c->before->list.at[i].role == PROC_WORKER)
			vec_push(&p->before.list, c->before->list.at[i]);
	}
	p->master = c->master;
	p->workers = c->workers;
	p->stirred = procs_children_pids(c->master, &p->pids, NULL) != 0;
	p->retired = false;
	p->asked_us = 0;
	p->files = c->files;
	p->looks = 0;
	p->started_us = clock_mono_us();
	p->live_us = 0;
	p->deadline_ms = c->deadline_ms;
	p->done = done;
	p->arg = arg;
	must(uv_timer_start(&p->timer, on_timer, first_ms(p), 0) == 0);
}

static void
drop(struct proof *p)
{
	if (--p->open > 0)
		return;
	procs_fini(&p->before);
	str_fini(&p->pids);
	if (p->closed != NULL)
		p->closed(p->closed_arg);
	free(p);
}

static void
on_client_closed(void *arg)
{
	drop(arg);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	drop(container_of(handle, struct proof, timer));
}

void
proof_close(struct proof *p, void (*closed)(void *arg), void *arg)
{
	if (p == NULL || p->closing)
		return;
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	p->open = 2;
	http_client_close(p->client, on_client_closed, p);
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
