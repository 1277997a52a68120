/*
 * Asking the group: see peers.h.
 *
 * One round: the names of --peers are looked up one after the other, some of
 * the addresses are asked for their manifest at once, and the newest answer's
 * files are fetched from who gave it; where that fails the next best is tried.
 */
#include "peers.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "fetch.h"
#include "peer_address.h"
#include "peer_server.h"

#define ASK_AT_MOST 8
#define ADDRESSES_MAX 256

struct peer {
	struct peers *peers;
	struct fetch *fetch;
	char *url;
	struct manifest *m; /* its answer; NULL: none, or it did not hold */
};

struct address {
	struct inet inet;
	uint16_t port;
};

struct peers {
	uv_loop_t *loop;
	const struct agent_options *options;
	struct folder *folder;
	struct peers_handlers handlers;
	void *arg;
	struct peer_server *server; /* NULL without --peer-listen */
	/* The round; 'asked' is empty and 'busy' false between rounds. */
	bool busy;
	bool forget;	  /* what comes out of it is not wanted any more */
	const char *next; /* rest of --peers to look up */
	uint16_t port;
	uv_getaddrinfo_t lookup;
	bool looking;
	VEC(struct address) addresses;
	VEC(struct peer *) asked;
	size_t waiting; /* answers */
	struct peer *source;
	bool closing;
	size_t open; /* fetches, the server and a lookup that still live */
	void (*closed)(void *arg);
	void *closed_arg;
};

static void look_up_next(struct peers *p);
static void take_best(struct peers *p);

bool
peers_is_newer(const struct manifest *m, const struct manifest *now)
{
	if (m->builtin || m->check)
		return false;
	if (now == NULL || now->builtin)
		return true;
	return m->epoch[0] != '\0' && strcmp(m->epoch, now->epoch) == 0 &&
	    m->generation > now->generation;
}

/* ---- ends ---- */

static void
drop(struct peers *p)
{
	if (--p->open > 0 || !p->closing)
		return;
	if (p->closed != NULL)
		p->closed(p->closed_arg);
	vec_fini(&p->addresses);
	vec_fini(&p->asked);
	free(p);
}

static void
on_fetch_closed(void *arg)
{
	struct peer *peer = arg;
	struct peers *p = peer->peers;

	manifest_free(peer->m);
	free(peer->url);
	free(peer);
	drop(p);
}

static void
end_round(struct peers *p)
{
	size_t i;

	for (i = 0; i < p->asked.len; i++)
		fetch_close(
		    p->asked.at[i]->fetch, on_fetch_closed, p->asked.at[i]);
	p->asked.len = 0;
	p->addresses.len = 0;
	p->source = NULL;
	p->busy = false;
}

/* ---- files ---- */

static void
on_blobs(void *arg, const struct error *e)
{
	struct peer *peer = arg;
	struct peers *p = peer->peers;
	struct manifest *m = peer->m;
	bool wanted;

	if (p->closing)
		return;
	if (e != NULL) {
		log_warn("peer %s: %s", peer->url, e->msg);
		manifest_free(m);
		peer->m = NULL;
		take_best(p);
		return;
	}
	wanted = !p->forget && peers_is_newer(m, p->handlers.in_force(p->arg));
	if (wanted)
		log_info("generation %llu (%.12s) comes from peer %s",
		    (unsigned long long)m->generation, m->config, peer->url);
	peer->m = NULL;
	end_round(p);
	if (wanted)
		p->handlers.found(p->arg, m);
	else
		manifest_free(m);
}

static void
take_best(struct peers *p)
{
	const struct manifest *now = p->handlers.in_force(p->arg);
	struct peer *best = NULL;
	size_t i;

	for (i = 0; i < p->asked.len && !p->forget; i++) {
		struct peer *peer = p->asked.at[i];

		if (peer->m != NULL && peers_is_newer(peer->m, now) &&
		    (best == NULL || peer->m->generation > best->m->generation))
			best = peer;
	}
	p->source = best;
	if (best == NULL)
		end_round(p);
	else
		fetch_blobs_start(
		    best->fetch, p->folder, best->m, on_blobs, best);
}

/* ---- manifests ---- */

static void
on_answer(
    void *arg, enum fetch_poll what, struct manifest *m, const struct error *e)
{
	struct peer *peer = arg;
	struct peers *p = peer->peers;

	if (what == FETCH_ERROR)
		log_debug("peer %s: %s", peer->url, e->msg);
	peer->m = m;
	if (--p->waiting == 0)
		take_best(p);
}

