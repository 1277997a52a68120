/* Rendering: see render.h. */
#include "render.h"

#include "nginx_conf.h"
#include "nginx_server.h"
#include "nginx_stream.h"
#include "readback.h"

#include <errno.h>
#include <string.h>

/* Takes 'path' and what the emitter wrote; keeps its first refusal. */
static void
add_file(struct rendered *r, char *path, struct emit *m, struct error *first)
{
	must(m->depth == 0);
	if (m->out.overflow && m->error.code == 0)
		(void)error_set(&m->error, EFBIG, "%s is too large", path);
	if (m->error.code != 0 && first->code == 0)
		*first = m->error;
	vec_push(&r->files,
	    rendered_file_new(
		path, xmemdup0(m->out.p, m->out.len), m->out.len));
	emit_fini(m);
}

static void
add_raw(struct rendered *r, const char *path, const char *text,
    const char *more, struct error *first)
{
	struct emit m;

	if (text == NULL && more == NULL)
		return;
	emit_init(&m);
	if (text != NULL) {
		emit_literal(&m, text);
		emit_text(&m, "\n");
	}
	if (more != NULL) {
		emit_literal(&m, more);
		emit_text(&m, "\n");
	}
	add_file(r, xstrdup(path), &m, first);
}

static void
add_site(struct rendered *r, const struct nginx_context *x,
    const struct nginx_site *s, struct error *first)
{
	struct emit m;

	if (s == x->sites->fallback)
		return;
	emit_init(&m);
	nginx_server_site(&m, x, s);
	add_file(r, xasprintf("sites/%s.conf", s->id), &m, first);
	if (s->tls != TLS_PASSTHROUGH)
		return;
	emit_init(&m);
	nginx_stream_site(&m, x, s);
	add_file(r, xasprintf("sites/%s.stream", s->id), &m, first);
	emit_init(&m);
	nginx_stream_names(&m, s);
	add_file(r, xasprintf("sites/%s.sni", s->id), &m, first);
}

static void
add_files(
    struct rendered *r, const struct nginx_context *x, struct error *first)
{
	const struct cluster_config *c = x->c;
	struct emit m;
	size_t i;

	emit_init(&m);
	nginx_conf_main(&m, x);
	add_file(r, xstrdup("nginx.conf"), &m, first);
	emit_init(&m);
	nginx_server_default(&m, x);
	add_file(r, xstrdup("sites/default.conf"), &m, first);
	if (x->tls) {
		emit_init(&m);
		nginx_server_https(&m, x, false);
		add_file(r, xstrdup("sites/https.inc"), &m, first);
	}
	if (x->front_tls) {
		emit_init(&m);
		nginx_server_https(&m, x, true);
		add_file(r, xstrdup("sites/https_front.inc"), &m, first);
	}
	add_raw(r, "sites/main.raw", c->nginx.global_options, NULL, first);
	add_raw(r, "sites/http.raw", c->nginx.ssl_options,
	    c->nginx.http_options, first);
	add_raw(r, "sites/stream.raw", c->nginx.stream_options, NULL, first);
	for (i = 0; c->templates != NULL && i < TEMPLATE_COUNT; i++)
		add_raw(r, nginx_template_path((enum config_template)i),
		    c->templates->text[i], NULL, first);
	for (i = 0; i < x->sites->list.len; i++)
		add_site(r, x, x->sites->list.at[i], first);
	rendered_sort(r);
}

static void
add_listens(struct rendered *r, const struct nginx_context *x)
{
	const char *proxy =
	    x->c->nginx.accept_proxy_protocol ? " proxy_protocol" : "";

	r->listen_http = xasprintf("default_server%s", proxy);
	if (!x->tls)
		return;
	/* Behind a passthrough the port is the stream block's. */
	if (x->sites->passthrough)
		r->listen_https = xstrdup(*proxy == '\0' ? "" : proxy + 1);
	else
		r->listen_https = xasprintf("default_server ssl%s%s",
		    x->c->nginx.http2 ? " http2" : "", proxy);
}

static struct rendered *
render_nginx(const struct cluster_config *c, const struct nginx_sites *sites,
    const struct render_options *o, struct error *e)
{
	const struct nginx_context x = {
		.c = c,
		.o = o,
		.sites = sites,
		.secrets_dir = o->secrets_dir != NULL ? o->secrets_dir
						      : c->proxy.secrets_dir,
		.tls = sites->terminate || sites->passthrough,
		.stream = sites->passthrough || c->nginx.stream_options != NULL,
		.front = c->nginx.real_ip_from.items.len > 0,
		.front_tls = sites->passthrough &&
		    c->nginx.real_ip_from.items.len > 0 &&
		    !c->nginx.accept_proxy_protocol,
		.http11 = strcmp(c->nginx.http_version, "1.1") == 0,
		.keepalive = strcmp(c->nginx.http_version, "1.1") == 0 &&
		    c->nginx.upstream_keepalive > 0,
	};
	struct rendered *r = xcalloc(1, sizeof(*r));
	struct error first = { 0 };

	add_files(r, &x, &first);
	add_listens(r, &x);
	rendered_name(r);
	if (first.code != 0) {
		rendered_free(r);
		(void)error_set(e, first.code, "%s", first.msg);
		return NULL;
	}
	return r;
}

struct rendered *
render(const struct cluster_config *c, const struct routing *r,
    const struct render_options *o, struct error *e)
{
	struct nginx_sites *sites;
	struct rendered *out;

	if (c->proxy.engine != ENGINE_NGINX) {
		(void)error_set(e, ENOTSUP,
		    "engine haproxy is not in this version: use nginx");
		return NULL;
	}
	sites = nginx_sites_new(r);
	out = render_nginx(c, sites, o, e);
	nginx_sites_free(sites);
	if (out != NULL && readback_check(out, r, e) != 0) {
		rendered_free(out);
		out = NULL;
	}
	return out;
}
