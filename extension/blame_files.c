/* From files and words to suspects: see blame_files.h. */
#include "blame_files.h"

#include <string.h>

#include "base/map.h"
#include "nginx_site.h"

/* Marks in the map of services. */
static const char changed_mark[] = "changed", named_mark[] = "named";

static bool
file_changed(
    const char *path, const struct rendered *now, const struct rendered *good)
{
	const struct rendered_file *x = rendered_file(now, path);
	const struct rendered_file *y =
	    good == NULL ? NULL : rendered_file(good, path);

	if (x == NULL)
		return false;
	return y == NULL || strcmp(x->sha256, y->sha256) != 0;
}

static void
mark(struct map *marks, const char *id, const char *with)
{
	if (with == named_mark || map_get(marks, id) == NULL)
		(void)map_set(marks, id, (void *)(uintptr_t)with);
}

static void
mark_site(struct map *marks, const struct nginx_site *s, const char *with)
{
	size_t i, k;

	mark(marks, s->owner->service->id, with);
	for (i = 0; i < s->n_routes; i++) {
		const struct route *r = &s->routes[i];

		for (k = 0; k < r->members.len; k++)
			mark(
			    marks, r->members.at[k].service->service->id, with);
	}
}

static void
look_at_site(struct map *marks, const struct nginx_sites *all,
    const struct nginx_site *s, const struct rendered *now,
    const struct rendered *good, const char *words)
{
	static const char *const endings[] = { "conf", "stream", "sni" };
	size_t i;

	for (i = 0; i < countof(endings); i++) {
		char *path _cleanup_free_ = s == all->fallback
		    ? xasprintf("sites/default.%s", endings[i])
		    : xasprintf("sites/%s.%s", s->id, endings[i]);

		if (file_changed(path, now, good))
			mark_site(marks, s, changed_mark);
		if (rendered_file(now, path) != NULL &&
		    strstr(words, path) != NULL)
			mark_site(marks, s, named_mark);
	}
}

/* A certificate that cannot be loaded comes without file and line. */
static bool
names_secret(const struct labels *l, const char *words)
{
	const char *const secrets[] = { l->ssl_cert, l->ssl_key, l->basic_auth,
		l->ssl_backend_ca };
	size_t i;

	for (i = 0; i < countof(secrets); i++) {
		char *quoted _cleanup_free_ = NULL;

		if (secrets[i] == NULL)
			continue;
		quoted = xasprintf("/%s\"", secrets[i]);
		if (strstr(words, quoted) != NULL)
			return true;
	}
	return false;
}

bool
blame_files(struct blame *b, const struct routing *r,
    const struct rendered *now, const struct rendered *good, const char *words,
    bool everybody)
{
	struct nginx_sites *sites = nginx_sites_new(r);
	struct map marks = { 0 };
	size_t i;

	for (i = 0; i < sites->list.len; i++)
		look_at_site(
		    &marks, sites, sites->list.at[i], now, good, words);
	for (i = 0; i < r->accepted.len; i++) {
		const struct accepted *a = r->accepted.at[i];

		if (names_secret(&a->labels, words))
			mark(&marks, a->service->id, named_mark);
	}
	everybody = everybody || marks.len == 0 || marks.len == r->accepted.len;
	for (i = 0; i < r->accepted.len; i++) {
		const char *id = r->accepted.at[i]->service->id;
		const char *with = map_get(&marks, id);

		if (with != NULL || everybody)
			blame_add(b, id, with == named_mark);
	}
	map_fini(&marks);
	nginx_sites_free(sites);
	return everybody;
}
