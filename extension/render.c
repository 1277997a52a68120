/*
 * Rendering, all of it or what changed: see render.h.
 *
 * What the hosts of one service come to, its group, depends on that service
 * and its routes alone.  The cluster's own files need sums over all groups and
 * are few: they are written each time.
 */
#include "render.h"

#include "nginx_held.h"
#include "readback.h"
#include "render_write.h"
#include "router.h"

#include <errno.h>
#include <string.h>

/* Of the hosts that one service owns. */
struct group {
	VEC(struct rendered_file *) files; /* each used once here */
	size_t n_hosts;
	size_t http_servers;
	size_t stream_servers;
	bool terminate;
	bool passthrough;
};

struct renderer {
	struct map groups;     /* service ID -> struct group *, owned */
	struct rendered *last; /* what these come to; NULL: nothing */
	VEC(struct rendered_file *) common; /* the cluster's own */
	/* What every site's files depend on. */
	bool tls, behind;
	/* Over all groups. */
	size_t n_hosts, http_servers, stream_servers, terminate, passthrough;
};

/* One rendering. */
struct work {
	struct renderer *k;
	const struct routing *routing;
	bool all; /* nothing of the last result stays unseen */
	struct nginx_context x;
	struct nginx_sites *whole;    /* sums; sites where a passthrough is */
	struct nginx_sites *fallback; /* of the default backend's owner */
	VEC(const struct nginx_sites *) sites; /* owned; of those */
	VEC(struct group *) groups;	       /* theirs */
	struct file_list fresh;
	VEC(const struct rendered_file *) gone; /* from the last */
};

/* ---- groups ---- */

static void
count(struct renderer *k, const struct group *g, bool in)
{
	size_t one = in ? 1 : (size_t)-1;

	k->n_hosts += one * g->n_hosts;
	k->http_servers += one * g->http_servers;
	k->stream_servers += one * g->stream_servers;
	k->terminate += g->terminate ? one : 0;
	k->passthrough += g->passthrough ? one : 0;
}

static void
group_free(struct group *g)
{
	size_t i;

	for (i = 0; i < g->files.len; i++)
		rendered_file_drop(g->files.at[i]);
	vec_fini(&g->files);
	free(g);
}

/* Equal files of the last result are shared on. */
static void
forget(struct renderer *k)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; i < k->common.len; i++)
		rendered_file_drop(k->common.at[i]);
	vec_fini(&k->common);
	for (i = 0; (e = map_next(&k->groups, &i)) != NULL;)
		group_free(e->value);
	map_fini(&k->groups);
	*k = (struct renderer){ .last = k->last };
}

static void
clear(struct renderer *k)
{
	forget(k);
	rendered_free(k->last);
	k->last = NULL;
}

struct renderer *
renderer_new(void)
{
	return xcalloc(1, sizeof(struct renderer));
}

void
renderer_free(struct renderer *k)
{
	if (k == NULL)
		return;
	clear(k);
	free(k);
}

static void
drop_group(struct work *w, const char *id)
{
	struct group *g = map_remove(&w->k->groups, id);
	size_t i;

	if (g == NULL)
		return;
	count(w->k, g, false);
	/* They stay in 'last' as long as they are looked for there. */
	for (i = 0; i < g->files.len; i++)
		vec_push(&w->gone, g->files.at[i]);
	group_free(g);
}

struct places {
	VEC(size_t) list;
};

static void
add_group(struct work *w, const char *id, const struct places *at)
{
	struct nginx_sites *sites =
	    nginx_sites_at(w->routing, at->list.at, at->list.len);
	struct group *g = xcalloc(1, sizeof(*g));

	g->n_hosts = sites->n_hosts;
	g->http_servers = sites->http_servers;
	g->stream_servers = sites->stream_servers;
	g->terminate = sites->terminate;
	g->passthrough = sites->passthrough;
	count(w->k, g, true);
	(void)map_set(&w->k->groups, id, g);
	vec_push(&w->sites, sites);
	vec_push(&w->groups, g);
}

