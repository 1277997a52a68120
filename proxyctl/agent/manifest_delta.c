/* What differs, made whole: see manifest_delta.h. */
#include "manifest_delta.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"

struct paths {
	VEC(const char *) list;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
read_removed(const json_t *root, struct paths *ret, struct error *e)
{
	const json_t *list = json_object_get(root, "removed");
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > MANIFEST_MAX_FILES)
		return error_set(e, EPROTO, "a base, and no list of removed");
	for (i = 0; i < json_array_size(list); i++) {
		const char *path = json_string_value(json_array_get(list, i));

		if (path == NULL)
			return error_set(e, EPROTO, "removed: not a path");
		vec_push(&ret->list, path);
	}
	vec_sort(&ret->list, compare);
	return 0;
}

/* Files that changed, those of 'base' that are not gone, by path. */
static void
merge(struct manifest *m, const struct manifest *base,
    const struct paths *removed)
{
	__typeof__(m->files) changed;
	size_t i, k = 0, r = 0;

	memcpy(&changed, &m->files, sizeof(changed));
	memset(&m->files, 0, sizeof(m->files));
	for (i = 0; i < base->files.len; i++) {
		struct manifest_file *f = base->files.at[i];

		while (
		    k < changed.len && strcmp(changed.at[k]->path, f->path) < 0)
			vec_push(&m->files, changed.at[k++]);
		while (r < removed->list.len &&
		    strcmp(removed->list.at[r], f->path) < 0)
			r++;
		if (k < changed.len &&
		    strcmp(changed.at[k]->path, f->path) == 0)
			vec_push(&m->files, changed.at[k++]);
		else if (r == removed->list.len ||
		    strcmp(removed->list.at[r], f->path) != 0)
			vec_push(&m->files, manifest_file_use(f));
	}
	while (k < changed.len)
		vec_push(&m->files, changed.at[k++]);
	vec_fini(&changed);
}

/* The name of what 'm' has: docs/internals.md. */
static void
name(const struct manifest *m, char ret[SHA256_HEX_SIZE])
{
	const char *https = m->listen_https == NULL ? "" : m->listen_https;
	size_t i, len = strlen(m->listen_http) + 1 + strlen(https);
	char *all _cleanup_free_ = NULL, *p;

	for (i = 0; i < m->files.len; i++)
		len += SHA256_HEX_SIZE + 2 + strlen(m->files.at[i]->path);
	p = all = xcalloc(1, len + 1);
	for (i = 0; i < m->files.len; i++) {
		const struct manifest_file *f = m->files.at[i];

		p = mempcpy(p, f->sha256, SHA256_HEX_SIZE - 1);
		p = mempcpy(p, "  ", 2);
		p = stpcpy(p, f->path);
		*p++ = '\n';
	}
	p = mempcpy(p, m->listen_http, strlen(m->listen_http));
	*p++ = '\n';
	p = mempcpy(p, https, strlen(https));
	must(p == all + len);
	sha256_hex(all, len, ret);
}

int
manifest_delta_merge(struct manifest *m, const struct manifest *base,
    const json_t *root, struct error *e)
{
	const char *upon = json_string_value(json_object_get(root, "base"));
	struct paths removed = { 0 };
	char config[SHA256_HEX_SIZE];

	if (base == NULL || upon == NULL || strcmp(upon, base->config) != 0)
		return error_set(e, EPROTO, "says what differs from another");
	if (read_removed(root, &removed, e) != 0) {
		vec_fini(&removed.list);
		return -1;
	}
	merge(m, base, &removed);
	vec_fini(&removed.list);
	name(m, config);
	if (strcmp(config, m->config) != 0)
		return error_set(e, EPROTO, "what differs does not make it up");
	return 0;
}

/* Room for one file; of many one changes, and all are written. */
#define FILE_ROOM (SHA256_HEX_SIZE + MANIFEST_MAX_PATH + 64)

static char *
put_number(char *p, uint64_t n)
{
	char digits[20], *d = digits + sizeof(digits);

	do
		*--d = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	return mempcpy(p, d, (size_t)(digits + sizeof(digits) - d));
}

/* A path has nothing in it that JSON would escape. */
static void
add_file(struct str *out, const struct manifest_file *f, bool first)
{
	char room[FILE_ROOM], *p = room;

	p = stpcpy(p, first ? "\n{\"path\":\"" : ",\n{\"path\":\"");
	p = stpcpy(p, f->path);
	p = stpcpy(p, "\",\"sha256\":\"");
	p = mempcpy(p, f->sha256, SHA256_HEX_SIZE - 1);
	p = stpcpy(p, "\",\"size\":");
	p = put_number(p, f->size);
	*p++ = '}';
	str_addn(out, room, (size_t)(p - room));
}

int
manifest_delta_text(struct manifest *m, json_t *root, struct error *e)
{
	static const char *const parts[] = { "base", "removed", "files" };
	STR_AUTO(out, MANIFEST_MAX_SIZE);
	char *head;
	size_t i;

	for (i = 0; i < countof(parts); i++)
		(void)json_object_del(root, parts[i]);
	head = json_dumps(root, JSON_COMPACT);
	must(head != NULL);
	str_addn(&out, head, strlen(head) - 1);
	free(head);
	str_add(&out, ",\n\"files\":[");
	for (i = 0; i < m->files.len; i++)
		add_file(&out, m->files.at[i], i == 0);
	str_add(&out, "]}\n");
	if (out.overflow)
		return error_set(e, EFBIG, "too long when made whole");
	m->len = out.len;
	m->text = str_take(&out);
	return 0;
}
