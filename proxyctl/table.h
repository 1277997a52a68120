/* Columns for people: as wide as the widest cell, cells never cut. */
#ifndef PROXYCTL_TABLE_H
#define PROXYCTL_TABLE_H

#include "base/vec.h"

struct table {
	size_t columns;
	VEC(char *) cells; /* row after row, the heading first */
};

/* 'headings' separated by '|'. */
void table_init(struct table *t, const char *headings);
/* The next cell, left to right; control characters become '?'. */
void table_add(struct table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints to standard output and frees. */
void table_print(struct table *t);

#endif