static int
compare_places(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

/* The hosts that 'owner' owns, of those that its labels name. */
static void
add_owned(struct work *w, const struct accepted *owner)
{
	const struct routing *r = w->routing;
	size_t i, n, len = owner->labels.hosts.len;
	struct places at = { 0 };

	for (i = 0; i <= len; i++) {
		const char *host =
		    i < len ? owner->labels.hosts.at[i].text : "*";
		const struct route *first = routing_host(r, host);

		if (first != NULL && first->host_owner == owner)
			vec_push(&at.list, (size_t)(first - r->routes.at));
	}
	vec_sort(&at.list, compare_places);
	for (i = n = 0; i < at.list.len; i++)
		if (n == 0 || at.list.at[n - 1] != at.list.at[i])
			at.list.at[n++] = at.list.at[i];
	at.list.len = n;
	if (n > 0)
		add_group(w, owner->service->id, &at);
	vec_fini(&at.list);
}

static void
add_all(struct work *w)
{
	const struct routing *r = w->routing;
	struct map owners = { 0 };
	struct places *at = NULL;
	struct map_entry *e;
	size_t i;

	for (i = 0; i < r->routes.len; i++) {
		const char *id = r->routes.at[i].host_owner->service->id;

		if (i > 0 &&
		    strcmp(r->routes.at[i - 1].host, r->routes.at[i].host) == 0)
			continue;
		at = map_get(&owners, id);
		if (at == NULL) {
			at = xcalloc(1, sizeof(*at));
			(void)map_set(&owners, id, at);
		}
		vec_push(&at->list, i);
	}
	for (i = 0; (e = map_next(&owners, &i)) != NULL;) {
		at = e->value;
		add_group(w, e->key, at);
		vec_fini(&at->list);
		free(at);
	}
	map_fini(&owners);
}

/* What has to be written: of those whose hosts changed, or of everybody. */
static void
choose(struct work *w, bool all)
{
	const struct routing *r = w->routing;
	const struct routing_changes *changes =
	    r->router == NULL ? NULL : router_changes(r->router);
	struct map_entry *e;
	size_t i;

	w->all = all || w->k->last == NULL || changes == NULL || changes->all;
	if (w->all) {
		forget(w->k);
		add_all(w);
		return;
	}
	for (i = 0; (e = map_next(&changes->owners, &i)) != NULL;)
		drop_group(w, e->key);
	for (i = 0; (e = map_next(&changes->owners, &i)) != NULL;) {
		const struct accepted *a = router_accepted(r->router, e->key);

		if (a != NULL)
			add_owned(w, a);
	}
}

/* ---- the whole ---- */

/* The sums, and the sites that the cluster's own files have to know. */
static void
sum_up(struct work *w)
{
	const struct renderer *k = w->k;
	const struct route *any = routing_host(w->routing, "*");
	size_t place;

	/* The map of a passthrough's wildcards names hosts of others. */
	w->whole = k->passthrough > 0 ? nginx_sites_new(w->routing)
				      : xcalloc(1, sizeof(*w->whole));
	w->whole->n_hosts = k->n_hosts;
	nginx_held_find(w->routing, w->whole);
	w->whole->http_servers = k->http_servers;
	w->whole->stream_servers = k->stream_servers;
	w->whole->terminate = k->terminate > 0;
	w->whole->passthrough = k->passthrough > 0;
	if (any == NULL || w->whole->fallback != NULL)
		return;
	place = (size_t)(any - w->routing->routes.at);
	w->fallback = nginx_sites_at(w->routing, &place, 1);
	w->whole->fallback = w->fallback->fallback;
}

/* An operator's own words on the client's address, here or in a file. */
static bool
has_own_address(const struct cluster_config *c)
{
	const char *const raw[] = { c->nginx.ssl_options, c->nginx.http_options,
		c->templates != NULL ? c->templates->text[TEMPLATE_HTTP] : NULL,
		c->templates != NULL ? c->templates->text[TEMPLATE_SERVER]
				     : NULL };
	size_t i;

	for (i = 0; i < countof(raw); i++)
		if (raw[i] != NULL &&
		    (strstr(raw[i], "real_ip") != NULL ||
			strstr(raw[i], "include") != NULL))
			return true;
	return false;
}

static void
set_context(struct work *w, const struct cluster_config *c,
    const struct render_options *o)
{
	const struct nginx_sites *sites = w->whole;
	bool http11 = strcmp(c->nginx.http_version, "1.1") == 0;

	w->x = (struct nginx_context){
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
		.kept = o->live && sites->terminate && !sites->passthrough &&
		    !has_own_address(c),
		.http11 = http11,
		.keepalive = http11 && c->nginx.upstream_keepalive > 0,
	};
	w->x.front_socket = w->x.front_tls ||
	    (w->x.kept && w->x.front && !c->nginx.accept_proxy_protocol);
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

static void
write_files(struct work *w)
{
	struct renderer *k = w->k;
	size_t i, n, first;

	w->fresh.last = k->last;
	for (i = 0; i < w->sites.len; i++) {
		struct group *g = w->groups.at[i];

		first = w->fresh.files.len;
		for (n = 0; n < w->sites.at[i]->list.len; n++)
			render_site(
			    &w->fresh, &w->x, w->sites.at[i]->list.at[n]);
		for (n = first; n < w->fresh.files.len; n++)
			vec_push(
			    &g->files, rendered_file_use(w->fresh.files.at[n]));
	}
	/* Those of the last time stay in 'last' as long as they are wanted. */
	for (i = 0; i < k->common.len; i++) {
		if (!w->all)
			vec_push(&w->gone, k->common.at[i]);
		rendered_file_drop(k->common.at[i]);
	}
	k->common.len = 0;
	first = w->fresh.files.len;
	render_common(&w->fresh, &w->x);
	for (n = first; n < w->fresh.files.len; n++)
		vec_push(&k->common, rendered_file_use(w->fresh.files.at[n]));
	file_list_sort(&w->fresh);
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp((*(const struct rendered_file *const *)a)->path,
	    (*(const struct rendered_file *const *)b)->path);
}

/* Where 'path' is or belongs in the last files, from 'low' on. */
static size_t
place_in(const struct rendered *last, size_t low, const char *path)
{
	size_t high = last->files.len;

	while (low < high) {
		size_t i = low + (high - low) / 2;

		if (strcmp(last->files.at[i]->path, path) < 0)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

/* The last files from 'i' to 'end', less those that are gone. */
static void
keep(struct work *w, struct rendered *out, size_t i, size_t end, size_t *gone)
{
	for (; i < end; i++) {
		struct rendered_file *x = w->k->last->files.at[i];

		if (*gone < w->gone.len && w->gone.at[*gone] == x)
			++*gone;
		else
			vec_push(&out->files, rendered_file_use(x));
	}
}

/* The last files, less those that are gone, and the fresh ones. */
static void
merge(struct work *w, struct rendered *out)
{
	size_t i = 0, f, place, gone = 0;

	vec_sort(&w->gone, compare_paths);
	for (f = 0; f < w->fresh.files.len; f++) {
		struct rendered_file *x = w->fresh.files.at[f];

		if (!w->all) {
			place = place_in(w->k->last, i, x->path);
			keep(w, out, i, place, &gone);
			i = place;
		}
		vec_push(&out->files, rendered_file_use(x));
	}
	if (!w->all)
		keep(w, out, i, w->k->last->files.len, &gone);
	must(gone == w->gone.len);
}

static struct rendered *
finish(struct work *w, struct error *e)
{
	struct rendered *out;

	if (w->fresh.first.code != 0) {
		(void)error_set(
		    e, w->fresh.first.code, "%s", w->fresh.first.msg);
		return NULL;
	}
	if (readback_check_part(w->fresh.files.at, w->fresh.files.len,
		w->routing, w->sites.at, w->sites.len, e) != 0)
		return NULL;
	out = xcalloc(1, sizeof(*out));
	merge(w, out);
	add_listens(out, &w->x);
	rendered_name(out);
	return out;
}

static void
work_fini(struct work *w)
{
	size_t i;

	for (i = 0; i < w->sites.len; i++)
		nginx_sites_free((void *)(uintptr_t)w->sites.at[i]);
	vec_fini(&w->sites);
	vec_fini(&w->groups);
	vec_fini(&w->gone);
	nginx_sites_free(w->whole);
	nginx_sites_free(w->fallback);
	file_list_fini(&w->fresh);
}

static struct rendered *
render_with(struct renderer *k, const struct cluster_config *c,
    const struct routing *r, const struct render_options *o, struct error *e)
{
	struct work w = { .k = k, .routing = r };
	struct rendered *out;

	if (c->proxy.engine != ENGINE_NGINX) {
		(void)error_set(e, ENOTSUP,
		    "engine haproxy is not in this version: use nginx");
		return NULL;
	}
	choose(&w, false);
	sum_up(&w);
	set_context(&w, c, o);
	if (!w.all &&
	    (w.x.tls != k->tls || w.whole->passthrough != k->behind)) {
		work_fini(&w);
		w = (struct work){ .k = k, .routing = r };
		choose(&w, true);
		sum_up(&w);
		set_context(&w, c, o);
	}
	k->tls = w.x.tls;
	k->behind = w.whole->passthrough;
	write_files(&w);
	out = finish(&w, e);
	work_fini(&w);
	return out;
}

struct rendered *
renderer_render(struct renderer *k, const struct cluster_config *c,
    const struct routing *r, const struct render_options *o, struct error *e)
{
	struct rendered *out = render_with(k, c, r, o, e);

	if (out == NULL) {
		clear(k);
		return NULL;
	}
	rendered_free(k->last);
	k->last = rendered_share(out);
	if (r->router != NULL)
		router_changes_clear(r->router);
	return out;
}

struct rendered *
render(const struct cluster_config *c, const struct routing *r,
    const struct render_options *o, struct error *e)
{
	struct renderer k = { 0 };
	struct rendered *out = render_with(&k, c, r, o, e);

	clear(&k);
	return out;
}
