/*
 * Growing byte strings with a hard maximum.
 *
 * Always NUL-terminated; an append that would pass the maximum changes
 * nothing and sets 'overflow' for good, so that one check at the end is
 * enough.  Escaping is one named function per target.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
	char *p; /* owned; "" while nothing was added */
	size_t len;
	size_t size;
	size_t max; /* greatest len */
	bool overflow;
};

void str_init(struct str *s, size_t max);
/* A new string on the stack, released at the end of the scope. */
#define STR_AUTO(name, max_len)                                                \
	struct str name _cleanup_(str_fini);                                   \
	str_init(&name, max_len)
void str_fini(struct str *s);
/* Empties it; the memory stays for reuse. */
void str_clear(struct str *s);
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const void *bytes, size_t len);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void str_addv(struct str *s, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Cuts to 'len' characters; longer than it is, is a bug. */
void str_trim(struct str *s, size_t len);
/* Drops the first 'n' bytes. */
void str_drop(struct str *s, size_t n);
/* Hands the memory to the caller (free()) and leaves 's' empty. */
char *str_take(struct str *s);
/*
 * Adds a JSON string, quotes included, in ASCII alone: reports and logs are
 * read on terminals.  Invalid UTF-8 becomes U+FFFD.
 */
void str_add_json(struct str *s, const char *text, size_t len);
/* Adds a JSON object's further member: ,"KEY":"TEXT", or null for NULL. */
void str_add_member(struct str *s, const char *key, const char *text);
/*
 * Adds a foreign word for a terminal: as it is where it is one of 0x21-0x7e,
 * else quoted as str_add_quoted() does.
 */
void str_add_shown(struct str *s, const char *text);
/*
 * Adds foreign bytes for a log line or a message: in double quotes, with
 * everything outside 0x20-0x7e, the quote and the backslash as \xHH, cut
 * after 'max' source bytes with "...".
 */
void str_add_quoted(struct str *s, const char *text, size_t len, size_t max);

/* Of two texts, each of which may be NULL. */
bool str_equal(const char *a, const char *b);

#endif
