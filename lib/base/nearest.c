/* Nearest name by edit distance: see nearest.h. */
#include "base/nearest.h"

#include <string.h>

#define NAME_MAX_LEN 64

static char
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return c == '-' ? '_' : c;
}

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/*
 * Optimal string alignment (Levenshtein with swaps of neighbours), three rows
 * of the matrix at a time.
 */
static unsigned
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare;
	size_t i, j;

	for (j = 0; j <= b_len; j++)
		last[j] = before[j] = (unsigned)j;
	for (i = 1; i <= a_len; i++) {
		row[0] = (unsigned)i;
		for (j = 1; j <= b_len; j++) {
			char x = fold(a[i - 1]), y = fold(b[j - 1]);

			row[j] = min3(last[j] + 1, row[j - 1] + 1,
			    last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == fold(b[j - 2]) &&
			    fold(a[i - 2]) == y && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

const char *
nearest_name(const char *s, const char *const *names, size_t n)
{
	size_t len = strnlen(s, NAME_MAX_LEN + 1), i;
	const char *best = NULL;
	unsigned best_errors = 0;

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (i = 0; i < n; i++) {
		size_t name_len = strnlen(names[i], NAME_MAX_LEN + 1);
		unsigned errors;

		if (name_len > NAME_MAX_LEN)
			continue;
		errors = distance(s, len, names[i], name_len);
		if (errors > (name_len + 1) / 3 || errors >= name_len)
			continue;
		if (best == NULL || errors < best_errors) {
			best = names[i];
			best_errors = errors;
		}
	}
	return best;
}
