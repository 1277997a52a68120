/* Checked reading on top of jansson: see json_read.h. */
#include "docker/json_read.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"

#define PATH_MAX_LEN 300

struct json_read
json_read_root(const json_t *doc, struct error *e, bool *failed)
{
	return (struct json_read){ .json = doc, .e = e, .failed = failed };
}

/* Keys of labels are foreign: odd bytes never reach a message. */
static void
add_key(struct str *path, const char *key)
{
	size_t i;

	if (path->len > 0)
		str_addc(path, '.');
	for (i = 0; i < 128 && key[i] != '\0'; i++)
		str_addc(path,
		    key[i] > 0x20 && key[i] < 0x7f && key[i] != '"' ? key[i]
								    : '?');
}

static void
add_path(struct str *path, const struct json_read *at)
{
	if (at->up == NULL)
		return;
	add_path(path, at->up);
	if (at->name != NULL)
		add_key(path, at->name);
	else
		str_addf(path, "[%zu]", at->index);
}

void
json_read_fail(
    const struct json_read *at, const char *key, const char *fmt, ...)
{
	STR_AUTO(text, PATH_MAX_LEN + 200);
	va_list ap;

	if (*at->failed)
		return;
	*at->failed = true;
	add_path(&text, at);
	if (key != NULL)
		add_key(&text, key);
	if (text.len > 0)
		str_add(&text, ": ");
	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	(void)error_set(at->e, EPROTO, "%s", text.p);
}

/* The member, or NULL: absent, null or failed before. */
static const json_t *
member(const struct json_read *at, const char *key)
{
	const json_t *v;

	if (at->json == NULL || *at->failed)
		return NULL;
	v = json_object_get(at->json, key);
	return v == NULL || json_is_null(v) ? NULL : v;
}

static struct json_read
descend(const struct json_read *at, const char *key, const json_t *v)
{
	return (struct json_read){
		.json = v,
		.up = at,
		.name = key,
		.e = at->e,
		.failed = at->failed,
	};
}

struct json_read
json_read_object(const struct json_read *at, const char *key)
{
	const json_t *v = member(at, key);

	if (v != NULL && !json_is_object(v)) {
		json_read_fail(at, key, "not an object");
		v = NULL;
	}
	return descend(at, key, v);
}

struct json_read
json_read_array(const struct json_read *at, const char *key)
{
	const json_t *v = member(at, key);

	if (v != NULL && !json_is_array(v)) {
		json_read_fail(at, key, "not a list");
		v = NULL;
	}
	return descend(at, key, v);
}

size_t
json_read_len(const struct json_read *array)
{
	return *array->failed || array->json == NULL
	    ? 0
	    : json_array_size(array->json);
}

struct json_read
json_read_place(const struct json_read *array, size_t i)
{
	struct json_read r = descend(array, NULL, NULL);

	r.index = i;
	if (!*array->failed)
		r.json = json_array_get(array->json, i);
	return r;
}

struct json_read
json_read_item(const struct json_read *array, size_t i)
{
	struct json_read r = json_read_place(array, i);

	if (r.json != NULL && !json_is_object(r.json)) {
		json_read_fail(&r, NULL, "not an object");
		r.json = NULL;
	}
	return r;
}

static const char *
text_of(const struct json_read *at, const char *key, const json_t *v)
{
	const char *s;

	if (v == NULL)
		return NULL;
	if (!json_is_string(v)) {
		json_read_fail(at, key, "not a string");
		return NULL;
	}
	s = json_string_value(v);
	if (strlen(s) != json_string_length(v)) {
		json_read_fail(at, key, "a NUL in the text");
		return NULL;
	}
	return s;
}

const char *
json_read_text(const struct json_read *at, const char *key)
{
	return text_of(at, key, member(at, key));
}

const char *
json_read_item_text(const struct json_read *array, size_t i)
{
	struct json_read r = json_read_place(array, i);

	return text_of(&r, NULL, r.json);
}

/* Documents are loaded with JSON_DECODE_INT_AS_REAL, exact to 2^53. */
uint64_t
json_read_uint(
    const struct json_read *at, const char *key, uint64_t max, uint64_t absent)
{
	const json_t *v = member(at, key);
	double d;

	if (v == NULL)
		return absent;
	must(max <= 1ULL << 53);
	d = json_number_value(v);
	if (!json_is_number(v))
		json_read_fail(at, key, "not a number");
	else if (d < 0 || d > (double)max || d != (double)(uint64_t)d)
		json_read_fail(at, key, "not a whole number from 0 to %llu",
		    (unsigned long long)max);
	else
		return (uint64_t)d;
	return absent;
}

bool
json_read_bool(const struct json_read *at, const char *key)
{
	const json_t *v = member(at, key);

	if (v != NULL && !json_is_boolean(v))
		json_read_fail(at, key, "not true or false");
	return v != NULL && json_is_true(v);
}
