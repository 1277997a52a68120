/* What an agent tells its extension (docs/internals.md, "Control"). */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include "apply.h"
#include "base/str.h"
#include "manifest.h"
#include "options.h"

struct report {
	const struct agent_options *options;
	const char *engine; /* "nginx/1.22.1" */
	bool alive;	    /* nginx accepts */
	bool draining;
	/* The last attempt; config "" when there was none. */
	enum apply_outcome outcome;
	char config[SHA256_HEX_SIZE];
	uint64_t generation;
	struct str words;
	struct apply_timing timing;
	/* In force; NULL or built in: nothing of the extension's. */
	const struct manifest *in_force;
	uint64_t reloads;
	const struct secrets *secrets; /* NULL: nothing to tell yet */
};

/* The verdict on a manifest that was only to be checked. */
void report_encode_check(const struct agent_options *o,
    const struct apply_result *r, struct str *ret);
void report_encode(const struct report *r, struct str *ret);

#endif
