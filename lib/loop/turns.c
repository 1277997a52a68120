/* The longest turn of a loop: see turns.h. */
#include "loop/turns.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define SPAN_US 15000000

/* All of the process so far. */
struct used {
	uint64_t now_us;
	uint64_t idle_us; /* of the loop: it polled */
	uint64_t ran_us, waited_us;
};

struct turns {
	uv_prepare_t prepare;
	int schedstat; /* -1: not told */
	struct used since;
	bool begun;
	uint64_t span_us;		/* when this span of time began */
	uint64_t longest_us, before_us; /* of this span, of the one before */
};

static void
read_used(const struct turns *t, struct used *ret)
{
	char text[128];
	uint64_t ran_ns, waited_ns;
	ssize_t n;

	*ret = (struct used){
		.now_us = clock_mono_us(),
		.idle_us = uv_metrics_idle_time(t->prepare.loop) / 1000,
	};
	if (t->schedstat < 0)
		return;
	n = pread(t->schedstat, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &ran_ns, &waited_ns) == 2) {
		ret->ran_us = ran_ns / 1000;
		ret->waited_us = waited_ns / 1000;
	}
}

/* Of the turn between them. */
static uint64_t
length_us(const struct used *from, const struct used *to)
{
	uint64_t busy = to->now_us - from->now_us;
	uint64_t idle = to->idle_us - from->idle_us;
	uint64_t ran = to->ran_us - from->ran_us;
	uint64_t waited = to->waited_us - from->waited_us;

	busy = busy > idle ? busy - idle : 0;
	if (ran > busy)
		ran = busy;
	/* Some of the wait may have been after the poll, in 'idle'. */
	busy = busy > waited ? busy - waited : 0;
	return busy > ran ? busy : ran;
}

static void
pass_time(struct turns *t, uint64_t now_us)
{
	uint64_t passed = now_us - t->span_us;

	if (passed < SPAN_US)
		return;
	t->before_us = passed < 2 * (uint64_t)SPAN_US ? t->longest_us : 0;
	t->longest_us = 0;
	t->span_us = now_us;
}

/* Before each poll: a turn is over. */
static void
on_prepare(uv_prepare_t *prepare)
{
	struct turns *t = container_of(prepare, struct turns, prepare);
	struct used now;
	uint64_t us;

	read_used(t, &now);
	pass_time(t, now.now_us);
	us = t->begun ? length_us(&t->since, &now) : 0;
	if (us > t->longest_us)
		t->longest_us = us;
	t->since = now;
	t->begun = true;
}

struct turns *
turns_new(uv_loop_t *loop)
{
	struct turns *t = xcalloc(1, sizeof(*t));

	must(uv_loop_configure(loop, UV_METRICS_IDLE_TIME) == 0);
	must(uv_prepare_init(loop, &t->prepare) == 0);
	must(uv_prepare_start(&t->prepare, on_prepare) == 0);
	uv_unref((uv_handle_t *)&t->prepare);
	t->span_us = clock_mono_us();
	t->schedstat = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	return t;
}

uint64_t
turns_longest_us(struct turns *t)
{
	pass_time(t, clock_mono_us());
	return t->longest_us > t->before_us ? t->longest_us : t->before_us;
}

static void
on_closed(uv_handle_t *handle)
{
	struct turns *t =
	    container_of((uv_prepare_t *)handle, struct turns, prepare);

	if (t->schedstat >= 0)
		(void)close(t->schedstat);
	free(t);
}

void
turns_close(struct turns *t)
{
	if (t != NULL)
		uv_close((uv_handle_t *)&t->prepare, on_closed);
}
