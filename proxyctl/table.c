/* Tables on a terminal: see table.h. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
table_add(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *cell, *p;

	va_start(ap, fmt);
	cell = xvasprintf(fmt, ap);
	va_end(ap);
	for (p = cell; *p != '\0'; p++) {
		/* Foreign bytes; those above ASCII can be controls too. */
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
	vec_push(&t->cells, cell);
}

void
table_init(struct table *t, const char *headings)
{
	const char *end;

	memset(t, 0, sizeof(*t));
	for (;; headings = end + 1) {
		end = headings + strcspn(headings, "|");
		table_add(t, "%.*s", (int)(end - headings), headings);
		t->columns++;
		if (*end == '\0')
			return;
	}
}

void
table_print(struct table *t)
{
	size_t *width = xcalloc(t->columns, sizeof(width[0]));
	size_t i, column;

	must(t->cells.len % t->columns == 0);
	for (i = 0; i < t->cells.len; i++) {
		size_t len = strlen(t->cells.at[i]);

		if (len > width[i % t->columns])
			width[i % t->columns] = len;
	}
	for (i = 0; i < t->cells.len; i++) {
		column = i % t->columns;
		if (column + 1 == t->columns)
			(void)printf("%s\n", t->cells.at[i]);
		else
			(void)printf(
			    "%-*s  ", (int)width[column], t->cells.at[i]);
		free(t->cells.at[i]);
	}
	vec_fini(&t->cells);
	free(width);
}
