/*
 * Which statements our nginx files may have, and where: the list that
 * read-back holds them against.  What is not here, we never write.
 */
#ifndef EXTENSION_READBACK_GRAMMAR_H
#define EXTENSION_READBACK_GRAMMAR_H

#include "readback_token.h"

#include <stdbool.h>

enum grammar_context {
	IN_MAIN,
	IN_EVENTS,
	IN_HTTP,
	IN_MAP, /* the fixed ones of http and stream */
	IN_GEO,
	IN_TYPES,
	IN_SERVER,
	IN_LOCATION,
	IN_IF,
	IN_UPSTREAM,
	IN_STREAM,
	IN_STREAM_SERVER,
	IN_STREAM_UPSTREAM,
	IN_NAMES, /* the map from SNI to a target */
	IN_COUNT,
};

/*
 * Whether the statement may stand in 'in'; a block gives the context of what
 * is inside.
 */
int grammar_check(const struct token_reader *t, enum token_kind kind,
    enum grammar_context in, enum grammar_context *ret_inside,
    struct error *e) _warn_unused_;

/* The table is sorted; for its test. */
bool grammar_is_sorted(void);

#endif
