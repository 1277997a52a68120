/* Claims by host: see claims_table.h. */
#include "claims_table.h"

#include <string.h>

int
age_compare(int64_t a_ns, const char *a_id, int64_t b_ns, const char *b_id)
{
	if (a_ns != b_ns)
		return a_ns < b_ns ? -1 : 1;
	return strcmp(a_id, b_id);
}

static int
compare_age(const struct accepted *a, const struct accepted *b)
{
	return age_compare(a->service->created_ns, a->service->id,
	    b->service->created_ns, b->service->id);
}

static int
compare_hosts(const char *a, const char *b)
{
	bool a_default = strcmp(a, DEFAULT_HOST) == 0;
	bool b_default = strcmp(b, DEFAULT_HOST) == 0;

	if (a_default != b_default)
		return a_default ? 1 : -1;
	return strcmp(a, b);
}

static int
compare_claims(const void *a, const void *b)
{
	return compare_hosts((*(struct host_claim *const *)a)->host,
	    (*(struct host_claim *const *)b)->host);
}

void
claim_table_sort(struct claim_table *t)
{
	vec_sort(&t->claimed, compare_claims);
	t->bulk = false;
}

static void
path_free(struct path_claim *p)
{
	vec_fini(&p->members);
	free(p->path);
	free(p);
}

static void
claim_free(struct host_claim *h)
{
	size_t i;

	for (i = 0; i < h->paths.len; i++)
		path_free(h->paths.at[i]);
	vec_fini(&h->paths);
	for (i = 0; i < h->routes.len; i++)
		route_fini(&h->routes.at[i]);
	vec_fini(&h->routes);
	vec_fini(&h->claimants);
	vec_fini(&h->readers);
	free(h->owner_id);
	free(h->host);
	free(h);
}

void
claim_table_fini(struct claim_table *t)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&t->hosts, &i)) != NULL;)
		claim_free(e->value);
	map_fini(&t->hosts);
	vec_fini(&t->claimed);
	vec_fini(&t->dirty);
}

static struct host_claim *
get(struct claim_table *t, const char *host)
{
	struct host_claim *h = map_get(&t->hosts, host);

	if (h == NULL) {
		h = xcalloc(1, sizeof(*h));
		h->host = xstrdup(host);
		(void)map_set(&t->hosts, host, h);
	}
	return h;
}

void
claim_table_drop(struct claim_table *t, struct host_claim *h)
{
	if (h->claimants.len > 0 || h->readers.len > 0 || h->dirty)
		return;
	(void)map_remove(&t->hosts, h->host);
	claim_free(h);
}

static void
mark_dirty(struct claim_table *t, struct host_claim *h)
{
	if (h->dirty)
		return;
	h->dirty = true;
	vec_push(&t->dirty, h);
}

