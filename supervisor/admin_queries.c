/* Questions that children answer: see admin_queries.h. */
#include "admin_queries.h"

#include <jansson.h>
#include <string.h>

#include "admin_answers.h"
#include "base/str.h"
#include "supervisor.h"

#define ANSWER_MAX (256U * 1024 * 1024)
#define QUERY_MS 5000
#define PASS_MS 30000

/* A question to several children whose answers become one list. */
struct join {
	struct http_exchange *x; /* NULL: the asker has gone */
	const char *key;
	struct str body;
	int waiting;
	bool any;
	unsigned silent; /* children that did not answer */
};

static void
join_gone(void *arg, struct http_exchange *x)
{
	struct join *j = arg;

	(void)x;
	j->x = NULL;
}

static void
join_end(struct join *j)
{
	if (--j->waiting > 0)
		return;
	if (j->x != NULL) {
		http_on_gone(j->x, NULL, NULL);
		str_addf(&j->body, "],\"unanswered\":%u}", j->silent);
		if (j->body.overflow)
			http_answer_error(j->x, 500,
			    "the answer is larger "
			    "than 256 MiB");
		else
			http_answer(j->x, 200, NULL, j->body.p, j->body.len);
	}
	str_fini(&j->body);
	free(j);
}

/* What stands between the first "[" and the last "]" of a child's list. */
static void
on_join_answer(void *arg, unsigned status, const char *body, size_t len)
{
	struct join *j = arg;
	const char *start = memchr(body, '[', len);
	const char *end = len == 0 ? NULL : memrchr(body, ']', len);

	if (status != 200 || start == NULL || end == NULL) {
		j->silent++;
	} else if (end > start + 1) {
		if (j->any)
			str_addc(&j->body, ',');
		j->any = true;
		str_addn(&j->body, start + 1, (size_t)(end - start - 1));
	}
	join_end(j);
}

void
admin_ask_all(struct supervisor *s, struct http_exchange *x,
    const char *cluster, const char *what, const char *key)
{
	struct join *j = xcalloc(1, sizeof(*j));
	size_t i;

	j->x = x;
	j->key = key;
	j->waiting = 1;
	str_init(&j->body, ANSWER_MAX);
	str_addf(&j->body, "{\"%s\":[", key);
	http_on_gone(x, join_gone, j);
	for (i = 0; i < s->clusters.len; i++) {
		struct cluster *c = s->clusters.at[i];

		if (cluster != NULL && strcmp(cluster, c->name) != 0)
			continue;
		j->waiting++;
		process_query(
		    c->process, what, NULL, QUERY_MS, on_join_answer, j);
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
	struct http_exchange *x;
	struct str best;
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

static void
explain_end(struct explain *ex)
{
	if (--ex->waiting > 0)
		return;
	if (ex->x != NULL) {
		http_on_gone(ex->x, NULL, NULL);
		if (ex->rank < 0)
			http_answer_error(ex->x, 503,
			    "no cluster answers now; \"proxyctl status\" "
			    "shows their states");
		else
			http_answer(ex->x, 200, NULL, ex->best.p, ex->best.len);
	}
	str_fini(&ex->best);
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
		str_clear(&ex->best);
		str_addn(&ex->best, body, len);
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
	ex->x = x;
	ex->rank = -1;
	ex->waiting = 1;
	str_init(&ex->best, ANSWER_MAX);
	http_on_gone(x, explain_gone, ex);
	for (i = 0; i < s->clusters.len; i++) {
		ex->waiting++;
		process_query(s->clusters.at[i]->process, "explain", args.p,
		    QUERY_MS, on_explain_answer, ex);
	}
	explain_end(ex);
}
