/*
 * Linked into the extension of tests/system/510_poison.py in front of
 * labels_parse(): services named poison-crash... and poison-hang... end or
 * hang whoever works on them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/label.h"

int __real_labels_parse(const struct service *s, struct labels *ret,
    struct findings *remarks, struct finding *ret_error);
int __wrap_labels_parse(const struct service *s, struct labels *ret,
    struct findings *remarks, struct finding *ret_error);

static bool
is_named(const struct service *s, const char *start)
{
	return strncmp(s->name, start, strlen(start)) == 0;
}

int
__wrap_labels_parse(const struct service *s, struct labels *ret,
    struct findings *remarks, struct finding *ret_error)
{
	volatile bool forever = true;

	if (is_named(s, "poison-crash"))
		abort();
	while (is_named(s, "poison-hang") && forever)
		;
	return __real_labels_parse(s, ret, remarks, ret_error);
}