static bool
is_peer(const struct peers *p, const struct address *a)
{
	struct inet address, network;
	uint16_t port;

	if (!peer_server_address(p->server, &address, &network, &port))
		return true;
	/* One name may stand for a group's addresses on all its networks. */
	if (!inet_contains(&network, &a->inet))
		return false;
	return a->port != port || a->inet.v6 != address.v6 ||
	    memcmp(a->inet.bytes, address.bytes, sizeof(address.bytes)) != 0;
}

static void
ask(struct peers *p, const struct address *a)
{
	struct peer *peer = xcalloc(1, sizeof(*peer));
	char where[INET_TEXT_SIZE + 16];
	struct error e;

	peer_format(&a->inet, a->port, where, sizeof(where));
	peer->peers = p;
	peer->url = xasprintf(
	    "%s://%s", p->options->tls_cert == NULL ? "http" : "https", where);
	peer->fetch = fetch_peer_new(p->loop, p->options, peer->url, &e);
	if (peer->fetch == NULL) {
		log_warn("peer %s: %s", peer->url, e.msg);
		free(peer->url);
		free(peer);
		return;
	}
	p->open++;
	p->waiting++;
	vec_push(&p->asked, peer);
}

/* Some of them, by chance: a large group is not asked as a whole. */
static void
ask_some(struct peers *p)
{
	uint32_t random = 0;
	size_t i, n = 0;

	p->waiting = 0;
	while (p->addresses.len > 0 && n < ASK_AT_MOST) {
		(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
		i = random % p->addresses.len;
		if (is_peer(p, &p->addresses.at[i])) {
			ask(p, &p->addresses.at[i]);
			n++;
		}
		vec_remove(&p->addresses, i);
	}
	for (i = 0; i < p->asked.len; i++)
		fetch_poll_start(p->asked.at[i]->fetch, "", NULL, NULL,
		    on_answer, p->asked.at[i]);
	if (p->asked.len == 0)
		end_round(p);
}

/* ---- names ---- */

static void
add_address(struct peers *p, const struct addrinfo *a)
{
	const void *bytes = a->ai_family == AF_INET
	    ? (void *)&((struct sockaddr_in *)(void *)a->ai_addr)->sin_addr
	    : (void *)&((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr;
	struct address found = { .port = p->port };
	char text[INET6_ADDRSTRLEN];

	if (p->addresses.len < ADDRESSES_MAX &&
	    (a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
	    inet_ntop(a->ai_family, bytes, text, sizeof(text)) != NULL &&
	    inet_parse(text, strlen(text), &found.inet, NULL) == 0)
		vec_push(&p->addresses, found);
}

static void
on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct peers *p = container_of(req, struct peers, lookup);
	const struct addrinfo *a;

	p->looking = false;
	for (a = status == 0 ? list : NULL; a != NULL; a = a->ai_next)
		add_address(p, a);
	uv_freeaddrinfo(list);
	if (!p->closing)
		look_up_next(p);
	drop(p);
}

static void
look_up_next(struct peers *p)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[256], port[8];
	struct inet inet;

	while (peers_next(&p->next, host, sizeof(host), port)) {
		p->port = (uint16_t)strtoul(port, NULL, 10);
		if (inet_parse(host, strlen(host), &inet, NULL) == 0) {
			vec_push(&p->addresses,
			    ((struct address){
				.inet = inet, .port = p->port }));
			continue;
		}
		if (uv_getaddrinfo(p->loop, &p->lookup, on_lookup, host, NULL,
			&hints) == 0) {
			p->looking = true;
			p->open++;
			return;
		}
	}
	ask_some(p);
}

/* ---- outside ---- */

struct peers *
peers_new(uv_loop_t *loop, const struct agent_options *o, struct folder *folder,
    const struct peers_handlers *h, void *arg)
{
	struct peers *p;

	if (o->peers == NULL && o->peer_listen == NULL)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->loop = loop;
	p->options = o;
	p->folder = folder;
	p->handlers = *h;
	p->arg = arg;
	if (o->peer_listen != NULL)
		p->server = peer_server_new(loop, o, h->in_force, arg);
	return p;
}

void
peers_ask(struct peers *p)
{
	if (p == NULL || p->options->peers == NULL || p->busy || p->closing)
		return;
	p->busy = true;
	p->forget = false;
	p->next = p->options->peers;
	look_up_next(p);
}

void
peers_forget(struct peers *p)
{
	if (p != NULL)
		p->forget = true;
}

static void
on_server_closed(void *arg)
{
	drop(arg);
}

void
peers_close(struct peers *p, void (*closed)(void *arg), void *arg)
{
	if (p == NULL || p->closing)
		return;
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	p->open++;
	if (p->looking)
		(void)uv_cancel((uv_req_t *)&p->lookup);
	end_round(p);
	if (p->server != NULL) {
		p->open++;
		peer_server_close(p->server, on_server_closed, p);
	}
	drop(p);
}
