/* Secrets that labels name: existing, and granted.  See claims.h. */
#include "claims.h"

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

	/* The gate decides, and agents tell whether it is there. */
	if (secret == NULL && k->options.labels_of_past)
		return 0;
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
	if (k->config->cluster.secrets != SECRETS_GRANTED ||
	    service_mounts(s, name) ||
	    (secret != NULL && secret_allows(secret, s)))
		return 0;
	return finding_set(f, REJECT_SECRET_NOT_GRANTED, label_key(id),
	    label_value_offset(s, id), NULL,
	    "secret %s is not granted to the service; mount it in the "
	    "service, or name the service in the secret's label "
	    "com.docker.lb.allow",
	    name);
}