/* Where 'key' is or belongs among 'len' of 'list', which are in order. */
static size_t
place(size_t len, int (*compare)(const void *list, size_t i, const char *key),
    const void *list, const char *key)
{
	size_t low = 0, high = len;

	while (low < high) {
		size_t i = low + (high - low) / 2;

		if (compare(list, i, key) < 0)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

static int
compare_claimed(const void *list, size_t i, const char *host)
{
	const struct claim_table *t = list;

	return compare_hosts(t->claimed.at[i]->host, host);
}

static int
compare_path(const void *list, size_t i, const char *path)
{
	const struct host_claim *h = list;

	return strcmp(h->paths.at[i]->path, path);
}

static size_t
place_of(const struct claim_table *t, const char *host)
{
	return place(t->claimed.len, compare_claimed, t, host);
}

static void
list_claimed(struct claim_table *t, struct host_claim *h)
{
	size_t i = t->bulk ? t->claimed.len : place_of(t, h->host);

	vec_push(&t->claimed, h);
	memmove(&t->claimed.at[i + 1], &t->claimed.at[i],
	    (t->claimed.len - 1 - i) * sizeof(t->claimed.at[0]));
	t->claimed.at[i] = h;
}

static size_t
path_place(const struct host_claim *h, const char *path)
{
	return place(h->paths.len, compare_path, h, path);
}

const struct path_claim *
host_claim_path(const struct host_claim *h, const char *path)
{
	size_t i = path_place(h, path);

	return i < h->paths.len && strcmp(h->paths.at[i]->path, path) == 0
	    ? h->paths.at[i]
	    : NULL;
}

/* Puts 'a' among 'v' by age, once. */
#define add_by_age(v, a)                                                       \
	do {                                                                   \
		size_t at_ = (v)->len;                                         \
		while (at_ > 0 && compare_age((v)->at[at_ - 1], (a)) > 0)      \
			at_--;                                                 \
		if (at_ > 0 && (v)->at[at_ - 1] == (a))                        \
			break;                                                 \
		vec_push((v), (a));                                            \
		memmove(&(v)->at[at_ + 1], &(v)->at[at_],                      \
		    ((v)->len - 1 - at_) * sizeof((v)->at[0]));                \
		(v)->at[at_] = (a);                                            \
	} while (0)

#define take_out(v, a)                                                         \
	do {                                                                   \
		size_t at_ = 0;                                                \
		while (at_ < (v)->len && (v)->at[at_] != (a))                  \
			at_++;                                                 \
		if (at_ < (v)->len)                                            \
			vec_remove((v), at_);                                  \
	} while (0)

static void
add_path(struct claim_table *t, struct host_claim *h, const char *path,
    const struct accepted *a)
{
	size_t i = path_place(h, path);
	struct path_claim *p;

	if (i == h->paths.len || strcmp(h->paths.at[i]->path, path) != 0) {
		p = xcalloc(1, sizeof(*p));
		p->path = xstrdup(path);
		vec_push(&h->paths, p);
		memmove(&h->paths.at[i + 1], &h->paths.at[i],
		    (h->paths.len - 1 - i) * sizeof(h->paths.at[0]));
		h->paths.at[i] = p;
		t->n_paths++;
	}
	p = h->paths.at[i];
	add_by_age(&p->members, a);
}

void
claim_table_add(
    struct claim_table *t, const char *host, const struct accepted *a)
{
	struct host_claim *h = get(t, host);
	size_t i;

	if (h->claimants.len == 0)
		list_claimed(t, h);
	add_by_age(&h->claimants, a);
	for (i = 0; i < a->labels.context_roots.len; i++)
		add_path(t, h, a->labels.context_roots.at[i].text, a);
	mark_dirty(t, h);
}

static void
remove_path(struct claim_table *t, struct host_claim *h, const char *path,
    const struct accepted *a)
{
	size_t i = path_place(h, path);
	struct path_claim *p;

	if (i == h->paths.len || strcmp(h->paths.at[i]->path, path) != 0)
		return;
	p = h->paths.at[i];
	take_out(&p->members, a);
	if (p->members.len > 0)
		return;
	path_free(p);
	vec_remove(&h->paths, i);
	t->n_paths--;
}

void
claim_table_remove(
    struct claim_table *t, const char *host, const struct accepted *a)
{
	struct host_claim *h = map_get(&t->hosts, host);
	size_t i, before = h == NULL ? 0 : h->claimants.len;

	if (before == 0)
		return;
	take_out(&h->claimants, a);
	for (i = 0; i < a->labels.context_roots.len; i++)
		remove_path(t, h, a->labels.context_roots.at[i].text, a);
	if (h->claimants.len == 0)
		vec_remove(&t->claimed, place_of(t, host));
	mark_dirty(t, h);
}

const struct host_claim *
claim_table_read(struct claim_table *t, const char *host, struct verdict *v)
{
	struct host_claim *h = get(t, host);
	size_t i;

	for (i = 0; i < v->reads.len; i++)
		if (v->reads.at[i] == h)
			return h;
	vec_push(&v->reads, h);
	vec_push(&h->readers, v);
	return h;
}

void
claim_table_unread(struct claim_table *t, struct verdict *v)
{
	size_t i, k;

	for (i = 0; i < v->reads.len; i++) {
		struct host_claim *h = v->reads.at[i];

		for (k = 0; h->readers.at[k] != v; k++)
			;
		h->readers.at[k] = h->readers.at[--h->readers.len];
		claim_table_drop(t, h);
	}
	v->reads.len = 0;
}
