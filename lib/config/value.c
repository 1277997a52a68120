/* One value of one key: see value.h.  Everything by type is in this file. */
#include "config/value.h"

#include "base/map.h"
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define VALUE_MAX CONFIG_FILE_MAX

static void *
member(const void *base, size_t offset)
{
	return (char *)(uintptr_t)base + offset;
}

void
value_format_duration(struct str *out, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" },
		{ 1000, "s" } };

	if (ms == 0) {
		str_add(out, "0");
		return;
	}
	for (size_t i = 0; i < countof(units); i++) {
		if (ms % units[i].ms == 0) {
			str_addf(out, "%" PRIu64 "%s", ms / units[i].ms,
			    units[i].unit);
			return;
		}
	}
	str_addf(out, "%" PRIu64 "ms", ms);
}

void
value_format_size(struct str *out, uint64_t bytes)
{
	static const char units[] = "gmk";

	for (int i = 0; bytes != 0 && i < 3; i++) {
		unsigned shift = (unsigned)(3 - i) * 10;

		if ((bytes & ((UINT64_C(1) << shift) - 1)) == 0) {
			str_addf(
			    out, "%" PRIu64 "%c", bytes >> shift, units[i]);
			return;
		}
	}
	str_addf(out, "%" PRIu64, bytes);
}

/* "info or debug" for messages. */
static void
add_names(struct str *s, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (i > 0)
			str_add(s, names[i + 1] == NULL ? " nor " : ", ");
		str_add(s, names[i]);
	}
}

static int
find_name(const char *const *names, const char *text, struct error *e)
{
	STR_AUTO(s, 400);

	for (int i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], text) == 0)
			return i;
	}
	str_add(&s, names[1] == NULL ? "not " : "neither ");
	add_names(&s, names);
	return error_set(e, EINVAL, "%s", s.p);
}

static int
parse_in_range(const struct config_key *key, const char *text, uint64_t *ret,
    struct error *e)
{
	STR_AUTO(s, 64);
	size_t len = strlen(text);
	uint64_t v;

	if (key->type == CONFIG_DURATION) {
		if (parse_duration_ms(text, len, UINT64_MAX / 4, &v, e) != 0)
			return -1;
	} else if (parse_size(text, len, &v, e) != 0) {
		return -1;
	}
	if (v >= key->min && v <= key->max) {
		*ret = v;
		return 0;
	}
	if (key->type == CONFIG_DURATION) {
		value_format_duration(&s, key->min);
		str_add(&s, " to ");
		value_format_duration(&s, key->max);
	} else {
		value_format_size(&s, key->min);
		str_add(&s, " to ");
		value_format_size(&s, key->max);
	}
	return error_set(e, ERANGE, "out of range, %s", s.p);
}

static int
set_number(
    const struct config_key *key, void *p, const char *text, struct error *e)
{
	uint32_t n = 0;

	if ((key->type != CONFIG_AUTO || strcmp(text, "auto") != 0) &&
	    parse_u32(text, strlen(text), (uint32_t)key->min,
		(uint32_t)key->max, &n, e) != 0)
		return -1;
	if (key->type == CONFIG_PORT)
		*(uint16_t *)p = (uint16_t)n;
	else
		*(uint32_t *)p = n;
	return 0;
}

static int
set_bool(
    const struct config_key *key, void *p, const char *text, struct error *e)
{
	bool b;

	if (parse_bool(text, strlen(text), &b, e) != 0)
		return -1;
	if (key->type == CONFIG_TRI)
		*(enum config_default *)p = b ? DEFAULT_YES : DEFAULT_NO;
	else
		*(bool *)p = b;
	return 0;
}

/* "4 8k" */
static int
set_buffers(
    const struct config_key *key, void *base, const char *text, struct error *e)
{
	const char *rest = text + strcspn(text, " \t");
	uint64_t size;
	uint32_t n;

	if (parse_u32(text, (size_t)(rest - text), 1, 1024, &n, NULL) != 0)
		return error_set(e, EINVAL, "not a number and a size: 4 8k");
	rest += strspn(rest, " \t");
	if (parse_in_range(key, rest, &size, e) != 0)
		return -1;
	*(uint32_t *)member(base, key->offset) = n;
	*(uint64_t *)member(base, key->offset2) = size;
	return 0;
}

static void
replace_text(char **p, const char *text)
{
	free(*p);
	*p = text[0] == '\0' ? NULL : xstrdup(text);
}

static void
list_fini(struct config_list *l)
{
	for (size_t i = 0; i < l->items.len; i++)
		free(l->items.at[i]);
	vec_fini(&l->items);
}

/* Checks one item and appends it to 'l'. */
static int
add_item(const struct config_key *key, struct config_list *l, struct map *seen,
    const char *s, size_t len, struct error *e)
{
	char *item _cleanup_free_ = xmemdup0(s, len);

	for (size_t i = 0; key->fold && i < len; i++) {
		if (item[i] >= 'A' && item[i] <= 'Z')
			item[i] = (char)(item[i] - 'A' + 'a');
	}
	if (key->fold && len > 1 && item[len - 1] == '.')
		item[--len] = '\0';
	if (key->check(item, len, e) != 0)
		return error_wrap(e, "\"%.200s\"", item);
	if (map_set(seen, item, l) != NULL)
		return error_set(e, EEXIST, "%.200s stands twice", item);
	vec_push(&l->items, item);
	item = NULL;
	return 0;
}

