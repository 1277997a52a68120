/* Writing files: see render_write.h. */
#include "render_write.h"

#include "nginx_conf.h"
#include "nginx_held.h"
#include "nginx_server.h"
#include "nginx_stream.h"

#include <errno.h>
#include <string.h>

void
file_list_sort(struct file_list *l)
{
	vec_sort(&l->files, rendered_by_path);
}

void
file_list_fini(struct file_list *l)
{
	size_t i;

	for (i = 0; i < l->files.len; i++)
		rendered_file_drop(l->files.at[i]);
	vec_fini(&l->files);
}

/* Takes 'path' and what the emitter wrote; keeps its first refusal. */
static void
add_file(struct file_list *l, char *path, struct emit *m)
{
	const struct rendered_file *same;

	must(m->depth == 0);
	if (m->out.overflow && m->error.code == 0)
		(void)error_set(&m->error, EFBIG, "%s is too large", path);
	if (m->error.code != 0 && l->first.code == 0)
		l->first = m->error;
	same = l->last == NULL ? NULL : rendered_file(l->last, path);
	if (same != NULL && same->len == m->out.len &&
	    memcmp(same->text, m->out.p, m->out.len) == 0) {
		vec_push(&l->files, rendered_file_use((void *)(uintptr_t)same));
		free(path);
		emit_fini(m);
		return;
	}
	vec_push(&l->files,
	    rendered_file_new(
		path, xmemdup0(m->out.p, m->out.len), m->out.len));
	emit_fini(m);
}

static void
add_raw(
    struct file_list *l, const char *path, const char *text, const char *more)
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
	add_file(l, xstrdup(path), &m);
}

void
render_site(struct file_list *l, const struct nginx_context *x,
    const struct nginx_site *s)
{
	struct emit m;

	if (strcmp(s->hosts.at[0], "*") == 0)
		return;
	emit_init(&m);
	nginx_server_site(&m, x, s);
	add_file(l, xasprintf("sites/%s.conf", s->id), &m);
	if (s->tls != TLS_PASSTHROUGH)
		return;
	emit_init(&m);
	nginx_stream_site(&m, x, s);
	add_file(l, xasprintf("sites/%s.stream", s->id), &m);
	emit_init(&m);
	nginx_stream_names(&m, s);
	add_file(l, xasprintf("sites/%s.sni", s->id), &m);
}

void
render_common(struct file_list *l, const struct nginx_context *x)
{
	const struct cluster_config *c = x->c;
	struct emit m;
	size_t i;

	emit_init(&m);
	nginx_conf_main(&m, x);
	add_file(l, xstrdup("nginx.conf"), &m);
	emit_init(&m);
	nginx_server_default(&m, x);
	add_file(l, xstrdup("sites/default.conf"), &m);
	if (x->sites->held.len > 0) {
		emit_init(&m);
		nginx_held_servers(&m, x);
		add_file(l, xstrdup("sites/held.conf"), &m);
	}
	if (x->tls) {
		emit_init(&m);
		nginx_server_https(&m, x, false);
		add_file(l, xstrdup("sites/https.inc"), &m);
	}
	if (x->front_tls) {
		emit_init(&m);
		nginx_server_https(&m, x, true);
		add_file(l, xstrdup("sites/https_front.inc"), &m);
	}
	add_raw(l, "sites/main.raw", c->nginx.global_options, NULL);
	add_raw(
	    l, "sites/http.raw", c->nginx.ssl_options, c->nginx.http_options);
	add_raw(l, "sites/stream.raw", c->nginx.stream_options, NULL);
	for (i = 0; c->templates != NULL && i < TEMPLATE_COUNT; i++)
		add_raw(l, nginx_template_path((enum config_template)i),
		    c->templates->text[i], NULL);
}
