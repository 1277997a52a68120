/* The child's side of fd 3: see child_abi.h.  Reader and extension. */
#include "loop/child_abi.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "loop/lines.h"
#include "loop/turns.h"

/* Escaped at worst to six times this, which still is less than a line. */
#define ANSWER_PIECE (128 * 1024)

struct child_query {
	struct child_link *link; /* NULL: the link is closed */
	int64_t id;
	unsigned status;
	char *body; /* owned; NULL while it is not answered */
	size_t len;
	size_t sent;
};

struct child_link {
	struct lines *lines;
	struct turns *turns;
	struct child_link_handlers handlers;
	void *arg;
	bool ready;
	bool ended;
	VEC(char *) held;		   /* lines from before child_ready() */
	VEC(struct child_query *) open;	   /* without an answer */
	VEC(struct child_query *) answers; /* in the order of child_answer() */
	void (*closed)(void *arg);
	void *closed_arg;
};

void
child_enter(void)
{
	/*
	 * First of all: after a loop exists this would take its descriptors
	 * away.
	 */
	(void)close_range(CHILD_FD + 1, ~0U, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void
link_send(struct child_link *l, const char *line, size_t len)
{
	if (l->ready)
		(void)lines_send(l->lines, line, len);
	else
		vec_push(&l->held, xmemdup0(line, len));
}

static void
query_free(struct child_query *q)
{
	free(q->body);
	free(q);
}

static void
forget_open(struct child_link *l, const struct child_query *q)
{
	for (size_t i = 0; i < l->open.len; i++) {
		if (l->open.at[i] == q) {
			vec_remove(&l->open, i);
			return;
		}
	}
}

/* The length of the next piece; no UTF-8 sequence is cut. */
static size_t
piece_len(const struct child_query *q)
{
	size_t len = q->len - q->sent;

	if (len <= ANSWER_PIECE)
		return len;
	len = ANSWER_PIECE;
	for (int i = 0; i < 3 && (q->body[q->sent + len] & 0xc0) == 0x80; i++)
		len--;
	return len;
}

static void
send_piece(struct child_link *l, struct child_query *q)
{
	STR_AUTO(line, LINES_MAX);
	size_t len = piece_len(q);

	str_addf(&line,
	    "{\"type\":\"answer\",\"id\":%lld,\"status\":%u,\"data\":",
	    (long long)q->id, q->status);
	str_add_json(&line, q->body + q->sent, len);
	q->sent += len;
	str_add(&line, ",\"more\":");
	str_add(&line, q->sent < q->len ? "true}" : "false}");
	must(!line.overflow);
	link_send(l, line.p, line.len);
}

/* Answers go out piece by piece, as the parent takes them. */
static void
pump(struct child_link *l)
{
	while (l->answers.len > 0 && lines_pending(l->lines) < LINES_MAX) {
		struct child_query *q = l->answers.at[0];

		send_piece(l, q);
		if (q->sent == q->len) {
			vec_remove(&l->answers, 0);
			query_free(q);
		}
	}
}

static void
on_drained(void *arg)
{
	pump(arg);
}

static void
stop(struct child_link *l, const struct error *why)
{
	if (l->ended)
		return;
	l->ended = true;
	l->handlers.on_stop(l->arg, why);
}

static void
got_ping(struct child_link *l, json_t *message)
{
	STR_AUTO(line, 128);

	str_addf(&line,
	    "{\"type\":\"pong\",\"id\":%lld,\"turn_us\":%" PRIu64 "}",
	    (long long)json_integer_value(json_object_get(message, "id")),
	    turns_longest_us(l->turns));
	link_send(l, line.p, line.len);
}

static void
got_query(struct child_link *l, json_t *message)
{
	const char *what = json_string_value(json_object_get(message, "what"));
	json_t *args = json_object_get(message, "args");
	char *text _cleanup_free_ = NULL;
	struct child_query *q = xcalloc(1, sizeof(*q));

	q->link = l;
	q->id = json_integer_value(json_object_get(message, "id"));
	vec_push(&l->open, q);
	if (json_is_object(args)) {
		text = json_dumps(args, JSON_COMPACT);
		if (text == NULL)
			oom();
	} else {
		text = xstrdup("{}");
	}
	l->handlers.on_query(
	    l->arg, q, what == NULL ? "" : what, text, strlen(text));
}

static void
got_log_level(struct child_link *l, json_t *message)
{
	const char *level =
	    json_string_value(json_object_get(message, "level"));

	if (level != NULL && l->handlers.on_log_level != NULL)
		l->handlers.on_log_level(l->arg, level);
}

static void
got_message(struct child_link *l, json_t *message)
{
	const char *type = json_string_value(json_object_get(message, "type"));
	struct error e;

	if (type == NULL) {
		(void)error_set(&e, EPROTO, "parent: a message without type");
		stop(l, &e);
	} else if (strcmp(type, "ping") == 0) {
		got_ping(l, message);
	} else if (strcmp(type, "query") == 0) {
		got_query(l, message);
	} else if (strcmp(type, "reload") == 0) {
		if (l->handlers.on_reload != NULL)
			l->handlers.on_reload(l->arg);
	} else if (strcmp(type, "log") == 0) {
		got_log_level(l, message);
	} else if (strcmp(type, "stop") == 0) {
		stop(l, NULL);
	}
	/* A type of a newer parent is passed over. */
}

static void
on_line(void *arg, char *line, size_t len)
{
	struct child_link *l = arg;
	json_error_t bad;
	json_auto_t *message = NULL;
	struct error e;

	if (l->ended)
		return;
	message = json_loadb(line, len, JSON_REJECT_DUPLICATES, &bad);
	if (!json_is_object(message)) {
		(void)error_set(&e, EPROTO, "parent: %s",
		    message == NULL ? bad.text : "not an object");
		stop(l, &e);
		return;
	}
	got_message(l, message);
}

static void
on_end(void *arg, const struct error *e)
{
	struct error gone;

	if (e == NULL)
		(void)error_set(&gone, ECONNRESET, "parent gone");
	stop(arg, e == NULL ? &gone : e);
}

struct child_link *
child_link_new(uv_loop_t *loop, const struct child_link_handlers *h, void *arg,
    struct error *e)
{
	struct child_link *l;
	struct stat st;

	if (fstat(CHILD_FD, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		(void)error_set(e, EBADF,
		    "descriptor %d is no socket: the supervisor starts this "
		    "program",
		    CHILD_FD);
		return NULL;
	}
	l = xcalloc(1, sizeof(*l));
	l->handlers = *h;
	l->arg = arg;
	l->lines = lines_new(loop, CHILD_FD, on_line, on_end, l, e);
	if (l->lines == NULL) {
		free(l);
		return NULL;
	}
	l->turns = turns_new(loop);
	lines_on_drained(l->lines, on_drained);
	return l;
}

void
child_ready(struct child_link *l)
{
	if (l->ready)
		return;
	l->ready = true;
	(void)lines_send_raw(l->lines, "R", 1);
	for (size_t i = 0; i < l->held.len; i++) {
		(void)lines_send(
		    l->lines, l->held.at[i], strlen(l->held.at[i]));
		free(l->held.at[i]);
	}
	l->held.len = 0;
	pump(l);
}

void
child_push(struct child_link *l, const char *json, size_t len)
{
	link_send(l, json, len);
}

void
child_answer(
    struct child_query *q, unsigned status, const char *body, size_t len)
{
	struct child_link *l = q->link;

	if (l == NULL) {
		query_free(q);
		return;
	}
	forget_open(l, q);
	q->status = status;
	q->body = xmemdup0(body, len);
	q->len = len;
	vec_push(&l->answers, q);
	if (l->ready)
		pump(l);
}

static void
on_closed(void *arg)
{
	struct child_link *l = arg;

	if (l->closed != NULL)
		l->closed(l->closed_arg);
	free(l);
}

void
child_link_close(struct child_link *l, void (*closed)(void *arg), void *arg)
{
	if (l == NULL)
		return;
	l->ended = true;
	l->closed = closed;
	l->closed_arg = arg;
	for (size_t i = 0; i < l->open.len; i++)
		l->open.at[i]->link = NULL;
	vec_fini(&l->open);
	for (size_t i = 0; i < l->answers.len; i++)
		query_free(l->answers.at[i]);
	vec_fini(&l->answers);
	for (size_t i = 0; i < l->held.len; i++)
		free(l->held.at[i]);
	vec_fini(&l->held);
	turns_close(l->turns);
	lines_close(l->lines, on_closed, l);
}
