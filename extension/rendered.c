/* What was rendered, as files that configurations share: see render.h. */
#include "render.h"

#include <string.h>

/* The lines without the addresses behind routes. */
static void
name_structure(struct rendered_file *f)
{
	char *text _cleanup_free_ = xcalloc(1, f->len + 1);
	const char *p = f->text, *end;
	size_t len = 0;

	for (; *p != '\0'; p = end + (*end == '\n')) {
		const char *word = p + strspn(p, "\t ");

		end = strchrnul(p, '\n');
		/* "server ADDRESS ...;" but not "server {" */
		if (strncmp(word, "server ", 7) == 0 && word[7] != '{')
			continue;
		memcpy(text + len, p, (size_t)(end - p));
		len += (size_t)(end - p);
	}
	sha256_hex(text, len, f->structure);
}

/* Once: of many files one changes. */
static void
write_lines(struct rendered_file *f)
{
	f->name_line = xasprintf("%s  %s\n", f->sha256, f->path);
	f->name_len = strlen(f->name_line);
	f->manifest_line =
	    xasprintf("{\"path\":\"%s\",\"sha256\":\"%s\",\"size\":%zu}",
		f->path, f->sha256, f->len);
	f->manifest_len = strlen(f->manifest_line);
}

struct rendered_file *
rendered_file_new(char *path, char *text, size_t len)
{
	struct rendered_file *f = xcalloc(1, sizeof(*f));

	f->path = path;
	f->text = text;
	f->len = len;
	f->users = 1;
	sha256_hex(text, len, f->sha256);
	name_structure(f);
	write_lines(f);
	return f;
}

struct rendered_file *
rendered_file_use(struct rendered_file *f)
{
	f->users++;
	return f;
}

void
rendered_file_drop(struct rendered_file *f)
{
	if (--f->users > 0)
		return;
	free(f->path);
	free(f->text);
	free(f->name_line);
	free(f->manifest_line);
	free(f);
}

void
rendered_free(struct rendered *r)
{
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->files.len; i++)
		rendered_file_drop(r->files.at[i]);
	vec_fini(&r->files);
	free(r->listen_http);
	free(r->listen_https);
	free(r->secrets);
	free(r);
}

struct rendered *
rendered_share(const struct rendered *r)
{
	struct rendered *new = xcalloc(1, sizeof(*new));
	size_t i;

	for (i = 0; i < r->files.len; i++)
		vec_push(&new->files, rendered_file_use(r->files.at[i]));
	new->listen_http = xstrdup(r->listen_http);
	if (r->listen_https != NULL)
		new->listen_https = xstrdup(r->listen_https);
	memcpy(new->config, r->config, sizeof(new->config));
	return new;
}

bool
rendered_same_structure(const struct rendered *a, const struct rendered *b)
{
	size_t i;

	if (a->files.len != b->files.len)
		return false;
	for (i = 0; i < a->files.len; i++) {
		const struct rendered_file *x = a->files.at[i];
		const struct rendered_file *y = b->files.at[i];

		if (x != y &&
		    (strcmp(x->path, y->path) != 0 ||
			strcmp(x->structure, y->structure) != 0))
			return false;
	}
	return true;
}

bool
rendered_differs(struct rendered_walk *w, struct rendered_file **ret_was,
    struct rendered_file **ret_is)
{
	size_t was = w->before == NULL ? 0 : w->before->files.len;
	size_t is = w->now == NULL ? 0 : w->now->files.len;
	struct rendered_file *x, *y;
	int c;

	while (w->i < was || w->k < is) {
		x = w->i < was ? w->before->files.at[w->i] : NULL;
		y = w->k < is ? w->now->files.at[w->k] : NULL;
		c = y == NULL	? -1
		    : x == NULL ? 1
		    : x == y	? 0
				: strcmp(x->path, y->path);
		w->i += c <= 0;
		w->k += c >= 0;
		if (c == 0 && (x == y || strcmp(x->sha256, y->sha256) == 0))
			continue;
		*ret_was = c <= 0 ? x : NULL;
		*ret_is = c >= 0 ? y : NULL;
		return true;
	}
	return false;
}

int
rendered_by_path(const void *a, const void *b)
{
	const struct rendered_file *x = *(struct rendered_file *const *)a;
	const struct rendered_file *y = *(struct rendered_file *const *)b;

	return strcmp(x->path, y->path);
}

void
rendered_sort(struct rendered *r)
{
	vec_sort(&r->files, rendered_by_path);
}

const struct rendered_file *
rendered_file(const struct rendered *r, const char *path)
{
	const struct rendered_file key = { .path = (char *)(uintptr_t)path };
	const struct rendered_file *at = &key;
	struct rendered_file *const *found = r->files.len == 0
	    ? NULL
	    : bsearch(&at, r->files.at, r->files.len, sizeof(r->files.at[0]),
		  rendered_by_path);

	return found == NULL ? NULL : *found;
}

void
rendered_name(struct rendered *r)
{
	const char *https = r->listen_https == NULL ? "" : r->listen_https;
	size_t i, len = strlen(r->listen_http) + 1 + strlen(https);
	char *all _cleanup_free_ = NULL, *p;

	for (i = 0; i < r->files.len; i++)
		len += r->files.at[i]->name_len;
	p = all = xcalloc(1, len + 1);
	for (i = 0; i < r->files.len; i++) {
		const struct rendered_file *f = r->files.at[i];

		p = mempcpy(p, f->name_line, f->name_len);
	}
	p = stpcpy(p, r->listen_http);
	*p++ = '\n';
	p = stpcpy(p, https);
	must(p == all + len);
	sha256_hex(all, len, r->config);
}
