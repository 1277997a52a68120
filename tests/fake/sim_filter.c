/* Filters of the Engine API; see sim_filter.h. */
#include "sim_filter.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

static bool
is_known(const char *key, const char *const *known)
{
	for (; *known != NULL; known++) {
		if (strcmp(*known, key) == 0)
			return true;
	}
	return false;
}

/* One filter's values as an array of strings. */
static json_t *
values_of(json_t *value)
{
	json_t *list = json_array(), *inner;
	const char *key;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach(value, key, inner)(void)
		    json_array_append_new(list, json_string(key));
		return list;
	}
	json_array_foreach(value, i, inner)
	{
		if (json_is_string(inner))
			(void)json_array_append(list, inner);
	}
	return list;
}

int
sim_filter_parse(
    const char *text, const char *const *known, json_t **ret, struct error *e)
{
	json_t *parsed, *value, *out;
	const char *key;

	*ret = NULL;
	if (text == NULL || *text == '\0')
		return 0;
	parsed = json_loads(text, 0, NULL);
	if (!json_is_object(parsed)) {
		json_decref(parsed);
		return error_set(e, EINVAL,
		    "invalid character '%c' looking for beginning of value",
		    *text);
	}
	out = json_object();
	json_object_foreach(parsed, key, value)
	{
		if (!is_known(key, known)) {
			(void)error_set(e, EINVAL, "Invalid filter '%s'", key);
			json_decref(parsed);
			json_decref(out);
			return -1;
		}
		(void)json_object_set_new(out, key, values_of(value));
	}
	json_decref(parsed);
	*ret = out;
	return 0;
}

bool
sim_filter_has(const json_t *filters, const char *key)
{
	return json_array_size(json_object_get(filters, key)) > 0;
}

const char *
sim_filter_value(const json_t *filters, const char *key, size_t i)
{
	return json_string_value(
	    json_array_get(json_object_get(filters, key), i));
}

typedef bool match_fn(const char *wanted, const char *value);

static bool
matches(
    const json_t *filters, const char *key, const char *value, match_fn *match)
{
	json_t *list = json_object_get(filters, key), *item;
	size_t i;

	if (json_array_size(list) == 0)
		return true;
	json_array_foreach(list, i, item)
	{
		if (match(json_string_value(item), value))
			return true;
	}
	return false;
}

static bool
match_whole(const char *wanted, const char *value)
{
	return strcmp(wanted, value) == 0;
}

static bool
match_prefix(const char *wanted, const char *value)
{
	return strncmp(wanted, value, strlen(wanted)) == 0;
}

static bool
match_part(const char *wanted, const char *value)
{
	return strstr(value, wanted) != NULL;
}

bool
sim_filter_any(const json_t *filters, const char *key, const char *value)
{
	return matches(filters, key, value, match_whole);
}

bool
sim_filter_prefix(const json_t *filters, const char *key, const char *value)
{
	return matches(filters, key, value, match_prefix);
}

bool
sim_filter_part(const json_t *filters, const char *key, const char *value)
{
	return matches(filters, key, value, match_part);
}

bool
sim_filter_labels(const json_t *filters, const char *key, const json_t *labels)
{
	const char *wanted, *eq, *value;

	for (size_t i = 0; (wanted = sim_filter_value(filters, key, i)) != NULL;
	     i++) {
		char *name _cleanup_free_ = NULL;

		eq = strchr(wanted, '=');
		name = eq != NULL ? xmemdup0(wanted, (size_t)(eq - wanted))
				  : xstrdup(wanted);
		value = json_string_value(json_object_get(labels, name));
		if (value == NULL || (eq != NULL && strcmp(value, eq + 1) != 0))
			return false;
	}
	return true;
}