static int
set_list(
    const struct config_key *key, void *p, const char *text, struct error *e)
{
	struct config_list list = { 0 }, *l = p;
	struct map seen = { 0 };
	int result = 0;

	while (result == 0 && *text != '\0') {
		size_t n, len;

		text += strspn(text, " \t");
		n = strcspn(text, ",");
		for (len = n; len > 0 && strchr(" \t", text[len - 1]); len--)
			;
		if (len > 0)
			result = add_item(key, &list, &seen, text, len, e);
		text += n + (text[n] == ',');
	}
	map_fini(&seen);
	if (result != 0) {
		list_fini(&list);
		return -1;
	}
	list_fini(l);
	*l = list;
	return 0;
}

int
value_set(
    const struct config_key *key, void *base, const char *text, struct error *e)
{
	void *p = member(base, key->offset);
	int n;

	if (text[0] == '\0' && (key->def != NULL || key->type == CONFIG_TRI))
		return error_set(e, EINVAL, "no value");
	switch (key->type) {
	case CONFIG_TEXT:
		if (text[0] != '\0' && key->check(text, strlen(text), e) != 0)
			return -1;
		replace_text(p, text);
		return 0;
	case CONFIG_RAW:
		replace_text(p, text);
		return 0;
	case CONFIG_WORD:
		if (find_name(key->names, text, e) < 0)
			return -1;
		replace_text(p, text);
		return 0;
	case CONFIG_ENUM:
		n = find_name(key->names, text, e);
		if (n < 0)
			return -1;
		*(unsigned *)p = (unsigned)n;
		return 0;
	case CONFIG_BOOL:
	case CONFIG_TRI:
		return set_bool(key, p, text, e);
	case CONFIG_U32:
	case CONFIG_AUTO:
	case CONFIG_PORT:
		if (text[0] == '\0')
			*(uint32_t *)p = 0;
		return text[0] == '\0' ? 0 : set_number(key, p, text, e);
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		if (text[0] == '\0')
			*(uint64_t *)p = 0;
		return text[0] == '\0' ? 0 : parse_in_range(key, text, p, e);
	case CONFIG_BUFFERS:
		return set_buffers(key, base, text, e);
	case CONFIG_LIST:
		return set_list(key, p, text, e);
	case CONFIG_PAIRS:
		break;
	}
	must(!"pairs are added by value_add_pair");
	return -1;
}

int
value_add_pair(const struct config_key *key, void *base, const char *name,
    const char *text, struct error *e)
{
	struct config_pairs *pairs = member(base, key->offset);
	struct config_pair *pair;

	if (key->check(text, strlen(text), e) != 0)
		return -1;
	pair = vec_add(&pairs->pairs);
	pair->key = xstrdup(name);
	pair->value = xstrdup(text);
	return 0;
}

const struct config_pairs *
value_pairs(const struct config_key *key, const void *base)
{
	must(key->type == CONFIG_PAIRS);
	return member(base, key->offset);
}

static bool
format_list(const struct config_list *l, struct str *out)
{
	for (size_t i = 0; i < l->items.len; i++)
		str_addf(out, "%s%s", i > 0 ? ", " : "", l->items.at[i]);
	return l->items.len > 0;
}

bool
value_format(const struct config_key *key, const void *base, struct str *out)
{
	const void *p = member(base, key->offset);
	uint64_t v;
	uint32_t n;

	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_RAW:
	case CONFIG_WORD:
		if (*(char *const *)p != NULL)
			str_add(out, *(char *const *)p);
		return *(char *const *)p != NULL;
	case CONFIG_ENUM:
		str_add(out, key->names[*(const unsigned *)p]);
		return true;
	case CONFIG_BOOL:
		str_add(out, *(const bool *)p ? "true" : "false");
		return true;
	case CONFIG_TRI:
		if (*(const enum config_default *)p == DEFAULT_UNSET)
			return false;
		str_add(out,
		    *(const enum config_default *)p == DEFAULT_YES ? "true"
								   : "false");
		return true;
	case CONFIG_U32:
	case CONFIG_AUTO:
	case CONFIG_PORT:
		n = key->type == CONFIG_PORT ? *(const uint16_t *)p
					     : *(const uint32_t *)p;
		if (n == 0 && key->def == NULL)
			return false;
		if (n == 0 && key->type == CONFIG_AUTO)
			str_add(out, "auto");
		else
			str_addf(out, "%" PRIu32, n);
		return true;
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		v = *(const uint64_t *)p;
		if (v == 0 && key->def == NULL)
			return false;
		(key->type == CONFIG_SIZE ? value_format_size
					  : value_format_duration)(out, v);
		return true;
	case CONFIG_BUFFERS:
		str_addf(out, "%" PRIu32 " ", *(const uint32_t *)p);
		value_format_size(
		    out, *(const uint64_t *)member(base, key->offset2));
		return true;
	case CONFIG_LIST:
		return format_list(p, out);
	case CONFIG_PAIRS:
		break;
	}
	return false;
}

void
value_free(const struct config_key *key, void *base)
{
	void *p = member(base, key->offset);
	struct config_pairs *pairs = p;

	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_RAW:
	case CONFIG_WORD:
		free(*(char **)p);
		break;
	case CONFIG_LIST:
		list_fini(p);
		break;
	case CONFIG_PAIRS:
		for (size_t i = 0; i < pairs->pairs.len; i++) {
			free(pairs->pairs.at[i].key);
			free(pairs->pairs.at[i].value);
		}
		vec_fini(&pairs->pairs);
		break;
	case CONFIG_ENUM:
	case CONFIG_BOOL:
	case CONFIG_TRI:
	case CONFIG_U32:
	case CONFIG_AUTO:
	case CONFIG_PORT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
	case CONFIG_BUFFERS:
		break;
	}
}
