/*
 * Tokenizer of our own nginx files, for read-back.  Knows less than nginx on
 * purpose: what we never write (a variable in braces, an escape, a comment
 * but the first line, a control character) is refused.
 */
#ifndef EXTENSION_READBACK_TOKEN_H
#define EXTENSION_READBACK_TOKEN_H

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

enum token_kind {
	TOKEN_END,   /* the end of the text */
	TOKEN_LINE,  /* words and a semicolon */
	TOKEN_BLOCK, /* words and an opening brace */
	TOKEN_CLOSE, /* a closing brace */
};

/* One statement; words are valid until the next one is read. */
struct token_reader {
	const char *start;
	const char *p;
	const char *end;
	struct str text;   /* the words, each with its NUL */
	VEC(size_t) words; /* where they begin in 'text' */
	size_t quoted;	   /* how many words stood in quotes */
};

void token_init(struct token_reader *t, const char *text, size_t len);
void token_fini(struct token_reader *t);
/* 0 with the statement, or -1: not what we write. */
int token_next(struct token_reader *t, enum token_kind *ret,
    struct error *e) _warn_unused_;
/* Word 'i' of the statement. */
const char *token_word(const struct token_reader *t, size_t i);

#endif
