/*
 * A note that outlives us: "working on the model", in a mapped file.  Who
 * finds it set was ended in the middle, by its own fault or a hang.  No call
 * is spent on it while nothing happens.
 */
#ifndef EXTENSION_WORKNOTE_H
#define EXTENSION_WORKNOTE_H

#include <stdint.h>

struct worknote;

/*
 * Never fails: where the file cannot be had the note is in memory only, and
 * nobody learns of it.
 */
struct worknote *worknote_open(const char *path);
void worknote_free(struct worknote *n);
/* How many runs in a row ended while they worked. */
uint32_t worknote_deaths(const struct worknote *n);
/* May be nested. */
void worknote_begin(struct worknote *n);
void worknote_end(struct worknote *n);
/* All that there is was worked on: earlier deaths do not count. */
void worknote_done(struct worknote *n);

#endif
