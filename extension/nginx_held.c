/* Held hosts: see nginx_held.h. */
#include "nginx_held.h"

#include "nginx_location.h"
#include "nginx_server.h"

#include <string.h>

/* True if another's wildcard, or the default backend, has the host. */
static bool
is_covered(const struct routing *r, const char *host)
{
	const char *dot = strchr(host, '.');

	if (routing_host(r, "*") != NULL)
		return true;
	for (; dot != NULL; dot = strchr(dot + 1, '.')) {
		char *wildcard _cleanup_free_ = xasprintf("*%s", dot);

		if (routing_host(r, wildcard) != NULL)
			return true;
	}
	return false;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
nginx_held_find(const struct routing *r, struct nginx_sites *ret)
{
	struct map_entry *e;
	size_t i;

	if (r->holds == NULL)
		return;
	for (i = 0; (e = map_next(&r->holds->hosts, &i)) != NULL;) {
		if (strcmp(e->key, "*") != 0 &&
		    holds_held(r->holds, e->key) != NULL &&
		    routing_host(r, e->key) == NULL && is_covered(r, e->key))
			vec_push(&ret->held, e->key);
	}
	vec_sort(&ret->held, compare_texts);
	ret->n_hosts += ret->held.len;
}

static void
write_server(
    struct emit *m, const struct nginx_context *x, const char *tls_listen)
{
	size_t i;

	emit_block(m, "server");
	if (tls_listen != NULL) {
		emit_begin(m, "include ");
		emit_literal(m, tls_listen);
		emit_end(m);
		emit_line(m, "ssl_reject_handshake on");
	} else {
		nginx_server_listen(m, x);
	}
	emit_begin(m, "server_name");
	for (i = 0; i < x->sites->held.len; i++) {
		emit_text(m, " ");
		emit_host(m, x->sites->held.at[i]);
	}
	emit_end(m);
	nginx_location_pages(m, x);
	emit_block(m, "location /");
	nginx_location_unavailable(m, x);
	emit_close(m);
	emit_close(m);
}

void
nginx_held_servers(struct emit *m, const struct nginx_context *x)
{
	write_server(m, x, NULL);
	if (x->tls)
		write_server(m, x, "sites/https.inc");
	if (x->front_tls)
		write_server(m, x, "sites/https_front.inc");
}
