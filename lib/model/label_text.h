/*
 * The grammar of single texts in labels, beside those of label.h: whole
 * string, (pointer, length), allow-list.  0, or -1 with the offset of the
 * first byte that breaks it, or of the start where the whole is at fault;
 * e->code is ENAMETOOLONG where it is too long.
 */
#ifndef MODEL_LABEL_TEXT_H
#define MODEL_LABEL_TEXT_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define LABEL_PATH_MAX 256

typedef int
text_check(const char *s, size_t len, size_t *ret_offset, struct error *e);

/* A secret's or config's name: [A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])? */
int label_check_secret(
    const char *s, size_t len, size_t *ret_offset, struct error *e);
/* A network's name or ID: [A-Za-z0-9][A-Za-z0-9_.-]{0,254} */
int label_check_network(
    const char *s, size_t len, size_t *ret_offset, struct error *e);
/* [A-Za-z0-9_]{1,64} */
int label_check_cookie(
    const char *s, size_t len, size_t *ret_offset, struct error *e);
/* [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])? */
int label_check_cluster(
    const char *s, size_t len, size_t *ret_offset, struct error *e);
/* As label_check_path(), with %HH (never 00, 0a, 0d) besides. */
int label_check_url_path(
    const char *s, size_t len, size_t *ret_offset, struct error *e);

/* "byte 0x0a is not allowed" or "\";\" is not allowed". */
void label_add_byte(struct str *out, char c);

#endif
