/*
 * Sets of host patterns from the operator: [cluster] hosts_allow and
 * hosts_reserved.  An item is a name or "*.suffix"; the latter stands for all
 * names below the suffix at any depth, not for the suffix itself.
 */
#ifndef EXTENSION_CLAIMS_HOSTS_H
#define EXTENSION_CLAIMS_HOSTS_H

#include "base/map.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct host_set {
	struct map exact;
	struct map suffixes; /* "x.y" of "*.x.y" */
};

void host_set_init(struct host_set *s, const struct config_list *items);
void host_set_fini(struct host_set *s);
bool host_set_is_empty(const struct host_set *s);
/*
 * Whether 'host' (a folded name or "*.x.y", the latter wholly) is covered by
 * an item: by its own name, or by a suffix of more than 'longer_than'
 * characters.
 */
bool
host_set_covers(const struct host_set *s, const char *host, size_t longer_than);
/*
 * An item that lies below the wildcard 'host' ("*.x.y"), or NULL; of several
 * the first by name.
 */
const char *host_set_below(const struct host_set *s, const char *host);

static inline bool
host_is_wildcard(const char *host)
{
	return host[0] == '*' && host[1] == '.';
}
/* The name after the first label, or NULL. */
const char *host_parent(const char *host);

#endif
