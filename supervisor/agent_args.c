/* Command lines of local agents: see agent_args.h. */
#include "agent_args.h"

#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 3, 4)))
add_arg(struct agent_args *a, const char *option, const char *fmt, ...)
{
	va_list ap;

	vec_push(&a->list, xstrdup(option));
	if (fmt == NULL)
		return;
	va_start(ap, fmt);
	vec_push(&a->list, xvasprintf(fmt, ap));
	va_end(ap);
}

void
agent_args_fini(struct agent_args *a)
{
	size_t i;

	for (i = 0; i < a->list.len; i++)
		free(a->list.at[i]);
	vec_fini(&a->list);
}

/* "HOST:PORT" with the port 'index' further, as ports of proxies are. */
static char *
shifted(const char *listen, uint32_t index)
{
	const char *colon = strrchr(listen, ':');
	unsigned port = 0;

	must(colon != NULL && sscanf(colon + 1, "%u", &port) == 1);
	return xasprintf(
	    "%.*s:%u", (int)(colon - listen), listen, port + index);
}

static void
add_listen(struct agent_args *a, const char *option, const char *listen,
    uint32_t index)
{
	char *where _cleanup_free_ = NULL;

	if (listen == NULL)
		return;
	where = shifted(listen, index);
	add_arg(a, option, "%s", where);
}

static const char *
bracket(const char *address, const char *which)
{
	return strchr(address, ':') != NULL && address[0] != '[' ? which : "";
}

void
agent_args_build(const struct agent_place *p, struct agent_args *a)
{
	const struct cluster_config *c = p->config;
	const char *host = c->proxy.listen_address;

	add_arg(a, p->agent, NULL);
	add_arg(a, "agent", NULL);
	add_arg(a, "--cluster", "%s", c->cluster.name);
	add_arg(a, "--id", "%s.%u", c->cluster.name, p->index);
	add_arg(a, "--dir", "%s", p->folder);
	if (c->control.url != NULL)
		add_arg(a, "--control", "%s", c->control.url);
	else if (c->control.listen != NULL)
		add_arg(a, "--control", "http://%s", c->control.listen);
	else
		add_arg(a, "--control", "unix:%s/control/%s.sock", p->run_dir,
		    c->cluster.name);
	add_arg(a, "--engine", "%s",
	    c->proxy.engine == ENGINE_NGINX ? "nginx" : "haproxy");
	add_arg(a, "--listen", "%s%s%s:%u", bracket(host, "["), host,
	    bracket(host, "]"), c->proxy.published_port + p->index);
	add_arg(a, "--listen-ssl", "%s%s%s:%u", bracket(host, "["), host,
	    bracket(host, "]"), c->proxy.published_ssl_port + p->index);
	add_listen(a, "--status-listen", c->proxy.status_listen, p->index);
	add_listen(a, "--health-listen", c->proxy.health_listen, p->index);
	if (c->control.token_file != NULL)
		add_arg(a, "--token-file", "%s", c->control.token_file);
	add_arg(a, "--secrets-dir", "%s", c->proxy.secrets_dir);
	add_arg(a, "--drain-delay", "%llums",
	    (unsigned long long)c->proxy.drain_delay_ms);
	add_arg(a, "--stop-grace", "%llums",
	    (unsigned long long)c->proxy.stop_grace_period_ms);
}

void
agent_args_text(const struct agent_args *a, struct str *out)
{
	size_t i;

	/* The program's path may change with an upgrade: not compared. */
	for (i = 1; i < a->list.len; i++)
		str_addf(out, "%s\n", a->list.at[i]);
}
