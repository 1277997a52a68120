/* Error values: see error.h.  Used by every layer. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends at 'used'; the result is cut at the end of the buffer. */
static size_t __attribute__((format(printf, 3, 0)))
append(struct error *e, size_t used, const char *fmt, va_list ap)
{
	int n;

	if (used >= sizeof(e->msg))
		return sizeof(e->msg) - 1;
	n = vsnprintf(e->msg + used, sizeof(e->msg) - used, fmt, ap);
	if (n < 0)
		return used;
	used += (size_t)n;
	return used < sizeof(e->msg) ? used : sizeof(e->msg) - 1;
}

static void __attribute__((format(printf, 3, 4)))
append_args(struct error *e, size_t used, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)append(e, used, fmt, ap);
	va_end(ap);
}

int
error_set(struct error *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return -1;
	e->code = code;
	va_start(ap, fmt);
	(void)append(e, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int
error_errno(struct error *e, int code, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (e == NULL)
		return -1;
	e->code = code;
	va_start(ap, fmt);
	used = append(e, 0, fmt, ap);
	va_end(ap);
	append_args(e, used, ": %s", strerror(code));
	return -1;
}

int
error_wrap(struct error *e, const char *fmt, ...)
{
	char inner[sizeof(e->msg)];
	va_list ap;
	size_t used;

	if (e == NULL)
		return -1;
	memcpy(inner, e->msg, sizeof(inner));
	va_start(ap, fmt);
	used = append(e, 0, fmt, ap);
	va_end(ap);
	append_args(e, used, ": %s", inner);
	return -1;
}
