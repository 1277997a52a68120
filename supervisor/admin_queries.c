/* Questions that children answer: see admin_queries.h. */
#include "admin_queries.h"

#include <jansson.h>
#include <string.h>

#include "admin_answers.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "supervisor.h"

#define ANSWER_MAX (256U * 1024 * 1024)
#define QUERY_MS 5000
#define PASS_MS 30000

/* A question to several children whose answers become one list. */
struct join {
	struct http_exchange *x; /* NULL: the asker has gone */
	const char *key;
	VEC(struct join_part *) parts; /* in the order of clusters */
	int waiting;
	unsigned silent; /* children that did not answer */
};

/* One child's list, without its brackets. */
struct join_part {
	struct join *join;
	char *text; /* NULL: empty, or not here yet */
	size_t len;
};

static void
join_gone(void *arg, struct http_exchange *x)
{
	struct join *j = arg;

	(void)x;
	j->x = NULL;
}

static void
join_answer(struct join *j)
{
	STR_AUTO(body, ANSWER_MAX);
	bool any = false;
	size_t i;

	str_addf(&body, "{\"%s\":[", j->key);
	for (i = 0; i < j->parts.len; i++) {
		if (j->parts.at[i]->text == NULL)
			continue;
		if (any)
			str_addc(&body, ',');
		any = true;
		str_addn(&body, j->parts.at[i]->text, j->parts.at[i]->len);
	}
	str_addf(&body, "],\"unanswered\":%u}", j->silent);
	if (body.overflow)
		http_answer_error(
		    j->x, 500, "the answer is larger than 256 MiB");
	else
		http_answer(j->x, 200, NULL, body.p, body.len);
}

static void
join_end(struct join *j)
{
	size_t i;

	if (--j->waiting > 0)
		return;
	if (j->x != NULL) {
		http_on_gone(j->x, NULL, NULL);
		join_answer(j);
	}
	for (i = 0; i < j->parts.len; i++) {
		free(j->parts.at[i]->text);
		free(j->parts.at[i]);
	}
	vec_fini(&j->parts);
	free(j);
}

/* What stands between the first "[" and the last "]" of a child's list. */
static void
on_join_answer(void *arg, unsigned status, const char *body, size_t len)
{
	struct join_part *part = arg;
	const char *start = memchr(body, '[', len);
	const char *end = len == 0 ? NULL : memrchr(body, ']', len);

	if (status != 200 || start == NULL || end == NULL) {
		part->join->silent++;
	} else if (end > start + 1) {
		part->len = (size_t)(end - start - 1);
		part->text = xmemdup0(start + 1, part->len);
	}
	join_end(part->join);
}

void
admin_ask_all(struct supervisor *s, struct http_exchange *x,
    const char *cluster, const char *what, const char *key)
{
	struct join *j = xcalloc(1, sizeof(*j));
	struct join_part *part;
	size_t i;

	j->x = x;
	j->key = key;
	j->waiting = 1;
	http_on_gone(x, join_gone, j);
	for (i = 0; i < s->clusters.len; i++) {
		struct cluster *c = s->clusters.at[i];

		if (cluster != NULL && strcmp(cluster, c->name) != 0)
			continue;
		part = xcalloc(1, sizeof(*part));
		part->join = j;
		vec_push(&j->parts, part);
		j->waiting++;
		process_query(
		    c->process, what, NULL, QUERY_MS, on_join_answer, part);
	}
	join_end(j);
}

struct pass {
	struct http_exchange *x;
	const char *who;
};

static void
pass_gone(void *arg, struct http_exchange *x)
{
	struct pass *p = arg;

	(void)x;
	p->x = NULL;
}

static void
on_pass_answer(void *arg, unsigned status, const char *body, size_t len)
{
	struct pass *p = arg;

	if (p->x != NULL) {
		http_on_gone(p->x, NULL, NULL);
		if (len == 0)
			http_answer_error(p->x, status,
			    "the %s does not answer now; \"proxyctl status\" "
			    "shows its state",
			    p->who);
		else
			http_answer(p->x, status, NULL, body, len);
	}
	free(p);
}

/* The answer of one child, as it is. */
void
admin_ask_one(struct http_exchange *x, struct process *process, const char *who,
    const char *what, const char *args)
{
	struct pass *p = xcalloc(1, sizeof(*p));

	p->x = x;
	p->who = who;
	http_on_gone(x, pass_gone, p);
	process_query(process, what, args, PASS_MS, on_pass_answer, p);
}

/* ---- explain: every cluster is asked, the best answer wins ---- */

struct explain {
	struct supervisor *supervisor;
	struct http_exchange *x;
	json_t *best; /* owned */
	int rank;
	int waiting;
};

static void
explain_gone(void *arg, struct http_exchange *x)
{
	struct explain *ex = arg;

	(void)x;
	ex->x = NULL;
}

/* While Docker tells nothing no cluster has anything to answer from. */
static void
explain_silence(struct explain *ex)
{
	json_auto_t *j = json_object();
	const char *words;

	answers_explain_ails(ex->supervisor, j);
	words = json_string_value(json_object_get(j, "docker_error"));
	http_answer_error(ex->x, 503,
	    "no cluster answers now; \"proxyctl status\" shows their "
	    "states%s%s",
	    words == NULL ? "" : "; Docker: ", words == NULL ? "" : words);
}

static void
explain_answer(struct explain *ex)
{
	char *text;

	answers_explain_ails(ex->supervisor, ex->best);
	text = json_dumps(ex->best, JSON_COMPACT);
	if (text == NULL)
		http_answer_error(ex->x, 500, "the answer is no text");
	else
		http_answer(ex->x, 200, NULL, text, strlen(text));
	free(text);
}

static void
explain_end(struct explain *ex)
{
	if (--ex->waiting > 0)
		return;
	if (ex->x != NULL) {
		http_on_gone(ex->x, NULL, NULL);
		if (ex->rank < 0)
			explain_silence(ex);
		else
			explain_answer(ex);
	}
	json_decref(ex->best);
	free(ex);
}

static void
on_explain_answer(void *arg, unsigned status, const char *body, size_t len)
{
	struct explain *ex = arg;
	json_auto_t *j = status == 200 ? json_loadb(body, len, 0, NULL) : NULL;
	int rank = j == NULL ? -1 : answers_explain_rank(j);

	if (rank > ex->rank) {
		ex->rank = rank;
		json_decref(ex->best);
		ex->best = json_incref(j);
	}
	explain_end(ex);
}

void
admin_explain(struct supervisor *s, struct http_exchange *x, const char *q)
{
	struct explain *ex;
	STR_AUTO(args, 65536);
	size_t i;

	str_add(&args, "{\"q\":");
	str_add_json(&args, q, strlen(q));
	str_addc(&args, '}');
	ex = xcalloc(1, sizeof(*ex));
	ex->supervisor = s;
	ex->x = x;
	ex->rank = -1;
	ex->waiting = 1;
	http_on_gone(x, explain_gone, ex);
	for (i = 0; i < s->clusters.len; i++) {
		ex->waiting++;
		process_query(s->clusters.at[i]->process, "explain", args.p,
		    QUERY_MS, on_explain_answer, ex);
	}
	explain_end(ex);
}
