/*
 * From an INI text to a struct of either table.  For config.c, which knows
 * what follows from one key for another.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/config.h"
#include "config/keys.h"

/*
 * Sets the defaults in the zeroed struct 'base', then what the text says;
 * 'key_line' (a number for each row) gets the line of each key that stands
 * in it.  What is wrong goes to 'errors'; the struct is sound in any case.
 */
void load(const struct config_table *t, const char *path, const char *text,
    size_t len, void *base, uint32_t *key_line, struct config_errors *errors);

/* Reads a whole file of either kind; -1 with a line in 'errors'. */
int load_file(const char *path, struct str *ret, struct config_errors *errors);

/* The row's place in the table's 'key_line'. */
size_t
load_row(const struct config_table *t, const char *section, const char *name);

#endif
