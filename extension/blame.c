/* Halving until the guilty stand alone: see blame.h. */
#include "blame.h"

#include <string.h>

void
blame_add(struct blame *b, const char *id, bool named)
{
	struct blame_suspect *s = vec_add(&b->suspects);

	s->id = xstrdup(id);
	s->named = named;
}

void
blame_fini(struct blame *b)
{
	size_t i;

	for (i = 0; i < b->suspects.len; i++) {
		free(b->suspects.at[i].id);
		free(b->suspects.at[i].words);
	}
	vec_fini(&b->suspects);
	vec_fini(&b->groups);
	free(b->words);
	free(b->pending_words);
	*b = (struct blame){ .state = BLAME_DONE };
}

static void
push(struct blame *b, size_t from, size_t to)
{
	struct blame_group g = { from, to };

	if (from < to)
		vec_push(&b->groups, g);
}

static struct blame_group *
top(const struct blame *b)
{
	return &b->groups.at[b->groups.len - 1];
}

/* How many of the top group are still under suspicion. */
static size_t
count_left(const struct blame *b)
{
	const struct blame_group *g = top(b);
	size_t i, n = 0;

	for (i = g->from; i < g->to; i++) {
		if (!b->suspects.at[i].dropped)
			n++;
	}
	return n;
}

/* The top group and all that was accepted are all there is. */
static bool
tests_everything(const struct blame *b)
{
	size_t i;

	if (b->groups.len != 1)
		return false;
	for (i = 0; i < b->suspects.len; i++) {
		if (b->suspects.at[i].dropped || b->suspects.at[i].convicted)
			return false;
	}
	return true;
}

static void
convict(struct blame *b, const struct blame_group *g, const char *words)
{
	size_t i;

	for (i = g->from; i < g->to; i++) {
		struct blame_suspect *s = &b->suspects.at[i];

		if (s->dropped)
			continue;
		s->convicted = true;
		s->words = xstrdup(words);
	}
}

static void
judge_refused(struct blame *b, const char *words)
{
	struct blame_group g = *top(b);
	size_t middle = g.from + (g.to - g.from) / 2;
	bool single = count_left(b) <= 1;

	b->groups.len--;
	if (single || b->tests >= BLAME_TESTS_MAX) {
		convict(b, &g, words);
		return;
	}
	push(b, middle, g.to);
	push(b, g.from, middle);
}

/* On to the next test that tells something new. */
static void
advance(struct blame *b)
{
	while (b->groups.len > 0) {
		if (count_left(b) == 0) {
			b->groups.len--;
			continue;
		}
		if (!b->all_known || !tests_everything(b))
			return;
		if (!b->sound) {
			b->control = true;
			return;
		}
		judge_refused(b, b->words);
	}
	b->state = BLAME_DONE;
}

void
blame_start(struct blame *b, const char *words, bool all_known)
{
	VEC(struct blame_suspect) sorted = { NULL, 0, 0 };
	size_t i, pass, others = 0;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < b->suspects.len; i++) {
			if (b->suspects.at[i].named == (pass == 1))
				vec_push(&sorted, b->suspects.at[i]);
		}
		if (pass == 0)
			others = sorted.len;
	}
	for (i = 0; i < sorted.len; i++)
		b->suspects.at[i] = sorted.at[i];
	vec_fini(&sorted);
	b->words = xstrdup(words);
	b->all_known = all_known;
	b->state = BLAME_TESTING;
	push(b, others, b->suspects.len);
	push(b, 0, others);
	advance(b);
}

bool
blame_includes(const struct blame *b, size_t i)
{
	const struct blame_suspect *s = &b->suspects.at[i];

	if (b->control || s->dropped)
		return false;
	if (s->good)
		return true;
	return b->groups.len > 0 && i >= top(b)->from && i < top(b)->to;
}

static void
control_verdict(struct blame *b, bool refused)
{
	b->control = false;
	if (refused) {
		b->state = BLAME_NOT_THEM;
		return;
	}
	b->sound = true;
	if (b->pending)
		judge_refused(b, b->pending_words);
	b->pending = false;
	advance(b);
}

void
blame_verdict(struct blame *b, bool refused, const char *words)
{
	size_t i;

	must(b->state == BLAME_TESTING);
	b->tests++;
	if (b->control) {
		control_verdict(b, refused);
		return;
	}
	if (!refused) {
		b->sound = true;
		for (i = top(b)->from; i < top(b)->to; i++)
			b->suspects.at[i].good = !b->suspects.at[i].dropped;
		b->groups.len--;
	} else if (b->sound) {
		judge_refused(b, words);
	} else {
		b->control = b->pending = true;
		free(b->pending_words);
		b->pending_words = xstrdup(words);
		return;
	}
	advance(b);
}

bool
blame_drop(struct blame *b, const char *id)
{
	struct blame_suspect *s = NULL;
	size_t i;

	for (i = 0; i < b->suspects.len; i++) {
		if (strcmp(b->suspects.at[i].id, id) == 0)
			s = &b->suspects.at[i];
	}
	if (s == NULL)
		return false;
	s->dropped = true;
	s->good = s->convicted = false;
	/* What was refused may have been its doing. */
	b->pending = false;
	if (b->state == BLAME_TESTING && !b->control)
		advance(b);
	return true;
}
