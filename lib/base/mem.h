/*
 * Memory and ownership.  Running out of memory aborts: the supervisor starts
 * a child again and Docker the supervisor, so no path is spent on it.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
/* Resizes to 'n' * 'size' bytes; an overflowing product aborts. */
void *
xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* Copies exactly 'len' bytes, NULs included, and ends them with a NUL. */
char *
xmemdup0(const void *s, size_t len) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
char *xvasprintf(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0), malloc, returns_nonnull));

/* Ends the process: a library said that memory is exhausted. */
void oom(void) __attribute__((noreturn, cold));

/* A broken promise of our own code: file, line, expression, abort(). */
void must_failed(const char *file, int line, const char *expr)
    __attribute__((noreturn, cold));
#define must(x)                                                                \
	do {                                                                   \
		if (!(x))                                                      \
			must_failed(__FILE__, __LINE__, #x);                   \
	} while (0)

#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define countof(a) (sizeof(a) / sizeof((a)[0]))

/* Scope-bound ownership: char *p _cleanup_free_ = ...; return steal(&p); */
void cleanup_free(void *p);
void cleanup_close(const int *fd);
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

static inline void *
steal_pointer(void *pp)
{
	void *p = *(void **)pp;

	*(void **)pp = NULL;
	return p;
}
#define steal(pp) ((__typeof__(*(pp)))steal_pointer(pp))

#endif
