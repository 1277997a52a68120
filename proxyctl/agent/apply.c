/*
 * From a manifest to a proven configuration: see apply.h.  Each step ends by
 * starting the next one or by finish().
 */
#include "apply.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "procs.h"
#include "run.h"

#define BASE_DEADLINE_MS 10000
#define PER_FILE_MS 2
#define UP_MS 30000
#define WORDS_MAX 8192

enum step {
	STEP_NONE,
	STEP_BLOBS,
	STEP_CHECK,
	STEP_UP, /* nginx is being started: no signal yet */
	STEP_PROOF,
	STEP_TOLD /* finished; the result goes out from the loop */
};

struct apply {
	struct apply_setup setup;
	enum step step;
	struct manifest *manifest; /* owned while busy */
	struct fragments *fragments;
	char *scratch;
	struct run *check;
	uv_timer_t timer;
	int nginx_pid;
	bool nginx_up;
	bool missed; /* the reload that was asked for did not go out */
	uint64_t started_us;
	uint64_t number;   /* generation of the manifest; 0: not yet */
	uint64_t previous; /* generation to go back to; 0: none */
	struct apply_timing timing;
	enum apply_outcome outcome;
	struct str words;
	bool closing;
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_timer(uv_timer_t *timer);

static uint64_t
elapsed(const struct apply *a)
{
	return clock_mono_us() - a->started_us;
}

static uint64_t
deadline_ms(const struct apply *a)
{
	return BASE_DEADLINE_MS + a->manifest->files.len * PER_FILE_MS;
}

static void
after(struct apply *a, uint64_t ms)
{
	must(uv_timer_start(&a->timer, on_timer, ms, 0) == 0);
}

/* Ends the attempt; the result is told from the timer. */
static void
finish(struct apply *a, enum apply_outcome outcome, const char *words)
{
	a->outcome = outcome;
	str_clear(&a->words);
	str_addn(&a->words, words, strnlen(words, WORDS_MAX));
	if (a->scratch != NULL)
		folder_discard(a->setup.folder, a->scratch);
	a->step = STEP_TOLD;
	after(a, 0);
}

static void
fail(struct apply *a, const struct error *e)
{
	finish(a, APPLY_FAILED, e->msg);
}

/* The new one is on disk but not in force: back to the one before. */
static void
restore(struct apply *a, const struct error *why)
{
	struct manifest *m = NULL;
	struct error e;

	if (a->previous != 0)
		m = folder_load(a->setup.folder, a->previous, &e);
	if (m != NULL &&
	    folder_switch(a->setup.folder, a->previous, m, &e) == 0) {
		if (a->number != 0)
			folder_remove(a->setup.folder, a->number);
		if (a->nginx_up)
			a->setup.request_reload(a->setup.arg);
	} else if (a->previous != 0) {
		log_error("apply: going back: %s", e.msg);
	}
	manifest_free(m);
	fail(a, why);
}

static void
on_proof(
    void *arg, uint64_t live_us, uint64_t settled_us, const struct error *e)
{
	struct apply *a = arg;
	uint64_t offset = elapsed(a) - settled_us;

	if (a->closing || a->step != STEP_PROOF)
		return;
	if (e != NULL) {
		restore(a, e);
		return;
	}
	a->timing.live_us = offset + live_us;
	a->timing.settled_us = offset + settled_us;
	finish(a, APPLY_APPLIED, "");
}

static void
step_reload(struct apply *a)
{
	struct procs before = { 0 };
	struct error e;

	if (procs_scan(a->setup.options->dir, &before, &e) != 0) {
		restore(a, &e);
		return;
	}
	a->step = STEP_PROOF;
	a->missed = false;
	proof_start(a->setup.proof,
	    &(struct proof_case){
		.expected = a->fragments->proof,
		.before = &before,
		.master = a->nginx_pid,
		.workers = a->fragments->workers,
		.files = a->manifest->files.len,
		.deadline_ms = deadline_ms(a),
	    },
	    on_proof, a);
	procs_fini(&before);
	a->setup.request_reload(a->setup.arg);
}

void
apply_on_reloaded(struct apply *a, bool ok)
{
	if (a->step == STEP_PROOF && !ok)
		a->missed = true;
}

static void
step_up(struct apply *a)
{
	if (a->nginx_up) {
		step_reload(a);
		return;
	}
	a->step = STEP_UP;
	after(a, UP_MS);
}

void
apply_on_nginx(struct apply *a, int pid, bool up)
{
	a->nginx_pid = pid;
	a->nginx_up = up;
	if (a->step == STEP_UP && up) {
		(void)uv_timer_stop(&a->timer);
		step_reload(a);
	} else if (a->step == STEP_PROOF && a->missed && up) {
		/* It may have read its files before the switch. */
		a->missed = false;
		a->setup.request_reload(a->setup.arg);
	}
}

static void
step_switch(struct apply *a)
{
	struct folder *folder = a->setup.folder;
	struct error e;

	a->previous = folder_current(folder);
	if (folder_commit(folder, a->scratch, &a->number, &e) != 0 ||
	    folder_switch(folder, a->number, a->manifest, &e) != 0) {
		fail(a, &e);
		return;
	}
	free(a->scratch);
	a->scratch = NULL;
	step_up(a);
}

static void
on_check(void *arg, const struct run_result *r)
{
	struct apply *a = arg;
	STR_AUTO(words, 2 * WORDS_MAX);

	a->timing.checked_us = elapsed(a);
	engine_nginx_words(r->output, r->len, a->scratch, &words);
	if (r->too_late) {
		finish(a, APPLY_FAILED, "nginx -t does not end");
	} else if (r->signal_number != 0) {
		str_addf(&words, " (nginx -t: signal %d)", r->signal_number);
		finish(a, APPLY_FAILED, words.p);
	} else if (r->exit_code != 0) {
		if (words.len == 0)
			str_addf(&words, "exit code %d", r->exit_code);
		finish(a,
		    engine_nginx_words_are_ours(words.p) ? APPLY_FAILED
							 : APPLY_REFUSED,
		    words.p);
	} else if (a->manifest->check) {
		finish(a, APPLY_ACCEPTED, "");
	} else {
		if (words.len > 0)
			log_warn("nginx -t: %s", words.p);
		step_switch(a);
	}
	run_close(a->check, NULL, NULL);
	a->check = NULL;
}

static void
step_check(struct apply *a)
{
	struct engine_command *command;
	struct error e;
	bool status = folder_uses_status(a->setup.folder, a->manifest);

	if (secrets_fill(a->setup.secrets, a->manifest, &e) != 0) {
		finish(a, a->manifest->check ? APPLY_FAILED : APPLY_LACKING,
		    e.msg);
		return;
	}
	a->fragments =
	    engine_nginx_fragments(a->setup.options, a->manifest, status);
	a->scratch =
	    folder_build(a->setup.folder, a->manifest, a->fragments, &e);
	if (a->scratch == NULL) {
		fail(a, &e);
		return;
	}
	a->step = STEP_CHECK;
	command = engine_nginx_check_command(
	    a->setup.options, a->scratch, a->setup.fd_count);
	a->check = run_start(a->setup.loop, command, a->scratch, a->setup.fds,
	    a->setup.fd_count, deadline_ms(a), on_check, a, &e);
	engine_command_free(command);
	if (a->check == NULL)
		fail(a, &e);
}

static void
on_blobs(void *arg, const struct error *e)
{
	struct apply *a = arg;

	if (a->closing)
		return;
	a->timing.fetched_us = elapsed(a);
	if (e != NULL)
		fail(a, e);
	else
		step_check(a);
}

static void
begin(struct apply *a, struct manifest *m)
{
	must(a->step == STEP_NONE);
	a->manifest = m;
	a->started_us = clock_mono_us();
	a->previous = a->number = 0;
	a->timing = (struct apply_timing){ 0 };
}

void
apply_start(struct apply *a, struct manifest *m)
{
	begin(a, m);
	a->step = STEP_BLOBS;
	fetch_blobs_start(a->setup.fetch, a->setup.folder, m, on_blobs, a);
}

void
apply_reload(struct apply *a, struct manifest *m)
{
	begin(a, m);
	a->fragments = engine_nginx_fragments(
	    a->setup.options, m, folder_uses_status(a->setup.folder, m));
	step_up(a);
}

/* Hands the result over and is free for the next. */
static void
tell(struct apply *a)
{
	struct apply_result result = {
		.outcome = a->outcome,
		.manifest = a->manifest,
		.words = a->words.p,
		.timing = a->timing,
	};

	a->manifest = NULL;
	fragments_free(a->fragments);
	a->fragments = NULL;
	free(a->scratch);
	a->scratch = NULL;
	a->step = STEP_NONE;
	a->setup.done(a->setup.arg, &result);
}

static void
on_timer(uv_timer_t *timer)
{
	struct apply *a = container_of(timer, struct apply, timer);
	struct error e;

	if (a->closing)
		return;
	switch (a->step) {
	case STEP_TOLD:
		tell(a);
		break;
	case STEP_UP:
		(void)error_set(
		    &e, ETIMEDOUT, "nginx is not up after %d ms", UP_MS);
		restore(a, &e);
		break;
	case STEP_NONE:
	case STEP_BLOBS:
	case STEP_CHECK:
	case STEP_PROOF:
		break;
	}
}

struct apply *
apply_new(const struct apply_setup *setup)
{
	struct apply *a = xcalloc(1, sizeof(*a));

	a->setup = *setup;
	str_init(&a->words, WORDS_MAX);
	must(uv_timer_init(setup->loop, &a->timer) == 0);
	return a;
}

bool
apply_busy(const struct apply *a)
{
	return a->step != STEP_NONE;
}

static void
drop(struct apply *a)
{
	if (--a->open > 0)
		return;
	manifest_free(a->manifest);
	fragments_free(a->fragments);
	free(a->scratch);
	str_fini(&a->words);
	if (a->closed != NULL)
		a->closed(a->closed_arg);
	free(a);
}

static void
on_check_closed(void *arg)
{
	drop(arg);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	drop(container_of(handle, struct apply, timer));
}

void
apply_close(struct apply *a, void (*closed)(void *arg), void *arg)
{
	if (a == NULL || a->closing)
		return;
	a->closing = true;
	a->closed = closed;
	a->closed_arg = arg;
	a->open = 1;
	uv_close((uv_handle_t *)&a->timer, on_timer_closed);
	if (a->check != NULL) {
		a->open++;
		run_close(a->check, on_check_closed, a);
	}
}
