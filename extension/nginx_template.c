/* The operator's fragments, included where they belong: nginx_context.h. */
#include "nginx_context.h"

static const char *const paths[] = {
	[TEMPLATE_MAIN] = "sites/template_main.raw",
	[TEMPLATE_HTTP] = "sites/template_http.raw",
	[TEMPLATE_SERVER] = "sites/template_server.raw",
	[TEMPLATE_LOCATION] = "sites/template_location.raw",
};

const char *
nginx_template_path(enum config_template t)
{
	return paths[t];
}

void
nginx_template(
    struct emit *m, const struct nginx_context *x, enum config_template t)
{
	if (x->c->templates == NULL || x->c->templates->text[t] == NULL)
		return;
	emit_begin(m, "include ");
	emit_literal(m, paths[t]);
	emit_end(m);
}
