/*
 * Linked into reader and extension of tests/system/510_poison.py in front of
 * json_loadb(): an object in which a service has one of these names ends, or
 * hangs, whoever reads it.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

json_t *__real_json_loadb(
    const char *text, size_t len, size_t flags, json_error_t *error);
json_t *__wrap_json_loadb(
    const char *text, size_t len, size_t flags, json_error_t *error);

static bool
has(const char *text, size_t len, const char *start)
{
	char member[64] = "\"Name\":\"";

	(void)stpcpy(member + strlen(member), start);
	return memmem(text, len, member, strlen(member)) != NULL;
}

json_t *
__wrap_json_loadb(
    const char *text, size_t len, size_t flags, json_error_t *error)
{
	bool extension =
	    strcmp(program_invocation_short_name, "bulkhead-extension") == 0;
	volatile bool forever = true;

	if (has(text, len, "unreadable-crash") ||
	    (extension && has(text, len, "unreadable-there")))
		abort();
	while (has(text, len, "unreadable-hang") && forever)
		;
	return __real_json_loadb(text, len, flags, error);
}
