/* Cutting JSON lists and objects: see json_cut.h. */
#include "base/json_cut.h"

#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What may come next. */
enum state {
	AT_VALUE,
	AT_VALUE_OR_END, /* behind '[' */
	AT_KEY,
	AT_KEY_OR_END, /* behind '{' */
	AT_COLON,
	AT_NEXT, /* behind a value: a comma or the end */
	IN_STRING,
	IN_ESCAPE,
	IN_WORD, /* a number, true, false or null: not looked into */
};

/*
 * Brackets are remembered to the depth at which an element may be kept (its
 * list counts one more); below it they are only counted.
 */
#define SCAN_DEPTH (JSON_CUT_DEPTH + 1)

struct scan {
	enum state state;
	bool in_key;
	bool in_value; /* in a value that stands directly in the outer one */
	bool was_deep; /* ... which went below SCAN_DEPTH */
	size_t depth;
	size_t deep; /* levels below SCAN_DEPTH */
	char brackets[SCAN_DEPTH];
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_structural(char c)
{
	return c == '"' || c == ',' || c == ':' || c == '{' || c == '}' ||
	    c == '[' || c == ']';
}

static void
scan_open(struct scan *s, char c)
{
	if (s->depth == SCAN_DEPTH) {
		s->deep = 1;
		s->was_deep = true;
		s->state = AT_NEXT;
		return;
	}
	s->brackets[s->depth++] = c;
	s->state = c == '{' ? AT_KEY_OR_END : AT_VALUE_OR_END;
}

static bool
scan_close(struct scan *s, char c)
{
	char open = c == '}' ? '{' : '[';

	if (s->depth == 0 || s->brackets[s->depth - 1] != open)
		return false;
	s->depth--;
	s->state = AT_NEXT;
	return true;
}

static bool
scan_next(struct scan *s, char c)
{
	if (c == '}' || c == ']')
		return scan_close(s, c);
	if (c != ',' || s->depth == 0)
		return false;
	s->state = s->brackets[s->depth - 1] == '{' ? AT_KEY : AT_VALUE;
	return true;
}

static bool
scan_value(struct scan *s, char c)
{
	if (c == '{' || c == '[') {
		scan_open(s, c);
	} else if (c == '"') {
		s->state = IN_STRING;
		s->in_key = false;
	} else if (c == ']' && s->state == AT_VALUE_OR_END) {
		return scan_close(s, c);
	} else if (is_structural(c)) {
		return false;
	} else {
		s->state = IN_WORD;
	}
	return true;
}

static bool
scan_key(struct scan *s, char c)
{
	if (c == '}' && s->state == AT_KEY_OR_END)
		return scan_close(s, c);
	if (c != '"')
		return false;
	s->state = IN_STRING;
	s->in_key = true;
	return true;
}

static void
scan_deep(struct scan *s, char c)
{
	if (c == '"') {
		s->state = IN_STRING;
		s->in_key = false;
	} else if (c == '{' || c == '[') {
		s->deep++;
	} else if (c == '}' || c == ']') {
		s->deep--;
	}
}

/* One byte further; false when it cannot stand here. */
static bool
scan_byte(struct scan *s, char c)
{
	switch (s->state) {
	case IN_STRING:
		if (c == '\\')
			s->state = IN_ESCAPE;
		else if (c == '"')
			s->state = s->in_key ? AT_COLON : AT_NEXT;
		return true;
	case IN_ESCAPE:
		s->state = IN_STRING;
		return true;
	case IN_WORD:
		if (!is_blank(c) && !is_structural(c))
			return true;
		s->state = AT_NEXT;
		break;
	default:
		break;
	}
	if (is_blank(c))
		return true;
	if (s->deep > 0) {
		scan_deep(s, c);
		return true;
	}
	switch (s->state) {
	case AT_VALUE:
	case AT_VALUE_OR_END:
		return scan_value(s, c);
	case AT_KEY:
	case AT_KEY_OR_END:
		return scan_key(s, c);
	case AT_COLON:
		s->state = AT_VALUE;
		return c == ':';
	default:
		return scan_next(s, c);
	}
}

/* What a byte is to the values that stand directly in the outer one. */
enum edge {
	EDGE_NONE,
	EDGE_FIRST,  /* first byte of one */
	EDGE_LAST,   /* last byte of one */
	EDGE_BEHIND, /* first byte behind one (a number or word) */
	EDGE_WRONG,  /* cannot stand here */
};

static enum edge
scan_step(struct scan *s, char c)
{
	bool top = s->depth == 1, word = s->state == IN_WORD,
	     first = top && !is_blank(c) && c != ']' &&
	    (s->state == AT_VALUE || s->state == AT_VALUE_OR_END);

	if (!scan_byte(s, c))
		return EDGE_WRONG;
	if (first) {
		s->in_value = true;
		s->was_deep = false;
		return EDGE_FIRST;
	}
	if (!s->in_value)
		return EDGE_NONE;
	if (top && word && s->state != IN_WORD) {
		s->in_value = false;
		return EDGE_BEHIND;
	}
	if (s->depth == 1 && s->state == AT_NEXT) {
		s->in_value = false;
		return EDGE_LAST;
	}
	return EDGE_NONE;
}

/* The length of the run that leaves the scanner as it is. */
static size_t
skip_string(const struct scan *s, const char *p, size_t len)
{
	size_t i = 0;

	if (s->state == IN_STRING) {
		while (i < len && p[i] != '"' && p[i] != '\\')
			i++;
	}
	return i;
}

struct json_cut {
	size_t max_element;
	json_cut_fn *on_element;
	json_cut_fn *on_skipped;
	void *arg;
	struct scan scan;
	size_t total;	 /* bytes of earlier feeds */
	bool failed;	 /* for good */
	size_t length;	 /* of the element, in earlier feeds */
	struct str kept; /* of these, at most max_element */
};

struct json_cut *
json_cut_new(size_t max_element, json_cut_fn *on_element,
    json_cut_fn *on_skipped, void *arg)
{
	struct json_cut *c = xcalloc(1, sizeof(*c));

	c->max_element = max_element;
	c->on_element = on_element;
	c->on_skipped = on_skipped;
	c->arg = arg;
	c->scan.state = AT_VALUE;
	str_init(&c->kept, max_element);
	return c;
}

void
json_cut_free(struct json_cut *c)
{
	if (c == NULL)
		return;
	str_fini(&c->kept);
	free(c);
}

static void
keep(struct json_cut *c, const char *bytes, size_t len)
{
	size_t room = c->max_element - c->kept.len;

	str_addn(&c->kept, bytes, len < room ? len : room);
	c->length += len;
}

/* The element ends with these bytes. */
static void
deliver(struct json_cut *c, const char *bytes, size_t len)
{
	bool skip = c->scan.was_deep || c->length + len > c->max_element;
	json_cut_fn *fn = skip ? c->on_skipped : c->on_element;

	if (c->length > 0) {
		keep(c, bytes, len);
		bytes = c->kept.p;
		len = c->kept.len;
	}
	if (fn != NULL)
		fn(c->arg, bytes, len < c->max_element ? len : c->max_element);
	c->length = 0;
	str_clear(&c->kept);
}

static int
fail_at(struct json_cut *c, size_t at, const char *what, struct error *e)
{
	c->failed = true;
	return error_set(
	    e, EPROTO, "not a JSON list: %s at byte %zu", what, c->total + at);
}

int
json_cut_feed(
    struct json_cut *c, const char *bytes, size_t len, struct error *e)
{
	size_t i, start = 0;

