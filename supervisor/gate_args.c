/* What the agent of a Swarm task is started with: see gate_spec.h. */
#include "gate_spec.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Agents of one group give each other what they serve, here. */
#define PEER_PORT 8402

static void __attribute__((format(printf, 3, 4)))
add(struct gate_args *a, const char *option, const char *fmt, ...)
{
	va_list ap;

	vec_push(&a->list, xstrdup(option));
	va_start(ap, fmt);
	vec_push(&a->list, xvasprintf(fmt, ap));
	va_end(ap);
}

void
gate_args_fini(struct gate_args *a)
{
	for (size_t i = 0; i < a->list.len; i++)
		free(a->list.at[i]);
	vec_fini(&a->list);
}

/* Whether 'word' stands in 'name' between separators or at an edge. */
static bool
has_word(const char *name, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = name; (p = strstr(p, word)) != NULL; p++) {
		if ((p == name || !isalnum((unsigned char)p[-1])) &&
		    !isalnum((unsigned char)p[len]))
			return true;
	}
	return false;
}

const char *
gate_args_secret(const struct cluster_config *c, const char *role)
{
	const struct config_list *l = &c->control.agent_secrets;

	for (size_t i = 0; i < l->items.len; i++) {
		if (has_word(l->items.at[i], role))
			return l->items.at[i];
	}
	return NULL;
}

static const char *
listen_port(const char *listen)
{
	const char *colon = listen == NULL ? NULL : strrchr(listen, ':');

	return colon == NULL ? NULL : colon + 1;
}

char *
gate_control_url(const struct gate_wish *w)
{
	const struct cluster_config *c = w->config;
	const char *port = listen_port(c->control.listen);

	if (c->control.url != NULL)
		return xstrdup(c->control.url);
	if (w->control_host == NULL || port == NULL)
		return NULL;
	return xasprintf("%s://%s:%s",
	    c->control.tls_cert != NULL ? "https" : "http", w->control_host,
	    port);
}

/* True where agents have something to show. */
static bool
add_credentials(const struct gate_wish *w, struct gate_args *a)
{
	static const struct {
		const char *role, *option;
	} roles[] = {
		{ "ca", "--tls-ca" },
		{ "cert", "--tls-cert" },
		{ "key", "--tls-key" },
		{ "token", "--token-file" },
	};
	bool found[countof(roles)] = { false };

	for (size_t i = 0; i < countof(roles); i++) {
		const char *name = gate_args_secret(w->config, roles[i].role);

		if (name == NULL)
			continue;
		found[i] = true;
		add(a, roles[i].option, "/run/secrets/%s", name);
	}
	return found[3] || (found[0] && found[1] && found[2]);
}

void
gate_args_build(const struct gate_wish *w, struct gate_args *a)
{
	const struct cluster_config *c = w->config;
	char *url _cleanup_free_ = gate_control_url(w);

	add(a, "--cluster", "%s", c->cluster.name);
	add(a, "--dir", "%s/proxy", GATE_AGENT_DIR);
	if (url != NULL)
		add(a, "--control", "%s", url);
	add(a, "--engine", "%s",
	    c->proxy.engine == ENGINE_NGINX ? "nginx" : "haproxy");
	add(a, "--listen", "0.0.0.0:%u", c->proxy.target_port);
	add(a, "--listen-ssl", "0.0.0.0:%u", c->proxy.target_ssl_port);
	if (c->proxy.status_listen != NULL)
		add(a, "--status-listen", "%s", c->proxy.status_listen);
	if (c->proxy.health_listen != NULL)
		add(a, "--health-listen", "%s", c->proxy.health_listen);
	if (add_credentials(w, a) && c->control.network != NULL) {
		add(a, "--peer-listen", "control:%d", PEER_PORT);
		add(a, "--peers", "tasks.%s:%d", c->proxy.service, PEER_PORT);
	}
	add(a, "--secrets-dir", "%s", c->proxy.secrets_dir);
	add(a, "--drain-delay", "%llums",
	    (unsigned long long)c->proxy.drain_delay_ms);
	add(a, "--stop-grace", "%llums",
	    (unsigned long long)c->proxy.stop_grace_period_ms);
}
