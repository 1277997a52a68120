/* Differences of configurations: see diff.h. */
#include "diff.h"

#include <string.h>

#define LINES_MAX (64U * 1024 * 1024)

static size_t
line_len(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return newline == NULL ? (size_t)(end - p) : (size_t)(newline - p) + 1;
}

static void
add_lines(struct str *out, char mark, const char *p, const char *end)
{
	while (p < end) {
		size_t n = line_len(p, end);

		str_addc(out, mark);
		str_addn(out, p, n);
		if (p[n - 1] != '\n')
			str_addc(out, '\n');
		p += n;
	}
}

/* Where the last line before 'p' begins. */
static const char *
line_before(const char *start, const char *p)
{
	p--;
	while (p > start && p[-1] != '\n')
		p--;
	return p;
}

void
diff_lines(const char *from, const char *to, struct str *out)
{
	const char *a = from, *b = to;
	const char *a_end = a + strlen(a), *b_end = b + strlen(b);

	while (a < a_end && b < b_end) {
		size_t n = line_len(a, a_end);

		if (n != line_len(b, b_end) || memcmp(a, b, n) != 0)
			break;
		a += n;
		b += n;
	}
	while (a < a_end && b < b_end) {
		const char *x = line_before(a, a_end);
		const char *y = line_before(b, b_end);

		if (a_end - x != b_end - y ||
		    memcmp(x, y, (size_t)(a_end - x)) != 0)
			break;
		a_end = x;
		b_end = y;
	}
	add_lines(out, '-', a, a_end);
	add_lines(out, '+', b, b_end);
}

static void
add_file(struct str *out, bool *any, const char *path, const char *change,
    const char *from, const char *to)
{
	STR_AUTO(lines, LINES_MAX);

	diff_lines(from, to, &lines);
	str_addf(out, "%s\n{\"path\":\"%s\",\"change\":\"%s\",\"lines\":",
	    *any ? "," : "", path, change);
	str_add_json(out, lines.p, lines.len);
	str_addc(out, '}');
	*any = true;
}

/* Both lists are ordered by path. */
void
diff_rendered(
    const struct rendered *from, const struct rendered *to, struct str *out)
{
	size_t i = 0, k = 0, n = from == NULL ? 0 : from->files.len;
	bool any = false;

	str_add(out, "\"files\":[");
	while (i < n || k < to->files.len) {
		const struct rendered_file *x =
		    i < n ? from->files.at[i] : NULL;
		const struct rendered_file *y =
		    k < to->files.len ? to->files.at[k] : NULL;
		int c = x == NULL ? 1
		    : y == NULL	  ? -1
				  : strcmp(x->path, y->path);

		i += c <= 0;
		k += c >= 0;
		if (c < 0)
			add_file(out, &any, x->path, "removed", x->text, "");
		else if (c > 0)
			add_file(out, &any, y->path, "added", "", y->text);
		else if (strcmp(x->sha256, y->sha256) != 0)
			add_file(
			    out, &any, y->path, "changed", x->text, y->text);
	}
	str_add(out, "]");
}
