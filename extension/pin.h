/*
 * Who says what is pinned: a register that supervisor's side and agents keep,
 * and of which the newest wins wherever two meet.
 *
 * Each rollback and each release counts up; agents carry the register in their
 * manifest and say it with each poll, so that an extension that comes up
 * without its state, or with an old one, learns what was decided after it.
 * Pure.
 */
#ifndef EXTENSION_PIN_H
#define EXTENSION_PIN_H

#include "base/sha256.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define PIN_ID_SIZE 33

struct pin {
	uint64_t counter; /* 0: nothing was ever pinned */
	/* Drawn with each count: two that counted apart are told apart. */
	char id[PIN_ID_SIZE];
	bool pinned;			/* false: released */
	uint64_t generation;		/* which one stays in force */
	char document[SHA256_HEX_SIZE]; /* its recording; "" : not known */
	uint64_t size;
};

/* > 0: 'a' is the later word. */
int pin_compare(const struct pin *a, const struct pin *b);
/* {"counter","id","pinned","generation","document","size"} */
void pin_encode(const struct pin *p, struct str *out);
struct json_t;
/* False, and 'ret' untouched, where it is not one. */
bool pin_decode(const struct json_t *j, struct pin *ret);
/* What agents say with a poll: "COUNTER.ID.p.GENERATION.SHA256.SIZE". */
bool pin_parse_claim(const char *text, struct pin *ret);

#endif