	if (c->failed)
		return fail_at(c, 0, "already given up", e);
	for (i = 0; i < len; i++) {
		i += skip_string(&c->scan, bytes + i, len - i);
		if (i == len)
			break;
		if (c->scan.depth == 0 && !is_blank(bytes[i]) &&
		    (c->scan.state != AT_VALUE || bytes[i] != '['))
			return fail_at(c, i, "something else", e);
		switch (scan_step(&c->scan, bytes[i])) {
		case EDGE_FIRST:
			start = i;
			break;
		case EDGE_LAST:
			deliver(c, bytes + start, i + 1 - start);
			break;
		case EDGE_BEHIND:
			deliver(c, bytes + start, i - start);
			break;
		case EDGE_WRONG:
			return fail_at(c, i, "an unexpected character", e);
		case EDGE_NONE:
			break;
		}
	}
	if (c->scan.in_value)
		keep(c, bytes + start, len - start);
	c->total += len;
	return 0;
}

int
json_cut_end(struct json_cut *c, struct error *e)
{
	if (c->failed)
		return fail_at(c, 0, "already given up", e);
	if (c->scan.depth > 0 || c->scan.state != AT_NEXT)
		return fail_at(c, 0, "cut off", e);
	return 0;
}

int
json_cut_members(const char *json, size_t len, json_member_fn *on_member,
    void *arg, struct error *e)
{
	struct scan s = { .state = AT_VALUE };
	size_t i, key = 0, key_len = 0, value = 0;

	for (i = 0; i < len; i++) {
		i += skip_string(&s, json + i, len - i);
		if (i == len)
			break;
		if (s.depth == 0 && !is_blank(json[i]) &&
		    (s.state != AT_VALUE || json[i] != '{'))
			goto bad;
		if (s.depth == 1 && s.state == IN_STRING && s.in_key)
			key_len = i - key;
		else if (s.depth == 1 && json[i] == '"' &&
		    (s.state == AT_KEY || s.state == AT_KEY_OR_END))
			key = i + 1;
		switch (scan_step(&s, json[i])) {
		case EDGE_FIRST:
			value = i;
			break;
		case EDGE_LAST:
			on_member(arg, json + key, key_len, json + value,
			    i + 1 - value);
			break;
		case EDGE_BEHIND:
			on_member(
			    arg, json + key, key_len, json + value, i - value);
			break;
		case EDGE_WRONG:
			goto bad;
		case EDGE_NONE:
			break;
		}
	}
	if (s.depth == 0 && s.state == AT_NEXT)
		return 0;
bad:
	return error_set(e, EPROTO, "not a JSON object: byte %zu", i);
}
