/* Secrets that labels name: existing, and granted.  See claims.h. */
#include "claims.h"

#include <string.h>

static bool
mounts(const struct service *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->secrets.len; i++) {
		if (strcmp(s->secrets.at[i], name) == 0)
			return true;
	}
	return false;
}

static bool
is_item(const char *item, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(item, text, len) == 0;
}

/* One item of com.docker.lb.allow: a service's name, stack:NAME, or *. */
static bool
item_allows(const char *item, size_t len, const struct service *s)
{
	static const char stack[] = "stack:";
	const size_t n = sizeof(stack) - 1;

	if (is_item(item, len, "*") || is_item(item, len, s->name))
		return true;
	return len > n && memcmp(item, stack, n) == 0 && s->stack != NULL &&
	    is_item(item + n, len - n, s->stack);
}

static bool
is_allowed(const struct secret *secret, const struct service *s)
{
	const char *p = secret->allow;

	while (p != NULL && *p != '\0') {
		size_t len;

		p += strspn(p, ", \t");
		len = strcspn(p, ",");
		while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
			len--;
		if (len > 0 && item_allows(p, len, s))
			return true;
		p += strcspn(p, ",");
	}
	return false;
}

bool
claims_is_config(const struct model *m, const char *name)
{
	return map_get(&m->secrets, name) == NULL &&
	    map_get(&m->configs, name) != NULL;
}

int
claims_check_secret(const struct claims *k, const struct service *s,
    enum label_id id, const char *name, struct finding *f)
{
	const struct model *m = k->model;
	const struct secret *secret = map_get(&m->secrets, name);
	bool known = m->secrets_listed;
	const char *what = "secret";

	if (id == LABEL_SSL_BACKEND_CA) {
		if (claims_is_config(m, name))
			return 0;
		known = known && m->configs_listed;
		what = "secret or config";
	}
	if (secret == NULL && known)
		return finding_set(f, REJECT_NO_SUCH_SECRET, label_key(id),
		    label_value_offset(s, id), NULL,
		    "there is no Docker %s %s; create it first", what, name);
	if (k->config->cluster.secrets != SECRETS_GRANTED || mounts(s, name) ||
	    (secret != NULL && is_allowed(secret, s)))
		return 0;
	return finding_set(f, REJECT_SECRET_NOT_GRANTED, label_key(id),
	    label_value_offset(s, id), NULL,
	    "secret %s is not granted to the service; mount it in the "
	    "service, or name the service in the secret's label "
	    "com.docker.lb.allow",
	    name);
}
