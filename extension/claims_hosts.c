/* Sets of host patterns: see claims_hosts.h. */
#include "claims_hosts.h"

#include <ctype.h>
#include <string.h>

void
host_set_init(struct host_set *s, const struct config_list *items)
{
	size_t i;

	*s = (struct host_set){ 0 };
	for (i = 0; i < items->items.len; i++) {
		char *item _cleanup_free_ = xstrdup(items->items.at[i]), *p;

		for (p = item; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		if (host_is_wildcard(item))
			map_set(&s->suffixes, item + 2, s);
		else
			map_set(&s->exact, item, s);
	}
}

void
host_set_fini(struct host_set *s)
{
	map_fini(&s->exact);
	map_fini(&s->suffixes);
}

bool
host_set_is_empty(const struct host_set *s)
{
	return s->exact.len == 0 && s->suffixes.len == 0;
}

const char *
host_parent(const char *host)
{
	const char *dot = strchr(host, '.');

	return dot == NULL ? NULL : dot + 1;
}

bool
host_set_covers(const struct host_set *s, const char *host, size_t longer_than)
{
	const char *p;

	if (map_get(&s->exact, host) != NULL)
		return true;
	/* Of "*.x.y" the parent is "x.y": the item "*.x.y" itself counts. */
	for (p = host_parent(host); p != NULL; p = host_parent(p)) {
		if (strlen(p) <= longer_than)
			return false;
		if (map_get(&s->suffixes, p) != NULL)
			return true;
	}
	return false;
}

static void
first_below(const struct map *m, const char *suffix, const char **first)
{
	size_t i, len = strlen(suffix);
	struct map_entry *e;

	for (i = 0; (e = map_next(m, &i)) != NULL;) {
		size_t n = strlen(e->key);

		if (n > len && e->key[n - len - 1] == '.' &&
		    strcmp(e->key + n - len, suffix) == 0 &&
		    (*first == NULL || strcmp(e->key, *first) < 0))
			*first = e->key;
	}
}

const char *
host_set_below(const struct host_set *s, const char *host)
{
	const char *first = NULL;

	if (!host_is_wildcard(host))
		return NULL;
	first_below(&s->exact, host + 2, &first);
	first_below(&s->suffixes, host + 2, &first);
	return first;
}
