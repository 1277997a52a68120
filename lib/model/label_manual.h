/*
 * What the manual says of each label and each code, in rows of the same tables
 * (label.h): bulkhead-labels(7) is made from them, and a test parses the
 * examples.
 */
#ifndef MODEL_LABEL_MANUAL_H
#define MODEL_LABEL_MANUAL_H

#include "base/str.h"
#include "model/label.h"

struct label_manual {
	const char *values; /* what it takes */
	const char *unset;  /* what holds without it, or NULL */
	const char *text;   /* what it does; full sentences */
	const char *good;   /* an example, and one that is refused */
	const char *bad;
	const char *with; /* what the example needs: "KEY=VALUE|...", or "" */
};

struct code_manual {
	const char *meaning; /* full sentences */
	const char *remedy;
};

const struct label_manual *label_manual(enum label_id id);
const struct code_manual *code_manual(enum reject_code code);

/* The page, in mdoc. */
void label_manual_page(struct str *out);

#endif
